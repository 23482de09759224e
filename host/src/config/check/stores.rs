//! Stores, those that the file names and those that uses are granted, and the response cache.

use std::collections::BTreeMap;

use super::Spot;
use crate::config::{
    CacheLimits, StoreLimits, Use,
    file::{CacheFile, File, StoreFile},
};

const MIB: usize = 1 << 20;

pub(super) fn check(spot: &Spot<'_>, file: &File, uses: &[Use]) -> BTreeMap<String, StoreLimits> {
    let mut stores = BTreeMap::new();
    for (spot, name, store) in spot.entries(file.stores.as_ref()) {
        super::check_name(&spot, name);
        stores.insert(name.clone(), check_limits(&spot, store));
    }
    for name in uses.iter().flat_map(|use_| &use_.grants.stores) {
        let limits = || check_limits(spot, &StoreFile::default());
        stores.entry(name.clone()).or_insert_with(limits);
    }
    stores
}

fn check_limits(spot: &Spot<'_>, file: &StoreFile) -> StoreLimits {
    let max_bytes = spot.size("max_bytes", file.max_bytes.as_ref(), 16 * MIB);
    let max_value = spot.size("max_value", file.max_value.as_ref(), max_bytes.min(MIB));
    if max_value > max_bytes {
        spot.key("max_value").fault("must be at most `max_bytes`");
    }
    StoreLimits { max_bytes, max_entries: file.max_entries.unwrap_or(100_000), max_value }
}

pub(super) fn check_cache(spot: &Spot<'_>, file: Option<&CacheFile>) -> CacheLimits {
    let default = CacheLimits::default();
    let Some(file) = file else { return default };
    let max_bytes = spot.size("max_bytes", file.max_bytes.as_ref(), default.max_bytes);
    let most = default.max_entry.min(max_bytes);
    let max_entry = spot.size("max_entry", file.max_entry.as_ref(), most);
    if max_entry > max_bytes {
        spot.key("max_entry").fault("must be at most `max_bytes`");
    }
    CacheLimits { max_bytes, max_entry }
}
