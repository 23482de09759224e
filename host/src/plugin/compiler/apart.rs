//! Starts the process that compiles, and tells how it ended.

use std::{
    io::{self, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
};

use clap::ValueEnum;

use super::{
    COMMAND, Guests,
    child::{CPU, MEMORY, REFUSED},
};
use crate::printable;

/// Threads at most: each takes memory, and the gateway has work as well.
const MAX_THREADS: usize = 4;

/// The compiler came to no end. Of a sound component or not, nobody knows.
#[derive(Debug, thiserror::Error)]
pub(in crate::plugin) enum Ended {
    #[error(
        "the gateway cannot start its own program to compile it ({0}); it needs `/proc` and the right to start programs"
    )]
    Unstarted(io::Error),
    #[error("compiling it takes more than {} GiB of memory", MEMORY >> 30)]
    Memory,
    #[error("compiling it takes more than {CPU} s of CPU time")]
    Cpu,
    #[error("compiling it takes longer than 15 minutes")]
    Late,
    #[error("compiling it was stopped from outside, maybe since the machine has no memory left")]
    Killed,
    #[error("the compiler failed on it ({status}): {said}")]
    Failed { status: ExitStatus, said: String },
}

/// # Errors
///
/// It is no sound component; or [`Ended`].
pub(super) fn compile(guests: Guests, component: &[u8]) -> wasmtime::Result<Vec<u8>> {
    let child = start(guests).map_err(Ended::Unstarted)?;
    let done = feed(child, component).map_err(Ended::Unstarted)?;
    let said = String::from_utf8_lossy(&done.stderr);
    match done.status.code() {
        Some(0) => Ok(done.stdout),
        Some(code) if code == i32::from(REFUSED) => Err(wasmtime::Error::msg(said.into_owned())),
        _ => Err(wasmtime::Error::new(ended(done.status, &said))),
    }
}

/// This very program, even if another file stands in its place by now. It gets nothing of the
/// gateway's environment.
fn start(guests: Guests) -> io::Result<Child> {
    let kind = guests.to_possible_value().expect("no kind of guests is left out");
    let threads = thread::available_parallelism().map_or(1, |cores| cores.get().min(MAX_THREADS));
    Command::new("/proc/self/exe")
        .arg0("tollgate")
        .args([COMMAND, kind.get_name()])
        .env_clear()
        .env("RAYON_NUM_THREADS", threads.to_string())
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

fn feed(mut child: Child, component: &[u8]) -> io::Result<Output> {
    let input = child.stdin.take();
    thread::scope(|scope| {
        // One that ends before it has read all says why by its end.
        scope.spawn(move || input.map(|mut input| input.write_all(component)));
        child.wait_with_output()
    })
}

fn ended(status: ExitStatus, said: &str) -> Ended {
    match status.signal() {
        Some(libc::SIGABRT) if said.contains("memory allocation of") => Ended::Memory,
        Some(libc::SIGXCPU) => Ended::Cpu,
        Some(libc::SIGALRM) => Ended::Late,
        Some(libc::SIGKILL | libc::SIGTERM | libc::SIGINT) => Ended::Killed,
        _ => Ended::Failed { status, said: printable::beginning(said.trim(), 500).into_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_the_compiler_ended_is_told_in_words() {
        let told = |raw, said| ended(ExitStatus::from_raw(raw), said).to_string();
        for (signal, said, words) in [
            (libc::SIGABRT, "memory allocation of 9 bytes failed", "more than 4 GiB of memory"),
            (libc::SIGABRT, "", "the compiler failed on it (signal: 6"),
            (libc::SIGXCPU, "", "more than 300 s of CPU time"),
            (libc::SIGALRM, "", "longer than 15 minutes"),
            (libc::SIGKILL, "", "stopped from outside"),
            (libc::SIGSEGV, "", "the compiler failed on it (signal: 11"),
        ] {
            assert!(told(signal, said).contains(words), "{}", told(signal, said));
        }
        let panicked = told(101 << 8, "thread 'main' panicked\n");
        assert_eq!(
            panicked,
            "the compiler failed on it (exit status: 101): thread 'main' panicked"
        );
    }
}
