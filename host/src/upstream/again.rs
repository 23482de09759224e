//! Requests that are sent again: after which failures that is right, and what it takes.

use std::{error::Error, io, net::SocketAddr};

use http::{HeaderMap, Method, Request, Uri};

use super::{UpstreamError, pool::Connection};
use crate::body::Body;

/// A request that goes again if need be. Only those have one whose body is held whole.
pub(super) struct Copy {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
    /// Also where nobody knows whether it has been processed.
    repeatable: bool,
}

impl Copy {
    /// `None`: the request goes once on this connection, whatever comes of it. `reused`: others have
    /// had the connection before.
    pub(super) fn of(
        request: &Request<Body>,
        connection: &Connection,
        reused: bool,
    ) -> Option<Self> {
        let body = request.body();
        let is_empty = matches!(body, Body::Empty);
        // RFC 9110 §9.2.2. The end of a new connection is more than one that crossed the request.
        let repeatable = reused && is_empty && request.method().is_idempotent();
        let refusable = matches!(connection, Connection::Http2(_));
        let is_whole = is_empty || matches!(body, Body::Full(_));
        ((repeatable || refusable) && is_whole).then(|| Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
            body: body.copy(),
            repeatable,
        })
    }

    /// Whether it may go again after this.
    pub(super) fn may_follow(&self, error: &UpstreamError) -> bool {
        match error {
            UpstreamError::Refused { .. } => true,
            UpstreamError::Closed { .. } => self.repeatable,
            _ => false,
        }
    }

    pub(super) fn request(self) -> Request<Body> {
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        request
    }
}

/// What the HTTP library's error means.
pub(super) fn failure(address: SocketAddr, source: hyper::Error) -> UpstreamError {
    if is_refusal(&source) {
        return UpstreamError::Refused { address, source };
    }
    // Parse errors and user errors (a body that failed) are not the connection's end.
    if source.is_incomplete_message()
        || source.is_canceled()
        || source.is_closed()
        || is_io(&source)
    {
        UpstreamError::Closed { address, source }
    } else {
        UpstreamError::Protocol { address, source }
    }
}

/// Whether the upstream says that it did nothing with the request (RFC 9113 §8.7): it refused the
/// stream, or announced the connection's end with an earlier stream as its last one. Streams up to
/// that one do not get this error, but that of the connection.
fn is_refusal(error: &hyper::Error) -> bool {
    let Some(error) = error.source().and_then(|source| source.downcast_ref::<h2::Error>()) else {
        return false;
    };
    let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    let beyond_last = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
    error.is_remote() && (refused || beyond_last)
}

fn is_io(error: &hyper::Error) -> bool {
    !error.is_user() && error.source().is_some_and(|source| source.is::<io::Error>())
}
