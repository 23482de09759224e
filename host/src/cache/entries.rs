//! What the cache holds under its lock: the entries, which of them have a tag, and what is on its
//! way in.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use super::{Purge, Stored, scoped};
use crate::bounded::{Bounded, Bounds, Removed, Why};

pub(super) struct Entries {
    stored: Bounded<Arc<Stored>>,
    /// By scope and tag, the keys of the entries that have it.
    tagged: HashMap<Arc<str>, HashSet<Arc<str>>>,
    /// Puts whose bodies have not ended. One that is no longer here was purged.
    pending: HashMap<u64, Pending>,
    next: u64,
}

struct Pending {
    key: Arc<str>,
    tags: Vec<Arc<str>>,
}

impl Entries {
    pub(super) fn new(bounds: Bounds) -> Self {
        let stored = Bounded::new(bounds);
        Self { stored, tagged: HashMap::new(), pending: HashMap::new(), next: 0 }
    }

    pub(super) fn get(&mut self, key: &str, now: Instant) -> Option<Arc<Stored>> {
        self.stored.get(key, now).map(|slot| Arc::clone(&slot.value))
    }

    /// Notes a put whose body is to come; gives its number.
    pub(super) fn begin(&mut self, key: &Arc<str>, tags: &[Arc<str>]) -> u64 {
        self.next += 1;
        let pending = Pending { key: Arc::clone(key), tags: tags.to_vec() };
        self.pending.insert(self.next, pending);
        self.next
    }

    /// Whether the put was still wanted.
    pub(super) fn end(&mut self, number: u64) -> bool {
        self.pending.remove(&number).is_some()
    }

    /// Makes a response visible; gives what had to go for it, and how much of that was evicted.
    pub(super) fn insert(
        &mut self,
        stored: Arc<Stored>,
        until: Option<Instant>,
        now: Instant,
    ) -> (Vec<Arc<Stored>>, usize) {
        let (key, size, tags) = (Arc::clone(&stored.key), stored.size(), stored.tags.clone());
        let removed = self.stored.insert(Arc::clone(&key), stored, size, until, now);
        let removed = self.forget(removed);
        // Its lifetime may have been over before its body was.
        if self.stored.get(&key, now).is_some() {
            for tag in tags {
                self.tagged.entry(tag).or_default().insert(Arc::clone(&key));
            }
        }
        removed
    }

    pub(super) fn delete(&mut self, key: &str) -> bool {
        self.pending.retain(|_, pending| *pending.key != *key);
        !self.remove(&[key]).is_empty()
    }

    /// The keys of the entries that a purge is to take out. What is on its way in and would be
    /// among them is ended here.
    pub(super) fn select(&mut self, scope: Option<&str>, what: Purge<'_>) -> Vec<Arc<str>> {
        let is_wanted = |name: &str, wanted: &str| match scope {
            Some(scope) => *scoped(scope, wanted) == *name,
            None => name.split_once('\n').is_some_and(|(_, name)| name == wanted),
        };
        let is_of_scope = |key: &str| {
            scope.is_none_or(|scope| key.split_once('\n').is_some_and(|(of, _)| of == scope))
        };
        self.pending.retain(|_, pending| match what {
            Purge::Key(key) => !is_wanted(&pending.key, key),
            Purge::Tag(tag) => !pending.tags.iter().any(|own| is_wanted(own, tag)),
            Purge::All => !is_of_scope(&pending.key),
        });
        match (what, scope) {
            (Purge::Key(key), Some(scope)) => vec![scoped(scope, key)],
            (Purge::Key(key), None) => {
                self.stored.keys().filter(|own| is_wanted(own, key)).cloned().collect()
            }
            (Purge::Tag(tag), Some(scope)) => {
                self.tagged.get(&scoped(scope, tag)).into_iter().flatten().cloned().collect()
            }
            (Purge::Tag(tag), None) => {
                let tagged = self.tagged.iter().filter(|(own, _)| is_wanted(own, tag));
                tagged.flat_map(|(_, keys)| keys).cloned().collect()
            }
            (Purge::All, _) => self.stored.keys().filter(|key| is_of_scope(key)).cloned().collect(),
        }
    }

    pub(super) fn remove<K: AsRef<str>>(&mut self, keys: &[K]) -> Vec<Arc<Stored>> {
        let removed: Vec<_> =
            keys.iter().filter_map(|key| self.stored.remove(key.as_ref())).collect();
        removed.iter().for_each(|stored| self.untag(stored));
        removed
    }

    pub(super) fn remove_expired(&mut self, most: usize, now: Instant) -> Vec<Arc<Stored>> {
        let removed = self.stored.remove_expired(most, now);
        self.forget(removed).0
    }

    pub(super) fn resize(&mut self, bounds: Bounds, now: Instant) -> (Vec<Arc<Stored>>, usize) {
        let removed = self.stored.resize(bounds, now);
        self.forget(removed)
    }

    pub(super) fn len(&self) -> usize {
        self.stored.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.stored.bytes()
    }

    fn forget(&mut self, removed: Vec<Removed<Arc<Stored>>>) -> (Vec<Arc<Stored>>, usize) {
        let evicted = removed.iter().filter(|removed| removed.why == Why::Evicted).count();
        let removed: Vec<_> = removed.into_iter().map(|removed| removed.value).collect();
        removed.iter().for_each(|stored| self.untag(stored));
        (removed, evicted)
    }

    fn untag(&mut self, stored: &Stored) {
        for tag in &stored.tags {
            if let Some(keys) = self.tagged.get_mut(tag) {
                keys.remove(&stored.key);
                if keys.is_empty() {
                    self.tagged.remove(tag);
                }
            }
        }
    }
}

#[cfg(test)]
impl Entries {
    pub(super) fn tags(&self) -> usize {
        self.tagged.len()
    }
}
