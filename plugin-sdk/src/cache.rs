//! Storage for whole responses; the policy is the plugin's. Needs
//! [`Need::Cache`](crate::Need::Cache): to a plugin without the grant it is a cache that holds
//! nothing.
//!
//! A key is the plugin's own: what is stored under it is seen by the uses of the same entry of
//! `plugins` and by no other. The cache is bounded: a response may go before its time.

use std::time::Duration;

use crate::response::Response;
use crate::sys;

/// A stored response.
pub struct Entry {
    sys: sys::Entry,
}

impl Entry {
    /// What the plugin stored with it.
    #[must_use]
    pub fn metadata(&self) -> String {
        self.sys.metadata()
    }

    /// How long ago it was put; the time that its body took to come counts.
    #[must_use]
    pub fn age(&self) -> Duration {
        Duration::from_millis(self.sys.age_ms())
    }

    /// The response, to answer with. To read its body needs
    /// [`Need::ResponseBody`](crate::Need::ResponseBody). An instance holds at most 16 entries at
    /// a time.
    #[must_use]
    pub fn response(&self) -> Response {
        Response { sys: self.sys.response() }
    }
}

/// What is stored under `key`.
#[must_use]
pub fn get(key: &str) -> Option<Entry> {
    sys::cache_get(key).map(|sys| Entry { sys })
}

/// Stores a response while it streams to the client: the upstream's, a fetched one, or one that
/// the plugin answers with. It becomes visible when its body has ended well, and never otherwise;
/// in tests at once.
///
/// Status, headers and body are stored as they are now. What later hooks change is not stored; a
/// body that is replaced before anybody has read it to its end leaves nothing behind. Neither does
/// a response to `HEAD`, one that is larger than the cache allows, whose length is not the stated
/// one, or that has trailers. A key has at most 4 KiB, and an entry 64 tags of 256 bytes.
pub fn put(key: &str, metadata: &str, tags: &[String], ttl: Duration, response: &Response) {
    sys::cache_put(key, metadata, tags, ttl, &response.sys);
}

/// Removes what is stored under `key`; `false`: nothing was.
pub fn delete(key: &str) -> bool {
    sys::cache_delete(key)
}

/// Removes everything with a tag and says how much that was.
pub fn purge(tag: &str) -> u32 {
    sys::cache_purge(tag)
}
