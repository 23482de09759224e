//! Stores and the response cache as the file writes them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::SizeText;

/// A store for small values that plugins share.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Store")]
pub(in crate::config) struct StoreFile {
    /// What it holds at most: keys and values, and 128 bytes for each entry.
    #[schemars(extend("default" = "16MiB"))]
    pub(in crate::config) max_bytes: Option<SizeText>,
    /// How many values it holds at most.
    #[schemars(range(min = 1), extend("default" = 100000))]
    pub(in crate::config) max_entries: Option<usize>,
    /// Largest value.
    #[schemars(extend("default" = "1MiB"))]
    pub(in crate::config) max_value: Option<SizeText>,
}

/// The response cache.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Cache")]
pub(in crate::config) struct CacheFile {
    /// What it holds at most: whole responses, and 128 bytes for each.
    #[schemars(extend("default" = "64MiB"))]
    pub(in crate::config) max_bytes: Option<SizeText>,
    /// Largest response; a larger one passes and is not kept.
    #[schemars(extend("default" = "1MiB"))]
    pub(in crate::config) max_entry: Option<SizeText>,
}
