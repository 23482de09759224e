//! What one instance of a service has in its store.

use std::{sync::Arc, time::Duration};

use http::HeaderValue;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::{
    middleware::Next,
    outbound::{Caller, Outbound},
};
use crate::plugin::{
    imports::output::Printing,
    meter::Meter,
    settings::Settings,
    state::{MAX_RANDOM, MemoryLimit},
};

/// Handles to things of the host that one instance may hold at a time. With the fields of messages it
/// bounds what an instance makes the host hold beside its own memory.
const MAX_HANDLES: usize = 1_000;

/// Bytes that the fields of one message take in the host, its overhead included.
const MAX_FIELDS: usize = 64 << 10;

pub(super) struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
    pub(super) memory: MemoryLimit,
    /// What the guest's request to the handler that it imports becomes, once.
    pub(super) next: Option<Next>,
    pub(super) meter: Arc<Meter>,
    /// CPU time of the instance.
    pub(super) cpu: Duration,
}

impl State {
    /// Without a `caller` there is nobody to make requests for.
    pub(super) fn new(settings: &Arc<Settings>, caller: Option<Caller>, cpu: Duration) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(MAX_FIELDS);
        let meter = Arc::<Meter>::default();
        if caller.is_some() {
            meter.reset();
        }
        let id = caller.as_ref().and_then(Caller::request_id);
        let wasi = wasi(settings, id, &meter);
        Self {
            table,
            wasi,
            http,
            outbound: Outbound::new(Arc::clone(settings), caller),
            memory: MemoryLimit::new(&settings.limits),
            next: None,
            meter,
            cpu,
        }
    }

    pub(super) fn with_next(self, next: Option<Next>) -> Self {
        Self { next, ..self }
    }
}

/// Clocks and randomness; what is printed becomes lines of the log, with `id`. Nothing else is granted.
fn wasi(settings: &Arc<Settings>, id: Option<&HeaderValue>, meter: &Arc<Meter>) -> WasiCtx {
    let mut wasi = WasiCtxBuilder::new();
    Printing::of(&mut wasi, settings, meter).set(id, settings);
    wasi.max_random_size(MAX_RANDOM);
    wasi.build()
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outbound, table: &mut self.table, ctx: &mut self.http }
    }
}
