//! The response on its way to the client; when its body ends, so does the exchange.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version, header::CONTENT_LENGTH};
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
    /// The HTTP library has something that it may not have written.
    unwritten: bool,
    /// Why the body breaks off, until what goes before is written.
    breaks_off: Option<BodyError>,
}

/// Takes the response out of an exchange that has one.
pub(super) fn of(mut exchange: Exchange) -> Response<ResponseBody> {
    let response = exchange.response.take().unwrap_or_else(|| {
        // Every way ends in a response or a failure; should one not, the client hears of it.
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    });
    let (mut head, mut body) = onward::response(&mut exchange, response).into_parts();
    if exchange.asks_for_head || is_bodyless(head.status) {
        withhold(&mut body, head.status, &mut head.headers);
    } else if body.is_end_stream() {
        // It may say what a 304 would have had, which a plugin has made something else.
        head.headers.remove(CONTENT_LENGTH);
    }
    head.headers.insert(X_REQUEST_ID, exchange.id.clone());
    match exchange.request.version {
        Version::HTTP_2 => forwarding::trim_values(&mut head.headers),
        _ if exchange.is_doubtful => forwarding::close(&mut head.headers),
        _ => {}
    }
    if !body.may_have_trailers() {
        forwarding::announce_none(&mut head.headers);
    }
    let status = head.status;
    let exchange = Some(exchange);
    let (unwritten, breaks_off) = (true, None);
    let body = ResponseBody { body, exchange, status, bytes: 0, unwritten, breaks_off };
    Response::from_parts(head, body)
}

/// Whether a response ends with its head, whatever that says of a body (RFC 9110 §6.4.1); one to
/// `HEAD` does too.
fn is_bodyless(status: StatusCode) -> bool {
    status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Takes the body away. The head goes on saying how long that would be, where it may
/// (RFC 9110 §8.6).
fn withhold(body: &mut Body, status: StatusCode, headers: &mut HeaderMap) {
    let withheld = std::mem::replace(body, Body::Empty);
    if status == StatusCode::NO_CONTENT || status.is_informational() {
        headers.remove(CONTENT_LENGTH);
    } else if let Some(length) = withheld.size_hint().exact().filter(|length| *length > 0) {
        headers.entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = match self.breaks_off.take() {
            Some(error) => Poll::Ready(Some(Err(error))),
            None => Pin::new(&mut self.body).poll_frame(cx),
        };
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
                self.unwritten = true;
            }
            // The library would drop what it has not written, were it the whole response's head: it
            // writes once it has to wait.
            Poll::Ready(Some(Err(error))) if self.unwritten => {
                self.breaks_off = Some(error.clone());
                self.unwritten = false;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(Some(Err(error))) => self.finish(Some(BrokenOff::By(error))),
            Poll::Ready(None) => self.finish(None),
            Poll::Pending => self.unwritten = false,
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
        if let Some(error) = self.breaks_off.take() {
            return self.finish(Some(BrokenOff::By(&error)));
        }
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
