//! Bodies that come in pieces, one after the other and never two at once: between them nothing is
//! there, as on a connection.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};

use crate::body::{Body, BodyError};

/// A body of these pieces.
pub(super) fn body(mut pieces: Vec<Bytes>) -> Body {
    match pieces.len() {
        0 => Body::Empty,
        1 => Body::full(pieces.remove(0)),
        _ => Body::Changed(Box::pin(Pieces { left: pieces.into(), pauses: false })),
    }
}

struct Pieces {
    left: VecDeque<Bytes>,
    /// Nothing is there when it is asked next.
    pauses: bool,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if std::mem::take(&mut self.pauses) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let piece = self.left.pop_front();
        self.pauses = !self.left.is_empty();
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }
}
