//! Stores.

use std::time::Duration;

use super::bindings::tollgate::plugin::store;
use super::millis;
use crate::store::StoreError;

pub(crate) fn store_get(store: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    store::get(store, key).map_err(store_error)
}

pub(crate) fn store_set(
    store: &str,
    key: &str,
    value: &[u8],
    ttl: Option<Duration>,
) -> Result<(), StoreError> {
    store::set(store, key, value, millis(ttl)).map_err(store_error)
}

pub(crate) fn store_add(
    store: &str,
    key: &str,
    value: &[u8],
    ttl: Option<Duration>,
) -> Result<bool, StoreError> {
    store::add(store, key, value, millis(ttl)).map_err(store_error)
}

pub(crate) fn store_delete(store: &str, key: &str) -> Result<(), StoreError> {
    store::delete(store, key).map_err(store_error)
}

pub(crate) fn store_increment(
    store: &str,
    key: &str,
    by: i64,
    ttl: Option<Duration>,
) -> Result<i64, StoreError> {
    store::increment(store, key, by, millis(ttl)).map_err(store_error)
}

fn store_error(error: store::StoreError) -> StoreError {
    match error {
        store::StoreError::NotGranted => StoreError::NotGranted,
        store::StoreError::Unavailable(why) => StoreError::Unavailable(why),
        store::StoreError::TooLarge(limit) => StoreError::TooLarge(limit),
    }
}
