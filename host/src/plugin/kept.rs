//! What outlives a generation: it goes on for as long as one of the generations that know it runs.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;

/// Values by what they belong to.
pub(super) struct Kept<T>(Mutex<HashMap<String, Weak<T>>>);

impl<T> Kept<T> {
    pub(super) fn get(&self, key: &str) -> Option<Arc<T>> {
        self.0.lock().get(key).and_then(Weak::upgrade)
    }

    /// The one that is kept under `key`, from now on if there was none.
    pub(super) fn keep(&self, key: String, value: T) -> Arc<T> {
        let mut kept = self.0.lock();
        kept.retain(|_, value| value.strong_count() > 0);
        if let Some(known) = kept.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        let value = Arc::new(value);
        kept.insert(key, Arc::downgrade(&value));
        value
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}
