//! Bodies between guests and connections.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use wasmtime_wasi_http::{Error, WasiBody};

use super::{HANDLE, running::Running};
use crate::{
    body::{self, Body, BodyError, Deadline, Failure, Idle, Progress},
    exchange::Bound,
    plugin::hook::HookError,
};

/// The body of a service's response. Its guest lives until this has come to its end, and longer
/// where it wants to; if this goes before, so does the guest.
pub(super) struct Answered {
    body: WasiBody,
    /// Bytes still to come, where the head said how many.
    left: Option<u64>,
    running: Running,
    /// Whether its reader was told that it does not come to its end.
    is_broken: bool,
    idle: Idle,
    deadline: Option<Deadline>,
}

impl Answered {
    pub(super) fn new(
        body: WasiBody,
        length: Option<u64>,
        running: Running,
        idle: Duration,
        bound: Option<Bound>,
    ) -> Self {
        let deadline = bound.map(|bound| Deadline::new(bound.at, bound.limit));
        Self { body, left: length, running, is_broken: false, idle: Idle::new(idle), deadline }
    }

    /// Nothing has come yet; an error if nothing came for too long.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        if let Some(deadline) = &mut self.deadline
            && deadline.poll(cx).is_ready()
        {
            return Poll::Ready(BodyError::Deadline { limit: deadline.limit });
        }
        let limit = self.idle.limit;
        self.idle.poll(cx).map(|()| self.broken(HookError::TimedOut(limit)))
    }

    fn data(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyError> {
        self.idle.moved();
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(length);
        }
        // A guest that always has more would never be waited for.
        match &self.deadline {
            Some(deadline) if deadline.is_over() && !self.is_end_stream() => {
                Err(BodyError::Deadline { limit: deadline.limit })
            }
            _ => Ok(frame),
        }
    }

    fn broken(&mut self, error: HookError) -> BodyError {
        self.is_broken = true;
        let plugin = self.running.count(&error);
        BodyError::Plugin { plugin, hook: HANDLE, source: Box::new(error) }
    }
}

impl HttpBody for Answered {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match polled {
            Poll::Pending => self.wait(cx).map(|error| Some(Err(error))),
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(self.data(frame))),
            Poll::Ready(Some(Err(error))) => {
                let failed = self.running.has_failed();
                let failed = failed.unwrap_or_else(|| HookError::NoResponse(error.to_string()));
                Poll::Ready(Some(Err(self.broken(failed))))
            }
            // It ends too when its guest does, however that was.
            Poll::Ready(None) => Poll::Ready(match self.running.has_failed() {
                Some(error) => Some(Err(self.broken(error))),
                None => {
                    self.running.leave();
                    None
                }
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0) || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(|| self.body.size_hint(), SizeHint::with_exact)
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        // The HTTP library does not ask a body that says it is at its end for more.
        if self.is_end_stream() && !self.is_broken {
            self.running.leave();
        }
    }
}

/// A body for a guest to read.
pub(super) fn for_guest(body: Body) -> WasiBody {
    body.map_err(|error| told(&error)).boxed_unsync()
}

/// As [`for_guest`], with a limit of the guest's own for the time between two pieces.
pub(super) fn for_patient_guest(body: Body, patience: Duration) -> WasiBody {
    Patient { body, idle: Idle::new(patience) }.boxed_unsync()
}

struct Patient {
    body: Body,
    idle: Idle,
}

impl HttpBody for Patient {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.idle.moved();
                Poll::Ready(frame.map(|frame| frame.map_err(|error| told(&error))))
            }
            Poll::Pending => self.idle.poll(cx).map(|()| Some(Err(Error::ConnectionReadTimeout))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body that a guest sends to an upstream, and how far it has come.
pub(super) fn to_upstream(body: WasiBody) -> (Body, Option<Arc<Progress>>) {
    body::watched(body.map_err(|_| BodyError::ComponentAborted))
}

/// A body that a guest passes on. `failure`: of the body that it was given.
pub(super) fn of_guest(body: WasiBody, failure: Failure) -> Body {
    if body.is_end_stream() {
        return Body::Empty;
    }
    let why = move |_| failure.get().unwrap_or(BodyError::ComponentAborted);
    Body::Changed(Box::pin(body.map_err(why)))
}

/// Why a body broke off, as guests are told.
fn told(error: &BodyError) -> Error {
    match *error {
        BodyError::TooLarge { limit } => Error::HttpRequestBodySize(Some(limit)),
        BodyError::ClientIdle { .. } | BodyError::UpstreamIdle { .. } => {
            Error::ConnectionReadTimeout
        }
        BodyError::ClientStalled { .. } => Error::ConnectionWriteTimeout,
        BodyError::ClientAborted => Error::ConnectionTerminated,
        BodyError::UpstreamAborted => Error::HttpResponseIncomplete,
        BodyError::Deadline { .. } => Error::HttpResponseTimeout,
        BodyError::ClientMalformed | BodyError::UpstreamMalformed | BodyError::Coding { .. } => {
            Error::HttpProtocolError
        }
        BodyError::ComponentAborted | BodyError::Plugin { .. } => Error::InternalError(None),
    }
}
