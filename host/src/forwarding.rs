//! Header fields on their way through: what ends at this hop, what the gateway adds, what it does
//! not believe.

mod id;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Version,
    header::{
        AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
        CONTENT_TYPE, COOKIE, EXPECT, HOST, MAX_FORWARDS, SET_COOKIE, TE, TRAILER,
        TRANSFER_ENCODING, UPGRADE, VIA,
    },
};

use crate::{error::Error, listener::Client};

pub(crate) use self::id::Identity;

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// How many fields the gateway adds; room is made for them at once.
const ADDED: usize = 8;

/// Fields that an intermediary removes even where `connection` does not name them (RFC 9110
/// §7.6.1). `te` is here too: what of it may go on is put back for HTTP/2.
const HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

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

/// Puts the authority into `host`, and refuses what leaves it in doubt (RFC 9112 §3.2): servers
/// that choose differently among two could be played against each other.
pub(crate) fn settle_host<B>(request: &mut Request<B>) -> Result<(), Error> {
    let mut lines = request.headers().get_all(HOST).iter();
    let host = lines.next().cloned();
    if lines.next().is_some() {
        return Err(Error::BadRequest("more than one host field"));
    }
    let host = match (request.uri().authority(), host) {
        // RFC 9112 §3.2.2: the target's authority counts, whatever `host` says.
        (Some(authority), _) if authority.as_str().contains('@') => {
            return Err(Error::BadRequest("user information in the target"));
        }
        (Some(authority), _) => HeaderValue::from_str(authority.as_str())
            .map_err(|_| Error::BadRequest("the authority is not one"))?,
        (None, Some(host)) => host,
        // HTTP/1.0 knows no host.
        (None, None) if request.version() <= Version::HTTP_10 => return Ok(()),
        (None, None) => return Err(Error::BadRequest("no host field")),
    };
    if !is_authority(host.as_bytes()) {
        return Err(Error::BadRequest("the host field is not an authority"));
    }
    if request.uri().authority().is_some() {
        request.headers_mut().insert(HOST, host);
    }
    Ok(())
}

/// A host and perhaps a port (RFC 3986 §3.2.2, §3.2.3); empty is allowed by RFC 9112 §3.2.
fn is_authority(bytes: &[u8]) -> bool {
    let (host, port) = match bytes.iter().position(|byte| *byte == b']') {
        Some(end) => bytes.split_at(end + 1),
        None => bytes.split_at(bytes.iter().position(|byte| *byte == b':').unwrap_or(bytes.len())),
    };
    is_host(host)
        && (port.is_empty() || port[0] == b':' && port[1..].iter().all(u8::is_ascii_digit))
}

/// A registered name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(host: &[u8]) -> bool {
    if let Some(literal) = host.strip_prefix(b"[") {
        let text = literal.strip_suffix(b"]").and_then(|text| std::str::from_utf8(text).ok());
        return text.is_some_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok());
    }
    host.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(byte))
}

/// Bytes of the fields as HTTP/2 counts them: 32 beside each (RFC 9113 §6.5.2).
pub(crate) fn list_size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum()
}

/// Refuses what the HTTP library would decode only in part (RFC 9112 §6.1): a coding that goes
/// unmentioned to the upstream would make another body of it.
pub(crate) fn check_framing(headers: &HeaderMap) -> Result<(), Error> {
    let chunked = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if chunked(coding) => Ok(()),
        _ => Err(Error::BadRequest("a transfer coding other than chunked")),
    }
}

/// HTTP/2 clients may send cookies one by one; whoever reads HTTP/1.1 wants one line (RFC 9113
/// §8.2.3).
pub(crate) fn join_cookies(headers: &mut HeaderMap, version: Version) {
    if version != Version::HTTP_2 {
        return;
    }
    let crumbs: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
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
    if !headers.keys().any(is_hop_by_hop) {
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
    for name in named.iter().chain(&HOP_BY_HOP) {
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

/// Whether a request by this method may go upstream. A gateway is no tunnel; and what answers TRACE
/// shows what the gateway and its plugins tell upstreams.
pub(crate) fn is_forwarded(method: &Method) -> bool {
    !matches!(*method, Method::CONNECT | Method::TRACE)
}

/// Takes out of trailers what must not be among them, and what clients must not say of themselves.
pub(crate) fn strip_trailers(trailers: &mut HeaderMap) {
    for name in HOP_BY_HOP.iter().chain(&NEVER_TRAILERS) {
        trailers.remove(name);
    }
    remove_claims(trailers);
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

fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
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
fn remove_claims(headers: &mut HeaderMap) {
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

/// Appends a member to a list field, as one line (RFC 9110 §5.3).
fn append_to_list(headers: &mut HeaderMap, name: HeaderName, member: &HeaderValue) {
    let old: Vec<_> = headers.get_all(&name).iter().map(HeaderValue::as_bytes).collect();
    if old.is_empty() {
        headers.insert(name, member.clone());
        return;
    }
    let joined = [old.join(&b", "[..]), b", ".to_vec(), member.as_bytes().to_vec()].concat();
    if let Ok(joined) = HeaderValue::from_bytes(&joined) {
        headers.insert(name, joined);
    }
}

/// This hop, for `via` (RFC 9110 §7.6.3): the version it was received with.
pub(crate) fn via(received: Version) -> HeaderValue {
    HeaderValue::from_static(match received {
        Version::HTTP_2 => "2 tollgate",
        Version::HTTP_10 => "1.0 tollgate",
        _ => "1.1 tollgate",
    })
}

/// Makes an upstream's response the client's. `trailers`: it takes them.
pub(crate) fn finish_response(headers: &mut HeaderMap, received: Version, trailers: bool) {
    let announced = strip_hop_by_hop(headers).announced.filter(|_| trailers);
    append_to_list(headers, VIA, &via(received));
    if let Some(announced) = announced {
        announce_trailers(headers, &announced);
    }
}

/// Puts back what a request needs to upgrade this hop too.
pub(crate) fn ask_for_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// `te: trailers`, for upstreams that send trailers only to who asks.
pub(crate) fn accept_trailers(headers: &mut HeaderMap) {
    headers.insert(TE, HeaderValue::from_static("trailers"));
}

/// Over HTTP/1.1 `te` is of one connection, and `connection` has to say so (RFC 9110 §10.1.4).
pub(crate) fn bind_te(headers: &mut HeaderMap) {
    if headers.contains_key(TE) {
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
}

#[cfg(test)]
mod tests;
