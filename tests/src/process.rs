//! Processes: signals, memory, and programs that run to their end.

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::artifacts;

/// Sends a signal to a process of this test.
#[expect(unsafe_code, reason = "there is no other way to send a signal")]
pub fn signal(pid: u32, signal: libc::c_int) {
    let pid = libc::pid_t::try_from(pid).expect("a process id");
    // SAFETY: it takes two integers and touches no memory of ours.
    let result = unsafe { libc::kill(pid, signal) };
    assert_eq!(result, 0, "the process is there");
}

/// Memory that a process holds now, in bytes.
#[must_use]
pub fn resident_memory(pid: u32) -> u64 {
    memory(pid, "VmRSS:")
}

/// The most memory that a process has held, in bytes.
#[must_use]
pub fn peak_memory(pid: u32) -> u64 {
    memory(pid, "VmHWM:")
}

fn memory(pid: u32, key: &str) -> u64 {
    status(pid, key).trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

/// Threads that a process has now.
#[must_use]
pub fn threads(pid: u32) -> usize {
    status(pid, "Threads:").parse().expect("a number")
}

/// File descriptors that a process has open now.
#[must_use]
pub fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").count()
}

fn status(pid: u32, key: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("Linux tells it");
    line.trim().to_owned()
}

/// Runs `tollgate` with these arguments, in `folder`, to its end.
#[must_use]
pub fn tollgate(folder: &Path, arguments: &[&str]) -> Ran {
    tollgate_with(folder, &[], "", arguments)
}

/// The same with environment variables, and with `input` on its standard input.
#[must_use]
pub fn tollgate_with(
    folder: &Path,
    environment: &[(&str, &Path)],
    input: impl AsRef<[u8]>,
    arguments: &[&str],
) -> Ran {
    let mut child = Command::new(artifacts::gateway())
        .args(arguments)
        .current_dir(folder)
        .env("TOLLGATE_CACHE", artifacts::cache())
        .env_remove("TOLLGATE_CONFIG")
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the gateway's binary runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    // A program that does not read its input may end before it is written.
    let _ = stdin.write_all(input.as_ref());
    drop(stdin);
    Ran::from(child.wait_with_output().expect("it ends"))
}

/// How a program ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("no signal"),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }
}
