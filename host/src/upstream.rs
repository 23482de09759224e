//! An upstream: a named set of endpoints with pooled connections.

mod again;
mod authority;
mod connect;
mod cut;
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

use self::{
    connect::{MAX_RESPONSE_FIELDS, MAX_RESPONSE_HEAD},
    pool::Target,
    schedule::Schedule,
    tls::Tls,
};
use crate::{
    config,
    exchange::Chain,
    telemetry::{Failures, Metrics},
    tls::TlsFault,
};

pub(crate) use self::{
    again::Origin,
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

/// Why an upstream gave no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    #[error("none of its endpoints has an address")]
    Unresolved,
    #[error("no connection to {address}")]
    Unreachable { address: SocketAddr, source: io::Error },
    /// All streams of all HTTP/2 connections that there may be are taken.
    #[error("{address} had no room for another request within {limit:?}")]
    Full { address: SocketAddr, limit: Duration },
    #[error("{address} sent no response head within {limit:?}")]
    TimedOut { address: SocketAddr, limit: Duration },
    #[error("{address} took up nothing of the request body for {limit:?}")]
    Stalled { address: SocketAddr, limit: Duration },
    /// It did nothing with the request (RFC 9113 §8.7).
    #[error("{address} refused the request")]
    Refused { address: SocketAddr, source: hyper::Error },
    /// The connection ended before a response head; the request may have been taken.
    #[error("{address} closed the connection")]
    Closed { address: SocketAddr, source: hyper::Error },
    #[error(
        "{address} sent a response head of more than {MAX_RESPONSE_HEAD} bytes or {MAX_RESPONSE_FIELDS} fields"
    )]
    HeadTooLarge { address: SocketAddr },
    #[error("{address} did not answer as HTTP asks")]
    Protocol { address: SocketAddr, source: hyper::Error },
    /// A body that would go on as if it had no such coding.
    #[error("{address} answered in a transfer coding other than chunked")]
    TransferCoding { address: SocketAddr },
    #[error("it switched to another protocol unasked")]
    UnaskedUpgrade,
}

impl UpstreamError {
    /// The label in metrics.
    fn reason(&self) -> &'static str {
        match self {
            Self::Unresolved => "unresolved",
            Self::Unreachable { .. } => "unreachable",
            Self::Full { .. } => "full",
            Self::TimedOut { .. } | Self::Stalled { .. } => "timed-out",
            Self::Refused { .. } => "refused",
            Self::Closed { .. } => "closed",
            Self::HeadTooLarge { .. }
            | Self::Protocol { .. }
            | Self::TransferCoding { .. }
            | Self::UnaskedUpgrade => "protocol",
        }
    }
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

    /// The target whose turn it is. Those that rest are passed over as long as there is another, and
    /// those that have refused this request always.
    fn pick(&self, refused: &[SocketAddr]) -> Option<Arc<Target>> {
        let targets = self.targets.load();
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let round = turn..turn.saturating_add(targets.schedule.turns());
        let others = || {
            let turns = round.clone().filter_map(|turn| targets.schedule.at(turn));
            turns.map(|at| &targets.all[at]).filter(|it| !refused.contains(&it.address))
        };
        // A request that has been refused leaves it to others to try those that rest.
        let is_first = refused.is_empty();
        let takes = |it: &&Arc<Target>| it.rest.is_over() || (is_first && it.rest.may_be_tried());
        others().find(takes).or_else(|| others().next()).map(Arc::clone)
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
        self.attempts_failed.with_label_values(&[&*self.name, error.reason()]).inc();
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
