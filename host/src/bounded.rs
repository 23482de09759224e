//! A map that never grows beyond its bounds: what has expired goes first, then what was used
//! longest ago. It does no I/O and knows no clock of its own.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use lru::LruCache;

/// What an entry costs beside its key and value, in bytes: the key stands in the map and in the
/// order of expiry, each with its links.
pub(crate) const OVERHEAD: usize = 128;

/// How far a [`Bounded`] may grow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) bytes: usize,
    pub(crate) entries: usize,
}

pub(crate) struct Bounded<V> {
    /// Ordered by use. Its own capacity is not used: bytes count too, and time.
    slots: LruCache<Arc<str>, Slot<V>>,
    /// Of the entries that will expire, the next one first.
    expiries: BTreeSet<(Instant, Arc<str>)>,
    bytes: usize,
    bounds: Bounds,
}

/// An entry that has not expired.
pub(crate) struct Slot<V> {
    pub(crate) value: V,
    /// `None`: until it is removed or evicted.
    pub(crate) until: Option<Instant>,
    cost: usize,
}

/// An entry that is no longer in the map; to be dropped where no lock is held.
#[derive(Debug)]
pub(crate) struct Removed<V> {
    pub(crate) value: V,
    pub(crate) why: Why,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Why {
    /// By another value under its key.
    Replaced,
    Expired,
    /// To make room.
    Evicted,
}

impl<V> Bounded<V> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { slots: LruCache::unbounded(), expiries: BTreeSet::new(), bytes: 0, bounds }
    }

    /// An entry, which counts as used now.
    pub(crate) fn get(&mut self, key: &str, now: Instant) -> Option<&Slot<V>> {
        self.slots.get(key).filter(|slot| slot.is_live(now))
    }

    /// Puts a value in place of what stood under `key`, and gives what had to go for it.
    ///
    /// `size` is what the value takes, in bytes; the key and [`OVERHEAD`] are added to it. An
    /// entry that is larger than all there may be, or that would have expired already, is not
    /// taken up; what stood there goes all the same.
    pub(crate) fn insert(
        &mut self,
        key: Arc<str>,
        value: V,
        size: usize,
        until: Option<Instant>,
        now: Instant,
    ) -> Vec<Removed<V>> {
        let mut removed = Vec::new();
        removed.extend(self.take(&key, Why::Replaced));
        let cost = size.saturating_add(key.len() + OVERHEAD);
        let slot = Slot { value, until, cost };
        if cost > self.bounds.bytes || !slot.is_live(now) {
            return removed;
        }
        let room = Bounds {
            bytes: self.bounds.bytes - cost,
            entries: self.bounds.entries.saturating_sub(1),
        };
        self.shrink(room, now, &mut removed);
        self.bytes += cost;
        self.expiries.extend(until.map(|until| (until, Arc::clone(&key))));
        self.slots.put(key, slot);
        removed
    }

    /// Takes an entry out, expired or not.
    pub(crate) fn remove(&mut self, key: &str) -> Option<V> {
        self.take(key, Why::Replaced).map(|removed| removed.value)
    }

    /// Takes out what has expired, `most` entries at a time.
    pub(crate) fn remove_expired(&mut self, most: usize, now: Instant) -> Vec<Removed<V>> {
        let mut removed = Vec::new();
        while removed.len() < most
            && let Some(key) = self.next_expired(now)
        {
            removed.extend(self.take(&key, Why::Expired));
        }
        removed
    }

    /// Sets other bounds, and gives what is beyond them.
    pub(crate) fn resize(&mut self, bounds: Bounds, now: Instant) -> Vec<Removed<V>> {
        let mut removed = Vec::new();
        self.bounds = bounds;
        self.shrink(bounds, now, &mut removed);
        removed
    }

    /// All keys, in no order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.slots.iter().map(|(key, _)| key)
    }

    /// Entries, those included that have expired and still take their room.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn bounds(&self) -> Bounds {
        self.bounds
    }

    fn shrink(&mut self, bounds: Bounds, now: Instant, removed: &mut Vec<Removed<V>>) {
        while self.bytes > bounds.bytes || self.slots.len() > bounds.entries {
            let expired = self.next_expired(now).and_then(|key| self.take(&key, Why::Expired));
            let Some(next) = expired.or_else(|| self.evict()) else { return };
            removed.push(next);
        }
    }

    fn evict(&mut self) -> Option<Removed<V>> {
        let key = Arc::clone(self.slots.peek_lru()?.0);
        self.take(&key, Why::Evicted)
    }

    fn next_expired(&self, now: Instant) -> Option<Arc<str>> {
        let (until, key) = self.expiries.first()?;
        (*until <= now).then(|| Arc::clone(key))
    }

    fn take(&mut self, key: &str, why: Why) -> Option<Removed<V>> {
        let (key, slot) = self.slots.pop_entry(key)?;
        self.bytes -= slot.cost;
        if let Some(until) = slot.until {
            self.expiries.remove(&(until, Arc::clone(&key)));
        }
        Some(Removed { value: slot.value, why })
    }
}

impl<V> Slot<V> {
    fn is_live(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

#[cfg(test)]
mod tests;
