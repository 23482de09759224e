//! What ends at this hop.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONNECTION, CONTENT_LENGTH, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
};

/// What the client asked of this connection alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct HopByHop {
    /// It wants to upgrade (RFC 9110 §7.8).
    pub(crate) upgrade: bool,
    /// It takes trailers; gRPC upstreams insist on being told.
    pub(crate) trailers: bool,
    /// The trailers that the message says will come. Over HTTP/1.1 no others can go on.
    pub(crate) announced: Option<HeaderValue>,
}

/// Removes the fields that end here: those that `connection` names, then the known ones.
///
/// Call it before the gateway adds fields of its own. A client chooses what `connection` names,
/// and could otherwise have ours removed (`connection: x-forwarded-for`).
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) -> HopByHop {
    let known = hop_by_hop(headers);
    if known.is_empty() {
        return HopByHop::default();
    }
    // RFC 9112 §6.3: with both, the length counts for nothing; passed on, it would count again.
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    let named = connection_options(headers);
    let found = HopByHop {
        upgrade: headers.contains_key(UPGRADE) && named.contains(&UPGRADE),
        trailers: takes_trailers(headers),
        announced: joined(headers, &TRAILER),
    };
    for name in named.iter().chain(&known) {
        // `connection: host` must not leave a request without one.
        if *name != HOST {
            headers.remove(name);
        }
    }
    found
}

/// Whether `trailers` is among the members of `te` (RFC 9110 §10.1.4).
fn takes_trailers(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(TE).iter().filter_map(|line| line.to_str().ok());
    let mut members = lines.flat_map(|line| line.split(','));
    members.any(|member| member.trim().eq_ignore_ascii_case("trailers"))
}

/// All lines of a list field as one.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let lines: Vec<_> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    (!lines.is_empty()).then(|| HeaderValue::from_bytes(&lines.join(&b", "[..])).ok())?
}

/// Those of these fields that an intermediary removes even where `connection` does not name them (RFC
/// 9110 §7.6.1). `te` is among them: what of it may go on is put back for HTTP/2. The last two frame a
/// message for who takes `_` for `-`, as CGI and its heirs do.
pub(super) fn hop_by_hop(headers: &HeaderMap) -> Vec<HeaderName> {
    let ends_here = |name: &&HeaderName| {
        matches!(
            name.as_str(),
            "connection"
                | "keep-alive"
                | "proxy-connection"
                | "te"
                | "trailer"
                | "transfer-encoding"
                | "upgrade"
                | "transfer_encoding"
                | "content_length"
        )
    };
    headers.keys().filter(ends_here).cloned().collect()
}

fn connection_options(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|option| option.trim().parse().ok())
        .collect()
}

/// The protocol that `upgrade` asks for, unless it is one that no tunnel may lead to: cleartext
/// HTTP/2 behind an upgrade would pass by routes and plugins (RFC 9113 §3.1 has retired it).
pub(crate) fn asked_protocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut lines = headers.get_all(UPGRADE).iter();
    let (protocol, None) = (lines.next()?, lines.next()) else { return None };
    let forbidden =
        |name: &str| ["h2c", "h2", "http"].iter().any(|no| name.eq_ignore_ascii_case(no));
    let names = protocol.to_str().ok()?.split(',').map(|name| {
        let name = name.trim();
        name.split_once('/').map_or(name, |(name, _version)| name)
    });
    (!names.into_iter().any(forbidden)).then(|| protocol.clone())
}
