//! What an upstream sends: timed, and the end of its connection's lease.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::{Body, BodyError, Deadline, Idle};
use crate::{forwarding, upstream::Lease};

/// What an upstream sends. Its connection goes back to the pool after a good end.
pub(crate) struct UpstreamBody {
    incoming: Incoming,
    idle: Idle,
    deadline: Option<Deadline>,
    lease: Option<Lease>,
}

impl Body {
    pub(crate) fn upstream(incoming: Incoming, idle: Duration, lease: Lease) -> Self {
        let (idle, lease) = (Idle::new(idle), Some(lease));
        let mut body = UpstreamBody { incoming, idle, deadline: None, lease };
        if body.incoming.is_end_stream() {
            body.give_back();
            return Self::Empty;
        }
        Self::Upstream(Box::new(body))
    }
}

impl UpstreamBody {
    pub(super) fn set_deadline(&mut self, at: Instant, limit: Duration) {
        self.deadline = Some(Deadline::new(at, limit));
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }

    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) else {
            if let Some(deadline) = &mut self.deadline
                && deadline.poll(cx).is_ready()
            {
                let limit = deadline.limit;
                return Poll::Ready(Some(Err(BodyError::Deadline { limit })));
            }
            let limit = self.idle.limit;
            while self.idle.poll(cx).is_ready() {
                if !self.lease.as_ref().is_some_and(|lease| lease.is_uploading(limit)) {
                    return Poll::Ready(Some(Err(BodyError::UpstreamIdle { limit })));
                }
                self.idle.moved();
            }
            return Poll::Pending;
        };
        self.idle.moved();
        Poll::Ready(match frame {
            Some(Ok(mut frame)) => {
                if let Some(trailers) = frame.trailers_mut() {
                    forwarding::strip_trailers(trailers);
                }
                if self.incoming.is_end_stream() {
                    self.give_back();
                } else if let Some(deadline) = self.deadline.as_ref().filter(|at| at.is_over()) {
                    // An upstream that always has more would never be waited for.
                    return Poll::Ready(Some(Err(BodyError::Deadline { limit: deadline.limit })));
                }
                Some(Ok(frame))
            }
            Some(Err(error)) => Some(Err(self.failure(BodyError::of_upstream(&error)))),
            None if self.is_cut() => Some(Err(self.failure(BodyError::UpstreamAborted))),
            None => {
                self.give_back();
                None
            }
        })
    }

    /// Whether it has come to an end that is none: a reset says that the upstream does without the rest
    /// of the request, and for that the response has to be whole (RFC 9113 §8.1). The HTTP library takes
    /// one without an error for an end.
    fn is_cut(&self) -> bool {
        let is_http2 = matches!(self.lease, Some(Lease::Shared { .. }));
        is_http2 && !self.incoming.is_end_stream()
    }

    /// Why it broke off: where the request's body did before, its connection or stream had to end.
    fn failure(&self, error: BodyError) -> BodyError {
        self.lease.as_ref().and_then(Lease::upload_failure).unwrap_or(error)
    }

    fn give_back(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}
