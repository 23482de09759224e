//! Routes as the file writes them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{DurationText, List, ServiceFile, Table, UseFile};

/// Which requests go through which plugins to which end: exactly one of `upstream`, `component`,
/// `redirect` and `respond`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Route")]
pub(in crate::config) struct RouteFile {
    /// Unique; the label in logs and metrics. Default: made from `match`.
    #[schemars(length(min = 1))]
    pub(in crate::config) name: Option<String>,
    #[schemars(required)]
    pub(in crate::config) r#match: Option<MatchFile>,
    /// In the order in which a request meets them; a response meets them in reverse.
    pub(in crate::config) plugins: Option<List<UseFile>>,
    /// Forwards to this upstream.
    pub(in crate::config) upstream: Option<String>,
    pub(in crate::config) rewrite: Option<RewriteFile>,
    /// Cut off from the path that the upstream sees, where the path has it.
    pub(in crate::config) strip_prefix: Option<String>,
    /// A `wasi:http` component that answers.
    pub(in crate::config) component: Option<ServiceFile>,
    pub(in crate::config) redirect: Option<RedirectFile>,
    pub(in crate::config) respond: Option<RespondFile>,
    /// The whole exchange, the response body included. Default: 60s until the response head, and
    /// no bound on the body.
    pub(in crate::config) timeout: Option<DurationText>,
}

/// What a route asks of a request; all of it must hold.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Match")]
pub(in crate::config) struct MatchFile {
    /// Hosts, without port; `*.example.org` is any host below `example.org`. Default: every host.
    #[schemars(length(min = 1))]
    pub(in crate::config) hosts: Option<List<String>>,
    /// `/orders/{id}`: `{id}` is one segment; `/static/{*rest}` is all that begins with `/static/`,
    /// and `/static` too.
    #[schemars(required)]
    pub(in crate::config) path: Option<String>,
    /// Default: every method. GET includes HEAD. CONNECT and TRACE are none: the gateway answers them
    /// itself.
    #[schemars(length(min = 1))]
    pub(in crate::config) methods: Option<List<String>>,
    /// Conditions on header fields, by name.
    pub(in crate::config) headers: Option<Table<ConditionFile>>,
    /// Conditions on query parameters, by name.
    pub(in crate::config) query: Option<Table<ConditionFile>>,
}

/// The value itself, or a table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Condition")]
#[schemars(extend(
    "x-expected" = "a text, `{ prefix: .. }`, `{ regex: .. }` or `{ present: true }`"
))]
pub(in crate::config) enum ConditionFile {
    Exact(String),
    Table(ConditionTableFile),
}

/// Exactly one of these.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ConditionTable")]
pub(in crate::config) struct ConditionTableFile {
    /// What the value begins with.
    pub(in crate::config) prefix: Option<String>,
    /// What the whole value matches.
    pub(in crate::config) regex: Option<String>,
    /// Whether there is a value at all.
    pub(in crate::config) present: Option<bool>,
}

/// What the upstream sees instead.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rewrite")]
pub(in crate::config) struct RewriteFile {
    /// The path, with parameters such as `{id}`. The query stays.
    pub(in crate::config) path: Option<String>,
    /// The `host` header field. Default: the client's.
    pub(in crate::config) host: Option<String>,
}

/// Sends the client elsewhere.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Redirect")]
pub(in crate::config) struct RedirectFile {
    /// 301, 302, 303, 307 or 308.
    #[schemars(extend("default" = 307, "enum" = [301, 302, 303, 307, 308]))]
    pub(in crate::config) status: Option<u16>,
    /// A path or URL, with parameters such as `{rest}` in its path.
    #[schemars(required)]
    pub(in crate::config) location: Option<String>,
}

/// A fixed response.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Respond")]
pub(in crate::config) struct RespondFile {
    #[schemars(range(min = 200, max = 599), extend("default" = 200))]
    pub(in crate::config) status: Option<u16>,
    #[schemars(extend("default" = ""))]
    pub(in crate::config) body: Option<String>,
    pub(in crate::config) headers: Option<Table<String>>,
}
