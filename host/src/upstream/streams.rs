//! The streams of one HTTP/2 connection to an upstream: how many the peer allows, how many are
//! open, and the tasks that drive them.
//!
//! The HTTP library queues what is above the peer's limit, and tells nobody; so they are counted here.

use std::{
    pin::{Pin, pin},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::Waker,
    time::Duration,
};

use hyper::{client::conn::http2, rt::Executor};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
};

use super::upload::Upload;
use crate::{
    body::{BodyError, Outlet},
    clock::Coarse,
};

/// What the library says of the peer's limit before the peer has told it. A peer that sets none has
/// `usize::MAX`, and one that sets one cannot set so many.
pub(super) const UNTOLD: usize = usize::MAX - 1;

/// What is known of a connection's streams.
pub(super) struct Streams {
    open: AtomicUsize,
    /// As many as the peer allows; one until it has told.
    limit: AtomicUsize,
    told: AtomicBool,
    /// When an exchange last got one or was done with it, by the coarse clock.
    used: AtomicU64,
    /// Told when there may be room for another.
    room: Arc<Notify>,
    /// Of the task that sends requests; it knows the peer's limit.
    driver: Mutex<Option<Waker>>,
    /// A body whose way out has begun, and whose task has not.
    begun: Mutex<Option<Arc<Outlet>>>,
}

/// One stream, for as long as its request or response is on its way.
pub(crate) struct Place {
    streams: Arc<Streams>,
    /// Why the request's body broke off: the library forgets it.
    broken: OnceLock<BodyError>,
}

/// Runs the library's tasks of one connection.
#[derive(Clone)]
pub(super) struct Tasks {
    streams: Arc<Streams>,
    /// For the upstream to take up bytes of a request body.
    idle: Duration,
    connected: Arc<AtomicBool>,
}

impl Streams {
    /// None are open. `room` is told of every change.
    pub(super) fn new(room: Arc<Notify>) -> Self {
        Self {
            open: AtomicUsize::new(0),
            limit: AtomicUsize::new(1),
            told: AtomicBool::new(false),
            used: AtomicU64::new(0),
            room,
            driver: Mutex::default(),
            begun: Mutex::default(),
        }
    }

    /// Opens one if the peer allows it.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Place> {
        // Connections belong to one worker, so nobody else counts meanwhile.
        if self.open.load(Relaxed) >= self.limit.load(Relaxed) {
            return None;
        }
        self.open.fetch_add(1, Relaxed);
        self.used.store(Coarse::now().as_millis(), Relaxed);
        Some(Place { streams: Arc::clone(self), broken: OnceLock::new() })
    }

    /// Whether the peer has told how many it allows.
    pub(super) fn are_told(&self) -> bool {
        self.told.load(Relaxed)
    }

    pub(super) fn are_idle(&self) -> bool {
        self.open.load(Relaxed) == 0
    }

    /// How long ago an exchange got one or was done with it.
    pub(super) fn unused(&self) -> Duration {
        Coarse::from_millis(self.used.load(Relaxed)).elapsed()
    }

    /// Drives a connection to its end, and learns from it what the peer allows.
    pub(super) async fn drive<S>(
        self: Arc<Self>,
        mut connection: http2::Connection<TokioIo<S>, Upload, Tasks>,
    ) where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        std::future::poll_fn(|cx| {
            if !self.told.load(Relaxed) {
                *self.driver.lock() = Some(cx.waker().clone());
            }
            let polled = Pin::new(&mut connection).poll(cx);
            self.allow(connection.current_max_send_streams());
            // Its errors reach the exchange through the sender.
            polled.map(|_| ())
        })
        .await;
        // Only then its senders are closed, as who waits will see.
        drop(connection);
        self.room.notify_waiters();
    }

    fn allow(&self, limit: usize) {
        if limit == UNTOLD {
            return;
        }
        let before = self.limit.swap(limit, Relaxed);
        if !self.told.swap(true, Relaxed) || before != limit {
            self.room.notify_waiters();
        }
    }

    /// The task of the connection itself. It reads the peer's settings, but it is another task that
    /// can be asked for them.
    async fn connect(self: Arc<Self>, task: impl Future<Output = ()>) {
        let mut task = pin!(task);
        std::future::poll_fn(|cx| {
            let polled = task.as_mut().poll(cx);
            if !self.told.load(Relaxed)
                && let Some(driver) = &*self.driver.lock()
            {
                driver.wake_by_ref();
            }
            polled
        })
        .await;
    }

    /// A body's way out begins: the library asks it for its first piece.
    pub(super) fn begin(&self, outlet: &Arc<Outlet>) {
        *self.begun.lock() = Some(Arc::clone(outlet));
    }

    /// A body has gone out or was given up.
    pub(super) fn end(&self, outlet: &Arc<Outlet>) {
        self.begun.lock().take_if(|begun| Arc::ptr_eq(begun, outlet));
    }
}

impl Place {
    pub(super) fn streams(&self) -> &Arc<Streams> {
        &self.streams
    }

    /// The request's body has broken off.
    pub(super) fn breaks(&self, error: &BodyError) {
        // The first one is the one that counts.
        let _ = self.broken.set(error.clone());
    }

    /// Why the request's body broke off, if it did.
    pub(super) fn broken(&self) -> Option<BodyError> {
        self.broken.get().cloned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.streams.open.fetch_sub(1, Relaxed);
        self.streams.used.store(Coarse::now().as_millis(), Relaxed);
        self.streams.room.notify_one();
    }
}

impl Tasks {
    pub(super) fn new(streams: Arc<Streams>, idle: Duration) -> Self {
        Self { streams, idle, connected: Arc::default() }
    }
}

/// The library has three kinds of tasks and does not tell them apart: the connection's, which is the
/// first one; those that send bodies, each of them right after it has asked the body for its first
/// piece; those that wait for responses.
impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        let body = self.streams.begun.lock().take();
        if !self.connected.swap(true, Relaxed) {
            tokio::spawn(Arc::clone(&self.streams).connect(task));
        } else if let Some(outlet) = body {
            tokio::spawn(while_taken_up(task, outlet, self.idle));
        } else {
            tokio::spawn(task);
        }
    }
}

/// Sends a body for as long as the upstream takes it up. One that is given up is dropped, and with it
/// what holds the stream open: the library resets it once its response has ended too.
async fn while_taken_up(task: impl Future<Output = ()>, outlet: Arc<Outlet>, idle: Duration) {
    tokio::select! {
        () = task => {}
        () = outlet.stalled(idle) => tracing::debug!(?idle, "an upstream takes up nothing of a body"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streams() -> Arc<Streams> {
        Arc::new(Streams::new(Arc::default()))
    }

    fn enter(streams: &Arc<Streams>, wanted: usize) -> Vec<Place> {
        (0..wanted).map_while(|_| streams.enter()).collect()
    }

    #[test]
    fn there_is_one_stream_until_the_peer_has_told_how_many_it_allows() {
        let streams = streams();
        streams.allow(UNTOLD);
        let first = enter(&streams, 9);
        assert_eq!(first.len(), 1);
        streams.allow(3);
        assert_eq!(enter(&streams, 9).len(), 2);
        drop(first);
        assert_eq!(enter(&streams, 9).len(), 3);
    }

    #[test]
    fn a_peer_may_allow_fewer_than_are_open() {
        let streams = streams();
        streams.allow(5);
        let open = enter(&streams, 5);
        streams.allow(2);
        assert_eq!((open.len(), enter(&streams, 1).len()), (5, 0));
        drop(open);
        assert_eq!(enter(&streams, 5).len(), 2);
        streams.allow(0);
        assert_eq!(enter(&streams, 1).len(), 0);
    }
}
