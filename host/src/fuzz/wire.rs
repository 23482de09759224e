//! What may and may not be in messages that have passed a guest.

use http::{HeaderMap, StatusCode, header, request, response};

use crate::{forwarding::is_forwarded, router::normalise};

/// Lines that a guest can make a message have, and those that the gateway adds.
const MAX_LINES: usize = 256 + 32;

/// Bytes of one value: the most that a guest can set, and lists that the gateway appends to.
const MAX_VALUE: usize = 16 * 1024 + 1024;

/// Bytes of a method.
const MAX_METHOD: usize = 64;

/// Fields that end at a hop or frame a message, and that no upstream of the targets sends.
const RESERVED: [&str; 11] = [
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
    OF_THE_HOP,
    "transfer-coding",
];

/// A field that upstreams name in `connection`: it is meant for the gateway.
pub(super) const OF_THE_HOP: &str = "x-hop";

/// Checks a request as an upstream sees it. `host`: what its `host` must be.
pub(super) fn check_request(head: &request::Parts, host: &str, forwarded: bool) {
    check_fields(&head.headers);
    let hosts: Vec<_> = head.headers.get_all(header::HOST).iter().collect();
    assert_eq!(hosts, [host], "the guest has changed `host`");
    assert!(is_forwarded(&head.method), "an upstream was asked by {}", head.method);
    assert!(head.method.as_str().len() <= MAX_METHOD, "the method is {}", head.method);
    if forwarded {
        check_path(head.uri.path());
    }
}

/// Checks a response as the client sees it.
pub(super) fn check_response(head: &response::Parts, id: &str) {
    check_fields(&head.headers);
    let is_final = head.status >= StatusCode::OK && head.status.as_u16() <= 599;
    assert!(is_final, "{} ends no exchange", head.status);
    let ids: Vec<_> = head.headers.get_all("x-request-id").iter().collect();
    assert_eq!(ids, [id], "the guest has changed `x-request-id`");
}

fn check_fields(headers: &HeaderMap) {
    for name in RESERVED {
        assert!(!headers.contains_key(name), "`{name}` has come through: {headers:?}");
    }
    let codings: Vec<_> = headers.get_all(header::TRANSFER_ENCODING).iter().collect();
    assert!(codings.is_empty() || codings == ["chunked"], "framed as {codings:?}");
    let lengths = headers.get_all(header::CONTENT_LENGTH).iter().count();
    assert!(lengths + codings.len() <= 1, "framed twice: {headers:?}");
    assert!(headers.len() <= MAX_LINES, "{} field lines", headers.len());
    let longest = headers.values().map(http::HeaderValue::len).max();
    assert!(longest.is_none_or(|longest| longest <= MAX_VALUE), "a value of {longest:?} bytes");
}

/// A path that nobody can take for another one.
pub(super) fn check_path(path: &str) {
    assert!(path.starts_with('/') || path == "*", "{path:?} is not absolute");
    assert!(path.is_ascii(), "{path:?} is not ASCII");
    let is_dots = |segment: &str| matches!(segment, "." | "..");
    assert!(!path.split('/').any(is_dots), "{path:?} has a dot segment");
    let again = normalise(path);
    assert_eq!(again.as_deref(), Ok(path), "normalising again changes it");
}
