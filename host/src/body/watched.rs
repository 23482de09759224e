//! A body on its way up that does not come from a client, watched as a client's is.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::{Body, BodyError, Change, Progress};

struct Watched {
    body: Pin<Box<dyn Change>>,
    progress: Arc<Progress>,
}

/// `body`, and how far it has come.
pub(crate) fn watched(body: impl Change + 'static) -> (Body, Option<Arc<Progress>>) {
    if body.is_end_stream() {
        return (Body::Empty, None);
    }
    let progress = Arc::new(Progress::begin());
    let watched = Watched { body: Box::pin(body), progress: Arc::clone(&progress) };
    (Body::Changed(Box::pin(watched)), Some(progress))
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = self.body.as_mut().poll_frame(cx);
        let progress = &self.progress;
        progress.set_awaited(polled.is_pending());
        if polled.is_ready() {
            progress.moved();
        }
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            progress.end();
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
