//! The process that compiles: a component comes by standard input, its code goes to standard output,
//! and what is wrong with it to standard error.

use std::{
    fs,
    io::{self, Write},
    process::ExitCode,
};

use rlimit::Resource;

use super::{Guests, here};
use crate::{disk, printable, registry::MAX_COMPONENT};

/// Address space. Of what `component/size.rs` lets through, nothing took more than 3.5 GiB of it, and
/// 2 GB of memory, with as many threads as there may be.
pub(super) const MEMORY: u64 = 4 << 30;

/// Seconds of CPU time of all threads. An interpreter takes some 15, the worst of what was tried 130.
pub(super) const CPU: u64 = 300;

/// Seconds after which it ends, whatever it waits for.
const LIFETIME: u32 = 900;

/// The exit code for what is no sound component. All else that goes wrong has another.
pub(super) const REFUSED: u8 = 90;

/// Bytes of what is told of a component.
const MAX_REASON: usize = 4096;

/// Compiles what standard input has.
pub(crate) fn main(guests: Guests) -> ExitCode {
    stand_back();
    let component = limit().and_then(|()| disk::read_from(io::stdin(), MAX_COMPONENT));
    let (code, reason) = match component {
        Err(error) => (1, error.to_string()),
        Ok(component) => match here(guests, &component) {
            Err(error) if error.is::<wasmtime::OutOfMemory>() => (1, format!("{error:#}")),
            Err(error) => (REFUSED, format!("{error:#}")),
            Ok(code) => match hand_over(&code) {
                Err(error) => (1, error.to_string()),
                Ok(()) => return ExitCode::SUCCESS,
            },
        },
    };
    // Whoever started it has gone where that fails.
    let _ = io::stderr().write_all(printable::beginning(&reason, MAX_REASON).as_bytes());
    ExitCode::from(code)
}

fn hand_over(code: &[u8]) -> io::Result<()> {
    let mut output = io::stdout();
    output.write_all(code)?;
    output.flush()
}

fn limit() -> io::Result<()> {
    for (resource, most, grace) in [
        (Resource::AS, MEMORY, 0),
        // At the second limit the kernel kills without a word of why.
        (Resource::CPU, CPU, 10),
        (Resource::CORE, 0, 0),
        // What it has open already stays: it opens no file and no socket.
        (Resource::NOFILE, 3, 0),
    ] {
        // What is less already stays.
        let (soft, hard) = resource.get()?;
        resource.set(soft.min(most), hard.min(most + grace))?;
    }
    Ok(())
}

/// Lets the gateway go first, and ends with it. What of it the system does not allow is done without.
#[expect(unsafe_code, reason = "the C library's calls have no safe wrapper in use here")]
fn stand_back() {
    // Where memory is short, the kernel ends this process and not the gateway.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    // SAFETY: calls without pointers, before there is any other thread.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong);
        libc::alarm(LIFETIME);
        // Whoever tells all that is called `tollgate` to reload or stop means the gateway.
        for signal in [libc::SIGHUP, libc::SIGUSR1, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM] {
            libc::signal(signal, libc::SIG_IGN);
        }
    }
}
