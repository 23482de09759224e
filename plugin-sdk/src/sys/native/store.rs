//! Stores in memory, by the gateway's rules but for the bounds of the store as a whole.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::world;
use crate::store::StoreError;

/// The gateway's limit for keys, and its default for values, in bytes.
const MAX_KEY: usize = 1024;
const MAX_VALUE: usize = 1 << 20;

/// What the stores of a test hold.
#[derive(Default)]
pub(crate) struct Stores {
    /// By store and key.
    values: BTreeMap<(String, String), Value>,
    pub(crate) refused: bool,
}

#[derive(Clone)]
struct Value {
    bytes: Vec<u8>,
    until: Option<SystemTime>,
}

impl Stores {
    pub(crate) fn get(&self, store: &str, key: &str, now: SystemTime) -> Option<Vec<u8>> {
        self.live(store, key, now).map(|value| value.bytes.clone())
    }

    fn live(&self, store: &str, key: &str, now: SystemTime) -> Option<&Value> {
        let value = self.values.get(&(store.to_owned(), key.to_owned()));
        value.filter(|value| value.until.is_none_or(|until| until > now))
    }

    fn put(&mut self, store: &str, key: &str, bytes: &[u8], until: Option<SystemTime>) {
        let value = Value { bytes: bytes.to_vec(), until };
        self.values.insert((store.to_owned(), key.to_owned()), value);
    }
}

/// Looks at the stores, at the time of the test, if they are granted.
fn stores<T>(
    key: &str,
    look: impl FnOnce(&mut Stores, SystemTime) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    world(|world| {
        if world.stores.refused {
            return Err(StoreError::NotGranted);
        }
        check(key.len(), MAX_KEY)?;
        look(&mut world.stores, world.now)
    })
}

fn check(length: usize, limit: usize) -> Result<(), StoreError> {
    if length > limit { Err(StoreError::TooLarge(limit as u64)) } else { Ok(()) }
}

pub(crate) fn store_get(store: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    stores(key, |stores, now| Ok(stores.get(store, key, now)))
}

pub(crate) fn store_set(
    store: &str,
    key: &str,
    value: &[u8],
    ttl: Option<Duration>,
) -> Result<(), StoreError> {
    check(value.len(), MAX_VALUE)?;
    stores(key, |stores, now| {
        stores.put(store, key, value, ttl.map(|ttl| now + ttl));
        Ok(())
    })
}

pub(crate) fn store_add(
    store: &str,
    key: &str,
    value: &[u8],
    ttl: Option<Duration>,
) -> Result<bool, StoreError> {
    check(value.len(), MAX_VALUE)?;
    stores(key, |stores, now| {
        let free = stores.live(store, key, now).is_none();
        if free {
            stores.put(store, key, value, ttl.map(|ttl| now + ttl));
        }
        Ok(free)
    })
}

pub(crate) fn store_delete(store: &str, key: &str) -> Result<(), StoreError> {
    stores(key, |stores, _| {
        stores.values.remove(&(store.to_owned(), key.to_owned()));
        Ok(())
    })
}

pub(crate) fn store_increment(
    store: &str,
    key: &str,
    by: i64,
    ttl: Option<Duration>,
) -> Result<i64, StoreError> {
    stores(key, |stores, now| {
        let (number, until) = match stores.live(store, key, now) {
            Some(value) => (number(&value.bytes)?, value.until),
            None => (0, ttl.map(|ttl| now + ttl)),
        };
        let overflow = || StoreError::Unavailable("the sum does not fit into 64 bits".to_owned());
        let sum = number.checked_add(by).ok_or_else(overflow)?;
        stores.put(store, key, sum.to_string().as_bytes(), until);
        Ok(sum)
    })
}

fn number(value: &[u8]) -> Result<i64, StoreError> {
    let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| StoreError::Unavailable("the value is not a number".to_owned()))
}
