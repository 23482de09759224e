//! `cache`: responses that are kept, for uses that were granted it. To the others it is a cache
//! that holds nothing.

use std::{sync::Arc, time::Duration};

use http::Method;
use wasmtime::{Result, component::Resource};

use crate::{
    cache::{Purge, Put, ResponseCache, Stored},
    plugin::{
        bindings::tollgate::plugin::cache::{Host, HostEntry},
        state::{Misuse, ResponseHandle, State},
    },
};

/// Entries that one instance may hold at a time: each may keep a body in memory that has long
/// been evicted.
const MAX_ENTRIES: usize = 16;

/// A stored response that the guest holds.
#[expect(unreachable_pub, reason = "generated bindings re-export it")]
pub struct Entry(Arc<Stored>);

impl Host for State {
    fn get(&mut self, key: String) -> Result<Option<Resource<Entry>>> {
        let Some(cache) = &self.settings.cache else { return Ok(None) };
        let Some(stored) = cache.get(&self.settings.scope, &key) else { return Ok(None) };
        if self.entries >= MAX_ENTRIES {
            return Err(Misuse("too many entries of the cache are held at a time").into());
        }
        self.entries += 1;
        Ok(Some(self.table.push(Entry(stored))?))
    }

    fn put(
        &mut self,
        key: String,
        metadata: String,
        tags: Vec<String>,
        ttl_ms: u64,
        response: Resource<ResponseHandle>,
    ) -> Result<()> {
        if self.refuses_as_shadow() {
            return Ok(());
        }
        let Some(cache) = self.settings.cache.clone() else { return Ok(()) };
        let settings = Arc::clone(&self.settings);
        let ttl = Duration::from_millis(ttl_ms);
        let put = Put { scope: &settings.scope, key: &key, metadata, tags, ttl };
        // The response to HEAD has no body to keep, and looks like one whose body is empty.
        if self.is_of_the_exchange(&response) && self.exchange()?.request.method == Method::HEAD {
            cache.refuse_bodyless();
            return Ok(());
        }
        cache.put(put, self.response(&response)?);
        Ok(())
    }

    fn delete(&mut self, key: String) -> Result<bool> {
        if self.refuses_as_shadow() {
            return Ok(false);
        }
        let delete = |cache: &Arc<ResponseCache>| cache.delete(&self.settings.scope, &key);
        Ok(self.settings.cache.as_ref().is_some_and(delete))
    }

    fn purge(&mut self, tag: String) -> Result<u32> {
        if self.refuses_as_shadow() {
            return Ok(0);
        }
        let scope = Some(self.settings.scope.as_str());
        let purge = |cache: &Arc<ResponseCache>| cache.purge(scope, Purge::Tag(&tag));
        let purged = self.settings.cache.as_ref().map_or(0, purge);
        Ok(u32::try_from(purged).unwrap_or(u32::MAX))
    }
}

impl HostEntry for State {
    fn metadata(&mut self, entry: Resource<Entry>) -> Result<String> {
        Ok(self.table.get(&entry)?.0.metadata.clone())
    }

    fn age_ms(&mut self, entry: Resource<Entry>) -> Result<u64> {
        let Entry(stored) = self.table.get(&entry)?;
        // Only a use with a cache has entries.
        let age = self.settings.cache.as_ref().map_or(Duration::ZERO, |cache| cache.age(stored));
        Ok(u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
    }

    fn response(&mut self, entry: Resource<Entry>) -> Result<Resource<ResponseHandle>> {
        let response = self.table.get(&entry)?.0.response();
        Ok(self.own(response)?)
    }

    fn drop(&mut self, entry: Resource<Entry>) -> Result<()> {
        self.table.delete(entry)?;
        self.entries -= 1;
        Ok(())
    }
}
