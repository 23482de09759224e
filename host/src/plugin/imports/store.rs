//! `store`: values in the stores that the use was granted.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use wasmtime::Result;

use crate::{
    plugin::{
        bindings::tollgate::plugin::store::{Host, StoreError},
        denied::Lack,
        reached::Limit,
        state::State,
    },
    store::{self, Store},
};

type Answer<T> = Result<Result<T, StoreError>>;

impl Host for State {
    async fn get(&mut self, store: String, key: String) -> Answer<Option<Vec<u8>>> {
        let Some(store) = self.store(&store) else { return Ok(Err(StoreError::NotGranted)) };
        let found = store.get(&key).await.map(|value| value.map(Vec::from));
        Ok(found.map_err(|error| self.store_error(error)))
    }

    async fn set(
        &mut self,
        store: String,
        key: String,
        value: Vec<u8>,
        ttl_ms: Option<u32>,
    ) -> Answer<()> {
        let Some(store) = self.writable(&store) else { return Ok(Err(StoreError::NotGranted)) };
        let done = store.set(&key, Bytes::from(value), ttl(ttl_ms)).await;
        Ok(done.map_err(|error| self.store_error(error)))
    }

    async fn add(
        &mut self,
        store: String,
        key: String,
        value: Vec<u8>,
        ttl_ms: Option<u32>,
    ) -> Answer<bool> {
        let Some(store) = self.writable(&store) else { return Ok(Err(StoreError::NotGranted)) };
        let done = store.add(&key, Bytes::from(value), ttl(ttl_ms)).await;
        Ok(done.map_err(|error| self.store_error(error)))
    }

    async fn delete(&mut self, store: String, key: String) -> Answer<()> {
        let Some(store) = self.writable(&store) else { return Ok(Err(StoreError::NotGranted)) };
        let done = store.delete(&key).await;
        Ok(done.map_err(|error| self.store_error(error)))
    }

    async fn increment(
        &mut self,
        store: String,
        key: String,
        by: i64,
        ttl_ms: Option<u32>,
    ) -> Answer<i64> {
        let Some(store) = self.writable(&store) else { return Ok(Err(StoreError::NotGranted)) };
        let done = store.increment(&key, by, ttl(ttl_ms)).await;
        Ok(done.map_err(|error| self.store_error(error)))
    }
}

impl State {
    /// The store of this name, if it was granted; without a name the first that was.
    fn store(&self, name: &str) -> Option<Arc<dyn Store>> {
        let mut granted = self.settings.stores.iter();
        let found = granted.find(|(granted, _)| name.is_empty() || granted == name);
        if found.is_none() {
            self.denied(Lack::Store(name));
        }
        found.map(|(_, store)| Arc::clone(store))
    }

    /// As [`Self::store`]; a shadow has none to write to.
    fn writable(&mut self, name: &str) -> Option<Arc<dyn Store>> {
        if self.refuses_as_shadow() {
            return None;
        }
        self.store(name)
    }

    /// As the guest is told of it; what is too large has reached a limit.
    fn store_error(&self, error: store::StoreError) -> StoreError {
        match error {
            store::StoreError::TooLarge { limit } => {
                self.reached(Limit::Store);
                StoreError::TooLarge(limit)
            }
            store::StoreError::NotANumber | store::StoreError::Overflow => {
                StoreError::Unavailable(error.to_string())
            }
        }
    }
}

fn ttl(ttl_ms: Option<u32>) -> Option<Duration> {
    ttl_ms.map(|ms| Duration::from_millis(ms.into()))
}
