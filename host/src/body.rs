//! Message bodies on their way through: streamed from socket to socket with back-pressure, held
//! whole only where a plugin asked for it.

mod client;
mod error;
mod lent;
mod noted;
mod outflow;
mod outlet;
mod progress;
mod timers;
mod upstream;
mod watched;

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

pub(crate) use self::{
    client::ClientBody,
    error::{BodyError, ReadError},
    lent::Loan,
    noted::Failure,
    outflow::Outflow,
    outlet::{Outlet, Piece},
    progress::Progress,
    timers::{Deadline, Idle},
    upstream::UpstreamBody,
    watched::watched,
};
use crate::{
    cache::TeeBody,
    coding::{self, Coded},
};
use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;

/// The body of a request or a response, wherever it comes from.
pub(crate) enum Body {
    Empty,
    Full(Bytes),
    Client(Box<ClientBody>),
    Upstream(Box<UpstreamBody>),
    /// It goes into the cache while it passes.
    Kept(Box<TeeBody>),
    /// The beginning has been read; the rest streams. Its length in all is what `rest` said before.
    Begun {
        read: BytesMut,
        rest: Box<Body>,
    },
    /// Another body that passes something which changes it.
    Changed(Pin<Box<dyn Change>>),
    /// It ended before its end, or has been sent away, and whoever reads on is told so again.
    Broken(BodyError),
}

/// Changes a body on its way: a content coding, the chunk hooks of plugins.
pub(crate) trait Change: HttpBody<Data = Bytes, Error = BodyError> + Send {}

impl<B: HttpBody<Data = Bytes, Error = BodyError> + Send> Change for B {}

impl Body {
    /// The same where it is held whole, else one that is broken off.
    pub(crate) fn copy(&self) -> Self {
        match self {
            Self::Empty => Self::Empty,
            Self::Full(bytes) => Self::Full(bytes.clone()),
            _ => Self::Broken(BodyError::ClientAborted),
        }
    }

    /// Whether all of it is in memory.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self, Self::Empty | Self::Full(_))
    }

    /// Bytes of it that are in memory.
    pub(crate) fn held(&self) -> usize {
        match self {
            Self::Full(bytes) => bytes.len(),
            Self::Begun { read, .. } => read.len(),
            Self::Empty
            | Self::Client(_)
            | Self::Upstream(_)
            | Self::Kept(_)
            | Self::Changed(_)
            | Self::Broken(_) => 0,
        }
    }

    /// Whether trailers may come after it: it is not held whole.
    pub(crate) fn may_have_trailers(&self) -> bool {
        match self {
            Self::Empty | Self::Full(_) | Self::Broken(_) => false,
            Self::Client(_)
            | Self::Upstream(_)
            | Self::Kept(_)
            | Self::Begun { .. }
            | Self::Changed(_) => true,
        }
    }

    pub(crate) fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Self::Empty } else { Self::Full(bytes) }
    }

    /// Puts into the cache that it is around, ended ones included.
    pub(crate) fn puts(&self) -> usize {
        match self {
            Self::Kept(body) => body.puts(),
            Self::Begun { rest, .. } => rest.puts(),
            Self::Empty
            | Self::Full(_)
            | Self::Client(_)
            | Self::Upstream(_)
            | Self::Changed(_)
            | Self::Broken(_) => 0,
        }
    }

    /// Bounds the whole exchange, the rest of this body included.
    pub(crate) fn set_deadline(&mut self, at: Instant, limit: Duration) {
        let body = match self {
            Self::Begun { rest, .. } => rest,
            body => body,
        };
        if let Self::Upstream(body) = body {
            body.set_deadline(at, limit);
        }
    }

    /// Reads a streamed body to its end, and gives it. Reading twice gives the same.
    ///
    /// Nothing is lost where it fails or is cut short: what was read stands before the rest.
    ///
    /// # Errors
    ///
    /// It has more than `limit` bytes, or ended early.
    pub(crate) async fn read(&mut self, limit: u64) -> Result<Bytes, ReadError> {
        poll_fn(|cx| self.poll_begin(cx)).await?;
        if let Self::Begun { read, rest } = self {
            if let Err(error) = collect(read, rest, limit).await {
                if let ReadError::Ended(error) = &error {
                    *self = Self::Broken(error.clone());
                }
                return Err(error);
            }
            let whole = std::mem::take(read).freeze();
            *self = Self::full(whole);
        }
        match self {
            Self::Full(bytes) if bytes.len() as u64 > limit => Err(ReadError::TooLarge(limit)),
            Self::Full(bytes) => Ok(bytes.clone()),
            Self::Broken(error) => Err(ReadError::Ended(error.clone())),
            _ => Ok(Bytes::new()),
        }
    }
}

impl Body {
    /// Lets the beginning come while others are waited for: a connection reads a body on only when
    /// it is asked to.
    pub(crate) async fn ask_for_beginning(&mut self) {
        poll_fn(|cx| {
            let _ = self.poll_begin(cx);
            Poll::Ready(())
        })
        .await;
    }

    /// As [`Self::read`], without the content coding that `coded` names; the body keeps it.
    ///
    /// # Errors
    ///
    /// As [`Self::read`], for the bytes as they came and as they decode; or it has another coding
    /// than it says, or one that is not known.
    pub(crate) async fn read_decoded(
        &mut self,
        coded: Coded,
        limit: u64,
    ) -> Result<Bytes, ReadError> {
        let raw = self.read(limit).await?;
        match coded {
            _ if raw.is_empty() => Ok(raw),
            Coded::Plainly => Ok(raw),
            Coded::In(coding) => coding::decode(coding, raw, limit).await,
            Coded::Unknown => Err(ReadError::UnknownCoding),
        }
    }

    /// Takes the first frame, which is all there is of most bodies and then needs no copy.
    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ReadError>> {
        use Body::{Changed, Client, Kept, Upstream};
        if !matches!(self, Client(_) | Upstream(_) | Kept(_) | Changed(_)) {
            return Poll::Ready(Ok(()));
        }
        let first = match ready!(Pin::new(&mut *self).poll_frame(cx)) {
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            Some(Err(error)) => {
                *self = Self::Broken(error.clone());
                return Poll::Ready(Err(ReadError::Ended(error)));
            }
            None => Bytes::new(),
        };
        *self = if self.is_end_stream() {
            Self::full(first)
        } else {
            let rest = Box::new(std::mem::replace(self, Self::Empty));
            Self::Begun { read: BytesMut::from(first), rest }
        };
        Poll::Ready(Ok(()))
    }
}

/// Moves all of `rest` to the end of `read`. Trailers end here: a buffered body has none.
///
/// Cancel safe: a frame is in `read` as soon as it has come.
async fn collect(read: &mut BytesMut, rest: &mut Body, limit: u64) -> Result<(), ReadError> {
    while read.len() as u64 <= limit {
        let Some(frame) = rest.frame().await else { return Ok(()) };
        if let Ok(data) = frame.map_err(ReadError::Ended)?.into_data() {
            read.extend_from_slice(&data);
        }
    }
    Err(ReadError::TooLarge(limit))
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Client(body) => body.poll(cx),
            Self::Upstream(body) => body.poll(cx),
            Self::Kept(body) => body.poll(cx),
            Self::Begun { read, rest } if read.is_empty() => Pin::new(&mut **rest).poll_frame(cx),
            Self::Begun { read, .. } => Poll::Ready(Some(Ok(Frame::data(read.split().freeze())))),
            Self::Changed(body) => body.as_mut().poll_frame(cx),
            Self::Broken(error) => Poll::Ready(Some(Err(error.clone()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(_) => false,
            Self::Client(body) => body.is_end_stream(),
            Self::Upstream(body) => body.is_end_stream(),
            Self::Kept(body) => body.is_end_stream(),
            Self::Begun { read, rest } => read.is_empty() && rest.is_end_stream(),
            Self::Changed(body) => body.is_end_stream(),
            Self::Broken(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Client(body) => body.size_hint(),
            Self::Upstream(body) => body.size_hint(),
            Self::Kept(body) => body.size_hint(),
            Self::Begun { read, rest } => {
                let (rest, read) = (rest.size_hint(), read.len() as u64);
                rest.exact().map_or_else(SizeHint::new, |rest| SizeHint::with_exact(rest + read))
            }
            Self::Changed(body) => body.size_hint(),
            Self::Broken(_) => SizeHint::new(),
        }
    }
}

#[cfg(test)]
mod tests;
