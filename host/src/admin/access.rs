//! Who may ask: no page of another site, and for some endpoints only who has the token.

use std::net::IpAddr;

use http::{
    HeaderValue, Request, StatusCode,
    header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE},
    uri::Authority,
};

use super::reply::{Reply, text};
use crate::config::Secret;

/// Whether the request has the token, where there is one.
pub(super) fn is_authorized<B>(request: &Request<B>, token: Option<&Secret>) -> bool {
    let Some(Secret(token)) = token else { return true };
    let given = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let given = given.and_then(bearer_token).unwrap_or_default();
    aws_lc_rs::constant_time::verify_slices_are_equal(given, token.as_bytes()).is_ok()
}

/// The token of `Bearer TOKEN`; the scheme is in any case (RFC 9110 §11.1).
fn bearer_token(credentials: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = credentials.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}

pub(super) fn unauthorized() -> Reply {
    let mut reply = text(StatusCode::UNAUTHORIZED, "a bearer token is needed\n");
    let challenge = HeaderValue::from_static("Bearer realm=\"tollgate admin\"");
    reply.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    reply
}

/// Refuses what a browser sends on behalf of another site: a foreign `host` (DNS rebinding) or
/// `origin` (cross-site requests).
pub(super) fn check_site<B>(request: &Request<B>) -> Result<(), &'static str> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    let host = host.ok_or("a host field is needed\n")?;
    if !is_local_name(host.host()) {
        return Err("the host field is neither an address nor localhost\n");
    }
    let Some(origin) = request.headers().get(ORIGIN) else { return Ok(()) };
    let same = origin.to_str().is_ok_and(|origin| {
        origin.split_once("://").is_some_and(|(_, authority)| authority == host.as_str())
    });
    if same { Ok(()) } else { Err("the origin is another site\n") }
}

fn is_local_name(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}
