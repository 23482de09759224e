//! An upstream: a named set of endpoints with pooled connections.

mod again;
mod authority;
mod connect;
mod cut;
mod error;
mod pool;
mod refusals;
mod resolve;
mod rest;
mod schedule;
mod send;
mod shared;
mod streams;
mod tls;
mod tunnel;
mod upload;

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use http::HeaderValue;
use prometheus::{Histogram, HistogramVec, IntCounterVec};

use self::{pool::Target, schedule::Schedule, tls::Tls};
use crate::{
    body::BodyError,
    config,
    exchange::Chain,
    telemetry::{Failures, Metrics},
    tls::TlsFault,
};

pub(crate) use self::{
    again::Origin,
    error::UpstreamError,
    pool::Lease,
    resolve::Resolver,
    send::{Answer, Patience},
    tunnel::{Joined, Tunnel, pass_on},
};

/// The endpoints of one `upstreams` entry. It lives on over reloads that do not change it, and
/// its connections with it.
pub(crate) struct Upstream {
    pub(crate) config: Arc<config::Upstream>,
    pub(crate) name: Arc<str>,
    /// What `host` says in a plugin's own requests.
    pub(crate) host_field: HeaderValue,
    tls: Option<Tls>,
    targets: ArcSwap<Targets>,
    /// Where in the schedule the next exchange goes.
    next: AtomicUsize,
    /// Where in it the next turn goes of an address that rests.
    spare: AtomicUsize,
    workers: usize,
    /// Requests that wait for room on HTTP/2 connections.
    waiting: AtomicUsize,
    durations: [Histogram; CLASSES.len()],
    /// For statuses beyond the classes, which hardly any upstream has.
    other_durations: HistogramVec,
    /// By [`UpstreamError::reason`].
    attempts_failed: IntCounterVec,
    failures: Arc<Failures>,
}

/// Of the statuses that responses are counted by.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Every address that the endpoints have at present, and the order in which they serve.
#[derive(Default)]
struct Targets {
    /// Of each endpoint, in the configuration's order.
    of_endpoints: Vec<Vec<SocketAddr>>,
    all: Vec<Arc<Target>>,
    schedule: Schedule,
}

impl Upstream {
    /// # Errors
    ///
    /// Every certificate, key and authority that cannot be read or does not fit.
    pub(crate) fn new(
        config: &Arc<config::Upstream>,
        metrics: &Metrics,
        workers: usize,
    ) -> Result<Self, Vec<TlsFault>> {
        Ok(Self {
            name: config.name.as_str().into(),
            host_field: host_field(&config.endpoints[0]),
            tls: config.tls.as_ref().map(|tls| Tls::new(tls, config.protocol)).transpose()?,
            targets: ArcSwap::default(),
            next: AtomicUsize::new(0),
            spare: AtomicUsize::new(0),
            workers,
            waiting: AtomicUsize::new(0),
            failures: Arc::default(),
            other_durations: metrics.client_duration.clone(),
            attempts_failed: metrics.upstream_failures.clone(),
            durations: CLASSES
                .map(|class| metrics.client_duration.with_label_values(&[&config.name, class])),
            config: Arc::clone(config),
        })
    }

    /// Puts other addresses in place; connections to addresses that stay are kept. `addresses`:
    /// of each endpoint, in the configuration's order.
    pub(crate) fn set_addresses(&self, addresses: &[Vec<SocketAddr>]) {
        let old = self.targets.load();
        let mut all = Vec::new();
        let mut weights = Vec::new();
        for (endpoint, addresses) in self.config.endpoints.iter().zip(addresses) {
            for address in addresses {
                let known = old.all.iter().find(|t| t.is(*address, &endpoint.host));
                all.push(known.map_or_else(
                    || Arc::new(Target::new(*address, &endpoint.host, self.workers)),
                    Arc::clone,
                ));
                weights.push(endpoint.weight);
            }
        }
        let (of_endpoints, schedule) = (addresses.to_vec(), Schedule::new(&weights));
        self.targets.store(Arc::new(Targets { of_endpoints, all, schedule }));
    }

    /// The addresses of an endpoint that this upstream has too; none where it has not.
    fn addresses_of(&self, endpoint: &config::Endpoint) -> Vec<SocketAddr> {
        let same =
            |own: &config::Endpoint| (&own.host, own.port) == (&endpoint.host, endpoint.port);
        let targets = self.targets.load();
        let found = self.config.endpoints.iter().position(same);
        found.and_then(|at| targets.of_endpoints.get(at)).cloned().unwrap_or_default()
    }

    /// Addresses at present, for `/status`.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.targets.load().all.iter().map(|target| target.address).collect()
    }

    /// Those of them that gave no connection when they were asked last.
    pub(crate) fn resting(&self) -> Vec<SocketAddr> {
        let targets = self.targets.load();
        targets.all.iter().filter(|target| !target.rest.is_over()).map(|t| t.address).collect()
    }

    /// How many requests wait for room on HTTP/2 connections.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Whether the log may tell another of its failures now.
    pub(crate) fn may_tell_failure(&self) -> bool {
        let upstream = Arc::clone(&self.name);
        self.failures.may_tell(move |left_out| {
            tracing::warn!(
                upstream = &*upstream,
                left_out,
                "more failures of an upstream, not told"
            );
        })
    }

    /// Closes connections that have been idle for too long.
    pub(crate) fn sweep(&self) {
        for target in &self.targets.load().all {
            target.sweep(self.config.keepalive_idle, self.config.keepalive_max_idle);
        }
    }

    /// The target whose turn it is. The turns of those that rest go round among the others, as long as
    /// there are any; those that have refused this request are passed over always.
    fn pick(self: &Arc<Self>, refused: &[SocketAddr]) -> Option<Arc<Target>> {
        let targets = self.targets.load();
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let at = |turn| Some(&targets.all[targets.schedule.at(turn)?]);
        let may = |target: &&Arc<Target>| !refused.contains(&target.address);
        let spare = || at(self.spare.fetch_add(1, Ordering::Relaxed));
        let turns = || 0..targets.schedule.turns();
        let first = at(turn).into_iter().chain(turns().filter_map(|_| spare()));
        let free = first.filter(may).find(|target| self.takes_turns(target));
        free.or_else(|| turns().filter_map(|on| at(turn.wrapping_add(on))).find(may))
            .map(Arc::clone)
    }

    /// Whether the target does not rest. One whose rest is over is tried beside the requests, which
    /// would have to wait for it.
    fn takes_turns(self: &Arc<Self>, target: &Arc<Target>) -> bool {
        let takes = target.rest.is_over();
        if !takes && target.rest.may_be_tried() {
            tokio::spawn(Arc::clone(self).try_again(Arc::clone(target)));
        }
        takes
    }

    /// Whether there is an address beside those that have refused.
    fn has_other_than(&self, refused: &[SocketAddr]) -> bool {
        self.targets.load().all.iter().any(|target| !refused.contains(&target.address))
    }

    fn observe(&self, status: http::StatusCode, duration: Duration) {
        let seconds = duration.as_secs_f64();
        match self.durations.get(usize::from(status.as_u16() / 100).saturating_sub(1)) {
            Some(class) => class.observe(seconds),
            None => {
                self.other_durations.with_label_values(&[&*self.name, "other"]).observe(seconds)
            }
        }
    }

    /// Counts a response that it did not bring to its end.
    pub(crate) fn count_broken_off(&self, error: &BodyError) {
        let reason = match error {
            BodyError::UpstreamAborted => "cut",
            BodyError::UpstreamIdle { .. } => "timed-out",
            BodyError::UpstreamMalformed => "protocol",
            _ => return,
        };
        self.attempts_failed.with_label_values(&[&*self.name, reason]).inc();
    }

    /// Whether a connection came of asking for one; tells when that changes.
    fn note_connecting(&self, target: &Target, error: Option<&io::Error>) {
        let (upstream, address) = (&*self.name, target.address);
        match error {
            Some(error) if target.rest.begin() && self.may_tell_failure() => {
                tracing::warn!(upstream, %address, %error, "an endpoint gives no connection, and rests");
            }
            None if target.rest.end() && self.may_tell_failure() => {
                tracing::info!(upstream, %address, "an endpoint gives connections again");
            }
            _ => {}
        }
    }

    /// Counts an attempt that failed, also one that another may make good.
    fn count_failure(&self, error: &UpstreamError) {
        let Some(reason) = error.reason() else { return };
        self.attempts_failed.with_label_values(&[&*self.name, reason]).inc();
        let upstream = &*self.name;
        tracing::debug!(upstream, error = %Chain(error), "an attempt failed");
    }
}

/// What keeps the upstream's TLS from being set up.
pub(crate) fn tls_faults(config: &config::Upstream) -> Vec<TlsFault> {
    let made = config.tls.as_ref().map(|tls| Tls::new(tls, config.protocol));
    made.and_then(Result::err).unwrap_or_default()
}

/// An endpoint's host and port as configured.
fn host_field(endpoint: &config::Endpoint) -> HeaderValue {
    let host = match endpoint.host.contains(':') {
        true => format!("[{}]:{}", endpoint.host, endpoint.port),
        false => format!("{}:{}", endpoint.host, endpoint.port),
    };
    HeaderValue::try_from(host).unwrap_or(HeaderValue::from_static("upstream"))
}
