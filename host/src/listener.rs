//! Listening sockets of one worker: the accept loop, connection slots, the drain.

mod certificates;
mod client;
mod connection;
mod framing;
mod handshake;
mod io;
mod linger;
mod lookout;
mod slots;
mod sockets;
mod stream;
pub(crate) mod tls;
mod watch;

use std::{
    io::ErrorKind,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use prometheus::IntGauge;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch as signal,
    task::JoinSet,
    time::{sleep, timeout_at},
};

use self::{connection::Arrival, slots::Permit};
use crate::{gateway::Gateway, telemetry::LogWindow, worker};

pub(crate) use self::{
    certificates::{Term, terms},
    client::{Certificate, Client, ClientTls},
    handshake::Handshakes,
    linger::read_away,
    slots::Slots,
    sockets::Sockets,
    watch::{Active, SWEEP, Watch},
};

/// After an accept that failed: out of file descriptors, most likely, which takes a moment.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// One worker's part of one listener.
pub(crate) struct Listener {
    /// `Some` until it is served.
    pub(crate) socket: Option<std::net::TcpListener>,
    /// Which of the configuration's listeners it is.
    pub(crate) index: usize,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) slots: Arc<Slots>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) open: IntGauge,
    pub(crate) handshakes: Handshakes,
    /// When to stop; `Some`: open connections may take until then.
    pub(crate) stop: signal::Receiver<Option<Instant>>,
}

impl Listener {
    /// Accepts until told to stop, then lets open connections finish for as long as it was told.
    pub(crate) async fn serve(mut self) {
        // Taken, and not cloned: the port closes when the last descriptor of it does.
        let Some(socket) = self.socket.take() else { return };
        let socket = match TcpListener::from_std(socket) {
            Ok(socket) => socket,
            Err(error) => return tracing::error!(%error, "a listening socket cannot be used"),
        };
        let mut connections = JoinSet::new();
        loop {
            let (stream, peer) = tokio::select! {
                biased;
                () = told(&mut self.stop) => break,
                // Takes out what has ended, or the set would only grow.
                Some(_) = connections.join_next() => continue,
                accepted = socket.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        refused(&error).await;
                        continue;
                    }
                },
            };
            // One client waits here where all slots are taken; the others stay in the backlog. A
            // slot is held only for a client that is there: workers share them.
            tokio::select! {
                biased;
                () = told(&mut self.stop) => break,
                permit = self.slots.take() => {
                    connections.spawn(self.arrival(stream, peer, permit).serve());
                }
            }
        }
        self.accept_queued(&socket, &mut connections);
        drop(socket);
        self.drain(connections).await;
    }

    /// All that a client can delay, the TLS handshake too, happens in the connection's own task.
    fn arrival(&self, stream: TcpStream, peer: SocketAddr, permit: Permit) -> Arrival {
        Arrival {
            stream,
            peer,
            permit,
            listener: self.index,
            gateway: Arc::clone(&self.gateway),
            watch: Arc::clone(&self.watch),
            open: self.open.clone(),
            handshakes: self.handshakes.clone(),
        }
    }

    /// Clients that the kernel has already let in get their answer too.
    fn accept_queued(&self, socket: &TcpListener, connections: &mut JoinSet<()>) {
        use std::task::{Context, Poll, Waker};
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Ok((stream, peer))) = socket.poll_accept(&mut cx) {
            let Some(permit) = self.slots.try_take() else { return };
            connections.spawn(self.arrival(stream, peer, permit).serve());
        }
    }

    async fn drain(&self, mut connections: JoinSet<()>) {
        self.watch.drain();
        let ended = async { while connections.join_next().await.is_some() {} };
        tokio::select! {
            biased;
            () = ended => return,
            () = over(self.stop.clone()) => worker::begin_to_cut(),
        }
        tracing::warn!(open = connections.len(), "closing connections that did not finish in time");
        connections.shutdown().await;
    }
}

/// Ends when it is time to stop.
async fn told(stop: &mut signal::Receiver<Option<Instant>>) {
    // An error means that whoever could tell is gone, which is as good a reason.
    let _ = stop.wait_for(Option::is_some).await;
}

/// Ends when what is open has had its time. It may be told meanwhile that there is less of it.
pub(crate) async fn over(mut stop: signal::Receiver<Option<Instant>>) {
    loop {
        let until = (*stop.borrow_and_update()).unwrap_or_else(Instant::now);
        match timeout_at(until.into(), stop.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

/// As often as these are told in a second. Clients can bring them about for as long as they like.
const TOLD: u32 = 1;

async fn refused(error: &std::io::Error) {
    static WINDOW: LogWindow = LogWindow::new();
    // The client was gone before it was accepted: nothing of ours.
    if !matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) {
        if WINDOW.take_now(TOLD) {
            tracing::warn!(%error, "accept failed");
        }
        sleep(ACCEPT_PAUSE).await;
    }
}
