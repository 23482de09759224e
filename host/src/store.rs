//! Stores: small values that plugins share, by the names under which the configuration grants
//! them. One outlives reloads for as long as any generation names it.

mod memory;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use prometheus::IntCounterVec;

use self::memory::Memory;
use crate::{config::StoreLimits, plugin::Time};

/// Longest key, in bytes.
const MAX_KEY: usize = 1024;

pub(crate) type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// What can keep values. Each function is atomic, whoever else calls at the same time.
pub(crate) trait Store: Send + Sync {
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Bytes>>;

    /// `ttl`: how long the value stays; `None`: until it is deleted or evicted.
    fn set<'a>(&'a self, key: &'a str, value: Bytes, ttl: Option<Duration>) -> Answer<'a, ()>;

    /// Sets only where no value stands; `false`: one stood.
    fn add<'a>(&'a self, key: &'a str, value: Bytes, ttl: Option<Duration>) -> Answer<'a, bool>;

    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, ()>;

    /// Adds to a number in decimal text; one that is not there begins at 0, and only then `ttl`
    /// counts.
    fn increment<'a>(&'a self, key: &'a str, by: i64, ttl: Option<Duration>) -> Answer<'a, i64>;
}

/// Why a store did not do it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the key or value is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the value is not a number")]
    NotANumber,
    #[error("the sum does not fit into 64 bits")]
    Overflow,
}

/// The stores of the process.
pub(crate) struct Stores {
    /// Those that uses hold; the others are gone.
    open: Mutex<HashMap<String, Weak<Memory>>>,
    evictions: IntCounterVec,
    time: Time,
}

/// How much a store holds.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Size {
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
}

impl Stores {
    pub(crate) fn new(evictions: IntCounterVec, time: Time) -> Self {
        Self { open: Mutex::default(), evictions, time }
    }

    /// The store called `name`. One that is there already keeps its limits until
    /// [`Self::resize`]: nobody knows yet whether the configuration that asks will run.
    pub(crate) fn open(&self, name: &str, limits: &StoreLimits) -> Arc<dyn Store> {
        let mut open = self.open.lock();
        if let Some(store) = open.get(name).and_then(Weak::upgrade) {
            return store;
        }
        open.retain(|_, store| store.strong_count() > 0);
        let evictions = self.evictions.with_label_values(&[name]);
        let store = Arc::new(Memory::new(limits, evictions, self.time.clone()));
        open.insert(name.to_owned(), Arc::downgrade(&store));
        store
    }

    /// Brings the limits of a configuration that now runs to the stores it names.
    pub(crate) fn resize(&self, limits: &BTreeMap<String, StoreLimits>) {
        for (name, store) in self.each() {
            if let Some(limits) = limits.get(&name) {
                store.resize(limits);
            }
        }
    }

    /// Forgets what has expired. Not for a worker: there may be much.
    pub(crate) fn sweep(&self) {
        self.each().for_each(|(_, store)| store.sweep());
    }

    pub(crate) fn sizes(&self) -> impl Iterator<Item = (String, Size)> {
        self.each().map(|(name, store)| (name, store.size()))
    }

    fn each(&self) -> impl Iterator<Item = (String, Arc<Memory>)> + use<> {
        let open = self.open.lock();
        let live = open.iter().filter_map(|(name, store)| Some((name.clone(), store.upgrade()?)));
        live.collect::<Vec<_>>().into_iter()
    }
}

#[cfg(test)]
mod tests;
