//! The end of an exchange: metrics, access log, `on-finish` hooks.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use http::{StatusCode, header::HOST};

use super::{Chain, Exchange, State};
use crate::{body::BodyError, generation::Generation, plugin::Outcome, telemetry::Entry, worker};

/// For all `on-finish` hooks of one exchange together; its own time may be up.
const HOOKS_TIMEOUT: Duration = Duration::from_secs(5);

/// The status of an exchange whose client left before there was one; nginx made it the custom.
const CLIENT_GONE: StatusCode = match StatusCode::from_u16(499) {
    Ok(status) => status,
    Err(_) => StatusCode::BAD_REQUEST,
};

/// How an exchange ended.
pub(crate) struct End<'a> {
    pub(crate) status: StatusCode,
    /// Of the response's body, sent.
    pub(crate) bytes: u64,
    pub(crate) broken_off: Option<BrokenOff<'a>>,
}

/// Why the response's body did not come to its end.
pub(crate) enum BrokenOff<'a> {
    By(&'a BodyError),
    /// The client left.
    ByClient,
    /// The gateway ended before.
    ByDrain,
    /// A tunnel on which neither side sent anything for so long.
    BySilence(Duration),
}

impl BrokenOff<'_> {
    /// Where nobody said why: whoever waited for the rest is gone.
    pub(crate) fn unsaid() -> Self {
        if worker::cuts() { Self::ByDrain } else { Self::ByClient }
    }
}

impl End<'_> {
    /// There was no response before the client left or the gateway ended.
    pub(super) fn given_up() -> Self {
        let broken_off = BrokenOff::unsaid();
        let status = match broken_off {
            BrokenOff::ByDrain => StatusCode::SERVICE_UNAVAILABLE,
            _ => CLIENT_GONE,
        };
        Self { status, bytes: 0, broken_off: Some(broken_off) }
    }
}

pub(super) fn finish(mut state: Box<State>, end: &End<'_>) {
    state.ended = true;
    let duration = state.started.elapsed();
    let metrics = state.route.as_ref().map_or(&state.generation.unrouted, |route| &route.metrics);
    metrics.observe(&state.request.method, end.status, duration.as_secs_f64());
    if let Some(BrokenOff::By(error)) = &end.broken_off {
        let (request_id, route) = (state.id(), state.route_name());
        tracing::info!(request_id, route, error = %Chain(error), "a response broke off");
        count_at_upstream(&state, error);
    }
    let logs = state.generation.access_log.as_ref().filter(|log| log.wants());
    let hooks =
        state.route.as_ref().filter(|route| state.reached > 0 && route.chain.wants_finish());
    if logs.is_none() && hooks.is_none() {
        return;
    }
    let outcome = outcome(&state, duration, end);
    if let Some(log) = logs {
        log.write(&entry(&state, &outcome));
    }
    if let Some(route) = hooks.cloned() {
        state.deadline = Instant::now() + HOOKS_TIMEOUT;
        worker::spawn(async move {
            route.chain.on_finish(Exchange { state: Some(state) }, &outcome).await;
        });
    }
}

/// Nothing else counts a response whose head was well.
fn count_at_upstream(state: &State, error: &BodyError) {
    let upstream =
        state.answered_by.as_ref().and_then(|name| state.generation.upstreams.get(&**name));
    if let Some(upstream) = upstream {
        upstream.count_broken_off(error);
    }
}

/// Counts and logs a request that never became an exchange, because its head could not be read
/// or did not come in time. `bytes`: of the answer's body.
pub(crate) fn refused(
    generation: &Generation,
    client: IpAddr,
    status: StatusCode,
    bytes: usize,
    duration: Duration,
) {
    generation.unrouted.observe_unread(status, duration.as_secs_f64());
    tracing::debug!(%client, status = status.as_u16(), "a request could not be read");
    let Some(log) = generation.access_log.as_ref().filter(|log| log.wants()) else { return };
    log.write(&Entry {
        time: now(),
        request_id: "",
        client: client.to_string(),
        method: "",
        host: "",
        path: "",
        protocol: "HTTP/1.1",
        status: status.as_u16(),
        duration_us: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
        request_bytes: 0,
        response_bytes: bytes as u64,
        route: "",
        plugin: None,
        upstream: None,
        subject: None,
        error: Some(match status {
            StatusCode::REQUEST_TIMEOUT => "the request head did not come in time".into(),
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "the request head is too large".into(),
            _ => "the request could not be read".into(),
        }),
    });
}

fn outcome(state: &State, duration: Duration, end: &End<'_>) -> Outcome {
    Outcome {
        status: end.status.as_u16(),
        duration_us: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
        request_bytes: state.progress.as_ref().map_or(0, |progress| progress.bytes()),
        response_bytes: end.bytes,
        upstream: state.answered_by.as_deref().map(str::to_owned),
        error: match (&state.error, &end.broken_off) {
            (Some(error), _) => Some(Chain(error).to_string()),
            (None, Some(BrokenOff::By(error))) => Some(error.to_string()),
            (None, Some(BrokenOff::ByClient)) => Some("the client left".into()),
            (None, Some(BrokenOff::ByDrain)) => Some("the gateway ended before it".into()),
            (None, Some(BrokenOff::BySilence(limit))) => {
                Some(format!("neither side of the tunnel sent anything for {limit:?}"))
            }
            (None, None) => None,
        },
    }
}

fn entry<'a>(state: &'a State, outcome: &'a Outcome) -> Entry<'a> {
    let request = &state.request;
    let host = request.headers.get(HOST).and_then(|host| host.to_str().ok());
    Entry {
        time: now(),
        request_id: state.id(),
        client: state.client_address().to_string(),
        method: request.method.as_str(),
        host: host.unwrap_or_default(),
        path: request.uri.path(),
        protocol: state.client.protocol(request.version),
        status: outcome.status,
        duration_us: outcome.duration_us,
        request_bytes: outcome.request_bytes,
        response_bytes: outcome.response_bytes,
        route: state.route_name(),
        plugin: state.failed_plugin().or(state.answered_by_plugin.as_deref()),
        upstream: outcome.upstream.as_deref(),
        subject: state.attribute("auth.subject"),
        error: outcome.error.clone(),
    }
}

/// RFC 3339 with microseconds, UTC.
fn now() -> String {
    use tracing_subscriber::fmt::{
        format::Writer,
        time::{FormatTime, SystemTime},
    };
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}
