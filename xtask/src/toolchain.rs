//! What of the Rust toolchain must be there, installed with rustup where it is missing.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::command::Tool;
use crate::steps::Steps;

/// The target of every component.
pub(crate) const GUEST_TARGET: &str = "wasm32-wasip2";

pub(crate) fn ensure_guest_target(steps: &mut Steps) -> Result<()> {
    let installed = rustup(&["target", "list", "--installed"])
        .with_context(|| format!("cannot tell whether the target {GUEST_TARGET} is installed"))?;
    if installed.lines().any(|target| target.trim() == GUEST_TARGET) {
        return Ok(());
    }
    steps.run(&format!("install the target {GUEST_TARGET}"), || {
        Tool::new("rustup").args(["target", "add", GUEST_TARGET]).run().with_context(|| {
            format!("components need this target; try `rustup target add {GUEST_TARGET}` by hand")
        })
    })
}

/// Makes sure of `rustfmt` and `clippy`, which a minimal toolchain leaves out.
pub(crate) fn ensure_component(name: &str, cargo_command: &str) -> Result<()> {
    if Tool::cargo().args([cargo_command, "--version"]).works() {
        return Ok(());
    }
    Tool::new("rustup")
        .args(["component", "add", name])
        .run()
        .with_context(|| format!("`cargo {cargo_command}` is missing; install {name} by hand"))
}

/// The compiler that cargo calls.
pub(crate) struct Compiler {
    /// The target of this machine.
    pub(crate) host: String,
    /// The version of its LLVM.
    pub(crate) llvm: String,
    /// Where the tools are that come with it, such as those of LLVM.
    tools: PathBuf,
}

impl Compiler {
    pub(crate) fn find() -> Result<Self> {
        let rustc = || Tool::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        let told = rustc().arg("-vV").output()?;
        let line = |key: &str| {
            let value = told.lines().find_map(|line| line.strip_prefix(key));
            value.map(str::to_owned).with_context(|| format!("`rustc -vV` says no `{key}`"))
        };
        let libraries = PathBuf::from(rustc().args(["--print", "target-libdir"]).output()?.trim());
        Ok(Self {
            host: line("host: ")?,
            llvm: line("LLVM version: ")?,
            tools: libraries.with_file_name("bin"),
        })
    }
}

/// The tool that reads and merges profiles, of the compiler's own LLVM: another may not know them.
pub(crate) fn ensure_llvm_profdata(compiler: &Compiler, steps: &mut Steps) -> Result<PathBuf> {
    let tool = compiler.tools.join("llvm-profdata");
    if !tool.is_file() {
        steps.run("install the component llvm-tools", || {
            Tool::new("rustup").args(["component", "add", "llvm-tools"]).run()
        })?;
    }
    ensure!(tool.is_file(), "{} is missing; install llvm-tools by hand", tool.display());
    Ok(tool)
}

fn rustup(arguments: &[&str]) -> Result<String> {
    Tool::new("rustup")
        .args(arguments)
        .output()
        .context("rustup is needed (https://rustup.rs); distribution packages of Rust do not do")
}
