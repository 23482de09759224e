//! Limits of client connections, and telemetry.

use std::{path::PathBuf, time::Duration};

/// Limits of client connections.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// All listeners and workers together. Default 10,000.
    pub max_connections: usize,
    /// A whole request head, from its first byte. Default 10 s.
    pub header_timeout: Duration,
    /// Between two pieces of a request body, and for a client to take up response bytes.
    /// Default 30 s.
    pub body_idle: Duration,
    /// Between two requests. Default 75 s.
    pub keepalive_idle: Duration,
    /// For a tunnel on which neither side sends anything; `None`: no bound. Default 1 h.
    pub tunnel_idle: Option<Duration>,
    /// Default 64 KiB; at least 8 KiB.
    pub max_header_bytes: usize,
    /// Default 100.
    pub max_headers: usize,
    /// Default 16 KiB.
    pub max_uri_bytes: usize,
    /// Default none.
    pub max_request_body: Option<u64>,
    pub http2_max_concurrent_streams: u32,
    pub http2_max_reset_streams: usize,
    /// Bytes.
    pub http2_initial_window: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    /// A `tracing` filter directive such as `info`.
    pub log_level: String,
    pub log_format: LogFormat,
    /// `None`: no access log.
    pub access_log: Option<AccessLog>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LogFormat {
    /// Text on a terminal, JSON lines elsewhere.
    #[default]
    Auto,
    Text,
    Json,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AccessLog {
    /// `None`: standard output.
    pub path: Option<PathBuf>,
    /// 0.0 to 1.0 of the exchanges.
    pub sample: f64,
}
