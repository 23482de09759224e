//! How much is kept.

/// How much a store may hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoreLimits {
    /// Keys and values, and 128 bytes for each entry. Default 16 MiB.
    pub max_bytes: usize,
    /// Default 100,000.
    pub max_entries: usize,
    /// One value, in bytes. Default 1 MiB, or `max_bytes` if that is less.
    pub max_value: usize,
}

/// How much the response cache may hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CacheLimits {
    /// Whole responses, and 128 bytes for each. Default 64 MiB.
    pub max_bytes: usize,
    /// One response. Default 1 MiB, or `max_bytes` if that is less.
    pub max_entry: usize,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self { max_bytes: 64 << 20, max_entry: 1 << 20 }
    }
}
