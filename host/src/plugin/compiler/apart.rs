//! Starts the process that compiles, and tells how it ended.

use std::{
    io::{self, Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
};

use clap::ValueEnum;

use super::{
    COMMAND, Guests,
    child::{CPU, MEMORY, REFUSED},
};
use crate::printable;

/// Threads that compile: each takes memory, and the gateway has work as well.
const MAX_THREADS: usize = 4;

/// Bytes of machine code, and of what is said of it. Code has some three times the bytes of a component.
const MAX_CODE: u64 = 1 << 30;
const MAX_SAID: u64 = 16 << 10;

/// The compiler came to no end. Of a sound component or not, nobody knows.
#[derive(Debug, thiserror::Error)]
pub(in crate::plugin) enum Ended {
    #[error(
        "the gateway cannot start its own program to compile it ({0}); it needs `/proc` and the right to start programs"
    )]
    Unstarted(io::Error),
    #[error("the gateway and the process that compiles it lost each other: {0}")]
    Lost(io::Error),
    #[error("compiling it takes more memory than it may ({} GiB at most)", MEMORY >> 30)]
    Memory,
    #[error("compiling it takes more CPU time than it may ({CPU} s at most)")]
    Cpu,
    #[error("compiling it takes longer than 15 minutes")]
    Late,
    #[error("a filter of system calls does not let the gateway's own program compile it")]
    Filtered,
    #[error("compiling it was stopped from outside, maybe since the machine has no memory left")]
    Killed,
    #[error("the compiler failed on it ({status}): {said}")]
    Failed { status: ExitStatus, said: String },
}

/// # Errors
///
/// It is no sound component; or [`Ended`].
pub(super) fn compile(guests: Guests, component: &[u8]) -> wasmtime::Result<Vec<u8>> {
    let mut child = start(guests).map_err(Ended::Unstarted)?;
    let told = converse(&mut child, component);
    if told.is_err() {
        // Or it would wait for what does not come; one that has ended already is as good.
        let _ = child.kill();
    }
    // In any case, or it would stay as what nobody has asked for.
    let status = child.wait().map_err(Ended::Lost)?;
    let (code, said) = told.map_err(Ended::Lost)?;
    match status.code() {
        Some(0) => Ok(code),
        Some(refused) if refused == i32::from(REFUSED) => Err(wasmtime::Error::msg(said)),
        _ => Err(wasmtime::Error::new(ended(status, &said))),
    }
}

/// This very program, even if another file stands in its place by now. It gets nothing of the
/// gateway's environment, and no signal that is for the gateway's group.
fn start(guests: Guests) -> io::Result<Child> {
    let kind = guests.to_possible_value().expect("no kind of guests is left out");
    let threads = thread::available_parallelism().map_or(1, |cores| cores.get().min(MAX_THREADS));
    Command::new("/proc/self/exe")
        .arg0("tollgate")
        .args([COMMAND, kind.get_name()])
        .env_clear()
        .env("RAYON_NUM_THREADS", threads.to_string())
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// Hands it the component, and gives the code and what it said. It says something only when it gives no
/// code, and no more than fits into a pipe.
fn converse(child: &mut Child, component: &[u8]) -> io::Result<(Vec<u8>, String)> {
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let code = thread::scope(|scope| {
        // One that ends before it has read all says why by its end.
        let feed = move || input.map(|mut input| input.write_all(component));
        thread::Builder::new().name("compile".into()).spawn_scoped(scope, feed)?;
        read(output, MAX_CODE)
    })?;
    let said = read(child.stderr.take(), MAX_SAID)?;
    Ok((code, String::from_utf8_lossy(&said).into_owned()))
}

fn read(from: Option<impl Read>, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        from.take(most).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn ended(status: ExitStatus, said: &str) -> Ended {
    match status.signal() {
        Some(libc::SIGABRT) if said.contains("memory allocation of") => Ended::Memory,
        Some(libc::SIGXCPU) => Ended::Cpu,
        Some(libc::SIGALRM) => Ended::Late,
        Some(libc::SIGSYS) => Ended::Filtered,
        Some(libc::SIGKILL) => Ended::Killed,
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
            (libc::SIGABRT, "memory allocation of 9 bytes failed", "more memory than it may"),
            (libc::SIGABRT, "", "the compiler failed on it (signal: 6"),
            (libc::SIGXCPU, "", "more CPU time than it may (300 s at most)"),
            (libc::SIGALRM, "", "longer than 15 minutes"),
            (libc::SIGSYS, "", "a filter of system calls"),
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
