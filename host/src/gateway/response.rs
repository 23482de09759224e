//! The response on its way to the client; when its body ends, so does the exchange.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::onward;
use crate::{
    body::{Body, BodyError},
    exchange::{Bound, BrokenOff, End, Exchange},
    forwarding::{self, X_REQUEST_ID},
    upstream,
};

/// A response body that keeps the exchange until its end.
pub(crate) struct ResponseBody {
    body: Body,
    /// `Some` until the end.
    exchange: Option<Exchange>,
    status: StatusCode,
    bytes: u64,
}

/// Takes the response out of an exchange that has one.
pub(super) fn of(mut exchange: Exchange) -> Response<ResponseBody> {
    let response = exchange.response.take().unwrap_or_else(|| {
        // Every way ends in a response or a failure; should one not, the client hears of it.
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    });
    let (mut head, body) = onward::response(&mut exchange, response).into_parts();
    head.headers.insert(X_REQUEST_ID, exchange.id.clone());
    if !body.may_have_trailers() {
        forwarding::announce_none(&mut head.headers);
    }
    let status = head.status;
    let body = ResponseBody { body, exchange: Some(exchange), status, bytes: 0 };
    Response::from_parts(head, body)
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
            }
            Poll::Ready(Some(Err(error))) => self.finish(Some(BrokenOff::By(error))),
            Poll::Ready(None) => self.finish(None),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        // The HTTP library does not ask a body that says it is at its end for more.
        let broken_off = (!self.body.is_end_stream()).then(BrokenOff::unsaid);
        self.finish(broken_off);
    }
}

impl ResponseBody {
    /// Until when it may take to go out; `None` where nothing bounds it or nothing is left.
    pub(crate) fn bound(&self) -> Option<Bound> {
        self.exchange.as_ref()?.bound()
    }

    /// Ends the exchange before the body's end, for this reason.
    pub(crate) fn cut_off(&mut self, error: &BodyError) {
        self.finish(Some(BrokenOff::By(error)));
    }

    /// Ends the exchange, once.
    fn finish(&mut self, broken_off: Option<BrokenOff<'_>>) {
        let Some(exchange) = self.exchange.take() else { return };
        if let Some(exchange) = upstream::pass_on(exchange, self.status) {
            exchange.finish(&End { status: self.status, bytes: self.bytes, broken_off });
        }
    }
}
