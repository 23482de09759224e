//! Upgraded connections (WebSocket): bytes both ways until one end is done, or both are silent.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    upgrade::{OnUpgrade, Upgraded},
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};

use crate::{clock::Coarse, generation::Generation, listener::Client, worker};

/// Bytes in flight each way.
const BUFFER: usize = 16 * 1024;

/// How long the two connections may take to become raw ones after the 101.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// The client's half, taken before its request moves on.
pub(crate) struct Tunnel {
    client: OnUpgrade,
}

impl Tunnel {
    /// The upgrade that hyper has put into the request.
    pub(crate) fn of<B>(request: &mut Request<B>) -> Self {
        Self { client: hyper::upgrade::on(request) }
    }

    /// Joins the two connections once the 101 is through. The tunnel keeps its generation (a
    /// reload does not cut it) and its client's place among the connections that may be open.
    pub(crate) fn join(
        self,
        response: &mut Response<Incoming>,
        generation: Arc<Generation>,
        connected: Arc<Client>,
    ) {
        let upstream = hyper::upgrade::on(response);
        let client = self.client;
        worker::spawn(async move {
            let _connected = connected;
            let idle = generation.config.limits.tunnel_idle;
            let both = async { tokio::try_join!(client, upstream) };
            match tokio::time::timeout(UPGRADE_TIMEOUT, both).await {
                Ok(Ok((client, upstream))) => pump(client, upstream, idle).await,
                Ok(Err(error)) => tracing::debug!(%error, "an upgrade failed"),
                Err(_) => tracing::debug!("an upgrade was never completed"),
            }
        });
    }
}

/// `idle`: for how long neither side may send.
async fn pump(client: Upgraded, upstream: Upgraded, idle: Option<Duration>) {
    let last = Arc::new(AtomicU64::new(Coarse::now().as_millis()));
    let mut client = Noticed { stream: TokioIo::new(client), last: Arc::clone(&last) };
    let mut upstream = TokioIo::new(upstream);
    let copying = copy_bidirectional_with_sizes(&mut client, &mut upstream, BUFFER, BUFFER);
    tokio::select! {
        copied = copying => {
            if let Err(error) = copied {
                tracing::debug!(%error, "a tunnel ended with an error");
            }
        }
        limit = silence(&last, idle) => tracing::debug!(?limit, "a tunnel was idle for too long"),
    }
}

/// Ends once nothing has passed for as long as `idle` says, and gives that.
async fn silence(last: &AtomicU64, idle: Option<Duration>) -> Duration {
    let Some(idle) = idle else { return std::future::pending().await };
    loop {
        let silent = Coarse::from_millis(last.load(Relaxed)).elapsed();
        if silent >= idle {
            return idle;
        }
        // The coarse clock lags by a tick; one more look after it has moved.
        tokio::time::sleep((idle - silent).max(Duration::from_millis(5))).await;
    }
}

/// The client's side of a tunnel, which all bytes pass; it notes when they last did.
struct Noticed<S> {
    stream: S,
    last: Arc<AtomicU64>,
}

impl<S> Noticed<S> {
    fn note<T>(&self, polled: Poll<T>) -> Poll<T> {
        if polled.is_ready() {
            self.last.store(Coarse::now().as_millis(), Relaxed);
        }
        polled
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Noticed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.note(polled)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noticed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
