//! Upgraded connections (WebSocket): bytes both ways until one end is done, or both are silent.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response, StatusCode};
use hyper::{
    body::Incoming,
    upgrade::{OnUpgrade, Upgraded},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes},
    sync::{oneshot, watch},
    time::timeout,
};

use crate::{
    body::Progress,
    exchange::{BrokenOff, End, Exchange},
    worker,
};

/// Bytes in flight each way.
const BUFFER: usize = 16 * 1024;

/// For how long the other side may stay silent once one has ended: it may have more to say, and it
/// may never notice.
const AFTER_END: Duration = Duration::from_secs(10);

/// How long the two connections may take to become raw ones after the 101.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// The client's half, taken before its request moves on.
pub(crate) struct Tunnel {
    client: OnUpgrade,
}

/// A tunnel that waits for its exchange, which ends with it and not with the 101.
pub(crate) struct Joined(oneshot::Sender<Exchange>);

impl Tunnel {
    /// The upgrade that hyper has put into the request.
    pub(crate) fn of<B>(request: &mut Request<B>) -> Self {
        Self { client: hyper::upgrade::on(request) }
    }

    /// Joins the two connections once the 101 is through. By its exchange the tunnel keeps its
    /// generation (a reload does not cut it) and its client's place among the connections that may
    /// be open. `idle`: for how long neither side may send.
    pub(crate) fn join(self, response: &mut Response<Incoming>, idle: Option<Duration>) -> Joined {
        let upstream = hyper::upgrade::on(response);
        let client = self.client;
        let (joined, exchange) = oneshot::channel();
        worker::spawn(async move {
            // Whoever sends the exchange has gone first: the 101 is out.
            let Ok(exchange) = exchange.await else { return };
            let open = Open::new(exchange);
            let both = async { tokio::try_join!(client, upstream) };
            match timeout(UPGRADE_TIMEOUT, both).await {
                Ok(Ok((client, upstream))) => open.pump(client, upstream, idle).await,
                Ok(Err(error)) => tracing::debug!(%error, "an upgrade failed"),
                Err(_) => tracing::debug!("an upgrade was never completed"),
            }
        });
        Joined(joined)
    }
}

/// Gives an exchange whose response has gone out to its tunnel, or back where it has none. A plugin
/// may have answered with another status than 101: the tunnel never opens then.
pub(crate) fn pass_on(mut exchange: Exchange, status: StatusCode) -> Option<Exchange> {
    match exchange.tunnel.take() {
        Some(Joined(tunnel)) if status == StatusCode::SWITCHING_PROTOCOLS => {
            tunnel.send(exchange).err()
        }
        _ => Some(exchange),
    }
}

/// A tunnel through which bytes pass. Its exchange ends with it, whatever ends it.
struct Open {
    /// `Some` until the end.
    exchange: Option<Exchange>,
    traffic: Arc<Traffic>,
}

/// What has passed.
struct Traffic {
    /// From the client; when bytes last passed, either way.
    up: Arc<Progress>,
    down: AtomicU64,
    /// One side sends nothing more.
    ended: watch::Sender<bool>,
}

impl Open {
    fn new(mut exchange: Exchange) -> Self {
        let up = Arc::new(Progress::begin());
        exchange.progress = Some(Arc::clone(&up));
        let traffic =
            Arc::new(Traffic { up, down: AtomicU64::new(0), ended: watch::Sender::new(false) });
        Self { exchange: Some(exchange), traffic }
    }

    async fn pump(mut self, client: Upgraded, upstream: Upgraded, idle: Option<Duration>) {
        let traffic = Arc::clone(&self.traffic);
        let mut client = Noticed { stream: TokioIo::new(client), traffic: Arc::clone(&traffic) };
        let mut upstream = TokioIo::new(upstream);
        let copying = copy_bidirectional_with_sizes(&mut client, &mut upstream, BUFFER, BUFFER);
        tokio::select! {
            copied = copying => {
                if let Err(error) = copied {
                    tracing::debug!(%error, "a tunnel ended with an error");
                }
                self.end(None);
            }
            limit = silence(&traffic, idle) => self.end(Some(BrokenOff::BySilence(limit))),
            () = silence_after_end(&traffic) => self.end(None),
        }
    }

    fn end(&mut self, broken_off: Option<BrokenOff<'_>>) {
        if let Some(exchange) = self.exchange.take() {
            let bytes = self.traffic.down.load(Relaxed);
            exchange.finish(&End { status: StatusCode::SWITCHING_PROTOCOLS, bytes, broken_off });
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.end(Some(BrokenOff::unsaid()));
    }
}

/// Ends once nothing has passed for as long as `idle` says, and gives that.
async fn silence(traffic: &Traffic, idle: Option<Duration>) -> Duration {
    let Some(idle) = idle else { return std::future::pending().await };
    loop {
        let silent = traffic.up.since_last();
        if silent >= idle {
            return idle;
        }
        // The coarse clock lags by a tick; one more look after it has moved.
        tokio::time::sleep((idle - silent).max(Duration::from_millis(5))).await;
    }
}

/// Ends once one side has ended and the other has been silent for a while.
async fn silence_after_end(traffic: &Traffic) {
    // The sender is the traffic's own: it is there.
    let _ = traffic.ended.subscribe().wait_for(|ended| *ended).await;
    silence(traffic, Some(AFTER_END)).await;
}

/// The client's side of a tunnel, which all bytes pass; it notes how many, and when they last did.
struct Noticed<S> {
    stream: S,
    traffic: Arc<Traffic>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Noticed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        let read = buffer.filled().len() - before;
        if read == 0 && buffer.remaining() > 0 {
            self.traffic.ended.send_replace(true);
        }
        self.traffic.up.count(read as u64);
        Poll::Ready(polled)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noticed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        self.traffic.up.moved();
        self.traffic.down.fetch_add(*written.as_ref().unwrap_or(&0) as u64, Relaxed);
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// The upstream has ended.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.traffic.ended.send_replace(true) {
            self.traffic.up.moved();
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
