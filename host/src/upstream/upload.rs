//! A request body on its way into an HTTP/2 stream.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http_body::{Body as HttpBody, Frame, SizeHint};

use super::streams::Place;
use crate::body::{Body, BodyError, Outflow, Outlet, Piece};

/// A request body, and the stream that it goes into.
pub(super) struct Upload {
    body: Body,
    outlet: Arc<Outlet>,
    outflow: Outflow,
    place: Arc<Place>,
    begun: bool,
}

impl Upload {
    pub(super) fn new(body: Body, place: Arc<Place>) -> Self {
        let outlet = Arc::<Outlet>::default();
        let outflow = Outflow::new(Arc::clone(&outlet));
        Self { body, outlet, outflow, place, begun: false }
    }

    /// The body of a request that was not sent.
    pub(super) fn into_body(mut self) -> Body {
        std::mem::replace(&mut self.body, Body::Empty)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.place.streams().end(&self.outlet);
    }
}

impl HttpBody for Upload {
    type Data = Piece;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, BodyError>>> {
        if !std::mem::replace(&mut self.begun, true) {
            self.place.streams().begin(&self.outlet);
        }
        let Self { body, outflow, place, .. } = &mut *self;
        let polled = outflow.poll(Pin::new(body), cx);
        let broken = match &polled {
            Poll::Ready(Some(Err(error))) => Some(error),
            _ => outflow.broken(),
        };
        if let Some(error) = broken {
            place.breaks(error);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.outflow.is_end_stream(&self.body)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
