//! The cache of a test. A response is there as soon as it is put: a test has no streams.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use super::response::{Response, ResponseData};
use super::world;

/// What is stored, by key.
#[derive(Default)]
pub(crate) struct Cache(BTreeMap<String, Rc<Stored>>);

struct Stored {
    metadata: String,
    tags: Vec<String>,
    response: ResponseData,
    since: SystemTime,
    until: SystemTime,
}

pub(crate) struct Entry {
    stored: Rc<Stored>,
    age: Duration,
}

impl Entry {
    pub(crate) fn metadata(&self) -> String {
        self.stored.metadata.clone()
    }
    pub(crate) fn age_ms(&self) -> u64 {
        u64::try_from(self.age.as_millis()).unwrap_or(u64::MAX)
    }
    pub(crate) fn response(&self) -> Response {
        Response(self.stored.response.clone().into())
    }
}

pub(crate) fn cache_get(key: &str) -> Option<Entry> {
    world(|world| {
        let stored = world.cache.0.get(key).filter(|stored| stored.until > world.now)?;
        let age = world.now.duration_since(stored.since).unwrap_or_default();
        Some(Entry { stored: Rc::clone(stored), age })
    })
}

pub(crate) fn cache_put(
    key: &str,
    metadata: &str,
    tags: &[String],
    ttl: Duration,
    response: &Response,
) {
    let response = response.0.borrow().clone();
    world(|world| {
        let stored = Stored {
            metadata: metadata.to_owned(),
            tags: tags.to_vec(),
            response,
            since: world.now,
            until: world.now + ttl,
        };
        world.cache.0.insert(key.to_owned(), Rc::new(stored));
    });
}

pub(crate) fn cache_delete(key: &str) -> bool {
    world(|world| world.cache.0.remove(key).is_some())
}

pub(crate) fn cache_purge(tag: &str) -> u32 {
    world(|world| {
        let before = world.cache.0.len();
        world.cache.0.retain(|_, stored| !stored.tags.iter().any(|own| own == tag));
        u32::try_from(before - world.cache.0.len()).unwrap_or(u32::MAX)
    })
}
