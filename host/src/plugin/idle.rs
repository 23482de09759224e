//! Idle instances of all uses. Each use keeps those that it has made; where all uses together have as
//! many as the engine has room for, those that nobody has needed for longest make room.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::pool::Shards;
use crate::clock::Coarse;

/// One in so many goes at a time: to look for them costs more than to drop one.
const PART: usize = 16;

/// Where idle instances are.
#[derive(Default)]
pub(super) struct Idle(Mutex<Vec<Weak<Shards>>>);

impl Idle {
    /// From now on the idle instances of `shards` are among those that make room.
    pub(super) fn watch(&self, shards: &Arc<Shards>) {
        let mut watched = self.0.lock();
        if watched.len() == watched.capacity() {
            watched.retain(|shards| shards.strong_count() > 0);
        }
        watched.push(Arc::downgrade(shards));
    }

    /// What `make` makes; where it fails for want of room, once more with room.
    pub(super) async fn with_room<T, E, F: Future<Output = Result<T, E>>>(
        &self,
        make: impl Fn() -> F,
        lacks_room: impl Fn(&E) -> bool,
    ) -> Result<T, E> {
        match make().await {
            Err(error) if lacks_room(&error) && self.make_room() > 0 => make().await,
            made => made,
        }
    }

    /// Drops idle instances, and gives how many.
    fn make_room(&self) -> usize {
        let watched: Vec<_> = self.0.lock().iter().filter_map(Weak::upgrade).collect();
        let mut idle: Vec<(Coarse, &Shards, usize)> = Vec::new();
        for shards in &watched {
            let each = shards.each().enumerate().filter(|(_, shard)| shard.has_idle());
            idle.extend(each.map(|(index, shard)| (shard.returned, &**shards, index)));
        }
        idle.sort_unstable_by_key(|(returned, ..)| *returned);
        idle.truncate(idle.len().div_ceil(PART));
        // None is dropped under a lock: another worker may wait for it.
        let taken = idle.into_iter().map(|(_, shards, index)| shards.at(index).take_idle());
        taken.map(|instances| instances.len()).sum()
    }
}
