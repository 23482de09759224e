//! Running other programs, with errors that say which and what to do.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, anyhow, bail};

/// One call of another program.
pub(crate) struct Tool {
    command: Command,
}

impl Tool {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self { command: Command::new(program) }
    }

    /// The cargo that runs this program.
    pub(crate) fn cargo() -> Self {
        Self::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub(crate) fn args(mut self, arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    /// On a build server nobody would see that the lock file has changed, so there it must not.
    pub(crate) fn locked_in_ci(self) -> Self {
        if std::env::var_os("CI").is_some() { self.arg("--locked") } else { self }
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn within(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Runs it with our own output.
    pub(crate) fn run(mut self) -> Result<()> {
        let line = self.line();
        let status = self.command.status().map_err(|fault| not_started(&line, fault))?;
        if !status.success() {
            bail!("`{line}` failed ({status})");
        }
        Ok(())
    }

    /// Runs it in this program's place, so that signals reach it and its exit code is ours.
    /// Returns only if it cannot be started.
    pub(crate) fn take_over(mut self) -> Result<()> {
        let line = self.line();
        let fault = self.command.exec();
        Err(not_started(&line, fault))
    }

    /// Runs it and takes what it prints; what it complains about is in the error.
    pub(crate) fn output(mut self) -> Result<String> {
        let line = self.line();
        let output = self
            .command
            .stdin(Stdio::null())
            .output()
            .map_err(|fault| not_started(&line, fault))?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            bail!("`{line}` failed ({}): {}", output.status, complaint.trim());
        }
        String::from_utf8(output.stdout)
            .with_context(|| format!("`{line}` printed something that is not UTF-8"))
    }

    /// Runs it and shows each line of its standard error to `watch`; how it ended is the caller's to
    /// judge.
    pub(crate) fn watched(mut self, mut watch: impl FnMut(&str)) -> Result<ExitStatus> {
        let line = self.line();
        let child = self.command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|fault| not_started(&line, fault))?;
        let stderr = child.stderr.take().context("its standard error is piped")?;
        for told in BufReader::new(stderr).split(b'\n') {
            let told = told.with_context(|| format!("cannot read what `{line}` says"))?;
            watch(&String::from_utf8_lossy(&told));
        }
        child.wait().with_context(|| format!("cannot tell how `{line}` ended"))
    }

    /// Whether it can be run at all, successfully.
    pub(crate) fn works(mut self) -> bool {
        let quiet = self.command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|status| status.success())
    }

    fn line(&self) -> String {
        let program = Path::new(self.command.get_program());
        let program = program.file_name().unwrap_or(self.command.get_program()).to_owned();
        let words: Vec<OsString> =
            std::iter::once(program).chain(self.command.get_args().map(OsStr::to_owned)).collect();
        words.join(OsStr::new(" ")).to_string_lossy().into_owned()
    }
}

fn not_started(line: &str, fault: std::io::Error) -> anyhow::Error {
    match fault.kind() {
        ErrorKind::NotFound => anyhow!("`{line}`: the program is not installed or not in PATH"),
        _ => anyhow!(fault).context(format!("cannot start `{line}`")),
    }
}
