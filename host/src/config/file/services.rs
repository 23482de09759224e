//! Components at the ends of routes as the file writes them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{DurationText, List, SizeText};

/// The name of a component, or a table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Service")]
#[schemars(extend("x-expected" = "the name of a component or `{ component: name, ... }`"))]
pub(in crate::config) enum ServiceFile {
    Name(String),
    Table(Box<ServiceTableFile>),
}

/// A `wasi:http` component with what it may do.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ServiceTable")]
pub(in crate::config) struct ServiceTableFile {
    /// A name such as `hello` for `hello.wasm` in `plugin_directory`, a path such as
    /// `./hello.wasm`, or an artifact in a registry: `oci://REGISTRY/NAME@sha256:..`, or
    /// `oci://REGISTRY/NAME:TAG`, whose digest is pinned in the lock beside this file.
    #[schemars(required)]
    pub(in crate::config) component: Option<String>,
    pub(in crate::config) grants: Option<ServiceGrantsFile>,
    pub(in crate::config) limits: Option<ServiceLimitsFile>,
}

/// What a component may reach; nothing unless named.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ServiceGrants")]
pub(in crate::config) struct ServiceGrantsFile {
    /// Upstreams that it may send requests to, as `http://NAME/..` or by the address of an endpoint.
    pub(in crate::config) upstreams: Option<List<String>>,
}

/// What a component may use up. Each request has an instance of its own.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ServiceLimits")]
pub(in crate::config) struct ServiceLimitsFile {
    /// CPU time of one instance; waiting does not count.
    #[schemars(extend("default" = "1s"))]
    pub(in crate::config) cpu: Option<DurationText>,
    /// Until the response head, between two pieces of its body, and for what the component goes on
    /// with afterwards.
    #[schemars(extend("default" = "60s"))]
    pub(in crate::config) timeout: Option<DurationText>,
    /// Memory of one instance.
    #[schemars(extend("default" = "64MiB"))]
    pub(in crate::config) memory: Option<SizeText>,
    /// Elements of one table of an instance.
    #[schemars(range(min = 1, max = 1000000), extend("default" = 100000))]
    pub(in crate::config) table: Option<usize>,
    /// Instances in one worker; a request beyond them is answered with 503.
    #[schemars(range(min = 1), extend("default" = 64))]
    pub(in crate::config) max_instances: Option<usize>,
    /// Requests to upstreams that one instance makes.
    #[schemars(range(min = 1), extend("default" = 16))]
    pub(in crate::config) calls: Option<u32>,
    /// Log lines in a second, of all its instances together; what is beyond is dropped and counted.
    #[schemars(range(min = 1), extend("default" = 100))]
    pub(in crate::config) log_lines: Option<u32>,
}
