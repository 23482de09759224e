//! Small values with a time to live, shared like rate limits. Needs
//! [`Need::Store`](crate::Need::Store).

use std::fmt;
use std::time::Duration;

use crate::sys;

/// A store by its name in the configuration.
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

    /// The value of a key.
    ///
    /// # Errors
    ///
    /// See [`StoreError`]; so for all methods.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        sys::store_get(&self.name, key)
    }

    /// Sets a value, for `ttl` or until it is deleted.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub fn set(&self, key: &str, value: &[u8], ttl: Option<Duration>) -> Result<(), StoreError> {
        sys::store_set(&self.name, key, value, ttl)
    }

    /// Sets a value only where none stands; `false`: one stood.
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

    /// Adds to a number, which starts at 0, and returns the sum.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub fn increment(&self, key: &str, by: i64, ttl: Option<Duration>) -> Result<i64, StoreError> {
        sys::store_increment(&self.name, key, by, ttl)
    }
}

/// Why a store did not do it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StoreError {
    /// The configuration has not granted this store to the plugin.
    NotGranted,
    /// The store is out of reach.
    Unavailable(String),
    /// The value is larger than so many bytes.
    TooLarge(u64),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGranted => f.write_str("the store is not granted to this plugin"),
            Self::Unavailable(why) => write!(f, "the store is out of reach: {why}"),
            Self::TooLarge(limit) => write!(f, "the value is larger than {limit} bytes"),
        }
    }
}

impl std::error::Error for StoreError {}
