//! Limits and telemetry as the file writes them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{DurationOrNone, DurationText, PercentText, SizeOrNone, SizeText};

/// Limits of client connections.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Limits")]
pub(in crate::config) struct LimitsFile {
    /// Connections of all listeners together.
    #[schemars(range(min = 1), extend("default" = 10000))]
    pub(in crate::config) max_connections: Option<usize>,
    /// For a whole request head, from its first byte.
    #[schemars(extend("default" = "10s"))]
    pub(in crate::config) header_timeout: Option<DurationText>,
    /// Between two pieces of a request body, and for a client to take up response bytes.
    #[schemars(extend("default" = "30s"))]
    pub(in crate::config) body_idle: Option<DurationText>,
    /// Between two requests.
    #[schemars(extend("default" = "75s"))]
    pub(in crate::config) keepalive_idle: Option<DurationText>,
    /// For a tunnel (WebSocket) on which neither side sends anything.
    #[schemars(extend("default" = "1h"))]
    pub(in crate::config) tunnel_idle: Option<DurationOrNone>,
    /// Size of a request head; more is answered with 431. At least `8KiB`.
    #[schemars(extend("default" = "64KiB"))]
    pub(in crate::config) max_header_bytes: Option<SizeText>,
    /// Fields of a request head; more are answered with 431.
    #[schemars(range(min = 1, max = 32768), extend("default" = 100))]
    pub(in crate::config) max_headers: Option<usize>,
    /// Length of a request target; more is answered with 414.
    #[schemars(extend("default" = "16KiB"))]
    pub(in crate::config) max_uri_bytes: Option<SizeText>,
    /// Size of a request body; more is answered with 413.
    #[schemars(extend("default" = "none"))]
    pub(in crate::config) max_request_body: Option<SizeOrNone>,
    pub(in crate::config) http2: Option<Http2File>,
}

/// Limits of HTTP/2 connections.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Http2")]
pub(in crate::config) struct Http2File {
    /// Requests at one time.
    #[schemars(range(min = 1), extend("default" = 128))]
    pub(in crate::config) max_concurrent_streams: Option<u32>,
    /// Streams that a client may have reset while they are still being worked on.
    #[schemars(range(min = 1), extend("default" = 200))]
    pub(in crate::config) max_reset_streams: Option<usize>,
    /// Flow-control window of a stream.
    #[schemars(extend("default" = "1MiB"))]
    pub(in crate::config) initial_window: Option<SizeText>,
}

/// Logs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Telemetry")]
pub(in crate::config) struct TelemetryFile {
    pub(in crate::config) log: Option<LogFile>,
    /// Without it there is no access log.
    pub(in crate::config) access_log: Option<AccessLogFile>,
}

/// The gateway's own log, on standard error.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Log")]
pub(in crate::config) struct LogFile {
    /// `off`, `error`, `warn`, `info`, `debug`, `trace`, or a list such as `info,tollgate=debug`.
    #[schemars(extend("default" = "info"))]
    pub(in crate::config) level: Option<String>,
    /// `auto`: text on a terminal, JSON lines elsewhere.
    #[schemars(extend("default" = "auto"))]
    pub(in crate::config) format: Option<LogFormatFile>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::config) enum LogFormatFile {
    Auto,
    Text,
    Json,
}

/// One line for each exchange.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AccessLog")]
pub(in crate::config) struct AccessLogFile {
    /// A file, or `stdout`.
    #[schemars(extend("default" = "stdout"))]
    pub(in crate::config) path: Option<String>,
    #[schemars(extend("default" = "json"))]
    pub(in crate::config) format: Option<AccessLogFormatFile>,
    /// The share of exchanges that are logged.
    #[schemars(extend("default" = "100%"))]
    pub(in crate::config) sample: Option<PercentText>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::config) enum AccessLogFormatFile {
    Json,
}
