//! Where a request has the name of the server that it is for: by the version, in the target or in `host`.

use http::{HeaderValue, Request, Uri, header::HOST};

use crate::body::Body;

/// HTTP/2 has the authority in the target, and no `host` (RFC 9113 §8.3.1).
pub(super) fn for_http2(request: &mut Request<Body>, scheme: &str) {
    let host = request.headers_mut().remove(HOST);
    // It has come back unsent from another connection.
    if host.is_none() && request.uri().authority().is_some() {
        return;
    }
    let authority = host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or("upstream");
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let absolute =
        Uri::builder().scheme(scheme).authority(authority).path_and_query(target).build();
    if let Ok(absolute) = absolute {
        *request.uri_mut() = absolute;
    }
}

/// HTTP/1.1 has the authority in `host`. It stands in the target of a request that has come back
/// unsent from an HTTP/2 connection.
pub(super) fn for_http1(request: &mut Request<Body>) {
    let Some(authority) = request.uri().authority() else { return };
    let host = HeaderValue::from_str(authority.as_str());
    let target = std::mem::take(request.uri_mut()).into_parts().path_and_query;
    *request.uri_mut() = target.map_or_else(|| Uri::from_static("/"), Uri::from);
    if let Ok(host) = host {
        request.headers_mut().insert(HOST, host);
    }
}
