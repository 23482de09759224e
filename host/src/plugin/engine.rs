//! The one WebAssembly engine of the process: how guests run and what they can never exceed.

use std::{thread, time::Duration};

use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails,
    component::Linker,
};

use super::{bindings, state::State, time::Time};
use crate::{
    clock,
    config::{MAX_PLUGIN_MEMORY, MAX_PLUGIN_TABLE},
};

/// How often a running guest is looked at. A CPU limit is this coarse; shorter ticks cost a gateway
/// that is idle more than they tell.
const TICK: Duration = Duration::from_millis(5);

/// Instances of all plugins, generations and workers together. Address space is reserved for
/// each (about 4 GiB of it, no memory).
const MAX_INSTANCES: u32 = 4000;

/// Bytes of stack for a guest, and for the fiber that it runs on together with the host functions
/// that it calls.
const WASM_STACK: usize = 512 << 10;
const FIBER_STACK: usize = 1 << 20;

/// Memory of a returned slot that is cleared in place rather than given back to the system, bytes.
const KEEP_RESIDENT: usize = 256 << 10;

/// The engine with everything that a guest may import. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(super) engine: wasmtime::Engine,
    pub(super) linker: Linker<State>,
    /// What the guests' clocks show.
    pub(super) time: Time,
}

impl Engine {
    /// Starts the engine and its ticker thread.
    ///
    /// # Errors
    ///
    /// The machine cannot run it (no address space, an unknown processor).
    pub fn new() -> wasmtime::Result<Self> {
        let engine = wasmtime::Engine::new(&config())?;
        let mut linker = Linker::new(&engine);
        // Clocks, randomness and standard output for real; the rest of WASI is there so that
        // components link, over a context that grants nothing.
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        bindings::Plugin::add_to_linker::<_, wasmtime::component::HasSelf<State>>(
            &mut linker,
            |state| state,
        )?;
        start_ticker(engine.clone())?;
        Ok(Self { engine, linker, time: Time::System })
    }

    /// The same with other clocks for its guests.
    pub(crate) fn with_time(self, time: Time) -> Self {
        Self { time, ..self }
    }
}

fn config() -> Config {
    let mut config = Config::new();
    // Without it a call into a guest costs a fifth, and filters need none of it.
    config.concurrency_support(false);
    config.epoch_interruption(true);
    config.max_wasm_stack(WASM_STACK);
    config.async_stack_size(FIBER_STACK);
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    config
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(MAX_INSTANCES)
        .total_core_instances(MAX_INSTANCES * 4)
        .total_memories(MAX_INSTANCES)
        .total_tables(MAX_INSTANCES * 4)
        .total_stacks(MAX_INSTANCES)
        .max_core_instances_per_component(200)
        .max_memories_per_component(8)
        .max_tables_per_component(64)
        .max_component_instance_size(8 << 20)
        .max_core_instance_size(8 << 20)
        .max_memory_size(MAX_PLUGIN_MEMORY)
        .table_elements(MAX_PLUGIN_TABLE)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(16 << 10)
        .max_unused_warm_slots(64)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Moves the epoch and the coarse clock on, until the process ends.
fn start_ticker(engine: wasmtime::Engine) -> std::io::Result<()> {
    thread::Builder::new().name("ticker".into()).spawn(move || {
        loop {
            thread::sleep(TICK);
            // The clock first: a guest that sees the epoch end asks it how long it has run.
            clock::advance();
            engine.increment_epoch();
        }
    })?;
    Ok(())
}
