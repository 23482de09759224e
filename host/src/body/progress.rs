//! How far a body has come, for those who time or count the exchange while somebody else reads it.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::BodyError;
use crate::clock::Coarse;

/// How far a body on its way up has come; outlives the body.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    bytes: AtomicU64,
    last: AtomicU64,
    done: AtomicBool,
    /// Somebody waits for the client's next piece.
    awaited: AtomicBool,
    /// Why it broke off.
    failure: OnceLock<BodyError>,
}

impl Progress {
    /// Of a body that begins now.
    pub(crate) fn begin() -> Self {
        let progress = Self::default();
        progress.moved();
        progress
    }

    pub(crate) fn moved(&self) {
        self.last.store(Coarse::now().as_millis(), Ordering::Relaxed);
    }

    /// Counts bytes that have come, and gives all so far.
    pub(crate) fn count(&self, bytes: u64) -> u64 {
        self.moved();
        self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    pub(super) fn set_awaited(&self, awaited: bool) {
        self.awaited.store(awaited, Ordering::Relaxed);
    }

    pub(super) fn fail(&self, error: &BodyError) {
        let _ = self.failure.set(error.clone());
    }

    pub(crate) fn failure(&self) -> Option<BodyError> {
        self.failure.get().cloned()
    }

    pub(super) fn end(&self) {
        self.done.store(true, Ordering::Relaxed);
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

    pub(crate) fn since_last(&self) -> Duration {
        Coarse::from_millis(self.last.load(Ordering::Relaxed)).elapsed()
    }
}
