//! Upstreams as the file writes them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{DurationText, List};

/// A named set of servers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Upstream")]
pub(in crate::config) struct UpstreamFile {
    /// The addresses to spread requests over.
    #[schemars(required, length(min = 1))]
    pub(in crate::config) endpoints: Option<List<EndpointFile>>,
    /// What is spoken to the endpoints; `auto` asks them, which takes TLS.
    #[schemars(extend("default" = "http1"))]
    pub(in crate::config) protocol: Option<ProtocolFile>,
    /// Without it the endpoints are spoken to in cleartext.
    pub(in crate::config) tls: Option<UpstreamTlsFile>,
    /// How an endpoint is chosen.
    #[schemars(extend("default" = "round_robin"))]
    pub(in crate::config) balance: Option<BalanceFile>,
    pub(in crate::config) timeouts: Option<TimeoutsFile>,
    pub(in crate::config) keepalive: Option<KeepaliveFile>,
}

/// `host:port`, or a table with a weight.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Endpoint")]
#[schemars(extend("x-expected" = "`host:port` or `{ address: host:port, weight: 1 }`"))]
pub(in crate::config) enum EndpointFile {
    Address(String),
    Weighted(WeightedFile),
}

/// An endpoint that gets more than its equal share.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WeightedEndpoint")]
pub(in crate::config) struct WeightedFile {
    /// `host:port`
    #[schemars(required)]
    pub(in crate::config) address: Option<String>,
    /// Its share of the requests, relative to the other endpoints.
    #[schemars(range(min = 1, max = 65535), extend("default" = 1))]
    pub(in crate::config) weight: Option<u32>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::config) enum ProtocolFile {
    Http1,
    Http2,
    Auto,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::config) enum BalanceFile {
    RoundRobin,
}

/// TLS towards the endpoints.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "UpstreamTls")]
pub(in crate::config) struct UpstreamTlsFile {
    /// The name to verify and to send. Default: each endpoint's host.
    pub(in crate::config) server_name: Option<String>,
    /// PEM file of the authorities to trust. Default: the system's.
    pub(in crate::config) ca: Option<String>,
    /// PEM file of the gateway's own certificate; with `key`.
    pub(in crate::config) certificate: Option<String>,
    /// PEM file of that certificate's key.
    pub(in crate::config) key: Option<String>,
    /// Whether the endpoint's certificate is verified.
    #[schemars(extend("default" = true))]
    pub(in crate::config) verify: Option<bool>,
}

/// How long to wait for an endpoint.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Timeouts")]
pub(in crate::config) struct TimeoutsFile {
    /// Until a connection is there, its TLS handshake included.
    #[schemars(extend("default" = "2s"))]
    pub(in crate::config) connect: Option<DurationText>,
    /// From the request's last byte to the response head; over HTTP/2 also for a stream to become
    /// free.
    #[schemars(extend("default" = "30s"))]
    pub(in crate::config) first_byte: Option<DurationText>,
    /// Between two pieces of a response body, and for bytes of a request body to be taken up.
    #[schemars(extend("default" = "60s"))]
    pub(in crate::config) idle: Option<DurationText>,
}

/// Connections that wait for their next request.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Keepalive")]
pub(in crate::config) struct KeepaliveFile {
    /// Connections kept for each worker and endpoint; 0 keeps none.
    #[schemars(extend("default" = 128))]
    pub(in crate::config) max_idle: Option<usize>,
    /// How long one is kept.
    #[schemars(extend("default" = "60s"))]
    pub(in crate::config) idle: Option<DurationText>,
}
