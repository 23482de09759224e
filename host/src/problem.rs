//! Errors as clients see them: RFC 9457 `application/problem+json`, made here and nowhere else.

use bytes::Bytes;
use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, RETRY_AFTER},
};
use serde::Serialize;

use crate::{body::Body, coding::Coding, error::Error, plugin::HookError, upstream::UpstreamError};

/// Where each problem type is explained; what follows is the type's name.
const TYPES: &str = "https://tollgate.dev/problems/";

/// Clients may branch on `type` and `status`; `title` is for people and may change. Nothing of
/// an error's sources goes in: they name hosts and plugins, and belong in the log, under the same
/// request id.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'a str,
}

/// The response that a client gets for `error`.
pub(crate) fn response(error: &Error, request_id: &str) -> Response<Body> {
    let kind = classify(error);
    let mut response = Response::new(Body::full(json(&kind, detail(error), request_id)));
    *response.status_mut() = kind.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Error::MethodNotAllowed { allow } = error {
        // RFC 9110 §15.5.6: a 405 says what would have worked.
        headers.insert(ALLOW, self::allow(allow));
    }
    if matches!(error, Error::UnknownCoding) {
        // RFC 9110 §15.5.16: a 415 about a coding says which ones would have worked.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(Coding::NAMES));
    }
    if let Some(seconds) = retry_after(error, &kind) {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The field `allow` for these methods.
pub(crate) fn allow(methods: &[Method]) -> HeaderValue {
    let names = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    HeaderValue::from_str(&names).expect("methods are tokens")
}

/// The status that a client gets for `error`.
pub(crate) fn status(error: &Error) -> StatusCode {
    classify(error).status
}

/// A whole HTTP/1.1 message for a connection whose request head never became a request, and how
/// long its body is.
pub(crate) fn raw(status: StatusCode) -> (Bytes, usize) {
    let kind = match status {
        StatusCode::URI_TOO_LONG => URI_TOO_LONG,
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => HEADER_TOO_LARGE,
        StatusCode::REQUEST_TIMEOUT => REQUEST_TIMEOUT,
        _ => BAD_REQUEST,
    };
    message(&kind, None)
}

/// The same for a request in cleartext where TLS is spoken.
pub(crate) fn cleartext() -> (Bytes, usize) {
    message(&BAD_REQUEST, Some("this port speaks TLS: use https".to_owned()))
}

fn message(kind: &Kind, detail: Option<String>) -> (Bytes, usize) {
    let body = json(kind, detail, "");
    let head = format!(
        "HTTP/1.1 {}\r\nconnection: close\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\r\n",
        kind.status,
        body.len()
    );
    ([head.as_bytes(), &body].concat().into(), body.len())
}

fn json(kind: &Kind, detail: Option<String>, request_id: &str) -> Bytes {
    let problem = Problem {
        r#type: format!("{TYPES}{}", kind.name),
        title: kind.title,
        status: kind.status.as_u16(),
        detail,
        request_id,
    };
    serde_json::to_vec(&problem).expect("strings and numbers serialise").into()
}

struct Kind {
    status: StatusCode,
    name: &'static str,
    title: &'static str,
}

const fn kind(status: StatusCode, name: &'static str, title: &'static str) -> Kind {
    Kind { status, name, title }
}

const BAD_REQUEST: Kind =
    kind(StatusCode::BAD_REQUEST, "bad-request", "The request is not well-formed");
const URI_TOO_LONG: Kind =
    kind(StatusCode::URI_TOO_LONG, "uri-too-long", "The request target is too long");
const HEADER_TOO_LARGE: Kind = kind(
    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    "header-too-large",
    "The request head is too large",
);
const REQUEST_TIMEOUT: Kind =
    kind(StatusCode::REQUEST_TIMEOUT, "request-timeout", "The request took too long to arrive");
const OVERLOADED: Kind = kind(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "The gateway is busy");
const UPSTREAM_TIMEOUT: Kind =
    kind(StatusCode::GATEWAY_TIMEOUT, "upstream-timeout", "The service took too long");
const UPSTREAM_UNREACHABLE: Kind =
    kind(StatusCode::BAD_GATEWAY, "upstream-unreachable", "The service cannot be reached");

/// No `_` arm: a new error has to choose.
fn classify(error: &Error) -> Kind {
    match error {
        Error::BadRequest(_) => BAD_REQUEST,
        Error::UriTooLong { .. } => URI_TOO_LONG,
        Error::TooManyHeaders { .. } | Error::HeadTooLarge { .. } => HEADER_TOO_LARGE,
        Error::Loop { .. } => {
            kind(StatusCode::LOOP_DETECTED, "loop-detected", "The request goes round in circles")
        }
        Error::RouteNotFound | Error::NotAnswered => {
            kind(StatusCode::NOT_FOUND, "route-not-found", "Nothing is served here")
        }
        Error::MethodNotAllowed { .. } => kind(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "The method is not served here",
        ),
        Error::BodyTooLarge { .. } => {
            kind(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The request body is too large")
        }
        Error::UnknownCoding => kind(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-coding",
            "The request body's content coding is not supported",
        ),
        Error::RequestTimeout { .. } => REQUEST_TIMEOUT,
        Error::Plugin { source: HookError::Busy, .. } => OVERLOADED,
        Error::Plugin { .. } => {
            kind(StatusCode::SERVICE_UNAVAILABLE, "plugin-failed", "A policy could not be applied")
        }
        Error::ExchangeTimeout { .. } => UPSTREAM_TIMEOUT,
        Error::UnknownUpstream(_) => UPSTREAM_UNREACHABLE,
        Error::Upstream { source, .. } => upstream(source),
    }
}

fn upstream(error: &UpstreamError) -> Kind {
    match error {
        UpstreamError::Unresolved | UpstreamError::Unreachable { .. } => UPSTREAM_UNREACHABLE,
        UpstreamError::Full { .. } => OVERLOADED,
        UpstreamError::TimedOut { .. } | UpstreamError::Stalled { .. } => UPSTREAM_TIMEOUT,
        UpstreamError::Refused { .. }
        | UpstreamError::Closed { .. }
        | UpstreamError::HeadTooLarge { .. }
        | UpstreamError::Protocol { .. }
        | UpstreamError::TransferCoding { .. }
        | UpstreamError::Lengths { .. }
        | UpstreamError::BrokenUpload { .. }
        | UpstreamError::UnaskedUpgrade => kind(
            StatusCode::BAD_GATEWAY,
            "upstream-protocol",
            "The service did not answer as HTTP asks",
        ),
    }
}

/// Seconds after which another try has a chance, rounded up.
fn retry_after(error: &Error, kind: &Kind) -> Option<u64> {
    match error {
        Error::Plugin { source: HookError::Quarantined { retry_after }, .. } => {
            Some(retry_after.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX).max(1))
        }
        _ => (kind.name == OVERLOADED.name).then_some(1),
    }
}

/// What may be told to a client beyond the title.
fn detail(error: &Error) -> Option<String> {
    match error {
        Error::BadRequest(reason) => Some((*reason).to_owned()),
        Error::TooManyHeaders { limit } => Some(format!("at most {limit} fields")),
        Error::UriTooLong { limit } | Error::HeadTooLarge { limit } => {
            Some(format!("at most {limit} bytes"))
        }
        Error::BodyTooLarge { limit } => Some(format!("at most {limit} bytes")),
        Error::Loop { hops } => Some(format!("`via` names {hops} gateways of this kind")),
        _ => None,
    }
}
