//! The request as its next hop gets it.

use http::{HeaderMap, HeaderValue, Request, Uri, header::HOST};

use super::{Wishes, onward, target};
use crate::{
    body::Body,
    error::Error,
    exchange::Exchange,
    forwarding,
    generation::{End, Route},
    upstream::Upstream,
};

/// The request as `upstream` gets it; also once more, where its body is whole.
pub(super) fn for_upstream(
    exchange: &mut Exchange,
    route: &Route,
    upstream: &Upstream,
    wishes: &Wishes,
) -> Result<Request<Body>, Error> {
    let mut request = hooked(exchange, route, wishes)?;
    // HTTP/1.0 knows no host, and HTTP/1.1 goes nowhere without (RFC 9112 §3.2).
    request.headers_mut().entry(HOST).or_insert_with(|| upstream.host_field.clone());
    Ok(request)
}

/// The request on its way: its body passes the chunk hooks while it is read.
pub(super) fn hooked(
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
    let target = target::of(exchange, route)?;
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
