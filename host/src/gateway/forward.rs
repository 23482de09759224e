//! The end of a route: an upstream, a component, a redirect, or a fixed response.

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version,
    header::{HOST, LOCATION},
    uri::PathAndQuery,
};

use super::{Wishes, onward, service};
use crate::{
    body::{Body, BodyError},
    config::{PathRewrite, Template},
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
    let request = match for_upstream(exchange, route, &upstream, &wishes) {
        Ok(request) => Box::new(request),
        Err(error) => return exchange.fail(error),
    };
    let deadline = route.timeout.map(|_| exchange.deadline);
    let patience = Patience { deadline, progress: exchange.progress.clone() };
    let mut again = || {
        exchange.request_body = whole.take()?;
        for_upstream(exchange, route, &upstream, &wishes).ok()
    };
    let sent = upstream.send(request, Origin::Made(&mut again), patience).await;
    exchange.renew_time_of_plugins();
    if !looks_back(exchange, route) {
        // A long response needs no room for them.
        exchange.request.headers = HeaderMap::new();
    }
    match sent {
        Ok(answer) => {
            if answer.response.status() == StatusCode::SWITCHING_PROTOCOLS {
                return switch(exchange, &upstream, answer, wishes);
            }
            let mut response = answer.response;
            let version = response.version();
            let trailers = wishes.hop_by_hop.trailers;
            forwarding::finish_response(response.headers_mut(), version, trailers);
            // Messages carry the version of who sends them (RFC 9112 §2.3).
            *response.version_mut() = Version::HTTP_11;
            let mut response = response.map(|body| upstream.body(body, answer.lease));
            if let Some(timeout) = route.timeout {
                response.body_mut().set_deadline(exchange.deadline, timeout);
            }
            exchange.response = Some(response);
        }
        Err(source) => {
            let error = blame(exchange, route, &upstream, source);
            exchange.fail_at(&upstream, error);
        }
    }
}

/// The request as `upstream` gets it; also once more, where its body is whole.
fn for_upstream(
    exchange: &mut Exchange,
    route: &Route,
    upstream: &Upstream,
    wishes: &Wishes,
) -> Result<Request<Body>, Error> {
    let mut request = outgoing(exchange, route, wishes)?;
    // HTTP/1.0 knows no host, and HTTP/1.1 goes nowhere without (RFC 9112 §3.2).
    if exchange.request.version <= Version::HTTP_10 {
        request.headers_mut().entry(HOST).or_insert_with(|| upstream.host_field.clone());
    }
    Ok(request)
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

/// The request on its way: its body passes the chunk hooks while it is read.
pub(super) fn outgoing(
    exchange: &mut Exchange,
    route: &Route,
    wishes: &Wishes,
) -> Result<Request<Body>, Error> {
    let mut request = request(exchange, route, wishes)?;
    onward::request(exchange, route, &mut request)?;
    Ok(request)
}

/// The request as the upstream gets it.
fn request(
    exchange: &mut Exchange,
    route: &Route,
    wishes: &Wishes,
) -> Result<Request<Body>, Error> {
    let target = target(exchange, route)?;
    // What is held whole may have to go again.
    let asked_again = exchange.request_body.is_whole() || looks_back(exchange, route);
    let mut request = Request::new(exchange.take_request_body());
    *request.method_mut() = exchange.request.method.clone();
    *request.uri_mut() = Uri::from(target);
    *request.headers_mut() = headers(exchange, asked_again);
    if let End::Forward { host: Some(host), .. } = &route.end {
        let host = HeaderValue::from_str(host.as_str())
            .map_err(|_| Error::BadRequest("the host is not one"))?;
        request.headers_mut().insert(HOST, host);
    }
    if let Some((_, protocol)) = &wishes.tunnel {
        forwarding::ask_for_upgrade(request.headers_mut(), protocol.clone());
    } else if wishes.hop_by_hop.trailers {
        forwarding::accept_trailers(request.headers_mut());
    }
    // A plugin may have made the body another, which has none.
    if let Some(announced) = &wishes.hop_by_hop.announced
        && request.body().may_have_trailers()
    {
        forwarding::announce_trailers(request.headers_mut(), announced);
    }
    Ok(request)
}

/// The header fields, taken rather than copied where nobody asks for them again.
pub(super) fn headers(exchange: &mut Exchange, asked_again: bool) -> HeaderMap {
    if asked_again {
        exchange.request.headers.clone()
    } else {
        std::mem::take(&mut exchange.request.headers)
    }
}

/// Whether anybody can ask for the request's fields when it has its response.
pub(super) fn looks_back(exchange: &Exchange, route: &Route) -> bool {
    route.chain.looks_back() || exchange.generation.access_log.is_some()
}

/// Path and query for the upstream: what a plugin set, else as the route rewrites it.
fn target(exchange: &Exchange, route: &Route) -> Result<PathAndQuery, Error> {
    if let Some(target) = &exchange.target {
        return Ok(target.clone());
    }
    let End::Forward { path, .. } = &route.end else {
        return Err(Error::BadRequest("the route does not forward"));
    };
    let uri = exchange.uri();
    let path = match path {
        PathRewrite::Keep => {
            return Ok(uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")));
        }
        PathRewrite::Replace(template) => render(exchange, template),
        PathRewrite::StripPrefix(prefix) => stripped(uri.path(), prefix),
    };
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    target.try_into().map_err(|_| Error::BadRequest("the rewritten path is not one"))
}

/// Parameters go in as they came, still percent-encoded: decoding them could make new segments.
fn render(exchange: &Exchange, template: &Template) -> String {
    template.render(|name| exchange.param(name).unwrap_or_default())
}

/// `path` without `prefix`, where the prefix ends with a segment. What is left begins with one
/// slash: with two it would name a server where it becomes a reference (RFC 3986 §4.2).
fn stripped(path: &str, prefix: &str) -> String {
    let prefix = prefix.trim_end_matches('/');
    match path.strip_prefix(prefix) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            format!("/{}", rest.trim_start_matches('/'))
        }
        _ => path.to_owned(),
    }
}

fn redirect(exchange: &mut Exchange, status: StatusCode, location: &Template) {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    let mut target = render(exchange, location);
    if let Some(query) = exchange.uri().query()
        && !target.contains('?')
    {
        target = format!("{target}?{query}");
    }
    match HeaderValue::try_from(target) {
        Ok(location) => {
            response.headers_mut().insert(LOCATION, location);
            exchange.response = Some(response);
        }
        Err(_) => exchange.fail(Error::BadRequest("the path cannot be part of a location")),
    }
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
    let noted = exchange.request_failure();
    if let Some(body) = noted.as_ref().or_else(|| find_body_error(&source))
        && let Some(error) = Error::of_request_body(body)
    {
        return error;
    }
    match route.timeout {
        Some(limit) if std::time::Instant::now() >= exchange.deadline => {
            Error::ExchangeTimeout { limit }
        }
        _ => Error::Upstream { upstream: upstream.name.to_string(), source },
    }
}

fn find_body_error(error: &UpstreamError) -> Option<&BodyError> {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if let Some(body) = error.downcast_ref::<BodyError>() {
            return Some(body);
        }
        source = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::stripped;

    #[test]
    fn a_prefix_is_stripped_at_a_segment_only() {
        for (path, prefix, expected) in [
            ("/api/users", "/api", "/users"),
            ("/api/users", "/api/", "/users"),
            ("/api", "/api", "/"),
            ("/api/", "/api", "/"),
            ("/apis/x", "/api", "/apis/x"),
            ("/x", "/", "/x"),
            ("/api//evil.example", "/api", "/evil.example"),
        ] {
            assert_eq!(stripped(path, prefix), expected, "{path} without {prefix}");
        }
    }
}
