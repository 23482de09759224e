//! A body on its way out over HTTP/2, whose end waits for its bytes.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};

use super::{BodyError, Outlet, Piece};

/// Sees to it that a body with much still to go does not end: the HTTP library drops its handle of
/// a stream then, and nobody could reset the stream of a peer that takes up nothing.
pub(crate) struct Outflow {
    outlet: Arc<Outlet>,
    /// What comes once all has gone; `None` while the body goes on.
    rest: Option<Option<HeaderMap>>,
    /// Why it breaks off, once all that came before has gone: a reset takes with it what has not.
    broken: Option<BodyError>,
}

type Polled = Poll<Option<Result<Frame<Piece>, BodyError>>>;

impl Outflow {
    pub(crate) fn new(outlet: Arc<Outlet>) -> Self {
        Self { outlet, rest: None, broken: None }
    }

    pub(crate) fn poll<B>(&mut self, mut body: Pin<&mut B>, cx: &mut Context<'_>) -> Polled
    where
        B: Body<Data = Bytes, Error = BodyError>,
    {
        if self.rest.is_some() {
            return self.poll_rest(cx);
        }
        if self.broken.is_some() {
            return self.poll_broken(cx);
        }
        let polled = body.as_mut().poll_frame(cx);
        self.outlet.wait_for_body(polled.is_pending());
        let frame = match ready!(polled).transpose() {
            Ok(frame) => frame,
            Err(error) => {
                self.broken = Some(error);
                return self.poll_broken(cx);
            }
        };
        let trailers = match frame.map(Frame::into_data) {
            Some(Ok(bytes)) => {
                let piece = self.outlet.piece(bytes);
                if body.is_end_stream() && self.outlet.has_tail() {
                    self.rest = Some(None);
                }
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            Some(Err(other)) => other.into_trailers().ok(),
            None => None,
        };
        self.outlet.moved();
        self.rest = Some(trailers);
        if self.outlet.has_tail() {
            return self.poll_rest(cx);
        }
        self.end()
    }

    /// Why it is about to break off.
    pub(crate) fn broken(&self) -> Option<&BodyError> {
        self.broken.as_ref()
    }

    /// Whether the body has ended and nothing has to be waited for.
    pub(crate) fn is_end_stream<B: Body>(&self, body: &B) -> bool {
        self.rest.is_none() && body.is_end_stream()
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Polled {
        ready!(self.outlet.poll_empty(cx));
        self.end()
    }

    fn poll_broken(&mut self, cx: &mut Context<'_>) -> Polled {
        ready!(self.outlet.poll_empty(cx));
        Poll::Ready(self.broken.take().map(Err))
    }

    /// The trailers, if there are any, and then the end.
    fn end(&mut self) -> Polled {
        let trailers = self.rest.as_mut().and_then(Option::take);
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }
}
