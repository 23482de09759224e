//! HTTP/2 connections of one worker to one address, which exchanges share.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::client::conn::http2::SendRequest;
use tokio::sync::Notify;

use super::{
    streams::{Place, Streams},
    upload::Upload,
};

/// Connections to one address for each worker. It bounds what a peer with a low limit on streams
/// costs: with the limit that most have, 100, it is more than any worker has exchanges at a time.
pub(super) const MAX_CONNECTIONS: usize = 32;

/// The connections, and whether one is being made.
#[derive(Default)]
pub(super) struct Shared {
    /// The oldest first.
    open: Vec<Connection>,
    opening: bool,
    /// Why the latest one could not be made, and how many could not so far.
    failed: (u64, String),
    /// Whether the endpoint speaks HTTP/2, as far as is known.
    spoken: bool,
    /// Told when there may be room.
    room: Arc<Notify>,
}

struct Connection {
    sender: SendRequest<Upload>,
    streams: Arc<Streams>,
    since: Instant,
}

/// A stream of a shared connection.
pub(super) struct Http2 {
    pub(super) sender: SendRequest<Upload>,
    pub(super) place: Place,
}

impl Shared {
    /// A stream of the first connection with room, so that the last ones become idle first. `after`:
    /// of one that was made after that.
    pub(super) fn enter(&mut self, after: Option<Instant>) -> Option<Http2> {
        self.open.retain(|connection| !connection.sender.is_closed());
        let mut young = self.open.iter().filter(|it| after.is_none_or(|after| it.since > after));
        young.find_map(|connection| {
            let place = connection.streams.enter()?;
            Some(Http2 { sender: connection.sender.clone(), place })
        })
    }

    /// Whether another one may be made now; if so, [`Self::opened`] says how that went. One is made
    /// at a time, and the next only once it is known how much room it has: it may do for all who
    /// wait.
    pub(super) fn may_open(&mut self) -> bool {
        let are_told = self.open.iter().all(|connection| connection.streams.are_told());
        let may = !self.opening && are_told && self.open.len() < MAX_CONNECTIONS;
        self.opening |= may;
        may
    }

    /// The one that was being made is there, or why it is not.
    pub(super) fn opened(&mut self, failed: Option<String>) {
        self.opening = false;
        if let Some(reason) = failed {
            self.failed = (self.failed.0 + 1, reason);
        }
        self.room.notify_waiters();
    }

    /// Adds one for the exchanges to come.
    pub(super) fn add(&mut self, sender: &SendRequest<Upload>, streams: &Arc<Streams>) {
        if self.open.len() < MAX_CONNECTIONS {
            let (sender, streams) = (sender.clone(), Arc::clone(streams));
            self.open.push(Connection { sender, streams, since: Instant::now() });
        }
    }

    /// Gives it to no other exchanges; those that it has go on.
    pub(super) fn remove(&mut self, streams: &Arc<Streams>) {
        self.open.retain(|connection| !Arc::ptr_eq(&connection.streams, streams));
        self.room.notify_waiters();
    }

    /// Closes those that have been idle for too long, or are idle and more than may be.
    pub(super) fn sweep(&mut self, max_age: Duration, max_idle: usize) {
        let mut idle = 0;
        self.open.retain(|connection| {
            if connection.sender.is_closed() {
                return false;
            }
            if !connection.streams.are_idle() {
                return true;
            }
            idle += 1;
            idle <= max_idle && connection.streams.unused() < max_age
        });
    }

    /// What the endpoint was found to speak.
    pub(super) fn speaks(&mut self, http2: bool) {
        self.spoken = http2;
    }

    /// Whether the endpoint was last spoken to over HTTP/2.
    pub(super) fn is_spoken(&self) -> bool {
        self.spoken
    }

    /// How many could not be made so far, and why the latest could not.
    pub(super) fn failures(&self) -> (u64, &str) {
        (self.failed.0, &self.failed.1)
    }

    pub(super) fn room(&self) -> Arc<Notify> {
        Arc::clone(&self.room)
    }
}
