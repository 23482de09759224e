//! Listeners that only send clients to https.

use http::{
    HeaderMap, HeaderValue, Response,
    header::{HOST, LOCATION},
    uri::PathAndQuery,
};

use crate::{
    body::Body, config::RedirectToHttps, error::Error, exchange::Exchange,
    forwarding::X_FORWARDED_PROTO,
};

/// Answers with a redirect where the client's listener does so.
pub(super) fn redirect(exchange: &mut Exchange) {
    let (generation, client) = (&exchange.generation, &exchange.client);
    let listener = generation.config.listeners.get(client.listener);
    let Some(redirect) = listener.and_then(|listener| listener.redirect_to_https) else { return };
    if client.tls.is_some() || came_by_https(&exchange.request.headers) {
        return;
    }
    match location(exchange, redirect) {
        Some(location) => {
            let mut response = Response::new(Body::Empty);
            *response.status_mut() = redirect.status;
            response.headers_mut().insert(LOCATION, location);
            exchange.response = Some(response);
        }
        None => exchange.fail(Error::BadRequest("no host to redirect to")),
    }
}

/// A trusted proxy says so; what others say has been replaced.
fn came_by_https(headers: &HeaderMap) -> bool {
    headers.get(X_FORWARDED_PROTO).is_some_and(|proto| proto == "https")
}

/// The request's host, path and query; `None` where it has no host.
fn location(exchange: &Exchange, redirect: RedirectToHttps) -> Option<HeaderValue> {
    // It has been checked to be an authority without user information.
    let authority = exchange.request.headers.get(HOST)?.to_str().ok()?;
    let host = without_port(authority);
    if host.is_empty() {
        return None;
    }
    let target = exchange.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    let location = match redirect.port {
        443 => format!("https://{host}{target}"),
        port => format!("https://{host}:{port}{target}"),
    };
    HeaderValue::try_from(location).ok()
}

fn without_port(authority: &str) -> &str {
    // The colons of an IPv6 address are inside of its brackets.
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::without_port;

    #[test]
    fn a_port_goes_and_an_ipv6_address_stays_whole() {
        for (authority, host) in [
            ("a.test", "a.test"),
            ("a.test:8080", "a.test"),
            ("a.test:", "a.test"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]", "[::1]"),
            ("[::1]:8080", "[::1]"),
            (":80", ""),
        ] {
            assert_eq!(without_port(authority), host, "{authority}");
        }
    }
}
