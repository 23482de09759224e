//! Message bodies on their way through: streamed from socket to socket with back-pressure, held
//! whole only where a plugin asked for it.

mod lent;
mod noted;
mod outflow;
mod outlet;
mod timers;
mod watched;

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

pub(crate) use self::{
    lent::Loan,
    noted::Failure,
    outflow::Outflow,
    outlet::{Outlet, Piece},
    timers::{Deadline, Idle},
    watched::watched,
};
use crate::{
    cache::TeeBody,
    clock::Coarse,
    coding::{self, Coded},
    forwarding,
    listener::{Active, read_away},
    plugin::HookError,
    upstream::Lease,
};
use bytes::{Bytes, BytesMut};
use http::Version;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

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

/// What an upstream sends. Its connection goes back to the pool after a good end.
pub(crate) struct UpstreamBody {
    incoming: Incoming,
    idle: Idle,
    deadline: Option<Deadline>,
    lease: Option<Lease>,
}

/// How far a body on its way up has come; outlives the body.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    bytes: AtomicU64,
    last: AtomicU64,
    done: AtomicBool,
    /// Somebody waits for the client's next piece.
    awaited: AtomicBool,
}

/// Why a body ended before its end.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the request body is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the client sent nothing for {limit:?}")]
    ClientIdle { limit: Duration },
    #[error("the client ended its body early")]
    ClientAborted,
    /// Its chunks are none, or they are not as long as it said.
    #[error("the client's body is not well-formed")]
    ClientMalformed,
    #[error("the client took up nothing for {limit:?}")]
    ClientStalled { limit: Duration },
    #[error("the upstream sent nothing for {limit:?}")]
    UpstreamIdle { limit: Duration },
    #[error("the upstream ended its body early")]
    UpstreamAborted,
    #[error("the upstream's body is not well-formed")]
    UpstreamMalformed,
    #[error("the exchange took longer than {limit:?}")]
    Deadline { limit: Duration },
    /// A `wasi:http` component gave up a body that it had begun.
    #[error("the component ended its body early")]
    ComponentAborted,
    /// Cut short, or never was what `content-encoding` says.
    #[error("the body does not follow its content coding, {coding}")]
    Coding { coding: &'static str },
    /// A chunk hook failed, and its use says `on_error: reject`.
    #[error("plugin `{plugin}` failed in {hook}")]
    Plugin { plugin: String, hook: &'static str, source: Box<HookError> },
}

/// Why [`Body::read`] has no bytes to give.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// Larger than the reader's limit, in bytes.
    TooLarge(u64),
    Ended(BodyError),
    /// It has a content coding that the gateway cannot undo.
    UnknownCoding,
}

impl From<BodyError> for ReadError {
    fn from(error: BodyError) -> Self {
        Self::Ended(error)
    }
}

impl BodyError {
    /// Why a client's body breaks off.
    fn of_client(error: &hyper::Error) -> Self {
        if is_malformed(error) { Self::ClientMalformed } else { Self::ClientAborted }
    }

    /// Why an upstream's body breaks off.
    fn of_upstream(error: &hyper::Error) -> Self {
        if is_malformed(error) { Self::UpstreamMalformed } else { Self::UpstreamAborted }
    }
}

/// Whether a body ended because nobody can tell what its bytes mean.
fn is_malformed(error: &hyper::Error) -> bool {
    use std::error::Error;
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    let kind = source.map(io::Error::kind);
    matches!(kind, Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput))
}

impl Body {
    /// The same where it is held whole, else one that is broken off.
    pub(crate) fn copy(&self) -> Self {
        match self {
            Self::Empty => Self::Empty,
            Self::Full(bytes) => Self::Full(bytes.clone()),
            _ => Self::Broken(BodyError::ClientAborted),
        }
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

    pub(crate) fn upstream(incoming: Incoming, idle: Duration, lease: Lease) -> Self {
        let (idle, lease) = (Idle::new(idle), Some(lease));
        let mut body = UpstreamBody { incoming, idle, deadline: None, lease };
        if body.incoming.is_end_stream() {
            body.give_back();
            return Self::Empty;
        }
        Self::Upstream(Box::new(body))
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
    pub(crate) fn set_deadline(&mut self, at: std::time::Instant, limit: Duration) {
        let body = match self {
            Self::Begun { rest, .. } => rest,
            body => body,
        };
        if let Self::Upstream(body) = body {
            body.deadline = Some(Deadline::new(at, limit));
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
            Self::Client(body) => body.incoming.as_ref().is_none_or(HttpBody::is_end_stream),
            Self::Upstream(body) => body.incoming.is_end_stream(),
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
            Self::Client(body) => {
                body.incoming.as_ref().map_or_else(SizeHint::new, HttpBody::size_hint)
            }
            Self::Upstream(body) => body.incoming.size_hint(),
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

impl ClientBody {
    fn incoming(&mut self) -> &mut Incoming {
        self.incoming.as_mut().expect("there until drop")
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(frame) = Pin::new(self.incoming()).poll_frame(cx) else {
            self.progress.awaited.store(true, Ordering::Relaxed);
            ready!(self.idle.poll(cx));
            return Poll::Ready(Some(Err(BodyError::ClientIdle { limit: self.idle.limit })));
        };
        self.progress.awaited.store(false, Ordering::Relaxed);
        self.idle.moved();
        Poll::Ready(match frame {
            Some(Ok(frame)) => Some(self.counted(frame)),
            Some(Err(error)) => Some(Err(BodyError::of_client(&error))),
            None => {
                self.progress.done.store(true, Ordering::Relaxed);
                None
            }
        })
    }

    fn counted(&mut self, mut frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyError> {
        if let Some(trailers) = frame.trailers_mut() {
            forwarding::strip_trailers(trailers);
        }
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        let so_far = self.progress.bytes.fetch_add(length, Ordering::Relaxed) + length;
        self.progress.moved();
        if self.incoming().is_end_stream() {
            self.progress.done.store(true, Ordering::Relaxed);
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

impl Progress {
    /// Of a body that begins now.
    fn begin() -> Self {
        let progress = Self::default();
        progress.moved();
        progress
    }

    fn moved(&self) {
        self.last.store(Coarse::now().as_millis(), Ordering::Relaxed);
    }

    /// Bytes that came from the client so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How long ago the last byte came; `None` while the body has not ended.
    pub(crate) fn since_end(&self) -> Option<Duration> {
        self.done.load(Ordering::Relaxed).then(|| self.since_last())
    }

    /// For how long nobody has asked for more than has come.
    pub(crate) fn untouched(&self) -> Duration {
        if self.awaited.load(Ordering::Relaxed) { Duration::ZERO } else { self.since_last() }
    }

    fn since_last(&self) -> Duration {
        Coarse::from_millis(self.last.load(Ordering::Relaxed)).elapsed()
    }
}

impl UpstreamBody {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) else {
            if let Some(deadline) = &mut self.deadline
                && deadline.poll(cx).is_ready()
            {
                let limit = deadline.limit;
                return Poll::Ready(Some(Err(BodyError::Deadline { limit })));
            }
            ready!(self.idle.poll(cx));
            return Poll::Ready(Some(Err(BodyError::UpstreamIdle { limit: self.idle.limit })));
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
            Some(Err(error)) => Some(Err(BodyError::of_upstream(&error))),
            None => {
                self.give_back();
                None
            }
        })
    }

    fn give_back(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}

#[cfg(test)]
mod tests;
