//! A store in this process: gone with it, and not shared with other gateways.

use std::{
    future::ready,
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::Mutex;
use prometheus::IntCounter;

use super::{Answer, MAX_KEY, Size, Store, StoreError};
use crate::{
    bounded::{Bounded, Bounds, OVERHEAD, Removed, Why},
    config::StoreLimits,
    plugin::Time,
};

/// Expired entries that one hold of the lock takes out.
const SWEEP: usize = 1000;

pub(super) struct Memory {
    /// One lock for all of it, held for the length of one look-up or change: what is counted
    /// under it is exact.
    values: Mutex<Values>,
    evictions: IntCounter,
    time: Time,
}

struct Values {
    bounded: Bounded<Bytes>,
    max_value: usize,
}

impl Memory {
    pub(super) fn new(limits: &StoreLimits, evictions: IntCounter, time: Time) -> Self {
        let bounded = Bounded::new(bounds(limits));
        let values = Mutex::new(Values { bounded, max_value: limits.max_value });
        Self { values, evictions, time }
    }

    pub(super) fn resize(&self, limits: &StoreLimits) {
        let removed = {
            let mut values = self.values.lock();
            values.max_value = limits.max_value;
            values.bounded.resize(bounds(limits), self.time.instant())
        };
        self.count(&removed);
    }

    pub(super) fn sweep(&self) {
        loop {
            let removed = self.values.lock().bounded.remove_expired(SWEEP, self.time.instant());
            if removed.len() < SWEEP {
                return;
            }
        }
    }

    pub(super) fn size(&self) -> Size {
        let values = self.values.lock();
        Size { entries: values.bounded.len(), bytes: values.bounded.bytes() }
    }

    fn count(&self, removed: &[Removed<Bytes>]) {
        let evicted = removed.iter().filter(|removed| removed.why == Why::Evicted).count();
        self.evictions.inc_by(evicted as u64);
    }

    /// Runs `change` under the lock, and drops what had to go for it after.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Values, Instant) -> Result<(T, Vec<Removed<Bytes>>), StoreError>,
    ) -> Result<T, StoreError> {
        let now = self.time.instant();
        let changed = change(&mut self.values.lock(), now);
        let (output, removed) = changed?;
        self.count(&removed);
        Ok(output)
    }
}

impl Store for Memory {
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Bytes>> {
        let found = check_key(key).map(|()| {
            let mut values = self.values.lock();
            values.bounded.get(key, self.time.instant()).map(|slot| slot.value.clone())
        });
        Box::pin(ready(found))
    }

    fn set<'a>(&'a self, key: &'a str, value: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
        let set =
            self.change(|values, now| Ok(((), values.put(key, value, after(now, ttl), now)?)));
        Box::pin(ready(set))
    }

    fn add<'a>(&'a self, key: &'a str, value: Bytes, ttl: Option<Duration>) -> Answer<'a, bool> {
        let added = self.change(|values, now| {
            values.check(key, &value)?;
            if values.bounded.get(key, now).is_some() {
                return Ok((false, Vec::new()));
            }
            Ok((true, values.put(key, value, after(now, ttl), now)?))
        });
        Box::pin(ready(added))
    }

    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, ()> {
        let removed = self.values.lock().bounded.remove(key);
        drop(removed);
        Box::pin(ready(check_key(key)))
    }

    fn increment<'a>(&'a self, key: &'a str, by: i64, ttl: Option<Duration>) -> Answer<'a, i64> {
        let sum = self.change(|values, now| {
            check_key(key)?;
            let (number, until) = match values.bounded.get(key, now) {
                Some(slot) => (number(&slot.value)?, slot.until),
                None => (0, after(now, ttl)),
            };
            let sum = number.checked_add(by).ok_or(StoreError::Overflow)?;
            Ok((sum, values.put(key, Bytes::from(sum.to_string()), until, now)?))
        });
        Box::pin(ready(sum))
    }
}

impl Values {
    fn put(
        &mut self,
        key: &str,
        value: Bytes,
        until: Option<Instant>,
        now: Instant,
    ) -> Result<Vec<Removed<Bytes>>, StoreError> {
        self.check(key, &value)?;
        let size = value.len();
        Ok(self.bounded.insert(key.into(), value, size, until, now))
    }

    fn check(&self, key: &str, value: &Bytes) -> Result<(), StoreError> {
        check_key(key)?;
        // A value that fills the store alone is as much too large as one above its own limit.
        let room = self.bounded.bounds().bytes.saturating_sub(key.len() + OVERHEAD);
        let limit = self.max_value.min(room);
        if value.len() > limit {
            return Err(StoreError::TooLarge { limit: limit as u64 });
        }
        Ok(())
    }
}

fn bounds(limits: &StoreLimits) -> Bounds {
    Bounds { bytes: limits.max_bytes, entries: limits.max_entries }
}

fn check_key(key: &str) -> Result<(), StoreError> {
    if key.len() > MAX_KEY {
        return Err(StoreError::TooLarge { limit: MAX_KEY as u64 });
    }
    Ok(())
}

/// A time to live that the clock cannot hold never ends.
fn after(now: Instant, ttl: Option<Duration>) -> Option<Instant> {
    now.checked_add(ttl?)
}

fn number(value: &[u8]) -> Result<i64, StoreError> {
    let text = std::str::from_utf8(value).map_err(|_| StoreError::NotANumber)?;
    text.parse().map_err(|_| StoreError::NotANumber)
}
