//! What a client sends: counted against its limit, timed, and read away where nobody wants the rest.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::Version;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::{Body, BodyError, Idle, Progress};
use crate::{
    forwarding,
    listener::{Active, read_away},
};

/// What a client sends.
pub(crate) struct ClientBody {
    /// `Some` until drop.
    incoming: Option<Incoming>,
    version: Version,
    idle: Idle,
    limit: u64,
    progress: Arc<Progress>,
    active: Option<Active>,
}

impl Body {
    /// The body that a client sends, and how to watch it. A body that says it is empty is.
    /// `active` keeps the connection busy until the body has ended; `version` is the connection's.
    pub(crate) fn client(
        incoming: Incoming,
        idle: Duration,
        limit: Option<u64>,
        (active, version): (Option<Active>, Version),
    ) -> (Self, Option<Arc<Progress>>) {
        if incoming.is_end_stream() {
            return (Self::Empty, None);
        }
        let progress = Arc::new(Progress::begin());
        let body = ClientBody {
            incoming: Some(incoming),
            version,
            idle: Idle::new(idle),
            limit: limit.unwrap_or(u64::MAX),
            progress: Arc::clone(&progress),
            active,
        };
        (Self::Client(Box::new(body)), Some(progress))
    }
}

impl ClientBody {
    fn incoming(&mut self) -> &mut Incoming {
        self.incoming.as_mut().expect("there until drop")
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(SizeHint::new, HttpBody::size_hint)
    }

    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(frame) = Pin::new(self.incoming()).poll_frame(cx) else {
            self.progress.set_awaited(true);
            ready!(self.idle.poll(cx));
            return Poll::Ready(Some(Err(
                self.failed(BodyError::ClientIdle { limit: self.idle.limit })
            )));
        };
        self.progress.set_awaited(false);
        self.idle.moved();
        Poll::Ready(match frame {
            Some(Ok(frame)) => Some(self.counted(frame).map_err(|error| self.failed(error))),
            Some(Err(error)) => Some(Err(self.failed(BodyError::of_client(&error)))),
            None => {
                self.progress.end();
                None
            }
        })
    }

    /// Takes note of why the body breaks off: whoever it was for may not say.
    fn failed(&self, error: BodyError) -> BodyError {
        self.progress.fail(&error);
        error
    }

    fn counted(&mut self, mut frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyError> {
        if let Some(trailers) = frame.trailers_mut() {
            forwarding::strip_trailers(trailers);
        }
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        let so_far = self.progress.count(length);
        if self.incoming().is_end_stream() {
            self.progress.end();
        }
        if so_far > self.limit { Err(BodyError::TooLarge { limit: self.limit }) } else { Ok(frame) }
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        if self.progress.since_end().is_some() {
            return;
        }
        let (Some(active), Some(rest)) = (self.active.take(), self.incoming.take()) else { return };
        match self.version {
            Version::HTTP_2 => read_away(rest, active),
            _ => active.leaves_body(),
        }
    }
}
