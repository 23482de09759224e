//! Small values with a time to live, shared by all plugins that are granted the same store, by
//! all their instances and workers. They outlive reloads, not the gateway. Needs
//! [`Need::Store`](crate::Need::Store).
//!
//! A store is bounded: where it is full, what has expired makes room first, then what was used
//! longest ago. So a value may go before its time, and a plugin has to live without it.

use std::fmt;
use std::time::Duration;

use crate::sys;

/// A store that the configuration grants.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Store {
    name: String,
}

impl Store {
    /// The store called `name`; whether it is there and granted shows when it is used.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned() }
    }

    /// The first store that the use was granted, whatever it is called.
    #[must_use]
    pub fn granted() -> Self {
        Self { name: String::new() }
    }

    /// The value of a key.
    ///
    /// # Errors
    ///
    /// See [`StoreError`]; so for all methods.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        sys::store_get(&self.name, key)
    }

    /// Sets a value, for `ttl` or until it is deleted or makes room. Keys have at most 1 KiB.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub fn set(&self, key: &str, value: &[u8], ttl: Option<Duration>) -> Result<(), StoreError> {
        sys::store_set(&self.name, key, value, ttl)
    }

    /// Sets a value only where none stands; `false`: one stood. Of all who add at the same time one
    /// gets `true`.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub fn add(&self, key: &str, value: &[u8], ttl: Option<Duration>) -> Result<bool, StoreError> {
        sys::store_add(&self.name, key, value, ttl)
    }

    /// Removes a value.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub fn delete(&self, key: &str) -> Result<(), StoreError> {
        sys::store_delete(&self.name, key)
    }

    /// Adds to a number and returns the sum. None is lost, whoever else adds.
    ///
    /// A number that is not there, or has expired, begins at 0, and `ttl` counts from there: later
    /// increments leave the time alone. The value is decimal text, such as `-12`.
    ///
    /// # Errors
    ///
    /// See [`StoreError`]; [`Unavailable`](StoreError::Unavailable) also where the value is no
    /// number, or the sum does not fit an `i64`. The value then stays as it is.
    pub fn increment(&self, key: &str, by: i64, ttl: Option<Duration>) -> Result<i64, StoreError> {
        sys::store_increment(&self.name, key, by, ttl)
    }
}

/// Why a store did not do it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StoreError {
    /// The configuration has not granted this store to the plugin.
    NotGranted,
    /// The store is out of reach, or cannot do this with the value that it has; the text says why.
    Unavailable(String),
    /// The key or the value is larger than so many bytes.
    TooLarge(u64),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGranted => f.write_str(
                "the store is not granted to this plugin: its use has to name it in `grants.stores`",
            ),
            Self::Unavailable(why) => write!(f, "the store cannot do it: {why}"),
            Self::TooLarge(limit) => write!(f, "the key or value is larger than {limit} bytes"),
        }
    }
}

impl std::error::Error for StoreError {}
