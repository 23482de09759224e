//! The time that plugins see: the system's, or one that stands still where a test put it.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use governor::{
    clock::{Clock, DefaultClock, Reference},
    nanos::Nanos,
};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

/// What the clocks of guests and of rate limits show.
#[derive(Clone, Default)]
pub(crate) enum Time {
    #[default]
    System,
    Stated(Stated),
}

/// A clock that moves only when it is told to. Clones are the same clock.
#[derive(Clone, Default)]
pub(crate) struct Stated(Arc<AtomicU64>);

impl Stated {
    /// Moments before 1970 become 1970.
    pub(crate) fn set(&self, now: SystemTime) {
        self.0.store(nanos(now.duration_since(UNIX_EPOCH).unwrap_or_default()), Ordering::Relaxed);
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(nanos(by), Ordering::Relaxed);
    }

    fn nanos(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Time {
    /// Now, for what expires.
    pub(crate) fn instant(&self) -> Instant {
        /// The moment that a stated clock calls 1970.
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        match self {
            Self::System => Instant::now(),
            Self::Stated(stated) => *START + Duration::from_nanos(stated.nanos()),
        }
    }

    /// Gives a guest its clocks.
    pub(super) fn put_into(&self, wasi: &mut WasiCtxBuilder) {
        if let Self::Stated(stated) = self {
            wasi.wall_clock(stated.clone()).monotonic_clock(stated.clone());
        }
    }
}

impl HostWallClock for Stated {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.nanos())
    }
}

impl HostMonotonicClock for Stated {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.nanos()
    }
}

/// Time as rate limits count it: from when the clock was made.
#[derive(Clone, Debug)]
pub(super) enum LimitClock {
    System { clock: DefaultClock, start: <DefaultClock as Clock>::Instant },
    Stated(Arc<AtomicU64>),
}

impl LimitClock {
    pub(super) fn new(time: &Time) -> Self {
        match time {
            Time::System => {
                let clock = DefaultClock::default();
                Self::System { start: clock.now(), clock }
            }
            Time::Stated(stated) => Self::Stated(Arc::clone(&stated.0)),
        }
    }
}

impl Clock for LimitClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        match self {
            Self::System { clock, start } => clock.now().duration_since(*start),
            Self::Stated(now) => now.load(Ordering::Relaxed).into(),
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
