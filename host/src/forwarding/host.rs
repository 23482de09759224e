//! Which server a request is for.

use http::{HeaderValue, Request, Version, header::HOST};

use crate::error::Error;

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
        // Monitors of load balancers send it empty, which RFC 9112 §3.2 allows: none is named.
        (None, Some(host)) if host.is_empty() => {
            request.headers_mut().remove(HOST);
            return Ok(());
        }
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

/// A host and perhaps a port (RFC 3986 §3.2.2, §3.2.3).
fn is_authority(bytes: &[u8]) -> bool {
    let (host, port) = match bytes.iter().position(|byte| *byte == b']') {
        Some(end) => bytes.split_at(end + 1),
        None => bytes.split_at(bytes.iter().position(|byte| *byte == b':').unwrap_or(bytes.len())),
    };
    is_host(host) && (port.is_empty() || port[0] == b':' && is_port(&port[1..]))
}

/// A number of 16 bits, or nothing.
fn is_port(digits: &[u8]) -> bool {
    let number = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<u16>().ok());
    digits.iter().all(u8::is_ascii_digit) && (digits.is_empty() || number.is_some())
}

/// A registered name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(host: &[u8]) -> bool {
    if let Some(literal) = host.strip_prefix(b"[") {
        let text = literal.strip_suffix(b"]").and_then(|text| std::str::from_utf8(text).ok());
        return text.is_some_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok());
    }
    host.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(byte))
}
