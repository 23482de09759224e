//! Reloads: what triggers one, one at a time, off the request path, all or nothing.

mod files;
mod stamps;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime},
};

use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, oneshot},
    time::{interval, timeout_at},
};

use self::files::Files;
pub(crate) use self::stamps::Stamps;
use crate::{
    config::{Config, Pointer},
    gateway::Gateway,
    generation::{Builder, Draft, Failure, Generation},
    plugin::Use,
    server::{Failed, runtime},
    telemetry::AccessLog,
};

/// Files are read once they have been left alone for this long.
const QUIET: Duration = Duration::from_millis(100);

/// But no later than this after the first change.
const PATIENCE: Duration = Duration::from_secs(2);

/// Reloads that may wait. More would all do the same.
const QUEUE: usize = 16;

/// Nobody has asked for the reload.
const BY_FILES: &str = "files";

/// How often what is no longer used is let go of.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// Asks for reloads; cheap to clone.
#[derive(Clone)]
pub(crate) struct Triggers(mpsc::Sender<Trigger>);

enum Trigger {
    /// A file has changed; others may be about to.
    Files,
    /// Somebody asked, and may want to know how it went.
    Asked { by: &'static str, reply: Option<oneshot::Sender<Outcome>> },
}

/// The new generation's number, or every fault, a line each.
pub(crate) type Outcome = Result<u64, String>;

/// How the latest reload went, for `/status` and `/readyz`.
#[derive(Clone, Debug)]
pub(crate) struct LastReload {
    pub(crate) at: SystemTime,
    pub(crate) by: &'static str,
    pub(crate) outcome: Outcome,
}

impl LastReload {
    fn now(by: &'static str, outcome: &Outcome) -> Self {
        Self { at: SystemTime::now(), by, outcome: outcome.clone() }
    }
}

/// Shared with the admin endpoints.
pub(crate) type Status = Arc<Mutex<Option<LastReload>>>;

impl Triggers {
    /// Asks for a reload and does not wait. Where many wait already, theirs will do.
    pub(crate) fn reload(&self, by: &'static str) {
        let _ = self.0.try_send(Trigger::Asked { by, reply: None });
    }

    /// Reloads and says how it went.
    pub(crate) async fn reload_now(&self, by: &'static str) -> Outcome {
        let (reply, outcome) = oneshot::channel();
        let gone = || "the gateway is stopping".to_owned();
        let asked = self.0.send(Trigger::Asked { by, reply: Some(reply) }).await;
        asked.map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }
}

/// Builds generations and swaps them in.
pub(crate) struct Reloader {
    path: PathBuf,
    builder: Builder,
    gateway: Arc<Gateway>,
    status: Status,
    /// Generations that exchanges still use. They are dropped here and not by the last exchange:
    /// giving back a plugin's memory takes time that a worker does not have.
    retired: Vec<Arc<Generation>>,
    /// The files as the latest attempt found them: those of the running generation, and where it was
    /// refused, those that it named too.
    seen: Stamps,
}

/// Starts the thread on which all reloads happen, and with it the names' look-ups.
pub(crate) fn start(reloader: Reloader) -> Result<Triggers, Failed> {
    let (sender, triggers) = mpsc::channel(QUEUE);
    let files = Files::watch(sender.clone());
    let failed = |error: std::io::Error| Failed::Start(error.to_string());
    let runtime = runtime()?;
    thread::Builder::new()
        .name("reload".into())
        .spawn(move || runtime.block_on(reloader.run(triggers, files)))
        .map_err(failed)?;
    Ok(Triggers(sender))
}

impl Reloader {
    pub(crate) fn new(path: PathBuf, builder: Builder, gateway: Arc<Gateway>) -> (Self, Status) {
        let status = Status::default();
        let shared = Arc::clone(&status);
        let seen = gateway.current().stamps.clone();
        (Self { path, builder, gateway, status, retired: Vec::new(), seen }, shared)
    }

    async fn run(mut self, mut triggers: mpsc::Receiver<Trigger>, mut files: Files) {
        files.follow(&self.seen, &self.gateway.current().config);
        let mut housekeeping = interval(HOUSEKEEPING);
        loop {
            let trigger = tokio::select! {
                trigger = triggers.recv() => trigger,
                _ = housekeeping.tick() => {
                    self.keep_house();
                    // No notice comes of what changed before it was watched.
                    if self.seen.again() == self.seen {
                        continue;
                    }
                    Some(Trigger::Files)
                }
            };
            let Some(trigger) = trigger else { return };
            let (by, replies) = gather(trigger, &mut triggers).await;
            // What was noticed may be no more than that a file was opened, or another one's change.
            if by == BY_FILES && self.seen.again() == self.seen {
                continue;
            }
            let outcome = self.reload(by).await;
            self.drop_retired();
            files.follow(&self.seen, &self.gateway.current().config);
            for reply in replies {
                // Whoever asked may have stopped waiting.
                let _ = reply.send(outcome.clone());
            }
        }
    }

    /// Builds and swaps, or changes nothing and says why.
    async fn reload(&mut self, by: &'static str) -> Outcome {
        let started = Instant::now();
        let current = self.gateway.current();
        let mut seen = current.stamps.again();
        let draft = Draft::read(&self.path);
        // A refused configuration may name files that the running one does not: one of them may be
        // what has to be put right.
        seen.join(draft.stamps.clone());
        let built = self.builder.build(draft, Some(&current)).await;
        let outcome = match built.and_then(|next| same_start(&current, next)) {
            Ok(next) => {
                self.seen = next.stamps.clone();
                Ok(self.swap(by, next))
            }
            Err(failure) => {
                self.seen = seen;
                follow_log(&current);
                let outcome = Err(failure.to_string());
                *self.status.lock() = Some(LastReload::now(by, &outcome));
                outcome
            }
        };
        self.report(by, started, &outcome);
        outcome
    }

    fn swap(&mut self, by: &'static str, next: Generation) -> u64 {
        let number = next.number;
        tell_swaps(&self.gateway.current(), &next);
        self.builder.shared.resize(&next.config);
        // Whom the new generation answers finds its reload in the status.
        let mut status = self.status.lock();
        self.retired.push(self.gateway.swap(next));
        *status = Some(LastReload::now(by, &Ok(number)));
        number
    }

    fn report(&self, by: &'static str, started: Instant, outcome: &Outcome) {
        let metrics = &self.builder.metrics;
        let took = started.elapsed();
        metrics.reload_duration.observe(took.as_secs_f64());
        match outcome {
            Ok(generation) => {
                let config = &self.gateway.current().config;
                let (routes, upstreams) = (config.routes.len(), config.upstreams.len());
                tracing::info!(generation, by, routes, upstreams, ?took, "reloaded");
                metrics.reloads.with_label_values(&["success"]).inc();
                metrics.generation.set(i64::try_from(*generation).unwrap_or(i64::MAX));
            }
            Err(faults) => {
                tracing::error!(by, ?took, faults, "reload refused; the running generation stays");
                metrics.reloads.with_label_values(&["failure"]).inc();
            }
        }
    }

    /// Reloads may come faster than the house is kept, and each generation has instances.
    fn drop_retired(&mut self) {
        self.retired.retain(|generation| Arc::strong_count(generation) > 1);
    }

    fn keep_house(&mut self) {
        self.drop_retired();
        for upstream in self.gateway.current().upstreams.values() {
            upstream.sweep();
        }
        self.builder.shared.sweep();
    }
}

/// What moves a log away waits for no configuration to be put right.
fn follow_log(generation: &Generation) {
    let followed = generation.access_log.as_ref().map(AccessLog::follow).transpose();
    if let Err(error) = followed {
        tracing::warn!(%error, "the access log cannot be opened anew");
    }
}

/// A line for each use whose component is another one.
fn tell_swaps(before: &Generation, next: &Generation) {
    let before: HashMap<&str, &Use> = before.uses.iter().map(|it| (it.name(), &**it)).collect();
    for plugin in &next.uses {
        let same_use = before.get(plugin.name());
        let Some(known) = same_use.filter(|it| it.component.digest != plugin.component.digest)
        else {
            continue;
        };
        let (version, digest) = (&plugin.component.manifest.version, &plugin.component.digest);
        let (was, was_digest) = (&known.component.manifest.version, &known.component.digest);
        tracing::info!(plugin = plugin.name(), version, %digest, was, %was_digest, "swapped");
    }
}

/// Waits until files are left alone, and takes everybody who asks meanwhile into one reload.
async fn gather(
    first: Trigger,
    triggers: &mut mpsc::Receiver<Trigger>,
) -> (&'static str, Vec<oneshot::Sender<Outcome>>) {
    let mut replies = Vec::new();
    let mut by = match first {
        Trigger::Files => BY_FILES,
        Trigger::Asked { by, reply } => {
            replies.extend(reply);
            return (by, replies);
        }
    };
    let latest = Instant::now() + PATIENCE;
    loop {
        let quiet = latest.min(Instant::now() + QUIET);
        match timeout_at(quiet.into(), triggers.recv()).await {
            Ok(Some(Trigger::Files)) if Instant::now() < latest => {}
            Ok(Some(Trigger::Asked { by: who, reply })) => {
                by = who;
                replies.extend(reply);
            }
            _ => return (by, replies),
        }
    }
}

/// Sockets are bound and threads made at the start: other ones need another start.
fn same_start(current: &Generation, next: Generation) -> Result<Generation, Failure> {
    let changed = fixed_at_start(&current.config, &next.config);
    if changed.is_empty() {
        return Ok(next);
    }
    let fault = |at: Pointer| {
        next.config.document.fault(&at, "cannot change while the gateway runs; restart it")
    };
    Err(Failure(changed.into_iter().map(fault).collect()))
}

/// What no reload can bring from `old` to `new`.
pub(crate) fn fixed_at_start(old: &Config, new: &Config) -> Vec<Pointer> {
    let addresses = |config: &Config| {
        config.listeners.iter().map(|l| (l.address, l.tls.is_some())).collect::<Vec<_>>()
    };
    let root = Pointer::default();
    let fixed = [
        (addresses(old) != addresses(new), root.key("listeners")),
        (old.admin != new.admin, root.key("admin")),
        (old.workers != new.workers, root.key("workers")),
        (
            old.limits.max_connections != new.limits.max_connections,
            root.key("limits").key("max_connections"),
        ),
        (
            (&old.telemetry.log_level, old.telemetry.log_format)
                != (&new.telemetry.log_level, new.telemetry.log_format),
            root.key("telemetry").key("log"),
        ),
    ];
    fixed.into_iter().filter_map(|(is_changed, at)| is_changed.then_some(at)).collect()
}
