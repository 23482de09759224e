//! The process: starts everything in order, runs until it is told to stop, drains.

mod addresses;
mod descriptors;
mod signals;
mod workers;

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    path::PathBuf,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime::Runtime,
    sync::watch,
    time::{sleep, timeout},
};

use self::{signals::Signals, workers::Worker};
use crate::{
    admin::{Admin, Operated},
    config::Config,
    disk::CacheFolder,
    gateway::Gateway,
    generation::{Builder, Draft, Failure, Generation},
    listener::{Slots, Sockets},
    plugin::{Components, Engine, Shared, Time},
    registry::Registries,
    reload::{self, Reloader, Triggers},
    telemetry::{self, Metrics},
    upstream::Resolver,
};

/// For workers to close what is open, once they have to.
const CUTTING: Duration = Duration::from_secs(1);

/// How to start.
#[derive(Clone, Debug)]
pub struct Options {
    pub config: PathBuf,
    /// The folder for compiled and fetched plugins; `None`: each start compiles and fetches.
    pub cache: Option<CacheFolder>,
    /// Registries are not asked.
    pub offline: bool,
    /// Stands in for `telemetry.log.level`.
    pub log: Option<String>,
}

/// Why the gateway did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// One line for each fault.
    #[error("{0}")]
    Config(String),
    /// One line for each address that cannot be had.
    #[error("{0}")]
    Bind(String),
    #[error("cannot start: {0}")]
    Start(String),
}

/// Runs the gateway until a signal ends it. `ready` is called with what it listens on, once it
/// accepts.
///
/// # Errors
///
/// A faulty configuration, a port in use, a machine that cannot run the engine.
pub fn run(options: &Options, ready: impl FnOnce(&Listening)) -> Result<(), Failed> {
    let control = runtime()?;
    let (builder, generation) = first_generation(&control, options)?;
    let running = start(&control, options, builder, generation)?;
    // Before anybody is told that the gateway runs: from then on a signal means a drain.
    let mut signals = control.block_on(async { Signals::listen() });
    ready(&running.listening);

    control.block_on(signals.until_told_to_stop(&running.triggers));
    let gateway = Arc::clone(&running.gateway);
    control.block_on(drain(running, &mut signals));
    // The lines of what the drain cut are the last, and those that somebody will look for.
    if let Some(log) = &gateway.current().access_log {
        log.flush();
    }
    Ok(())
}

/// A gateway that accepts connections.
struct Running {
    gateway: Arc<Gateway>,
    listening: Listening,
    triggers: Triggers,
    draining: Arc<AtomicBool>,
    /// Until when workers may finish what is open.
    stop: watch::Sender<Option<Instant>>,
    workers: Vec<Worker>,
}

/// What the gateway begins with, and what builds those that follow.
fn first_generation(control: &Runtime, options: &Options) -> Result<(Builder, Generation), Failed> {
    let draft = Draft::read(&options.config);
    // Before the cache is opened, which may say why it is not used, and before components are
    // fetched, which may take a while.
    if let Ok(config) = &draft.config {
        start_log(options, config);
    }
    if options.cache.is_none() {
        tracing::info!("compiled plugins are not kept: every start compiles them");
    }
    let mut builder = builder(options)?;
    let workers = draft.config.as_ref().ok().and_then(|config| config.workers);
    builder.workers = workers.map_or_else(available, NonZeroUsize::get);
    let generation = control
        .block_on(builder.build(draft, None))
        .map_err(|failure: Failure| Failed::Config(failure.to_string()))?;
    builder.metrics.generation.set(1);
    builder.shared.resize(&generation.config);
    Ok((builder, generation))
}

/// Has every address, starts the workers, the reloads and the operator's endpoints.
fn start(
    control: &Runtime,
    options: &Options,
    builder: Builder,
    generation: Generation,
) -> Result<Running, Failed> {
    let config = generation.config.clone();
    let (sockets, admin) = addresses::bind(&config, builder.workers)?;
    let listening = Listening::of(&config, &sockets, &admin);
    let (metrics, shared) = (Arc::clone(&builder.metrics), Arc::clone(&builder.shared));
    let gateway = Arc::new(Gateway::new(generation));
    let (stop, stopped) = watch::channel(None);
    let slots = Arc::new(Slots::new(
        descriptors::connections(&config.limits),
        metrics.connections_delayed.clone(),
    ));
    let shared_by = (builder.workers, &slots);
    let workers = workers::start(&config, sockets, &gateway, &metrics, shared_by, &stopped)?;
    let (reloader, reloads) = Reloader::new(options.config.clone(), builder, Arc::clone(&gateway));
    let triggers = reload::start(reloader)?;
    let draining = Arc::<AtomicBool>::default();
    control.spawn(admin.serve(Operated {
        gateway: Arc::clone(&gateway),
        metrics,
        shared,
        reloads,
        triggers: triggers.clone(),
        draining: Arc::clone(&draining),
    }));
    Ok(Running { gateway, listening, triggers, draining, stop, workers })
}

/// Lets what is open finish, within the time that the configuration gives it. A second signal ends it
/// at once.
async fn drain(running: Running, signals: &mut Signals) {
    let Running { gateway, draining: is_draining, stop, workers, triggers, .. } = running;
    is_draining.store(true, Ordering::Relaxed);
    let config = gateway.current().config.clone();
    let mut ended = pin!(workers::ended(workers));
    let draining = async {
        if let Some(delay) = config.drain_delay {
            tracing::info!(?delay, "no longer ready; going on for a while");
            sleep(delay).await;
        }
        tracing::info!(limit = ?config.drain, "draining");
        stop.send_replace(Some(Instant::now() + config.drain));
        ended.as_mut().await;
    };
    if signals.or_told_again(draining, &triggers).await.is_ok() {
        return tracing::info!("all connections are closed");
    }
    stop.send_replace(Some(Instant::now()));
    // So that what is cut has its lines in the log; a worker that a guest holds is not waited for.
    if timeout(CUTTING, ended).await.is_err() {
        tracing::warn!("a worker has not ended");
    }
}

/// What a gateway that runs accepts on.
#[derive(Clone, Debug)]
pub struct Listening {
    /// Each with whether it speaks TLS, in the configuration's order.
    pub listeners: Vec<(SocketAddr, bool)>,
    pub admin: SocketAddr,
}

impl Listening {
    fn of(config: &Config, sockets: &[Sockets], admin: &Admin) -> Self {
        let listeners = config.listeners.iter().zip(sockets);
        let listeners = listeners.map(|(l, s)| (s.address, l.tls.is_some())).collect();
        Self { listeners, admin: admin.address() }
    }
}

/// Cores that the process may use.
fn available() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// What generations are built with, for a gateway that runs or for checking.
pub(crate) fn builder(options: &Options) -> Result<Builder, Failed> {
    builder_with(options, Time::System)
}

/// As [`builder`], with other clocks for plugins.
pub(crate) fn builder_with(options: &Options, time: Time) -> Result<Builder, Failed> {
    let engine = Engine::new().map_err(|error| Failed::Start(format!("{error:#}")))?;
    let engine = engine.with_time(time.clone());
    let metrics = Metrics::new().map_err(|error| Failed::Start(error.to_string()))?;
    Ok(Builder {
        components: Components::new(engine, options.cache.as_ref())
            .counting(&metrics.components_made),
        registries: Registries::new(options.cache.as_ref(), options.offline),
        cache: options.cache.clone(),
        shared: Arc::new(Shared::new(&metrics, &time)),
        metrics: Arc::new(metrics),
        resolver: Resolver::new(),
        workers: available(),
    })
}

/// A runtime for one thread.
pub(crate) fn runtime() -> Result<Runtime, Failed> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failed::Start(error.to_string()))
}

fn start_log(options: &Options, config: &Config) {
    let level = options.log.as_deref().unwrap_or(&config.telemetry.log_level);
    telemetry::init_log(level, config.telemetry.log_format);
}
