//! From the bytes of a component to machine code, in a process of its own: whatever a stranger's
//! component does to the compiler, the gateway goes on.

mod apart;
mod child;

use std::sync::atomic::{AtomicBool, Ordering};

pub(super) use self::apart::Ended;
pub(crate) use self::child::main as child;
use super::engine;

/// The command of the program that compiles.
pub(crate) const COMMAND: &str = "compile-component";

/// Whose engine the code is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Guests {
    Plugins,
    Services,
}

/// Whether the program of this process compiles when it is told to; see [`start_apart`].
static IS_PROGRAM: AtomicBool = AtomicBool::new(false);

/// From now on this process starts its own program once more to compile. Only for a program that hands
/// such a call to [`child`]: any other would do all over again what it does now.
pub(crate) fn start_apart() {
    IS_PROGRAM.store(true, Ordering::Relaxed);
}

/// What the compiler made, and nobody else: the engine runs it as it is.
pub(super) struct MachineCode(Vec<u8>);

impl MachineCode {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Machine code for the engine of `guests`. Takes seconds: never call it on a worker.
///
/// # Errors
///
/// It is no sound component; or [`Ended`], where the compiler came to no end.
pub(super) fn compile(guests: Guests, component: &[u8]) -> wasmtime::Result<MachineCode> {
    let compile = if IS_PROGRAM.load(Ordering::Relaxed) { apart::compile } else { here };
    compile(guests, component).map(MachineCode)
}

/// By an engine that runs nothing, and so reserves no address space.
fn here(guests: Guests, component: &[u8]) -> wasmtime::Result<Vec<u8>> {
    let engine = wasmtime::Engine::new(&engine::compiling(guests))?;
    engine.precompile_component(component)
}
