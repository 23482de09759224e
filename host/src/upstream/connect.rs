//! A new connection: TCP, TLS where asked for, HTTP/1.1 or HTTP/2.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use super::{
    Upstream, UpstreamError,
    pool::{Connection, Http1, Target},
};
use crate::{body::Body, config::Protocol};

/// Largest response head, in bytes.
const MAX_RESPONSE_HEAD: u32 = 256 * 1024;

/// For how long nothing may come on an HTTP/2 connection with exchanges before it is asked whether
/// it is still there, and how long it may take to answer. Nothing else tells a connection that a
/// middlebox has forgotten from a slow one.
const HTTP2_PING: Duration = Duration::from_secs(10);
const HTTP2_PONG: Duration = Duration::from_secs(5);

/// Receive window of an HTTP/2 stream and connection, in bytes.
const HTTP2_WINDOW: u32 = 1 << 20;

impl Upstream {
    /// Connects within the upstream's `connect` time-out, and before `deadline`.
    pub(super) async fn connect(
        &self,
        target: &Arc<Target>,
        deadline: Option<Instant>,
    ) -> Result<Connection, UpstreamError> {
        let left = deadline.map_or(Duration::MAX, |deadline| deadline - Instant::now());
        let limit = self.config.connect_timeout.min(left);
        let address = target.address;
        let connected = timeout(limit, self.open(target)).await.unwrap_or_else(|_| {
            let reason = format!("no answer within {limit:?}");
            Err(io::Error::new(io::ErrorKind::TimedOut, reason))
        });
        connected.map_err(|source| UpstreamError::Unreachable { address, source })
    }

    async fn open(&self, target: &Arc<Target>) -> io::Result<Connection> {
        let stream = TcpStream::connect(target.address).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else {
            let http2 = self.config.protocol == Protocol::Http2;
            return self.handshake(stream, http2, target).await;
        };
        let stream = tls.connect(stream, &target.host).await?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        if self.config.protocol == Protocol::Http2 && !http2 {
            return Err(io::Error::other("the endpoint does not speak HTTP/2 (ALPN)"));
        }
        self.handshake(stream, http2, target).await
    }

    async fn handshake<S>(
        &self,
        stream: S,
        http2: bool,
        target: &Arc<Target>,
    ) -> io::Result<Connection>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        if !http2 {
            return http1_handshake(stream).await;
        }
        let sender = http2_handshake(stream).await?;
        if self.config.keepalive_max_idle > 0 {
            target.share(&sender);
        }
        Ok(Connection::Http2(sender))
    }
}

async fn http1_handshake<S>(stream: S) -> io::Result<Connection>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    // Of field lines a response has at most as many as the library allows by itself, 100: to say
    // another number costs an array of that length for each head.
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_RESPONSE_HEAD as usize)
        .handshake::<_, Body>(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let driver = tokio::spawn(async move {
        // Its errors reach the exchange through the sender.
        let _ = connection.with_upgrades().await;
    });
    Ok(Connection::Http1(Http1::new(sender, driver.abort_handle())))
}

async fn http2_handshake<S>(stream: S) -> io::Result<http2::SendRequest<Body>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(HTTP2_PING)
        .keep_alive_timeout(HTTP2_PONG)
        .max_header_list_size(MAX_RESPONSE_HEAD)
        .initial_stream_window_size(HTTP2_WINDOW)
        .initial_connection_window_size(HTTP2_WINDOW * 4)
        .handshake::<_, Body>(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}
