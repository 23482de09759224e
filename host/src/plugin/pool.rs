//! A use's instances: idle ones of each worker, made on demand up to a limit, lent for one hook.

use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use tokio::{sync::oneshot, time::timeout};
use wasmtime::Store;

use super::{
    bindings::{self, exports::tollgate::plugin::filter::Phases},
    component::Component,
    engine::Engine,
    hook::HookError,
    meter::Metered,
    settings::{SETUP_CPU, Settings},
    snapshot::{NoSnapshot, Snapshot},
    state::State,
};
use crate::{clock::Coarse, worker::PerWorker};

/// CPU time of `configure` on a worker, at least: as often as it took when the configuration was proven,
/// which is no worker's time.
const LATER_SETUP: Duration = Duration::from_millis(250);
const LATER_SETUP_FACTOR: u32 = 4;

/// Bytes that one call may hand to the gateway beside a body: they are copied before the call begins, and
/// no epoch ends meanwhile.
const LIFTED: usize = 8 << 20;

/// How long `describe` and `configure` may take in all, waiting included.
pub(super) const SETUP_TIMEOUT: Duration = Duration::from_secs(30);

/// A component at work: memory of its own, configured.
pub(super) struct Instance {
    pub(super) store: Store<State>,
    pub(super) plugin: bindings::Plugin,
}

pub(super) struct Pool {
    engine: Engine,
    component: Arc<Component>,
    settings: Arc<Settings>,
    isolation: Isolation,
    shards: Arc<Shards>,
    /// CPU time of a `configure` that requests wait for.
    later_setup: OnceLock<Duration>,
}

/// What each worker has.
pub(super) type Shards = PerWorker<Shard>;

/// Who shares an instance.
pub(super) enum Isolation {
    /// An instance serves one hook after the other.
    Shared,
    /// Each hook has a fresh instance: from a snapshot, or configured anew for this reason.
    Request(Result<Arc<Snapshot>, NoSnapshot>),
}

impl Isolation {
    fn is_shared(&self) -> bool {
        matches!(self, Self::Shared)
    }
}

pub(super) struct Shard {
    #[expect(
        clippy::vec_box,
        reason = "lending moves a pointer; an instance is some hundred bytes"
    )]
    idle: Vec<Box<Instance>>,
    /// Idle ones and those on loan.
    alive: usize,
    /// When one was given back last.
    pub(super) returned: Coarse,
    waiting: VecDeque<oneshot::Sender<()>>,
}

impl Shard {
    fn new() -> Self {
        Self { idle: Vec::new(), alive: 0, returned: Coarse::now(), waiting: VecDeque::new() }
    }

    pub(super) fn has_idle(&self) -> bool {
        !self.idle.is_empty()
    }

    /// They go when what this gives does.
    pub(super) fn take_idle(&mut self) -> impl ExactSizeIterator<Item = Box<Instance>> + use<> {
        self.alive -= self.idle.len();
        std::mem::take(&mut self.idle).into_iter()
    }
}

/// An instance on loan for one hook.
///
/// A hook that is cut short, by a trap or by a caller that stopped waiting, leaves the instance in
/// a state nobody knows. So a loan counts as spoiled from the moment a call starts until it
/// returns, and only an unspoiled instance goes back to the pool.
pub(super) struct Lease<'p> {
    /// `Some` until drop.
    instance: Option<Box<Instance>>,
    pool: &'p Pool,
    pub(super) spoiled: bool,
}

impl Pool {
    pub(super) fn new(
        engine: Engine,
        component: Arc<Component>,
        settings: Arc<Settings>,
        workers: usize,
    ) -> Self {
        let shards = Arc::new(PerWorker::new(workers, Shard::new));
        engine.idle.watch(&shards);
        let later_setup = OnceLock::new();
        Self { engine, component, settings, isolation: Isolation::Shared, shards, later_setup }
    }

    /// From now on instances serve one hook each.
    pub(super) fn isolate(&mut self, snapshot: Result<Arc<Snapshot>, NoSnapshot>) {
        self.isolation = Isolation::Request(snapshot);
    }

    pub(super) fn isolation(&self) -> &Isolation {
        &self.isolation
    }

    /// Makes a first instance, which shows that the configuration is one the plugin accepts.
    pub(super) async fn prove(&self) -> Result<Phases, HookError> {
        let begun = Instant::now();
        let (_, phases) = self.instantiate().await?;
        let took = begun.elapsed() * LATER_SETUP_FACTOR;
        self.later_setup.get_or_init(|| took.clamp(LATER_SETUP, SETUP_CPU));
        Ok(phases)
    }

    pub(super) fn instances(&self) -> usize {
        self.shards.each().map(|shard| shard.alive).sum()
    }

    /// Drops this worker's idle instances, so that the next loan gets a new one. Gives the largest
    /// memory of one, in bytes.
    pub(super) fn discard_idle(&self) -> usize {
        let idle = self.shards.own().take_idle();
        idle.map(|instance| instance.store.data().memory.held()).max().unwrap_or_default()
    }

    /// An idle instance of this worker: what most hooks get, at once.
    pub(super) fn idle(&self) -> Option<Lease<'_>> {
        let instance = self.shards.own().idle.pop()?;
        Some(Lease::new(self, Some(instance)))
    }

    /// An idle instance, else a new one, else the next that is given back. Whoever waits here has
    /// a deadline of its own.
    ///
    /// Cancel safe: a place that was counted but not used is given back.
    pub(super) async fn lease(&self) -> Result<Lease<'_>, HookError> {
        loop {
            match self.take() {
                Taken::Idle(instance) => return Ok(Lease::new(self, Some(instance))),
                Taken::Room => {
                    // From here the lease gives the place back, whatever happens.
                    let mut lease = Lease::new(self, None);
                    lease.instance = Some(Box::new(self.instantiate().await?.0));
                    return Ok(lease);
                }
                Taken::Full(freed) => {
                    // An error means that the sender was dropped: look again all the same.
                    let _ = freed.await;
                }
            }
        }
    }

    fn take(&self) -> Taken {
        let mut shard = self.shards.own();
        if let Some(instance) = shard.idle.pop() {
            return Taken::Idle(instance);
        }
        if shard.alive < self.settings.limits.max_instances {
            shard.alive += 1;
            return Taken::Room;
        }
        let (freed, notice) = oneshot::channel();
        shard.waiting.push_back(freed);
        Taken::Full(notice)
    }

    /// Why a call ended; where it did is noted.
    fn failure(&self, error: wasmtime::Error) -> HookError {
        self.component.traces.note(&self.settings.name, &error);
        HookError::from_engine(error)
    }

    async fn instantiate(&self) -> Result<(Instance, Phases), HookError> {
        let lacks_room = |error: &HookError| matches!(error, HookError::Busy);
        self.engine.idle.with_room(|| self.try_instantiate(), lacks_room).await
    }

    async fn try_instantiate(&self) -> Result<(Instance, Phases), HookError> {
        if let Isolation::Request(Ok(snapshot)) = &self.isolation {
            return self.restore(snapshot).await;
        }
        timeout(SETUP_TIMEOUT, self.configure()).await.unwrap_or(Err(HookError::DeadlinePassed))
    }

    /// A fresh instance that is configured already.
    async fn restore(&self, snapshot: &Snapshot) -> Result<(Instance, Phases), HookError> {
        let mut store = store(&self.engine, Arc::clone(&self.settings));
        let plugin = snapshot.pre.instantiate_async(&mut store).await;
        let plugin = plugin.map_err(HookError::from_engine)?;
        Ok((Instance { store, plugin }, snapshot.phases))
    }

    async fn configure(&self) -> Result<(Instance, Phases), HookError> {
        let mut store = store(&self.engine, Arc::clone(&self.settings));
        store.data_mut().setup_cpu = self.later_setup.get().copied().unwrap_or(SETUP_CPU);
        let meter = Arc::clone(&store.data().meter);
        let setup = Box::pin(async {
            let plugin = self.component.pre.instantiate_async(&mut store).await?;
            let filter = plugin.tollgate_plugin_filter();
            let phases = filter.call_configure(&mut store, &self.settings.config).await?;
            Ok((plugin, phases))
        });
        let done = Metered { call: setup, meter }.await;
        let said = store.data().take_panic();
        let (plugin, phases) = done.map_err(|error| self.failure(error).said(said))?;
        let phases = phases.map_err(|said| HookError::refused(&said))?;
        Ok((Instance { store, plugin }, phases))
    }
}

enum Taken {
    Idle(Box<Instance>),
    Room,
    Full(oneshot::Receiver<()>),
}

impl<'p> Lease<'p> {
    fn new(pool: &'p Pool, instance: Option<Box<Instance>>) -> Self {
        Self { instance, pool, spoiled: false }
    }

    pub(super) fn instance(&mut self) -> &mut Instance {
        self.instance.as_mut().expect("held until drop")
    }

    pub(super) fn failure(&self, error: wasmtime::Error) -> HookError {
        self.pool.failure(error)
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let goes_back = !self.spoiled && self.pool.isolation.is_shared();
        // A store frees its memory in the kernel, and what it holds of an exchange may have a loan
        // of this pool too: it goes after the lock, which is the later variable.
        let (kept, _spent) =
            if goes_back { (self.instance.take(), None) } else { (None, self.instance.take()) };
        let mut shard = self.pool.shards.own();
        match kept {
            Some(instance) => {
                shard.idle.push(instance);
                shard.returned = Coarse::now();
            }
            None => shard.alive -= 1,
        }
        // Who stopped waiting is passed over.
        while let Some(next) = shard.waiting.pop_front() {
            if next.send(()).is_ok() {
                break;
            }
        }
    }
}

/// A store in which a guest of this use can run.
pub(super) fn store(engine: &Engine, settings: Arc<Settings>) -> Store<State> {
    let body = usize::try_from(settings.limits.max_body).unwrap_or(usize::MAX);
    let lifted = LIFTED.saturating_add(body);
    let mut store = Store::new(&engine.engine, State::new(settings, engine.time.clone()));
    store.set_hostcall_fuel(lifted);
    store.limiter(|state| &mut state.memory);
    store.epoch_deadline_callback(|context| {
        let state = context.data();
        state.meter.at_epoch(state.cpu_limit())
    });
    store.set_epoch_deadline(1);
    store
}
