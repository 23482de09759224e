//! The counts of one bucket by key, and no more of them than it may have.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use governor::{
    nanos::Nanos,
    state::{
        NotKeyed, StateStore,
        keyed::{DashMapStateStore, ShrinkableKeyedStateStore},
    },
};

/// What new keys count as where there are too many. No real key holds a NUL.
const OVERFLOW: &str = "\0overflow";

pub(super) struct Keys {
    states: DashMapStateStore<String>,
    /// Keys that have been given a place.
    known: AtomicUsize,
    most: usize,
    is_full: AtomicBool,
    overflow: String,
}

impl Keys {
    pub(super) fn new(most: usize) -> Self {
        Self {
            states: DashMapStateStore::default(),
            known: AtomicUsize::new(0),
            most,
            is_full: AtomicBool::new(false),
            overflow: OVERFLOW.to_owned(),
        }
    }

    /// Two workers that meet a key at the same time take two places for it, until the next sweep.
    fn take_place(&self) -> bool {
        let taken = self
            .known
            .fetch_update(Relaxed, Relaxed, |known| (known < self.most).then_some(known + 1));
        if taken.is_err() && !self.is_full.swap(true, Relaxed) {
            tracing::warn!(keys = self.most, "a rate limit has as many keys as it may");
        }
        taken.is_ok()
    }
}

impl StateStore for Keys {
    type Key = String;

    fn measure_and_replace<T, F, E>(&self, key: &String, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        if let Some(state) = self.states.get(key) {
            return state.measure_and_replace(&NotKeyed::NonKey, f);
        }
        let key = if self.take_place() { key } else { &self.overflow };
        self.states.measure_and_replace(key, f)
    }
}

impl ShrinkableKeyedStateStore<String> for Keys {
    fn retain_recent(&self, drop_below: Nanos) {
        self.states.retain_recent(drop_below);
        // Of the keys that come while they are counted, none is left out.
        let before = self.known.load(Relaxed);
        let left = self.states.len();
        let update = |known: usize| Some((left + known.saturating_sub(before)).min(self.most));
        let _ = self.known.fetch_update(Relaxed, Relaxed, update);
        if left < self.most {
            self.is_full.store(false, Relaxed);
        }
    }

    fn shrink_to_fit(&self) {
        self.states.shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.states.len()
    }

    fn is_empty(&self) -> bool {
        self.states.is_empty()
    }
}
