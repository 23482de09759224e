//! Header fields on their way through: what ends at this hop, what the gateway adds, what it does
//! not believe.

mod host;
mod id;
mod hop_by_hop;
mod told;
mod trailers;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Version,
    header::{CONNECTION, CONTENT_LENGTH, COOKIE, TE, TRANSFER_ENCODING, UPGRADE, VIA},
};

use crate::error::Error;

pub(crate) use self::{
    hop_by_hop::{HopByHop, asked_protocol, strip_hop_by_hop},
    host::settle_host,
    id::Identity,
    told::{add_forwarded, identify},
    trailers::{announce_none, announce_trailers, strip_trailers, trim_values},
};

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

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

/// Makes one value of a length that is said several times, in one line or in several, as a recipient
/// may (RFC 9110 §8.6), and refuses those that differ.
pub(crate) fn settle_length(headers: &mut HeaderMap) -> Result<(), Error> {
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let mut lines = headers.get_all(CONTENT_LENGTH).iter().map(HeaderValue::as_bytes);
    let Some(first) = lines.next() else { return Ok(()) };
    if lines.next().is_none() && is_number(first) {
        return Ok(());
    }
    let lines = headers.get_all(CONTENT_LENGTH).iter().map(HeaderValue::as_bytes);
    let mut members =
        lines.flat_map(|line| line.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let first = members.next().filter(|first| is_number(first));
    let first = first.filter(|first| members.all(|member| member == *first));
    let length = first.and_then(|first| HeaderValue::from_bytes(first).ok());
    let length = length.ok_or(Error::BadRequest("lengths of the body that differ"))?;
    headers.insert(CONTENT_LENGTH, length);
    Ok(())
}

/// Refuses field values that HTTP/2 calls malformed (RFC 9113 §8.2.1): whoever trims them reads others.
/// The library trims those of HTTP/1.1.
pub(crate) fn check_blanks(headers: &HeaderMap, version: Version) -> Result<(), Error> {
    if version != Version::HTTP_2 {
        return Ok(());
    }
    let mut values = headers.values().map(HeaderValue::as_bytes);
    match values.any(|value| value.trim_ascii().len() < value.len()) {
        true => Err(Error::BadRequest("a field value begins or ends with a blank")),
        false => Ok(()),
    }
}

/// How many gateways like this one a request may pass. More are none that anybody has set up: an
/// upstream leads back here.
const MAX_HOPS: usize = 16;

/// Refuses a request that goes round in circles (RFC 9110 §7.6.3).
pub(crate) fn check_loop(headers: &HeaderMap) -> Result<(), Error> {
    let lines = headers.get_all(VIA).iter().filter_map(|line| line.to_str().ok());
    let ours = |member: &&str| member.trim().ends_with(" tollgate");
    let hops = lines.flat_map(|line| line.split(',')).filter(ours).count();
    if hops >= MAX_HOPS { Err(Error::Loop { hops }) } else { Ok(()) }
}

/// HTTP/2 clients may send cookies one by one; whoever reads HTTP/1.1 wants one line (RFC 9113
/// §8.2.3).
pub(crate) fn join_cookies(headers: &mut HeaderMap, version: Version) {
    if version != Version::HTTP_2 {
        return;
    }
    let mut lines = headers.get_all(COOKIE).iter();
    if lines.next().is_none() || lines.next().is_none() {
        return;
    }
    let crumbs = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let crumbs: Vec<_> = crumbs.filter(|crumb| !crumb.is_empty()).collect();
    if !crumbs.is_empty()
        && let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}

/// Whether a request by this method may go upstream. A gateway is no tunnel; and what answers TRACE
/// shows what the gateway and its plugins tell upstreams.
pub(crate) fn is_forwarded(method: &Method) -> bool {
    !matches!(*method, Method::CONNECT | Method::TRACE)
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

/// Has the client's connection end with this response.
pub(crate) fn close(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
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

/// This hop, for `via` (RFC 9110 §7.6.3): the version it was received with.
pub(crate) fn via(received: Version) -> HeaderValue {
    HeaderValue::from_static(match received {
        Version::HTTP_2 => "2 tollgate",
        Version::HTTP_10 => "1.0 tollgate",
        _ => "1.1 tollgate",
    })
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

#[cfg(test)]
mod tests;
