//! A use: one component with one configuration, grants and limits, and its instances.

use std::{path::PathBuf, sync::Arc};

use prometheus::{Histogram, IntCounterVec};

use super::{
    bindings::exports::tollgate::plugin::filter::Phases,
    canary::Canary,
    component::{Component, Components},
    hook::{HookError, Side},
    limits::RateLimits,
    pool::{Isolation, Lease, Pool},
    quarantine::{Quarantine, Stage},
    settings::Settings,
    snapshot::NoSnapshot,
    time::Time,
};
use crate::{
    cache::ResponseCache,
    config::{self, Config, OnError, Source},
    store::Stores,
    telemetry::{CacheMetrics, Metrics},
};

/// A plugin as a chain calls it.
pub(crate) struct Use {
    pub(crate) on_error: OnError,
    pub(crate) component: Arc<Component>,
    pub(crate) origin: Origin,
    pub(super) settings: Arc<Settings>,
    phases: Phases,
    pool: Pool,
    /// `None`: never.
    pub(super) quarantine: Option<Arc<Quarantine>>,
    pub(super) canary: Option<Arc<Canary>>,
    pub(super) metrics: HookMetrics,
}

/// Where the component of a use comes from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) source: Source,
    /// The file with its bytes.
    pub(crate) file: PathBuf,
    /// The digest of the artifact, of one from a registry.
    pub(crate) artifact: Option<String>,
}

/// What all uses share; it outlives generations.
pub(crate) struct Shared {
    pub(crate) rate_limits: Arc<RateLimits>,
    pub(crate) stores: Stores,
    pub(crate) cache: Arc<ResponseCache>,
}

impl Shared {
    /// Nothing yet, by this clock.
    pub(crate) fn new(metrics: &Metrics, time: &Time) -> Self {
        Self {
            rate_limits: Arc::new(RateLimits::by(time.clone())),
            stores: Stores::new(metrics.store_evictions.clone(), time.clone()),
            cache: Arc::new(ResponseCache::new(
                CacheMetrics::new(
                    &metrics.cache_requests,
                    &metrics.cache_puts,
                    &metrics.cache_evictions,
                ),
                time.clone(),
            )),
        }
    }

    /// Forgets what needs no remembering. There may be much of it: not for a worker.
    pub(crate) fn sweep(&self) {
        self.rate_limits.sweep();
        self.stores.sweep();
        self.cache.sweep();
    }

    /// Brings the bounds of a configuration that runs from now on to what is shared.
    pub(crate) fn resize(&self, config: &Config) {
        self.stores.resize(&config.stores);
        self.cache.resize(&config.cache);
    }
}

/// The hooks as the world calls them, in the order of [`Stage`].
const HOOKS: [(Phases, &str); 5] = [
    (Phases::REQUEST, "on-request"),
    (Phases::REQUEST_CHUNKS, "on-request-chunk"),
    (Phases::RESPONSE, "on-response"),
    (Phases::RESPONSE_CHUNKS, "on-response-chunk"),
    (Phases::FINISH, "on-finish"),
];

/// Where a use's hooks are counted; resolved once, since a look-up by label costs more than a
/// hook.
pub(super) struct HookMetrics {
    /// By [`Stage`], of the hooks that the use wants: series that nothing is ever counted in take
    /// memory and scrapes all the same.
    durations: [Option<Histogram>; HOOKS.len()],
    pub(super) errors: IntCounterVec,
}

impl Use {
    /// Loads the component and configures a first instance of it.
    ///
    /// # Errors
    ///
    /// What the plugin's `configure` said of the configuration, or how it failed.
    pub(crate) async fn new(
        (config, whole): (&config::Use, &Config),
        (component, origin): (Arc<Component>, Origin),
        components: &Components,
        shared: &Shared,
        metrics: &Metrics,
        workers: usize,
    ) -> Result<Self, HookError> {
        let settings = Arc::new(Settings::of_use(config, whole, shared, metrics));
        let engine = components.engine().clone();
        let mut pool = Pool::new(engine, Arc::clone(&component), Arc::clone(&settings), workers);
        let phases = pool.prove().await?;
        if config.isolation == config::Isolation::Request {
            pool.isolate(components.snapshot(&origin.file, &component, &settings).await);
        }
        let metrics = HookMetrics::new(metrics, &settings.name, phases);
        let quarantine = components.quarantine(config, &component);
        Ok(Self {
            on_error: config.on_error,
            component,
            origin,
            settings,
            phases,
            pool,
            quarantine,
            canary: None,
            metrics,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.settings.name
    }

    /// Whether the log may tell another of its failures now.
    pub(crate) fn may_tell_failure(&self) -> bool {
        self.settings.may_tell_failure()
    }

    pub(crate) fn wants_request(&self) -> bool {
        self.phases.contains(Phases::REQUEST)
    }

    pub(crate) fn wants_response(&self) -> bool {
        self.phases.contains(Phases::RESPONSE)
    }

    pub(crate) fn wants_finish(&self) -> bool {
        self.phases.contains(Phases::FINISH)
    }

    pub(crate) fn wants_chunks(&self, side: Side) -> bool {
        self.phases.contains(side_phase(side))
    }

    /// The grants without which hooks that the plugin wants would see what they may not.
    pub(crate) fn missing_grants(&self) -> Vec<&'static str> {
        let grants = &self.settings.grants;
        let request = self.wants_chunks(Side::Request) && !grants.request_body;
        let response = self.wants_chunks(Side::Response) && !grants.response_body;
        let request = request.then_some("request_body");
        request.into_iter().chain(response.then_some("response_body")).collect()
    }

    /// Hooks that failed since the process started, by the kind of failure; only kinds that there were.
    pub(crate) fn errors(&self) -> Vec<(&'static str, u64)> {
        let count = |kind| self.metrics.errors.with_label_values(&[self.name(), kind]).get();
        let counted = HookError::KINDS.into_iter().map(|kind| (kind, count(kind)));
        counted.filter(|(_, count)| *count > 0).collect()
    }

    /// Instances of all workers, idle and on loan.
    pub(crate) fn instances(&self) -> usize {
        self.pool.instances()
    }

    /// With another version for some clients.
    pub(crate) fn with_canary(mut self, canary: Canary) -> Self {
        self.canary = Some(Arc::new(canary));
        self
    }

    pub(crate) fn canary(&self) -> Option<&Canary> {
        self.canary.as_deref()
    }

    pub(crate) fn quarantine(&self) -> Option<&Quarantine> {
        self.quarantine.as_deref()
    }

    /// Who shares its instances, and why fresh ones do not come from a snapshot.
    pub(crate) fn isolation(&self) -> (config::Isolation, Option<&NoSnapshot>) {
        match self.pool.isolation() {
            Isolation::Shared => (config::Isolation::Shared, None),
            Isolation::Request(snapshot) => (config::Isolation::Request, snapshot.as_ref().err()),
        }
    }

    /// The hooks that this configuration wants, as the world calls them.
    pub(crate) fn hooks(&self) -> Vec<&'static str> {
        let wanted = HOOKS.into_iter().filter(|(phase, _)| self.phases.contains(*phase));
        wanted.map(|(_, hook)| hook).collect()
    }

    /// Makes the next hook on this thread run in a new instance. Gives the bytes of memory of the
    /// instances that it would else have had.
    pub(crate) fn discard_idle(&self) -> usize {
        self.pool.discard_idle()
    }

    /// An instance that nobody uses; for measuring what one costs.
    pub(crate) async fn instantiate_once(&self) -> Result<(), HookError> {
        self.pool.prove().await.map(drop)
    }

    pub(super) fn idle(&self) -> Option<Lease<'_>> {
        self.pool.idle()
    }

    pub(super) async fn lease(&self) -> Result<Lease<'_>, HookError> {
        self.pool.lease().await
    }
}

fn side_phase(side: Side) -> Phases {
    match side {
        Side::Request => Phases::REQUEST_CHUNKS,
        Side::Response => Phases::RESPONSE_CHUNKS,
    }
}

impl HookMetrics {
    fn new(metrics: &Metrics, plugin: &str, phases: Phases) -> Self {
        let duration = |hook| metrics.plugin_duration.with_label_values(&[plugin, hook]);
        let durations = HOOKS.map(|(phase, hook)| phases.contains(phase).then(|| duration(hook)));
        Self { durations, errors: metrics.plugin_errors.clone() }
    }

    /// # Panics
    ///
    /// The use does not want the hook: nothing calls it.
    pub(super) fn duration(&self, stage: Stage) -> &Histogram {
        self.durations[stage as usize].as_ref().expect("hooks that are called are wanted")
    }
}
