//! What of the Rust toolchain must be there, installed with rustup where it is missing.

use anyhow::{Context, Result};

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

fn rustup(arguments: &[&str]) -> Result<String> {
    Tool::new("rustup")
        .args(arguments)
        .output()
        .context("rustup is needed (https://rustup.rs); distribution packages of Rust do not do")
}
