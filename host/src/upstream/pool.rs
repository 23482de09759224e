//! Connections to one address, kept open between exchanges, for each worker its own.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hyper::client::conn::{http1, http2};

use crate::{body::Body, clock::Coarse, worker::PerWorker};

/// One address of an endpoint.
pub(super) struct Target {
    pub(super) address: SocketAddr,
    /// The endpoint's host as configured: the name for TLS.
    pub(super) host: Box<str>,
    idle: PerWorker<Vec<Idle>>,
    shared: PerWorker<Option<http2::SendRequest<Body>>>,
}

struct Idle {
    sender: http1::SendRequest<Body>,
    since: Coarse,
}

/// A connection for one exchange.
pub(super) enum Connection {
    /// Exclusive, until its response has ended.
    Http1(http1::SendRequest<Body>),
    /// Shared by many exchanges.
    Http2(http2::SendRequest<Body>),
}

/// A connection whose response is still streaming. It returns to the pool through
/// [`Lease::give_back`]; one that is only dropped is closed.
pub(crate) struct Lease {
    sender: http1::SendRequest<Body>,
    target: Arc<Target>,
    max_idle: usize,
}

impl Target {
    pub(super) fn new(address: SocketAddr, host: &str, workers: usize) -> Self {
        Self {
            address,
            host: host.into(),
            idle: PerWorker::new(workers, Vec::new),
            shared: PerWorker::new(workers, || None),
        }
    }

    pub(super) fn is(&self, address: SocketAddr, host: &str) -> bool {
        self.address == address && *self.host == *host
    }

    /// An open connection of this worker's that nobody uses; the one used last, since it is the
    /// least likely to be closed by the other end.
    pub(super) fn take(&self) -> Option<Connection> {
        if let Some(shared) = &*self.shared.own()
            && !shared.is_closed()
        {
            return Some(Connection::Http2(shared.clone()));
        }
        let mut idle = self.idle.own();
        while let Some(Idle { sender, .. }) = idle.pop() {
            if sender.is_ready() {
                return Some(Connection::Http1(sender));
            }
        }
        None
    }

    /// Makes a new HTTP/2 connection this worker's for the exchanges to come.
    pub(super) fn share(&self, sender: &http2::SendRequest<Body>) {
        *self.shared.own() = Some(sender.clone());
    }

    fn put(&self, sender: http1::SendRequest<Body>, max_idle: usize) {
        let mut idle = self.idle.own();
        if idle.len() < max_idle && !sender.is_closed() {
            idle.push(Idle { sender, since: Coarse::now() });
        }
    }

    pub(super) fn sweep(&self, max_age: Duration) {
        for mut idle in self.idle.each() {
            idle.retain(|idle| !idle.sender.is_closed() && idle.since.elapsed() < max_age);
        }
        for mut shared in self.shared.each() {
            if shared.as_ref().is_some_and(http2::SendRequest::is_closed) {
                *shared = None;
            }
        }
    }
}

impl Lease {
    pub(super) fn new(
        sender: http1::SendRequest<Body>,
        target: Arc<Target>,
        max_idle: usize,
    ) -> Self {
        Self { sender, target, max_idle }
    }

    /// For the next exchange. Call it once the response has ended well.
    pub(crate) fn give_back(mut self) {
        if self.sender.is_ready() {
            self.target.put(self.sender, self.max_idle);
        } else if !self.sender.is_closed() {
            // The connection has yet to notice that the response is over.
            tokio::spawn(async move {
                if self.sender.ready().await.is_ok() {
                    self.target.put(self.sender, self.max_idle);
                }
            });
        }
    }
}
