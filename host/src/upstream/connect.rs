//! A new connection: TCP, TLS where asked for, HTTP/1.1 or HTTP/2.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{timeout, timeout_at},
};

use super::{
    Upstream, UpstreamError,
    cut::{CutStream, LastUpload},
    pool::{Connection, Http1, Target},
    shared::Http2,
    streams::{Streams, Tasks, UNTOLD},
};
use crate::{body::Body, config::Protocol, waiting::Waiting};

/// Largest response head, in bytes.
pub(super) const MAX_RESPONSE_HEAD: usize = 256 * 1024;

/// Most field lines of a response head. Over HTTP/1.1 it is the library's own bound.
pub(super) const MAX_RESPONSE_FIELDS: usize = 100;

/// For how long nothing may come on an HTTP/2 connection with exchanges before it is asked whether
/// it is still there, and how long it may take to answer. Nothing else tells a connection that a
/// middlebox has forgotten from a slow one.
const HTTP2_PING: Duration = Duration::from_secs(10);
const HTTP2_PONG: Duration = Duration::from_secs(5);

/// Receive window of an HTTP/2 stream and connection, in bytes.
const HTTP2_WINDOW: u32 = 1 << 20;

/// One's turn to make a connection that others wait for.
struct Turn<'a> {
    target: &'a Target,
    failed: Option<String>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Also where whoever connects is given up.
        self.target.shared().opened(self.failed.take());
    }
}

impl Upstream {
    /// A connection where none is kept: a new one, or over HTTP/2 the first that has room, where one
    /// is being made already or there are as many as there may be.
    ///
    /// `after`: none that was made before. Gives too whether others have had it before.
    ///
    /// # Errors
    ///
    /// There was none in time.
    pub(super) async fn obtain(
        &self,
        target: &Arc<Target>,
        deadline: Option<Instant>,
        after: Option<Instant>,
    ) -> Result<(Connection, bool), UpstreamError> {
        if !self.shares(target) {
            return Ok((self.connect(target, deadline).await?, false));
        }
        let limit = self.config.first_byte_timeout;
        let until = Instant::now() + limit;
        let until = deadline.map_or(until, |deadline| deadline.min(until));
        let address = target.address;
        let failures = target.shared().failures().0;
        let room = target.shared().room();
        let mut waiting = None;
        loop {
            let mut changed = std::pin::pin!(room.notified());
            // Before the look, or a change between the look and the wait would be missed.
            changed.as_mut().enable();
            if let Some(connection) = target.take(after) {
                return Ok((connection, true));
            }
            if target.shared().failures().0 != failures {
                let source = io::Error::other(target.shared().failures().1.to_owned());
                return Err(UpstreamError::Unreachable { address, source });
            }
            if target.shared().may_open() {
                return Ok((self.connect_for_all(target, deadline).await?, false));
            }
            waiting.get_or_insert_with(|| Waiting::begin(&self.waiting));
            let waited = timeout_at(until.into(), changed).await;
            waited.map_err(|_| UpstreamError::Full { address, limit })?;
        }
    }

    /// Whether exchanges share connections to this target.
    fn shares(&self, target: &Target) -> bool {
        let http2 = match self.config.protocol {
            Protocol::Http1 => false,
            Protocol::Http2 => true,
            Protocol::Auto => target.shared().is_spoken(),
        };
        http2 && self.config.keepalive_max_idle > 0
    }

    /// Connects while others wait for it.
    async fn connect_for_all(
        &self,
        target: &Arc<Target>,
        deadline: Option<Instant>,
    ) -> Result<Connection, UpstreamError> {
        let mut turn = Turn { target, failed: None };
        let connected = self.connect(target, deadline).await;
        if let Err(UpstreamError::Unreachable { source, .. }) = &connected {
            turn.failed = Some(source.to_string());
        }
        connected
    }

    /// Connects within the upstream's `connect` time-out, and before `deadline`.
    async fn connect(
        &self,
        target: &Arc<Target>,
        deadline: Option<Instant>,
    ) -> Result<Connection, UpstreamError> {
        let left = deadline.map_or(Duration::MAX, |deadline| deadline - Instant::now());
        let limit = self.config.connect_timeout.min(left);
        let address = target.address;
        let mut is_open = false;
        let connected =
            timeout(limit, self.open(target, &mut is_open)).await.unwrap_or_else(|_| {
                let what = if is_open { "TLS handshake" } else { "answer" };
                let reason = format!("no {what} within {limit:?}");
                Err(io::Error::new(io::ErrorKind::TimedOut, reason))
            });
        // Too little time is not the endpoint's fault.
        if connected.is_ok() || limit == self.config.connect_timeout {
            self.note_connecting(target, connected.as_ref().err());
        }
        connected.map_err(|source| UpstreamError::Unreachable { address, source })
    }

    /// Connects to a target that rests; whether it goes on to is noted there.
    pub(super) async fn try_again(self: Arc<Self>, target: Arc<Target>) {
        if let Ok(Connection::Http1(connection)) = self.connect(&target, None).await {
            target.put(connection, self.config.keepalive_max_idle);
        }
    }

    /// `is_open`: there is a connection, on which the endpoint has to do its part now.
    async fn open(&self, target: &Arc<Target>, is_open: &mut bool) -> io::Result<Connection> {
        let stream = TcpStream::connect(target.address).await?;
        *is_open = self.tls.is_some();
        stream.set_nodelay(true)?;
        let upload = LastUpload::default();
        let stream = CutStream::new(stream, upload.clone());
        let Some(tls) = &self.tls else {
            let http2 = self.config.protocol == Protocol::Http2;
            return self.handshake((stream, upload), http2, target).await;
        };
        let failed = |error: io::Error| {
            io::Error::new(error.kind(), format!("the TLS handshake failed: {error}"))
        };
        let stream = tls.connect(stream, &target.host).await.map_err(failed)?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        if self.config.protocol == Protocol::Http2 && !http2 {
            return Err(io::Error::other("the endpoint does not speak HTTP/2 (ALPN)"));
        }
        self.handshake((stream, upload), http2, target).await
    }

    async fn handshake<S>(
        &self,
        (stream, upload): (S, LastUpload),
        http2: bool,
        target: &Arc<Target>,
    ) -> io::Result<Connection>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        target.shared().speaks(http2);
        if !http2 {
            return http1_handshake(stream, upload).await;
        }
        let connection = self.http2_handshake(stream, target).await?;
        if self.config.keepalive_max_idle > 0 {
            target.shared().add(&connection.sender, connection.place.streams());
        }
        Ok(Connection::Http2(connection))
    }

    async fn http2_handshake<S>(&self, stream: S, target: &Target) -> io::Result<Http2>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let streams = Arc::new(Streams::new(target.shared().room()));
        let place = streams.enter().ok_or_else(|| io::Error::other("no stream"))?;
        let tasks = Tasks::new(Arc::clone(&streams), self.config.idle_timeout);
        let (sender, connection) = http2::Builder::new(tasks)
            .timer(TokioTimer::new())
            .keep_alive_interval(HTTP2_PING)
            .keep_alive_timeout(HTTP2_PONG)
            .max_header_list_size(MAX_RESPONSE_HEAD as u32)
            .initial_stream_window_size(HTTP2_WINDOW)
            .initial_connection_window_size(HTTP2_WINDOW * 4)
            .initial_max_send_streams(UNTOLD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        tokio::spawn(streams.drive(connection));
        Ok(Http2 { sender, place })
    }
}

async fn http1_handshake<S>(stream: S, upload: LastUpload) -> io::Result<Connection>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    // Of field lines a response has at most as many as the library allows by itself, 100: to say
    // another number costs an array of that length for each head.
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_RESPONSE_HEAD)
        .handshake::<_, Body>(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let driver = tokio::spawn(async move {
        // Its errors reach the exchange through the sender.
        let _ = connection.with_upgrades().await;
    });
    Ok(Connection::Http1(Http1::new(sender, upload, driver.abort_handle())))
}
