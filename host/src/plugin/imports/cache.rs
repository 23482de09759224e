//! `cache`: this version has no cache to grant. To a plugin it is one that holds nothing.

use wasmtime::{Result, component::Resource};

use crate::plugin::{
    bindings::tollgate::plugin::cache::{Host, HostEntry},
    state::{ResponseHandle, State},
};

/// A stored response. There is none in this version, and so no handle to one.
#[expect(unreachable_pub, reason = "generated bindings re-export it")]
pub enum Entry {}

impl Host for State {
    fn get(&mut self, _key: String) -> Result<Option<Resource<Entry>>> {
        Ok(None)
    }

    fn put(
        &mut self,
        _key: String,
        _metadata: String,
        _tags: Vec<String>,
        _ttl_ms: u64,
        _response: Resource<ResponseHandle>,
    ) -> Result<()> {
        Ok(())
    }

    fn delete(&mut self, _key: String) -> Result<bool> {
        Ok(false)
    }

    fn purge(&mut self, _tag: String) -> Result<u32> {
        Ok(0)
    }
}

impl HostEntry for State {
    fn metadata(&mut self, entry: Resource<Entry>) -> Result<String> {
        match *self.table.get(&entry)? {}
    }

    fn age_ms(&mut self, entry: Resource<Entry>) -> Result<u64> {
        match *self.table.get(&entry)? {}
    }

    fn response(&mut self, entry: Resource<Entry>) -> Result<Resource<ResponseHandle>> {
        match *self.table.get(&entry)? {}
    }

    fn drop(&mut self, entry: Resource<Entry>) -> Result<()> {
        self.table.delete(entry)?;
        Ok(())
    }
}
