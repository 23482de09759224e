//! A body whose failure is noted: who reads it need not tell of it.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::{Body, BodyError};

/// Why a body broke off, if it did.
#[derive(Clone, Default)]
pub(crate) struct Failure(Arc<OnceLock<BodyError>>);

impl Failure {
    pub(crate) fn get(&self) -> Option<BodyError> {
        self.0.get().cloned()
    }

    /// `body`, whose failure is to be found here.
    pub(crate) fn of(&self, body: Body) -> Body {
        match body {
            Body::Empty | Body::Full(_) => body,
            body => Body::Changed(Box::pin(Noted { body, failure: self.clone() })),
        }
    }
}

struct Noted {
    body: Body,
    failure: Failure,
}

impl HttpBody for Noted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Err(error))) = &polled {
            // The first one is the one that counts.
            let _ = self.failure.0.set(error.clone());
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
