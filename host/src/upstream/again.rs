//! Requests that are sent again: after which failures that is right, and what it takes.

use std::{error::Error, io, net::SocketAddr};

use http::Request;

use super::{UpstreamError, pool::Connection};
use crate::body::{Body, BodyError};

/// Where a request is from when it has to go again.
pub(crate) enum Origin<'a> {
    /// From what it was made of: most requests go once, and need no copy.
    Made(&'a mut (dyn FnMut() -> Option<Request<Body>> + Send)),
    /// From a copy.
    Copied,
}

/// A request that goes again if need be. Only those do whose body is held whole.
pub(super) struct Again {
    copy: Option<Request<Body>>,
    /// Also where nobody knows whether it has been processed.
    repeatable: bool,
}

impl Again {
    /// `None`: the request goes once on this connection, whatever comes of it. `reused`: others have
    /// had the connection before.
    pub(super) fn of(
        request: &Request<Body>,
        connection: &Connection,
        reused: bool,
        origin: &Origin<'_>,
    ) -> Option<Self> {
        let body = request.body();
        // RFC 9110 §9.2.2. The end of a new connection is more than one that crossed the request.
        let repeatable = reused && matches!(body, Body::Empty) && request.method().is_idempotent();
        let refusable = matches!(connection, Connection::Http2(_));
        ((repeatable || refusable) && body.is_whole()).then(|| Self {
            copy: matches!(origin, Origin::Copied).then(|| copy(request)),
            repeatable,
        })
    }

    /// The request, if it may go again after this.
    pub(super) fn after(
        self,
        error: &UpstreamError,
        origin: &mut Origin<'_>,
    ) -> Option<Request<Body>> {
        let may = match error {
            UpstreamError::Refused { .. } => true,
            UpstreamError::Closed { .. } => self.repeatable,
            _ => false,
        };
        match origin {
            _ if !may => None,
            Origin::Made(make) => make(),
            Origin::Copied => self.copy,
        }
    }
}

/// The version goes by the connection, and extensions belong to the one that it came on.
fn copy(request: &Request<Body>) -> Request<Body> {
    let mut copy = Request::new(request.body().copy());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// What the HTTP library's error means.
pub(super) fn failure(address: SocketAddr, source: hyper::Error) -> UpstreamError {
    if let Some(body) = broken_upload(&source) {
        return UpstreamError::BrokenUpload { source: body.clone() };
    }
    if is_refusal(&source) {
        return UpstreamError::Refused { address, source };
    }
    if source.is_parse_too_large() {
        return UpstreamError::HeadTooLarge { address };
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

/// Why the request's body broke off, where that is what the library tells of. Over HTTP/2 it does not
/// say.
fn broken_upload(error: &hyper::Error) -> Option<&BodyError> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(body) = error.downcast_ref::<BodyError>() {
            return Some(body);
        }
        source = error.source();
    }
    None
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
