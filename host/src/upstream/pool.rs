//! Connections to one address, kept open between exchanges, for each worker its own.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::client::conn::http1;
use parking_lot::MutexGuard;
use tokio::{task::AbortHandle, time::timeout};

use super::{
    cut::LastUpload,
    rest::Rest,
    shared::{Http2, Shared},
    streams::{Place, Streams},
};
use crate::{
    body::{Body, BodyError, Progress},
    clock::Coarse,
    config,
    worker::PerWorker,
};

/// How often a connection is looked at that is not ready for its next exchange yet.
const LOOK: Duration = Duration::from_secs(1);

/// One address of an endpoint.
pub(super) struct Target {
    pub(super) address: SocketAddr,
    /// The endpoint's host as configured: the name for TLS.
    pub(super) host: Box<str>,
    pub(super) rest: Rest,
    idle: PerWorker<Vec<Idle>>,
    shared: PerWorker<Shared>,
}

struct Idle {
    connection: Http1,
    since: Coarse,
}

/// An HTTP/1.1 connection. The task that drives it ends with this: one that waits for an upstream
/// to read on would wait for as long as that likes.
pub(super) struct Http1 {
    pub(super) sender: http1::SendRequest<Body>,
    upload: LastUpload,
    /// `None` once it is nobody's any more.
    driver: Option<AbortHandle>,
}

/// A connection for one exchange.
pub(super) enum Connection {
    /// Exclusive, until its response has ended.
    Http1(Http1),
    /// A stream of one that many exchanges share.
    Http2(Http2),
}

/// The connection that a response comes on, for as long as it does.
pub(crate) enum Lease {
    Exclusive(Exclusive),
    Shared {
        /// Keeps the stream among those that are counted.
        _place: Arc<Place>,
        /// As [`Exclusive::upload`].
        upload: Option<Arc<Progress>>,
    },
}

/// A connection whose response is still streaming. It returns to the pool through
/// [`Lease::give_back`]; one that is only dropped is closed.
pub(crate) struct Exclusive {
    connection: Http1,
    target: Arc<Target>,
    upstream: Arc<config::Upstream>,
    /// The request's body, which may still be on its way when the response has ended.
    upload: Option<Arc<Progress>>,
    /// Whether another exchange may have the connection.
    reusable: bool,
}

impl Http1 {
    pub(super) fn new(
        sender: http1::SendRequest<Body>,
        upload: LastUpload,
        driver: AbortHandle,
    ) -> Self {
        Self { sender, upload, driver: Some(driver) }
    }

    /// The body of the request that it sends next.
    pub(super) fn uploads(&self, progress: Option<&Arc<Progress>>) {
        if let Some(progress) = progress {
            self.upload.is(progress);
        }
    }

    /// Whether it has been of no use for so long; its task then closes it as TLS asks.
    fn retires(&mut self, since: Coarse, max_age: Duration) -> bool {
        let retires = self.sender.is_closed() || since.elapsed() >= max_age;
        if retires {
            self.driver = None;
        }
        retires
    }
}

impl Drop for Http1 {
    fn drop(&mut self) {
        if let Some(driver) = &self.driver {
            driver.abort();
        }
    }
}

impl Target {
    pub(super) fn new(address: SocketAddr, host: &str, workers: usize) -> Self {
        Self {
            address,
            host: host.into(),
            rest: Rest::default(),
            idle: PerWorker::new(workers, Vec::new),
            shared: PerWorker::new(workers, Shared::default),
        }
    }

    pub(super) fn is(&self, address: SocketAddr, host: &str) -> bool {
        self.address == address && *self.host == *host
    }

    /// A stream of an HTTP/2 connection, or an open connection of this worker's that nobody uses; the
    /// one used last, since it is the least likely to be closed by the other end. `after`: none that
    /// was kept before.
    pub(super) fn take(&self, after: Option<Instant>) -> Option<Connection> {
        if let Some(http2) = self.shared().enter(after) {
            return Some(Connection::Http2(http2));
        }
        if after.is_some() {
            return None;
        }
        let mut idle = self.idle.own();
        while let Some(Idle { connection, .. }) = idle.pop() {
            if connection.sender.is_ready() {
                return Some(Connection::Http1(connection));
            }
        }
        None
    }

    /// This worker's HTTP/2 connections.
    pub(super) fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.own()
    }

    /// Gives the exchanges to come another HTTP/2 connection: this one may be stuck or about to
    /// close. Its exchanges go on.
    pub(super) fn distrust(&self, streams: &Arc<Streams>) {
        self.shared().remove(streams);
    }

    pub(super) fn put(&self, mut connection: Http1, max_idle: usize) {
        let mut idle = self.idle.own();
        if idle.len() < max_idle && !connection.sender.is_closed() {
            idle.push(Idle { connection, since: Coarse::now() });
        } else {
            connection.driver = None;
        }
    }

    pub(super) fn sweep(&self, max_age: Duration, max_idle: usize) {
        for mut idle in self.idle.each() {
            idle.retain_mut(|idle| !idle.connection.retires(idle.since, max_age));
        }
        for mut shared in self.shared.each() {
            shared.sweep(max_age, max_idle);
        }
    }
}

impl Lease {
    /// For the next exchange. Call it once the response has ended well.
    pub(crate) fn give_back(self) {
        match self {
            Self::Exclusive(connection) => connection.give_back(),
            Self::Shared { .. } => {}
        }
    }

    /// Whether a piece of the request's body has come within `limit`: the upstream may be reading that
    /// before it says more.
    pub(crate) fn is_uploading(&self, limit: Duration) -> bool {
        let (Self::Exclusive(Exclusive { upload, .. }) | Self::Shared { upload, .. }) = self;
        let upload = upload.as_ref().filter(|upload| upload.since_end().is_none());
        upload.is_some_and(|upload| upload.since_last() < limit)
    }

    /// Why the request's body broke off, if it did.
    pub(crate) fn upload_failure(&self) -> Option<BodyError> {
        let (Self::Exclusive(Exclusive { upload, .. }) | Self::Shared { upload, .. }) = self;
        upload.as_ref()?.failure()
    }

    /// The connection has become a raw one, whose ends are held by a tunnel.
    pub(crate) fn let_go(self) {
        if let Self::Exclusive(mut exclusive) = self {
            exclusive.connection.driver = None;
        }
    }
}

impl Exclusive {
    pub(super) fn new(
        connection: Http1,
        target: Arc<Target>,
        upstream: Arc<config::Upstream>,
        upload: Option<Arc<Progress>>,
    ) -> Self {
        Self { connection, target, upstream, upload, reusable: true }
    }

    /// It is for its present exchange only.
    pub(super) fn not_again(mut self) -> Self {
        self.reusable = false;
        self
    }

    fn give_back(self) {
        if !self.reusable {
            return;
        }
        if self.connection.sender.is_ready() {
            self.put();
        } else if !self.connection.sender.is_closed() {
            tokio::spawn(self.settle());
        }
    }

    /// Waits until the connection has noticed that the response is over, and until the request's
    /// body has gone out too, but not for an upstream that does not read it.
    async fn settle(mut self) {
        let begun = Instant::now();
        loop {
            let waited = match &self.upload {
                Some(upload) => upload.untouched(),
                None => begun.elapsed(),
            };
            match timeout(LOOK, self.connection.sender.ready()).await {
                Ok(Ok(())) => return self.put(),
                Ok(Err(_)) => return,
                Err(_) if waited > self.upstream.idle_timeout => return,
                Err(_) => {}
            }
        }
    }

    fn put(self) {
        let Self { connection, target, upstream, .. } = self;
        target.put(connection, upstream.keepalive_max_idle);
    }
}
