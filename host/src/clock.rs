//! A clock that costs one load to read. The ticker thread of [`crate::plugin::engine`] moves it
//! on, so it is as fine as a tick; time-outs of seconds need no more.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);
static NOW_MS: AtomicU64 = AtomicU64::new(0);

/// Milliseconds since the process started.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Coarse(u64);

impl Coarse {
    pub(crate) fn now() -> Self {
        Self(NOW_MS.load(Ordering::Relaxed))
    }

    pub(crate) fn elapsed(self) -> Duration {
        Duration::from_millis(Self::now().0.saturating_sub(self.0))
    }

    pub(crate) fn as_millis(self) -> u64 {
        self.0
    }

    pub(crate) fn from_millis(millis: u64) -> Self {
        Self(millis)
    }
}

/// Moves the clock on; called by the ticker thread only.
pub(crate) fn advance() {
    let elapsed = STARTED.elapsed().as_millis();
    NOW_MS.store(u64::try_from(elapsed).unwrap_or(u64::MAX), Ordering::Relaxed);
}
