//! The cache.

use std::time::Duration;

use super::bindings::tollgate::plugin::cache;
use super::message::Response;

pub(crate) struct Entry(cache::Entry);

impl Entry {
    pub(crate) fn metadata(&self) -> String {
        self.0.metadata()
    }
    pub(crate) fn age_ms(&self) -> u64 {
        self.0.age_ms()
    }
    pub(crate) fn response(&self) -> Response {
        Response(self.0.response())
    }
}

pub(crate) fn cache_get(key: &str) -> Option<Entry> {
    cache::get(key).map(Entry)
}

pub(crate) fn cache_put(
    key: &str,
    metadata: &str,
    tags: &[String],
    ttl: Duration,
    response: &Response,
) {
    let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
    cache::put(key, metadata, tags, ttl, &response.0);
}

pub(crate) fn cache_delete(key: &str) -> bool {
    cache::delete(key)
}

pub(crate) fn cache_purge(tag: &str) -> u32 {
    cache::purge(tag)
}
