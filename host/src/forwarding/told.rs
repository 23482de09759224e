//! What upstreams are told of the client, and what they must not believe of it.

use http::{
    HeaderMap, HeaderName, HeaderValue, Version,
    header::{EXPECT, HOST, VIA},
};

use super::{
    Identity, TRACEPARENT, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, X_REQUEST_ID,
    append_to_list, via,
};
use crate::listener::Client;

/// How many fields the gateway adds; room is made for them at once.
const ADDED: usize = 8;

/// Adds what upstreams are told of the client, and removes what an untrusted client said of
/// itself.
pub(crate) fn add_forwarded(
    headers: &mut HeaderMap,
    client: &Client,
    trusted: bool,
    identity: &Identity,
    version: Version,
) {
    headers.reserve(ADDED);
    // The gateway itself has asked the client to go on, if need be.
    headers.remove(EXPECT);
    if trusted {
        append_to_list(headers, X_FORWARDED_FOR, &client.ip_field);
        keep_or_insert(headers, X_FORWARDED_PROTO, client.scheme_field());
    } else {
        remove_claims(headers);
        headers.insert(X_FORWARDED_FOR, client.ip_field.clone());
        headers.insert(X_FORWARDED_PROTO, client.scheme_field());
    }
    if let Some(host) = headers.get(HOST).cloned() {
        if trusted {
            keep_or_insert(headers, X_FORWARDED_HOST, host);
        } else {
            headers.insert(X_FORWARDED_HOST, host);
        }
    }
    append_to_list(headers, VIA, &via(version));
    headers.insert(X_REQUEST_ID, identity.request_id.clone());
    headers.insert(TRACEPARENT, identity.traceparent.clone());
}

/// Makes a request of a component's own a part of `exchange`, in logs and traces too.
pub(crate) fn identify(headers: &mut HeaderMap, exchange: &HeaderMap) {
    for name in [X_REQUEST_ID, TRACEPARENT] {
        if let Some(value) = exchange.get(&name) {
            headers.entry(name).or_insert_with(|| value.clone());
        }
    }
}

/// Every `x-forwarded-*` field, `forwarded` and `x-real-ip`, and other spellings of `x-request-id`:
/// upstreams believe them.
pub(super) fn remove_claims(headers: &mut HeaderMap) {
    let claims = |name: &HeaderName| {
        let name = name.as_str();
        match name.as_bytes().first() {
            // To CGI and its heirs `x_real_ip` is the same variable.
            Some(b'x') if name.contains('_') => {
                let name = name.replace('_', "-");
                is_claim(&name) || name == X_REQUEST_ID.as_str()
            }
            _ => is_claim(name),
        }
    };
    if headers.keys().any(claims) {
        let claimed: Vec<_> = headers.keys().filter(|name| claims(name)).cloned().collect();
        for name in claimed {
            headers.remove(name);
        }
    }
}

fn is_claim(name: &str) -> bool {
    name == "forwarded" || name == "x-real-ip" || name.starts_with("x-forwarded-")
}

fn keep_or_insert(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    headers.entry(name).or_insert(value);
}
