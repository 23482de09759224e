//! What a case puts into stores, and what it finds there.

use std::{collections::BTreeMap, sync::Arc};

use super::file::Expect;
use crate::{generation::Generation, plugin::Shared, store::Store};

/// The stores that a case's plugin is granted.
#[derive(Default)]
pub(super) struct Kept(BTreeMap<String, Arc<dyn Store>>);

impl Kept {
    /// Opens them, and puts in what the case states. What does not fit into a store is not in it,
    /// as in production.
    pub(super) async fn open(
        shared: &Shared,
        generation: &Generation,
        stated: Option<&BTreeMap<String, BTreeMap<String, String>>>,
    ) -> Self {
        let limits = generation.config.stores.iter();
        let stores = limits.map(|(name, limits)| (name.clone(), shared.stores.open(name, limits)));
        let stores = Self(stores.collect());
        for (name, entries) in stated.into_iter().flatten() {
            let Some(store) = stores.0.get(name) else { continue };
            for (key, value) in entries {
                let _ = store.set(key, value.clone().into(), None).await;
            }
        }
        stores
    }

    /// Of what is expected in them, what there is.
    pub(super) async fn read(&self, expect: Option<&Expect>) -> BTreeMap<(String, String), String> {
        let mut found = BTreeMap::new();
        for (name, entries) in expect.iter().flat_map(|expect| &expect.stores) {
            let Some(store) = self.0.get(name) else { continue };
            for key in entries.keys() {
                if let Ok(Some(value)) = store.get(key).await {
                    let value = String::from_utf8_lossy(&value).into_owned();
                    found.insert((name.clone(), key.clone()), value);
                }
            }
        }
        found
    }
}
