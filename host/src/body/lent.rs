//! A body on loan: until whoever has it looks at it for the first time, it can be taken back whole.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use parking_lot::Mutex;

use super::{Body, BodyError};

/// The lender's side of a loan.
pub(crate) struct Loan(Untouched);

/// `None` once it was looked at or taken back.
type Untouched = Arc<Mutex<Option<Body>>>;

impl Loan {
    /// Lends `body`.
    pub(crate) fn of(body: Body) -> (Self, Body) {
        if matches!(body, Body::Empty) {
            return (Self(Arc::new(Mutex::new(Some(Body::Empty)))), Body::Empty);
        }
        let untouched = Arc::new(Mutex::new(Some(body)));
        let lent = Lent { untouched: Arc::clone(&untouched), touched: None };
        (Self(untouched), Body::Changed(Box::pin(lent)))
    }

    /// The body as it was lent; `None`: not all of it is there any more. Who has it finds it broken.
    pub(crate) fn take_back(self) -> Option<Body> {
        self.0.lock().take()
    }
}

struct Lent {
    untouched: Untouched,
    touched: Option<Body>,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.touched.is_none() {
            let body = self.untouched.lock().take();
            self.touched = Some(body.unwrap_or(Body::Broken(BodyError::ClientAborted)));
        }
        let body = self.touched.as_mut().expect("it is there from now on");
        Pin::new(body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        match &self.touched {
            Some(body) => body.is_end_stream(),
            None => self.untouched.lock().as_ref().is_some_and(HttpBody::is_end_stream),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.touched {
            Some(body) => body.size_hint(),
            None => self.untouched.lock().as_ref().map(HttpBody::size_hint).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use http_body_util::BodyExt as _;

    use super::*;

    #[test]
    fn a_body_that_was_not_looked_at_comes_back_and_is_broken_for_who_had_it() {
        let (loan, mut lent) = Loan::of(Body::full("whole"));
        assert_eq!(lent.size_hint().exact(), Some(5));
        let body = loan.take_back().expect("nobody has read of it");
        assert!(matches!(body, Body::Full(bytes) if bytes == "whole"));
        let read = lent.frame().now_or_never().expect("it waits for nobody");
        assert!(matches!(read, Some(Err(BodyError::ClientAborted))), "{read:?}");
    }

    #[test]
    fn a_body_that_was_looked_at_does_not_come_back() {
        let (loan, mut lent) = Loan::of(Body::full("whole"));
        let read = lent.frame().now_or_never().expect("it is in memory");
        assert_eq!(read.and_then(|frame| frame.ok()?.into_data().ok()), Some("whole".into()));
        assert!(loan.take_back().is_none());
        assert!(lent.is_end_stream());
    }

    #[test]
    fn an_empty_body_always_comes_back() {
        let (loan, mut lent) = Loan::of(Body::Empty);
        assert!(lent.frame().now_or_never().expect("it is in memory").is_none());
        assert!(matches!(loan.take_back(), Some(Body::Empty)));
    }
}
