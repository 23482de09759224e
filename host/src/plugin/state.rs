//! What one instance has in its store: the exchange on loan for the length of a hook, and the
//! little that outlives one.

use std::{sync::Arc, time::Duration};

use http::Response;
use wasmtime::{
    ResourceLimiter,
    component::{Resource, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::{
    held::{Held, OwnResponse},
    imports::output::Printing,
    limits::Buckets,
    meter::Meter,
    settings::{SETUP_CPU, Settings},
    time::Time,
};
use crate::{body::Body, config::UseLimits, exchange::Exchange};

/// Responses that one instance may hold at a time, beside the exchange's own.
const MAX_RESPONSES: usize = 64;

/// Whatever else one instance may hold at a time: keys, entries of the cache, streams, pollables.
const MAX_HANDLES: usize = 10_000;

/// Random bytes that are made in one call; a guest does not see its CPU limit in there.
pub(super) const MAX_RANDOM: u64 = 64 << 10;

/// The exchange's response; handles of others are `index + 1` into [`State::responses`].
const OF_THE_EXCHANGE: u32 = 0;

/// Stands for the exchange's request in handles. There is one for each hook, so a handle needs no
/// table: it points straight at the exchange.
#[expect(unreachable_pub, reason = "generated bindings re-export it")]
pub struct RequestHandle;

/// Stands for a response in handles.
#[expect(unreachable_pub, reason = "generated bindings re-export it")]
pub struct ResponseHandle;

/// The data of a plugin's store.
pub(crate) struct State {
    pub(super) settings: Arc<Settings>,
    /// CPU time of what is called outside of a hook.
    pub(super) setup_cpu: Duration,
    /// There during a hook.
    pub(super) exchange: Option<Exchange>,
    /// A call of the present hook has failed, or its answer was an error.
    pub(super) has_failed_call: bool,
    responses: Vec<Option<OwnResponse>>,
    pub(super) table: ResourceTable,
    /// Made for the first call that needs it: most hooks make none, and it is the dearest part.
    wasi: Option<Box<Wasi>>,
    time: Time,
    pub(super) memory: MemoryLimit,
    pub(super) meter: Arc<Meter>,
    pub(super) buckets: Buckets,
    /// Bytes of what the guest holds in the host.
    pub(super) held: Held,
    /// Keys that the guest holds.
    pub(super) keys: usize,
    /// Entries of the cache that the guest holds.
    pub(super) entries: usize,
}

/// The guest did what no bindings generate: a handle to something that is not there.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Misuse(pub(super) &'static str);

impl State {
    pub(super) fn new(settings: Arc<Settings>, time: Time) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        Self {
            time,
            memory: MemoryLimit::new(&settings.limits),
            held: Held::new(&settings.limits),
            buckets: Buckets::new(Arc::clone(&settings)),
            settings,
            setup_cpu: SETUP_CPU,
            exchange: None,
            has_failed_call: false,
            responses: Vec::new(),
            table,
            wasi: None,
            meter: Arc::default(),
            keys: 0,
            entries: 0,
        }
    }

    /// CPU time of the hook, or of what is called outside of one.
    pub(super) fn cpu_limit(&self) -> Duration {
        if self.exchange.is_some() { self.settings.limits.cpu } else { self.setup_cpu }
    }

    /// What the guest has said of its end, in a panic's message.
    pub(super) fn take_panic(&self) -> Option<String> {
        self.wasi.as_ref().and_then(|wasi| wasi.printing.take_panic())
    }

    /// The exchange on loan.
    pub(super) fn exchange(&self) -> Result<&Exchange, Misuse> {
        self.exchange.as_ref().ok_or(Misuse("no exchange is there outside of a hook"))
    }

    /// The route and the id of the exchange on loan, for the log; empty outside of one.
    pub(super) fn whose(&self) -> (&str, &str) {
        let exchange = self.exchange.as_ref();
        exchange.map_or(("", ""), |exchange| (exchange.route_name(), exchange.id()))
    }

    pub(super) fn exchange_mut(&mut self) -> Result<&mut Exchange, Misuse> {
        self.exchange.as_mut().ok_or(Misuse("no exchange is there outside of a hook"))
    }

    pub(super) fn request_handle() -> Resource<RequestHandle> {
        Resource::new_borrow(0)
    }

    pub(super) fn response_handle() -> Resource<ResponseHandle> {
        Resource::new_borrow(OF_THE_EXCHANGE)
    }

    pub(super) fn response(
        &mut self,
        handle: &Resource<ResponseHandle>,
    ) -> Result<&mut Response<Body>, Misuse> {
        let found = match handle.rep() {
            OF_THE_EXCHANGE => self.exchange_mut()?.response.as_mut(),
            own => {
                let own = self.responses.get_mut(own as usize - 1).and_then(Option::as_mut);
                own.map(|own| &mut own.response)
            }
        };
        found.ok_or(Misuse("no such response"))
    }

    /// A response of the guest's own, and what it counts among; `None`: it is another one.
    pub(super) fn own_response(
        &mut self,
        handle: &Resource<ResponseHandle>,
    ) -> Option<(&mut OwnResponse, &mut Held)> {
        let index = (handle.rep() as usize).checked_sub(1)?;
        Some((self.responses.get_mut(index)?.as_mut()?, &mut self.held))
    }

    /// Whether this is a shadow, which gets nothing that has an effect or is there only once; the
    /// exchange remembers that it asked.
    pub(super) fn refuses_as_shadow(&mut self) -> bool {
        if self.settings.shadow
            && let Some(exchange) = &mut self.exchange
        {
            exchange.held_back = true;
        }
        self.settings.shadow
    }

    /// Whether the guest has handles to what lives in the host.
    pub(super) fn holds_resources(&self) -> bool {
        !self.table.is_empty() || self.responses.iter().any(Option::is_some)
    }

    pub(super) fn is_of_the_exchange(&self, handle: &Resource<ResponseHandle>) -> bool {
        handle.rep() == OF_THE_EXCHANGE
    }

    /// Gives the guest a response of its own.
    pub(super) fn own(
        &mut self,
        response: Response<Body>,
    ) -> Result<Resource<ResponseHandle>, Misuse> {
        let free = match self.responses.iter().position(Option::is_none) {
            Some(free) => free,
            None if self.responses.len() < MAX_RESPONSES => {
                self.responses.push(None);
                self.responses.len() - 1
            }
            None => return Err(Misuse("more than 64 responses are held at a time")),
        };
        self.responses[free] = Some(self.held.keep(response)?);
        let rep = u32::try_from(free + 1).expect("at most MAX_RESPONSES");
        Ok(Resource::new_own(rep))
    }

    /// Takes back what [`Self::own`] gave.
    pub(super) fn disown(
        &mut self,
        handle: &Resource<ResponseHandle>,
    ) -> Result<Response<Body>, Misuse> {
        let index = (handle.rep() as usize).checked_sub(1);
        let own = index.and_then(|index| self.responses.get_mut(index)?.take());
        own.map(|own| self.held.release(own)).ok_or(Misuse("no such response"))
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self
            .wasi
            .get_or_insert_with(|| Box::new(Wasi::new(&self.settings, &self.time, &self.meter)));
        let id = self.exchange.as_ref().map(|exchange| &exchange.id);
        wasi.printing.set(id, &self.settings);
        WasiCtxView { ctx: &mut wasi.context, table: &mut self.table }
    }
}

/// What a guest has of WASI.
struct Wasi {
    context: WasiCtx,
    printing: Printing,
}

impl Wasi {
    /// Clocks and randomness; what is printed becomes lines of the log. Nothing else is granted.
    fn new(settings: &Arc<Settings>, time: &Time, meter: &Arc<Meter>) -> Self {
        let mut wasi = WasiCtxBuilder::new();
        let printing = Printing::of(&mut wasi, settings, meter);
        wasi.max_random_size(MAX_RANDOM);
        time.put_into(&mut wasi);
        Self { context: wasi.build(), printing }
    }
}

/// Refuses memory and tables beyond the use's limits by a trap: a guest that cannot grow would end in one
/// anyway, and less clearly.
pub(super) struct MemoryLimit {
    bytes: usize,
    /// Elements of one table.
    table: usize,
    /// What the instance has taken so far, all of its memories together.
    held: usize,
}

impl MemoryLimit {
    pub(super) fn new(limits: &UseLimits) -> Self {
        Self { bytes: limits.memory, table: limits.table, held: 0 }
    }

    /// Bytes of linear memory.
    pub(super) fn held(&self) -> usize {
        self.held
    }
}

/// The instance asked for more memory than its use allows.
#[derive(Debug, thiserror::Error)]
#[error("the instance wanted {wanted} bytes of memory; its limit is {limit} (`limits.memory`)")]
pub(super) struct MemoryExceeded {
    wanted: usize,
    limit: usize,
}

/// The instance asked for a larger table than its use allows.
#[derive(Debug, thiserror::Error)]
#[error("the instance wanted a table of {wanted} elements; its limit is {limit} (`limits.table`)")]
pub(super) struct TableExceeded {
    wanted: usize,
    limit: usize,
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(
        &mut self,
        current: usize,
        wanted: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // Of all its memories: an instance may have several.
        let held = self.held.saturating_add(wanted.saturating_sub(current));
        if held > self.bytes {
            return Err(wasmtime::Error::new(MemoryExceeded { wanted: held, limit: self.bytes }));
        }
        self.held = held;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        wanted: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if wanted > self.table {
            return Err(wasmtime::Error::new(TableExceeded { wanted, limit: self.table }));
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use wasmtime_wasi::{p2::bindings::random::random::Host as _, random::WasiRandomView as _};

    use super::*;

    fn state() -> State {
        State::new(Arc::new(Settings::for_describing()), Time::System)
    }

    #[test]
    fn a_guest_holds_no_more_of_the_host_than_it_may() {
        let mut state = state();
        let held = (0..).take_while(|_| state.table.push(()).is_ok()).count();
        assert_eq!(held, MAX_HANDLES);
    }

    #[test]
    fn the_limit_of_memory_is_for_all_memories_of_an_instance_together() {
        let mut limit = MemoryLimit { bytes: 100, table: 1, held: 0 };
        let mut grows = |current, wanted| limit.memory_growing(current, wanted, None).is_ok();
        assert!(grows(0, 60), "the first memory");
        assert!(!grows(0, 60), "a second one");
        assert!(grows(0, 20) && grows(60, 80));
        assert!(!grows(80, 81));
    }

    #[test]
    fn random_bytes_come_a_few_at_a_time() {
        let mut state = state();
        let random = state.random();
        assert_eq!(random.get_random_bytes(MAX_RANDOM).expect("bytes").len(), 64 << 10);
        assert!(random.get_random_bytes(MAX_RANDOM + 1).is_err());
    }
}
