//! The engine of services, with support for concurrency, which plugins do without. It is made when
//! the first service is loaded: a gateway without one has only the plugins' engine.

use std::sync::Arc;

use wasmtime::{Config, Result, Store, component::Linker};

use super::{preview3, state::State};

/// Bytes that one call may hand to the gateway; bodies go in pieces.
const LIFTED: usize = 16 << 20;

/// The engine with everything that a service may import. Cheap to clone.
#[derive(Clone)]
pub(in crate::plugin) struct Engine {
    pub(in crate::plugin) engine: wasmtime::Engine,
    pub(super) linker: Arc<Linker<State>>,
}

impl Engine {
    /// # Errors
    ///
    /// The machine cannot run it.
    pub(in crate::plugin) fn new(config: &Config) -> Result<Self> {
        let engine = wasmtime::Engine::new(config)?;
        let mut linker = Linker::new(&engine);
        // All of WASI is there so that components link, over a context that grants nothing but
        // clocks, randomness and standard output.
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
        preview3::add_to_linker(&mut linker)?;
        Ok(Self { engine, linker: Arc::new(linker) })
    }

    /// A store in which one instance can run.
    pub(super) fn store(&self, state: State) -> Store<State> {
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.memory);
        store.epoch_deadline_callback(|context| {
            let state = context.data();
            state.meter.at_epoch(state.cpu)
        });
        store.set_epoch_deadline(1);
        store.set_hostcall_fuel(LIFTED);
        store
    }
}
