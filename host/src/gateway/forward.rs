//! The end of a route: an upstream, a component, a redirect, or a fixed response.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, Version, header::LOCATION};

use super::{Wishes, outgoing, service, target};
use crate::{
    body::Body,
    config::Template,
    error::Error,
    exchange::Exchange,
    forwarding,
    generation::{End, Route},
    upstream::{Answer, Origin, Patience, Upstream, UpstreamError},
};

/// Gives the exchange its response, unless something before has.
pub(super) async fn to_the_end(mut exchange: Exchange, wishes: Wishes) -> Exchange {
    if exchange.is_answered() {
        return exchange;
    }
    let Some(route) = exchange.route.clone() else { return exchange };
    match &route.end {
        End::Forward { .. } => to_upstream(&mut exchange, &route, wishes).await,
        End::Component(component) => {
            service::answer(&mut exchange, &route, component, &wishes).await;
        }
        End::Nothing => exchange.fail(Error::NotAnswered),
        End::Redirect { status, location } => redirect(&mut exchange, *status, location),
        End::Respond { status, headers, body } => {
            let mut response = Response::new(Body::full(Bytes::from(body.clone())));
            *response.status_mut() = *status;
            response.headers_mut().extend(headers.iter().cloned());
            exchange.response = Some(response);
        }
    }
    exchange
}

async fn to_upstream(exchange: &mut Exchange, route: &Route, wishes: Wishes) {
    let Some(upstream) = upstream_of(exchange, route) else { return };
    exchange.answered_by = Some(Arc::clone(&upstream.name));
    let mut whole = exchange.request_body.is_whole().then(|| exchange.request_body.copy());
    let request = match outgoing::for_upstream(exchange, route, &upstream, &wishes) {
        Ok(request) => Box::new(request),
        Err(error) => return exchange.fail(error),
    };
    let deadline = route.timeout.map(|_| exchange.deadline);
    let patience = Patience { deadline, progress: exchange.progress.clone() };
    let mut again = || {
        exchange.request_body = whole.take()?;
        outgoing::for_upstream(exchange, route, &upstream, &wishes).ok()
    };
    let sent = upstream.send(request, Origin::Made(&mut again), patience).await;
    exchange.renew_time_of_plugins();
    if !outgoing::looks_back(exchange, route) {
        // A long response needs no room for them.
        exchange.request.headers = HeaderMap::new();
    }
    match sent {
        Ok(answer) if answer.response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            switch(exchange, &upstream, answer, wishes);
        }
        Ok(answer) => respond(exchange, route, &upstream, answer, &wishes),
        Err(source) => {
            let error = blame(exchange, route, &upstream, source);
            exchange.fail_at(&upstream, error);
        }
    }
}

/// The upstream's response is the exchange's; its body is still to come.
fn respond(
    exchange: &mut Exchange,
    route: &Route,
    upstream: &Upstream,
    answer: Answer,
    wishes: &Wishes,
) {
    let Answer { mut response, lease } = answer;
    let version = response.version();
    forwarding::finish_response(response.headers_mut(), version, wishes.hop_by_hop.trailers);
    // Messages carry the version of who sends them (RFC 9112 §2.3).
    *response.version_mut() = Version::HTTP_11;
    let mut response = response.map(|body| upstream.body(body, lease));
    if let Some(timeout) = route.timeout {
        response.body_mut().set_deadline(exchange.deadline, timeout);
    }
    exchange.response = Some(response);
}

/// The upstream that a plugin chose, else the route's.
fn upstream_of(exchange: &mut Exchange, route: &Route) -> Option<Arc<Upstream>> {
    let End::Forward { upstream, .. } = &route.end else { return None };
    let Some(name) = &exchange.upstream else { return Some(Arc::clone(upstream)) };
    match exchange.generation.upstreams.get(name) {
        Some(chosen) => Some(Arc::clone(chosen)),
        None => {
            let error = Error::UnknownUpstream(name.clone());
            exchange.fail(error);
            None
        }
    }
}

fn redirect(exchange: &mut Exchange, status: StatusCode, location: &Template) {
    let Ok(location) = target::location(exchange, location) else {
        return exchange.fail(Error::BadRequest("the path cannot be part of a location"));
    };
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    response.headers_mut().insert(LOCATION, location);
    exchange.response = Some(response);
}

/// The upstream agrees to another protocol: from here on bytes are joined, not read.
fn switch(exchange: &mut Exchange, upstream: &Upstream, answer: Answer, wishes: Wishes) {
    let Answer { mut response, lease } = answer;
    let Some((tunnel, _)) = wishes.tunnel else {
        let (name, source) = (upstream.name.to_string(), UpstreamError::UnaskedUpgrade);
        return exchange.fail_at(upstream, Error::Upstream { upstream: name, source });
    };
    let idle = exchange.generation.config.limits.tunnel_idle;
    exchange.tunnel = Some(tunnel.join(&mut response, idle));
    lease.let_go();
    let protocol = response.headers().get(http::header::UPGRADE).cloned();
    let version = response.version();
    forwarding::finish_response(response.headers_mut(), version, false);
    if let Some(protocol) = protocol {
        forwarding::ask_for_upgrade(response.headers_mut(), protocol);
    }
    exchange.response = Some(response.map(|_| Body::Empty));
}

/// Whose fault it is that there is no response.
fn blame(
    exchange: &mut Exchange,
    route: &Route,
    upstream: &Upstream,
    source: UpstreamError,
) -> Error {
    let sent = match &source {
        UpstreamError::BrokenUpload { source } => Some(source.clone()),
        _ => None,
    };
    let body = exchange.request_failure().or(sent);
    if let Some(error) = body.as_ref().and_then(Error::of_request_body) {
        return error;
    }
    match route.timeout {
        Some(limit) if std::time::Instant::now() >= exchange.deadline => {
            Error::ExchangeTimeout { limit }
        }
        _ => Error::Upstream { upstream: upstream.name.to_string(), source },
    }
}
