//! An address that gave no connection rests for a moment, while others take its turns.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use crate::clock::Coarse;

/// How long an address rests until it is tried again.
const REST: Duration = Duration::from_secs(1);

/// 0 of an address that connected when it was asked last; else when it may be tried again.
#[derive(Default)]
pub(super) struct Rest(AtomicU64);

impl Rest {
    pub(super) fn is_over(&self) -> bool {
        self.0.load(Relaxed) == 0
    }

    /// Whether it is time to try it again; true for one that asks.
    pub(super) fn may_be_tried(&self) -> bool {
        let end = self.0.load(Relaxed);
        let takes = || self.0.compare_exchange(end, Self::from_now(), Relaxed, Relaxed).is_ok();
        Coarse::now().as_millis() >= end && takes()
    }

    /// Gives whether it did not rest before.
    pub(super) fn begin(&self) -> bool {
        self.0.swap(Self::from_now(), Relaxed) == 0
    }

    /// Gives whether it rested before.
    pub(super) fn end(&self) -> bool {
        self.0.swap(0, Relaxed) != 0
    }

    fn from_now() -> u64 {
        let rest = REST.as_millis() as u64;
        Coarse::now().as_millis() + rest
    }
}
