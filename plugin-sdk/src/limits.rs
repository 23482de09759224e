//! Rate limits, shared by all instances and workers, and all gateways with a shared state store.

use std::fmt;

use crate::sys;

/// How much a key may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quota {
    /// So many in a window; at least 1.
    pub limit: u32,
    /// The window's length in milliseconds; at least 1.
    pub window_ms: u32,
    /// So many at once; by default as many as in a window.
    pub burst: Option<u32>,
}

/// What the limiter says, and what is left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Decision {
    /// Whether there was enough.
    pub allowed: bool,
    /// The quota's limit.
    pub limit: u32,
    /// What could be had now.
    pub remaining: u32,
    /// Milliseconds until the same would be allowed; 0 when it was.
    pub retry_after_ms: u32,
    /// Milliseconds until the full quota is there again.
    pub reset_after_ms: u32,
}

/// Takes `cost` of the quota that `key` has in `bucket`; nothing is taken when it is not enough.
///
/// # Errors
///
/// The store is out of reach; what then is the plugin's to say.
pub fn take(bucket: &str, key: &str, quota: Quota, cost: u32) -> Result<Decision, LimitError> {
    sys::take(bucket, key, quota, cost)
}

/// The store of the limits is out of reach.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LimitError(pub String);

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store of the limits is out of reach: {}", self.0)
    }
}

impl std::error::Error for LimitError {}
