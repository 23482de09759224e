//! Trailers on their way through, and what is said of them before they come.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
        CONTENT_TYPE, COOKIE, EXPECT, HOST, MAX_FORWARDS, SET_COOKIE, TRAILER,
    },
};

use super::{TRACEPARENT, X_REQUEST_ID, hop_by_hop::hop_by_hop, told::remove_claims};

/// Fields that no trailer may be (RFC 9110 §6.5.1), besides the hop-by-hop ones and what the gateway
/// sets: who merged them into the head would have another message than plugins have seen.
const NEVER_TRAILERS: [HeaderName; 13] = [
    AUTHORIZATION,
    CACHE_CONTROL,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    COOKIE,
    EXPECT,
    HOST,
    MAX_FORWARDS,
    SET_COOKIE,
    X_REQUEST_ID,
    TRACEPARENT,
];

/// Takes out of trailers what must not be among them, and what clients must not say of themselves.
pub(crate) fn strip_trailers(trailers: &mut HeaderMap) {
    for name in hop_by_hop(trailers).iter().chain(&NEVER_TRAILERS) {
        trailers.remove(name);
    }
    remove_claims(trailers);
    trim_values(trailers);
}

/// Over HTTP/2 blanks around a value may arrive, which RFC 9113 §8.2.1 calls malformed: whoever is next
/// could read them in another way.
pub(crate) fn trim_values(headers: &mut HeaderMap) {
    for value in headers.values_mut() {
        let trimmed = value.as_bytes().trim_ascii();
        if trimmed.len() != value.len()
            && let Ok(mut trimmed) = HeaderValue::from_bytes(trimmed)
        {
            trimmed.set_sensitive(value.is_sensitive());
            *value = trimmed;
        }
    }
}

/// Says again which trailers will come, those that go on.
pub(crate) fn announce_trailers(headers: &mut HeaderMap, announced: &HeaderValue) {
    let mut coming = HeaderMap::new();
    for name in announced.to_str().unwrap_or_default().split(',') {
        if let Ok(name) = HeaderName::try_from(name.trim())
            && coming.try_insert(name, HeaderValue::from_static("")).is_err()
        {
            break;
        }
    }
    strip_trailers(&mut coming);
    let names: Vec<_> = coming.keys().map(HeaderName::as_str).collect();
    if !names.is_empty()
        && let Ok(announced) = HeaderValue::try_from(names.join(", "))
    {
        headers.insert(TRAILER, announced);
    }
}

/// Says no more that trailers will come: the body that they came after is another now.
pub(crate) fn announce_none(headers: &mut HeaderMap) {
    headers.remove(TRAILER);
}
