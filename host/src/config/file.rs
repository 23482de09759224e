//! The file as it is written, and its JSON Schema: the doc comments here are what editors show.
//!
//! Every value is an `Option`, also in lists and maps: a value of the wrong shape has been
//! reported and taken out before this is read, so that the checks go on with the rest. What the
//! file must have is said by `schemars(required)`; the schema is where that is checked.

mod containment;
mod listeners;
mod plugins;
mod registries;
mod upstreams;
mod stores;
mod routes;
mod services;
mod settings;
mod values;

use std::collections::BTreeMap;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Deserialize;
use serde_json::Value;

pub(super) use self::{
    containment::{AbortOnFile, CanaryFile, IsolationFile, QuarantineFile},
    listeners::{
        AdminFile, CertificateFile, ClientAuthFile, ListenerFile, ListenerTlsFile,
        RedirectToHttpsFile, RedirectToHttpsTableFile, TlsVersionFile,
    },
    plugins::{GrantsFile, OnErrorFile, PluginFile, UseFile, UseLimitsFile, UseTableFile},
    registries::RegistryFile,
    routes::{ConditionFile, ConditionTableFile, MatchFile, RedirectFile, RespondFile, RouteFile},
    services::{ServiceFile, ServiceLimitsFile, ServiceTableFile},
    settings::{
        AccessLogFile, AccessLogFormatFile, Http2File, LimitsFile, LogFormatFile, TelemetryFile,
    },
    stores::{CacheFile, StoreFile},
    upstreams::{
        BalanceFile, EndpointFile, KeepaliveFile, ProtocolFile, TimeoutsFile, UpstreamFile,
        UpstreamTlsFile,
    },
    values::{DurationOrNone, DurationText, PercentText, SizeOrNone, SizeText},
};

/// A list in which null stands for what was reported and taken out.
pub(super) type List<T> = Vec<Option<T>>;

/// A mapping in which null stands for what was reported and taken out.
pub(super) type Table<T> = BTreeMap<String, Option<T>>;

/// Configuration of the Tollgate API gateway.
///
/// In every text, `${NAME}` and `${NAME:-default}` stand for an environment variable and
/// `${file:/path}` for the contents of a file. Relative paths start from this file's folder.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Tollgate configuration")]
pub(super) struct File {
    /// The addresses that clients connect to.
    #[schemars(required, length(min = 1))]
    pub(super) listeners: Option<List<ListenerFile>>,
    /// The administration server: health, metrics, status, reload.
    pub(super) admin: Option<AdminFile>,
    /// Worker threads. Default: one for each core that the process may use.
    #[schemars(range(min = 1, max = 1024))]
    pub(super) workers: Option<usize>,
    /// Addresses or networks of the peers whose `x-forwarded-*` and `x-request-id` are believed.
    /// Default: none.
    pub(super) trusted_proxies: Option<List<String>>,
    /// Where components named without a path are; watched for changes.
    #[schemars(extend("default" = "plugins"))]
    pub(super) plugin_directory: Option<String>,
    /// How OCI registries are spoken to, by host and port as `component` has them; for those that need
    /// more than TLS and what `docker login` has left.
    pub(super) registries: Option<Table<RegistryFile>>,
    /// Plugins with their configuration, by the names that routes list.
    pub(super) plugins: Option<Table<PluginFile>>,
    /// The servers that requests are forwarded to, by name.
    pub(super) upstreams: Option<Table<UpstreamFile>>,
    /// Stores that plugins may be granted, by name. One that is granted and not named here has the
    /// default limits.
    pub(super) stores: Option<Table<StoreFile>>,
    /// The cache for responses, of all plugins that are granted it.
    pub(super) cache: Option<CacheFile>,
    /// Which requests go where. The most specific route that matches takes a request, whatever
    /// the order here.
    pub(super) routes: Option<List<RouteFile>>,
    /// Limits of client connections.
    pub(super) limits: Option<LimitsFile>,
    /// How long to go on accepting after SIGTERM, for load balancers to see that `/readyz` says 503.
    #[schemars(extend("default" = "none"))]
    pub(super) drain_delay: Option<DurationOrNone>,
    /// How long open exchanges may go on after that.
    #[schemars(extend("default" = "30s"))]
    pub(super) drain: Option<DurationText>,
    pub(super) telemetry: Option<TelemetryFile>,
}

/// JSON Schema of the file (2020-12).
pub(super) fn schema() -> Value {
    schema_of::<File>()
}

/// JSON Schema of a file that is read as a `T`.
pub(super) fn schema_of<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    forbid_null(&mut schema);
    bound_numbers(&mut schema);
    schema
}

/// Says how large a number may be where its type alone does: without it the fault would have no
/// place.
fn bound_numbers(schema: &mut Value) {
    match schema {
        Value::Array(schemas) => schemas.iter_mut().for_each(bound_numbers),
        Value::Object(members) => {
            let largest = match members.get("format").and_then(Value::as_str) {
                Some("uint8") => Some(u64::from(u8::MAX)),
                Some("uint16") => Some(u64::from(u16::MAX)),
                Some("uint32") => Some(u64::from(u32::MAX)),
                // What every tool that reads the schema can tell apart.
                Some("uint" | "uint64") => Some((1 << 53) - 1),
                _ => None,
            };
            if let Some(largest) = largest {
                members.entry("maximum").or_insert_with(|| largest.into());
            }
            members.values_mut().for_each(bound_numbers);
        }
        _ => {}
    }
}

/// Takes out the nulls that `Option` put in: in the file an empty value is a fault.
fn forbid_null(schema: &mut Value) {
    match schema {
        Value::Array(schemas) => schemas.iter_mut().for_each(forbid_null),
        Value::Object(members) => {
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|name| name != "null");
                if let [name] = types.as_slice() {
                    let name = name.clone();
                    members.insert("type".to_owned(), name);
                }
            }
            if let Some(Value::Array(options)) = members.get_mut("enum") {
                options.retain(|option| !option.is_null());
            }
            if let Some(Value::Array(branches)) = members.get_mut("anyOf") {
                branches.retain(|branch| branch.get("type").is_none_or(|name| name != "null"));
                if let [Value::Object(only)] = branches.as_slice() {
                    let only = only.clone();
                    members.remove("anyOf");
                    for (key, value) in only {
                        members.entry(key).or_insert(value);
                    }
                }
            }
            members.values_mut().for_each(forbid_null);
        }
        _ => (),
    }
}
