//! Storage for whole responses; the policy is the plugin's. Needs
//! [`Need::Cache`](crate::Need::Cache).

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

    /// How long ago it was stored.
    #[must_use]
    pub fn age(&self) -> Duration {
        Duration::from_millis(self.sys.age_ms())
    }

    /// The response, to answer with.
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

/// Stores a response while it streams to the client. It becomes visible when its body has ended
/// well, and never otherwise.
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
