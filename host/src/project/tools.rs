//! The programs that projects are built with.

use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Stdio},
};

use super::Error;

/// A program, and what to do where it is missing.
pub(super) struct Tool {
    pub(super) program: &'static str,
    pub(super) remedy: &'static str,
}

pub(super) const CARGO: Tool =
    Tool { program: "cargo", remedy: "install Rust with https://rustup.rs" };
pub(super) const RUSTUP: Tool = Tool {
    program: "rustup",
    remedy: "install it from https://rustup.rs, or bring the target wasm32-wasip2 to your Rust \
             in its own way",
};
pub(super) const NPM: Tool =
    Tool { program: "npm", remedy: "install Node.js 20 or later from https://nodejs.org" };
pub(super) const PYTHON: Tool = Tool {
    program: "python3",
    remedy: "install Python 3.10 or later, with its `venv` (Debian: python3-venv)",
};
pub(super) const MAKE: Tool = Tool { program: "make", remedy: "install it (Debian: make)" };

impl Tool {
    /// # Errors
    ///
    /// It is not there.
    pub(super) fn check(&self) -> Result<(), Error> {
        let there = Command::new(self.program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        match there {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::NoTool { tool: self.program, remedy: self.remedy }),
        }
    }

    /// Runs it in `folder`; what it says goes to standard error, where progress belongs.
    ///
    /// # Errors
    ///
    /// It is not there, or did not succeed.
    pub(super) fn run(&self, folder: &Path, arguments: &[&str]) -> Result<(), Error> {
        self.check()?;
        run(OsStr::new(self.program), folder, arguments)
    }

    /// What it prints.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub(super) fn output(&self, folder: &Path, arguments: &[&str]) -> Result<Vec<u8>, Error> {
        self.check()?;
        let output = Command::new(self.program)
            .args(arguments)
            .current_dir(folder)
            .stderr(Stdio::inherit())
            .output();
        match output {
            Ok(output) if output.status.success() => Ok(output.stdout),
            _ => Err(Error::Failed(shown(OsStr::new(self.program), arguments))),
        }
    }
}

/// Runs any program in `folder`.
///
/// # Errors
///
/// It did not succeed.
pub(super) fn run(program: &OsStr, folder: &Path, arguments: &[&str]) -> Result<(), Error> {
    let failed = || Error::Failed(shown(program, arguments));
    let status = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .map_err(|_| failed())?;
    if status.success() { Ok(()) } else { Err(failed()) }
}

fn shown(program: &OsStr, arguments: &[&str]) -> String {
    [&[program.to_string_lossy().as_ref()], arguments].concat().join(" ")
}
