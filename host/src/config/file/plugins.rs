//! Plugins and their uses as the file writes them.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{CanaryFile, DurationText, IsolationFile, List, QuarantineFile, SizeText};

/// A plugin with its configuration.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Plugin")]
pub(in crate::config) struct PluginFile {
    /// The WebAssembly component: a name such as `jwt` for `jwt.wasm` in `plugin_directory`, a path
    /// such as `./jwt.wasm`, or an artifact in a registry: `oci://REGISTRY/NAME@sha256:..`, or
    /// `oci://REGISTRY/NAME:TAG`, whose digest is pinned in the lock beside this file.
    #[schemars(required)]
    pub(in crate::config) component: Option<String>,
    /// What the plugin is told; its own schema says what that may be.
    pub(in crate::config) config: Option<Value>,
    pub(in crate::config) grants: Option<GrantsFile>,
    /// What becomes of an exchange if the plugin fails: `reject` answers 503, `skip` goes on.
    #[schemars(extend("default" = "reject"))]
    pub(in crate::config) on_error: Option<OnErrorFile>,
    /// `shared`: an instance serves one exchange after the other; `request`: every hook has a fresh
    /// one.
    #[schemars(extend("default" = "shared"))]
    pub(in crate::config) isolation: Option<IsolationFile>,
    pub(in crate::config) quarantine: Option<QuarantineFile>,
    pub(in crate::config) canary: Option<CanaryFile>,
    pub(in crate::config) limits: Option<UseLimitsFile>,
}

/// The name of a plugin, or a table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Use")]
#[schemars(extend("x-expected" = "the name of a plugin, `{ use: name, ... }` or `{ component: ... }`"))]
pub(in crate::config) enum UseFile {
    Name(String),
    Table(Box<UseTableFile>),
}

/// A named plugin with changes (`use`), or a plugin of this route alone (`component`).
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "UseTable")]
pub(in crate::config) struct UseTableFile {
    /// The name of an entry of `plugins`. The other keys stand in for those of the entry: each
    /// one as a whole, but of `limits` only those that are named.
    #[serde(rename = "use")]
    pub(in crate::config) name: Option<String>,
    /// As in `plugins`.
    pub(in crate::config) component: Option<String>,
    /// What the plugin is told; its own schema says what that may be.
    pub(in crate::config) config: Option<Value>,
    pub(in crate::config) grants: Option<GrantsFile>,
    /// What becomes of an exchange if the plugin fails: `reject` answers 503, `skip` goes on.
    #[schemars(extend("default" = "reject"))]
    pub(in crate::config) on_error: Option<OnErrorFile>,
    /// `shared`: an instance serves one exchange after the other; `request`: every hook has a fresh
    /// one.
    #[schemars(extend("default" = "shared"))]
    pub(in crate::config) isolation: Option<IsolationFile>,
    pub(in crate::config) quarantine: Option<QuarantineFile>,
    pub(in crate::config) canary: Option<CanaryFile>,
    pub(in crate::config) limits: Option<UseLimitsFile>,
}

/// What a plugin may reach beyond the request and response heads; nothing unless named.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Grants")]
pub(in crate::config) struct GrantsFile {
    /// Upstreams that it may call.
    pub(in crate::config) upstreams: Option<List<String>>,
    /// Stores that it may use, shared with all who are granted the same.
    pub(in crate::config) stores: Option<List<String>>,
    #[schemars(extend("default" = false))]
    pub(in crate::config) request_body: Option<bool>,
    #[schemars(extend("default" = false))]
    pub(in crate::config) response_body: Option<bool>,
    /// Whether it may keep responses in the cache.
    #[schemars(extend("default" = false))]
    pub(in crate::config) cache: Option<bool>,
}

/// What a plugin may use up.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PluginLimits")]
pub(in crate::config) struct UseLimitsFile {
    /// CPU time of one hook; waiting does not count.
    #[schemars(extend("default" = "10ms"))]
    pub(in crate::config) cpu: Option<DurationText>,
    /// One hook as a whole, waiting included; it never has longer than its exchange.
    #[schemars(extend("default" = "60s"))]
    pub(in crate::config) timeout: Option<DurationText>,
    /// Memory of one instance.
    #[schemars(extend("default" = "64MiB"))]
    pub(in crate::config) memory: Option<SizeText>,
    /// Elements of one table of an instance.
    #[schemars(range(min = 1, max = 1000000), extend("default" = 100000))]
    pub(in crate::config) table: Option<usize>,
    /// Largest body that it may read as a whole, decoded; most that it may return for a chunk, or
    /// hold back.
    #[schemars(extend("default" = "10MiB"))]
    pub(in crate::config) max_body: Option<SizeText>,
    /// Instances in one worker.
    #[schemars(range(min = 1), extend("default" = 64))]
    pub(in crate::config) max_instances: Option<usize>,
    /// Calls to upstreams that it makes in one exchange.
    #[schemars(range(min = 1), extend("default" = 16))]
    pub(in crate::config) calls: Option<u32>,
    /// Attributes of one exchange, those of other plugins included.
    #[schemars(range(min = 1, max = 1024), extend("default" = 64))]
    pub(in crate::config) attributes: Option<usize>,
    /// Bytes of the attributes, names and values together; at most 1 MiB.
    #[schemars(extend("default" = "8KiB"))]
    pub(in crate::config) attribute_bytes: Option<SizeText>,
    /// Log lines in a second, of all its instances together; what is beyond is dropped and counted.
    #[schemars(range(min = 1), extend("default" = 100))]
    pub(in crate::config) log_lines: Option<u32>,
    /// Series of metrics that it makes by counting and observing; what is beyond is dropped and
    /// counted.
    #[schemars(range(min = 1, max = 10000), extend("default" = 200))]
    pub(in crate::config) series: Option<usize>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::config) enum OnErrorFile {
    Reject,
    Skip,
}
