//! Counts of the response cache.

use prometheus::{IntCounter, IntCounterVec};

use crate::cache::Unkept;

/// Resolved once: a look-up by label costs as much as one in the cache.
pub(crate) struct CacheMetrics {
    pub(crate) hits: IntCounter,
    pub(crate) misses: IntCounter,
    pub(crate) kept: IntCounter,
    /// In the order of [`Unkept::ALL`].
    pub(crate) unkept: [IntCounter; Unkept::ALL.len()],
    pub(crate) evictions: IntCounter,
}

impl CacheMetrics {
    pub(crate) fn new(
        requests: &IntCounterVec,
        puts: &IntCounterVec,
        evictions: &IntCounter,
    ) -> Self {
        Self {
            hits: requests.with_label_values(&["hit"]),
            misses: requests.with_label_values(&["miss"]),
            kept: puts.with_label_values(&["kept"]),
            unkept: Unkept::ALL.map(|why| puts.with_label_values(&[why.as_str()])),
            evictions: evictions.clone(),
        }
    }
}
