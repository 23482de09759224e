//! A canary: another version of a use's component, for a share of the clients. It is given up by
//! itself when its hooks fail too often, and stays so until it is another one.

mod shadow;
mod window;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use parking_lot::Mutex;
use prometheus::IntCounterVec;

pub(crate) use self::shadow::Seen;
use self::{
    shadow::{Lines, Shadow},
    window::Window,
};
use super::{
    component::Components,
    hook::{HookError, Verdict},
    usage::Use,
};
use crate::{config, exchange::Exchange, telemetry::Metrics};

/// The version of a use that some clients get.
pub(crate) struct Canary {
    pub(crate) version: Use,
    config: config::Canary,
    /// Whose clients are chosen: the same ones by every gateway.
    scope: String,
    record: Arc<Record>,
    results: IntCounterVec,
    /// Shadows that run now.
    running: AtomicUsize,
    lines: Mutex<Lines>,
}

/// How a canary has done; it outlives generations that do not change the canary.
pub(crate) struct Record {
    plugin: String,
    abort_on: config::AbortOn,
    aborted: AtomicBool,
    figures: Mutex<Figures>,
}

struct Figures {
    window: Window,
    /// Of all time.
    calls: u64,
    errors: u64,
    aborted: Option<Aborted>,
}

/// Why a canary was given up.
#[derive(Clone, Copy)]
pub(crate) struct Aborted {
    pub(crate) at: SystemTime,
    /// In the window before.
    pub(crate) calls: u64,
    pub(crate) errors: u64,
}

impl Canary {
    /// `version`: the use as it is with the canary's component and configuration.
    pub(crate) fn new(
        use_: &config::Use,
        config: &config::Canary,
        version: Use,
        components: &Components,
        metrics: &Metrics,
    ) -> Self {
        let key = format!("{} {}", version.component.digest, use_.identity());
        let record = Record::new(&use_.name, config.abort_on.clone(), Instant::now());
        Self {
            version,
            config: config.clone(),
            scope: use_.scope.clone(),
            record: components.canary_record(key, record),
            results: metrics.plugin_shadows.clone(),
            running: AtomicUsize::new(0),
            lines: Mutex::default(),
        }
    }

    pub(crate) fn config(&self) -> &config::Canary {
        &self.config
    }

    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// Whether the client is one of those that get the canary.
    fn takes(&self, exchange: &Exchange) -> bool {
        !self.record.is_aborted() && is_chosen(&self.scope, exchange.client_address(), &self.config)
    }
}

impl Use {
    /// The version that the exchange gets at this place of its chain, for all of its hooks.
    pub(crate) fn choose(&self, place: usize, exchange: &mut Exchange) -> &Self {
        if let Some(canary) = &self.canary
            && !canary.config.shadow
            && canary.takes(exchange)
        {
            exchange.canaries.push(place);
            return &canary.version;
        }
        self
    }

    /// The version that was chosen for the exchange.
    pub(crate) fn chosen(&self, place: usize, exchange: &Exchange) -> &Self {
        match &self.canary {
            Some(canary) if exchange.canaries.contains(&place) => &canary.version,
            _ => self,
        }
    }

    /// A copy of the exchange for the canary to look at, where it is a shadow and gets this one.
    pub(crate) fn shadow(&self, exchange: &Exchange) -> Option<Shadow> {
        let canary = self.canary.as_ref().filter(|canary| canary.config.shadow)?;
        canary.takes(exchange).then(|| Shadow::of(canary, exchange))?
    }

    /// Takes note of what the request hook of `version` decided, where that is the canary's.
    pub(crate) fn note_verdict(&self, version: &Self, verdict: &Result<Verdict, HookError>) {
        if let Some(record) = self.record_of(version) {
            record.note_verdict(verdict);
        }
    }

    /// Takes note of how another hook of `version` ended, where that is the canary's.
    pub(crate) fn note(&self, version: &Self, error: Option<&HookError>) {
        if let Some(record) = self.record_of(version) {
            record.note(error);
        }
    }

    fn record_of(&self, version: &Self) -> Option<&Record> {
        let canary = self.canary.as_ref()?;
        std::ptr::eq(&raw const canary.version, version).then_some(&*canary.record)
    }

    /// It, and its canary's version.
    pub(crate) fn versions(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.canary.as_ref().map(|canary| &canary.version))
    }
}

impl Record {
    fn new(plugin: &str, abort_on: config::AbortOn, now: Instant) -> Self {
        let window = Window::new(abort_on.window, now);
        let figures = Figures { window, calls: 0, errors: 0, aborted: None };
        let plugin = plugin.to_owned();
        Self { plugin, abort_on, aborted: AtomicBool::new(false), figures: Mutex::new(figures) }
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.aborted.load(Relaxed)
    }

    /// Calls and errors of all time, and why it was given up.
    pub(crate) fn figures(&self) -> (u64, u64, Option<Aborted>) {
        let figures = self.figures.lock();
        (figures.calls, figures.errors, figures.aborted)
    }

    /// An answer of the plugin's own that says of itself that something is wrong counts as an error.
    fn note_verdict(&self, verdict: &Result<Verdict, HookError>) {
        match verdict {
            Ok(Verdict::Respond(response)) if response.status().is_server_error() => {
                self.count(true, Instant::now());
            }
            verdict => self.note(verdict.as_ref().err()),
        }
    }

    /// Takes note of how one of the canary's hooks ended. That no instance was free is not the
    /// version's fault.
    pub(super) fn note(&self, error: Option<&HookError>) {
        if !matches!(error, Some(HookError::Busy)) {
            self.count(error.is_some(), Instant::now());
        }
    }

    fn count(&self, failed: bool, now: Instant) {
        let mut figures = self.figures.lock();
        figures.calls += 1;
        figures.errors += u64::from(failed);
        let (calls, errors) = figures.window.count(failed, now);
        let is_enough = calls >= self.abort_on.min_calls;
        if failed && is_enough && is_above(errors, calls, self.abort_on.errors) {
            if self.aborted.swap(true, Relaxed) {
                return;
            }
            figures.aborted = Some(Aborted { at: SystemTime::now(), calls, errors });
            let (plugin, window) = (&self.plugin, self.abort_on.window);
            tracing::error!(plugin, calls, errors, ?window, "a canary is given up");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "rates need no 15 digits")]
fn is_above(errors: u64, calls: u64, bound: f64) -> bool {
    errors as f64 > calls as f64 * bound
}

/// By hash: a client keeps its version for as long as its address and the share stay.
#[expect(clippy::cast_precision_loss, reason = "53 bits are enough to choose by")]
fn is_chosen(scope: &str, client: IpAddr, config: &config::Canary) -> bool {
    let mut hasher = DefaultHasher::new();
    (scope, client).hash(&mut hasher);
    let point = (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64;
    point < config.share
}

/// How long a shadow may take, waiting included.
const SHADOW_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(share: f64) -> config::Canary {
        config::Canary {
            component: config::Source::File("x".into()),
            config: None,
            share,
            abort_on: config::AbortOn::default(),
            shadow: false,
            at: config::Pointer::default(),
        }
    }

    #[test]
    fn clients_are_chosen_by_their_address_in_the_share_that_is_asked_for() {
        let chosen = |share, scope| {
            let addresses = (0..10_000_u32).map(|n| IpAddr::from(n.to_be_bytes()));
            addresses.filter(|client| is_chosen(scope, *client, &canary(share))).count()
        };
        assert_eq!(chosen(0.0, "a"), 0);
        assert_eq!(chosen(1.0, "a"), 10_000);
        assert!((400..600).contains(&chosen(0.05, "a")), "{}", chosen(0.05, "a"));
        let client = IpAddr::from([192, 0, 2, 1]);
        let again = |_| is_chosen("a", client, &canary(0.5));
        assert!((0..10).map(again).all(|chosen| chosen == again(0)));
    }

    fn record(errors: f64, min_calls: u64) -> (Record, Instant) {
        let now = Instant::now();
        let window = Duration::from_secs(60);
        (Record::new("p", config::AbortOn { errors, window, min_calls }, now), now)
    }

    #[test]
    fn a_few_calls_prove_nothing() {
        let (record, now) = record(0.01, 20);
        (0..19).for_each(|_| record.count(true, now));
        assert!(!record.is_aborted());
        record.count(true, now);
        assert!(record.is_aborted());
    }

    #[test]
    fn it_is_given_up_above_the_bound_and_not_at_it() {
        let (record, now) = record(0.10, 10);
        (0..18).for_each(|_| record.count(false, now));
        (0..2).for_each(|_| record.count(true, now));
        assert!(!record.is_aborted());
        record.count(true, now);
        assert!(record.is_aborted());
        let (calls, errors, aborted) = record.figures();
        assert_eq!((calls, errors), (21, 3));
        assert!(aborted.is_some_and(|aborted| (aborted.calls, aborted.errors) == (21, 3)));
    }

    #[test]
    fn what_was_before_the_window_is_forgotten() {
        let (record, now) = record(0.5, 4);
        (0..3).for_each(|_| record.count(true, now));
        record.count(true, now + Duration::from_secs(70));
        assert!(!record.is_aborted());
    }
}
