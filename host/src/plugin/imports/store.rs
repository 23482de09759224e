//! `store`: this version has no stores to grant, and what is not granted is refused.

use wasmtime::Result;

use crate::plugin::{
    bindings::tollgate::plugin::store::{Host, StoreError},
    state::State,
};

type Answer<T> = Result<Result<T, StoreError>>;

impl Host for State {
    fn get(&mut self, _store: String, _key: String) -> Answer<Option<Vec<u8>>> {
        Ok(Err(StoreError::NotGranted))
    }

    fn set(&mut self, _: String, _: String, _: Vec<u8>, _: Option<u32>) -> Answer<()> {
        Ok(Err(StoreError::NotGranted))
    }

    fn add(&mut self, _: String, _: String, _: Vec<u8>, _: Option<u32>) -> Answer<bool> {
        Ok(Err(StoreError::NotGranted))
    }

    fn delete(&mut self, _store: String, _key: String) -> Answer<()> {
        Ok(Err(StoreError::NotGranted))
    }

    fn increment(&mut self, _: String, _: String, _: i64, _: Option<u32>) -> Answer<i64> {
        Ok(Err(StoreError::NotGranted))
    }
}
