//! How far the trouble of one plugin goes, as the file writes it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use super::{DurationText, PercentText};

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::config) enum IsolationFile {
    Shared,
    Request,
}

const QUARANTINE: &str = "`none` or `{ traps: 10, window: 10s, retry: 1s, max_retry: 1m }`";

/// When a plugin that keeps trapping is left alone, or `none`: never.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Quarantine")]
#[schemars(extend("x-expected" = QUARANTINE))]
pub(in crate::config) enum QuarantineFile {
    Table(QuarantineTableFile),
    Off(NoneText),
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "QuarantineTable")]
pub(in crate::config) struct QuarantineTableFile {
    /// As many traps and exceeded limits within `window` begin it.
    #[schemars(range(min = 1, max = 10000), extend("default" = 10))]
    pub(in crate::config) traps: Option<u32>,
    #[schemars(extend("default" = "10s"))]
    pub(in crate::config) window: Option<DurationText>,
    /// Until one exchange tries the plugin again.
    #[schemars(extend("default" = "1s"))]
    pub(in crate::config) retry: Option<DurationText>,
    /// `retry` doubles with each try that fails, up to this.
    #[schemars(extend("default" = "1m"))]
    pub(in crate::config) max_retry: Option<DurationText>,
}

/// Another version of the plugin, for a part of the clients.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Canary")]
pub(in crate::config) struct CanaryFile {
    /// As in `plugins`.
    #[schemars(required)]
    pub(in crate::config) component: Option<String>,
    /// What it is told; default: what the plugin is told.
    pub(in crate::config) config: Option<Value>,
    /// The share of the clients that get it, in percent. A client is known by its address.
    #[schemars(required, range(min = 0, max = 100))]
    pub(in crate::config) percent: Option<f64>,
    pub(in crate::config) abort_on: Option<AbortOnFile>,
    /// Whether it runs on a copy of each request, is compared and decides nothing.
    #[schemars(extend("default" = false))]
    pub(in crate::config) shadow: Option<bool>,
}

/// When all clients get the plugin's own version back.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AbortOn")]
pub(in crate::config) struct AbortOnFile {
    /// More failed hooks than this, of all of the canary's hooks within `window`.
    #[schemars(extend("default" = "1%"))]
    pub(in crate::config) errors: Option<PercentText>,
    #[schemars(extend("default" = "1m"))]
    pub(in crate::config) window: Option<DurationText>,
    /// Fewer hooks than this in the window prove nothing.
    #[schemars(range(min = 1), extend("default" = 20))]
    pub(in crate::config) min_calls: Option<u64>,
}

/// The word `none`.
#[derive(Debug, Deserialize)]
pub(in crate::config) enum NoneText {
    #[serde(rename = "none")]
    None,
}

impl JsonSchema for NoneText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "None".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": ["none"], "x-expected": QUARANTINE })
    }
}
