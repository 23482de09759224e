//! The WebAssembly engine of plugins, and that of services: how guests run and what they can never
//! exceed.

use std::{
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails,
    component::Linker,
};

use super::{bindings, compiler::Guests, idle::Idle, service, state::State, time::Time};
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

/// The same for services. They are apart: one that clients keep waiting must not take the place of
/// an authenticator.
const MAX_SERVICES: u32 = 2000;

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
    /// Shared: a copy of all that it names takes 100 KB, and every use has an engine.
    pub(super) linker: Arc<Linker<State>>,
    /// What the guests' clocks show.
    pub(super) time: Time,
    /// Instances that could make room for others.
    pub(super) idle: Arc<Idle>,
    /// Empty until a service is loaded.
    services: Arc<OnceLock<service::Engine>>,
}

impl Engine {
    /// Starts the engine and its ticker thread.
    ///
    /// # Errors
    ///
    /// The machine cannot run it (no address space, an unknown processor).
    pub fn new() -> wasmtime::Result<Self> {
        let engine = wasmtime::Engine::new(&running(Guests::Plugins, MAX_INSTANCES))?;
        let mut linker = Linker::new(&engine);
        // Clocks, randomness and standard output for real; the rest of WASI is there so that
        // components link, over a context that grants nothing.
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        bindings::Plugin::add_to_linker::<_, wasmtime::component::HasSelf<State>>(
            &mut linker,
            |state| state,
        )?;
        let (linker, services) = (Arc::new(linker), Arc::default());
        start_ticker(engine.clone(), Arc::clone(&services))?;
        Ok(Self { engine, linker, time: Time::System, idle: Arc::default(), services })
    }

    /// The same with other clocks for its guests.
    pub(crate) fn with_time(self, time: Time) -> Self {
        Self { time, ..self }
    }

    /// What code for these guests runs in.
    ///
    /// # Errors
    ///
    /// The machine cannot run it.
    pub(super) fn of(&self, guests: Guests) -> wasmtime::Result<&wasmtime::Engine> {
        match guests {
            Guests::Plugins => Ok(&self.engine),
            Guests::Services => self.services().map(|services| &services.engine),
        }
    }

    /// The engine of services, made now if it has not been.
    ///
    /// # Errors
    ///
    /// The machine cannot run it.
    pub(super) fn services(&self) -> wasmtime::Result<&service::Engine> {
        if let Some(made) = self.services.get() {
            return Ok(made);
        }
        let made = service::Engine::new(&running(Guests::Services, MAX_SERVICES))?;
        Ok(self.services.get_or_init(|| made))
    }
}

/// How code for these guests is compiled. What is set elsewhere does not change code.
pub(super) fn compiling(guests: Guests) -> Config {
    let mut config = Config::new();
    // Without it a call into a guest costs a fifth less, and plugins need none of it.
    let waits = guests == Guests::Services;
    config.concurrency_support(waits).wasm_component_model_async(waits);
    config.epoch_interruption(true);
    config.max_wasm_stack(WASM_STACK);
    config.async_stack_size(FIBER_STACK);
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config
}

/// How they run.
fn running(guests: Guests, instances: u32) -> Config {
    let mut config = compiling(guests);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances)));
    config
}

fn pool(instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances * 4)
        .total_memories(instances)
        .total_tables(instances * 4)
        .total_stacks(instances)
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

/// Moves the epochs and the coarse clock on, until the process ends.
fn start_ticker(
    engine: wasmtime::Engine,
    services: Arc<OnceLock<service::Engine>>,
) -> std::io::Result<()> {
    thread::Builder::new().name("ticker".into()).spawn(move || {
        loop {
            thread::sleep(TICK);
            // The clock first: a guest that sees the epoch end asks it how long it has run.
            clock::advance();
            engine.increment_epoch();
            if let Some(services) = services.get() {
                services.engine.increment_epoch();
            }
        }
    })?;
    Ok(())
}
