//! Registries as the file writes them.

use schemars::JsonSchema;
use serde::Deserialize;

/// How an OCI registry is spoken to.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Registry")]
pub(in crate::config) struct RegistryFile {
    /// Whether it is spoken to without TLS. Default: only on this machine (`localhost`, `127.0.0.1`)
    /// and without `ca`.
    pub(in crate::config) plain_http: Option<bool>,
    /// PEM file of an authority to trust besides the system's.
    pub(in crate::config) ca: Option<String>,
    /// With `password`. Default: what `docker login` has left in Docker's `config.json`.
    pub(in crate::config) username: Option<String>,
    /// Such as `${file:/run/secrets/registry}`.
    pub(in crate::config) password: Option<String>,
}
