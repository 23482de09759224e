//! Limits and telemetry.

use std::time::Duration;

use super::{Spot, did_you_mean};
use crate::config::{
    AccessLog, Limits, LogFormat, Telemetry,
    file::{
        AccessLogFile, AccessLogFormatFile, Http2File, LimitsFile, LogFormatFile, SizeText,
        TelemetryFile,
    },
    units,
};

const KIB: usize = 1024;

pub(super) fn check_limits(spot: &Spot<'_>, file: Option<&LimitsFile>) -> Limits {
    let default = LimitsFile::default();
    let file = file.unwrap_or(&default);
    let default = Http2File::default();
    let http2 = file.http2.as_ref().unwrap_or(&default);
    let seconds = Duration::from_secs;
    let max_header_bytes = spot.size("max_header_bytes", file.max_header_bytes.as_ref(), 64 * KIB);
    if max_header_bytes < 8 * KIB {
        spot.key("max_header_bytes").fault("must be at least 8KiB");
    }
    Limits {
        max_connections: file.max_connections.unwrap_or(10_000),
        header_timeout: spot.duration("header_timeout", file.header_timeout.as_ref(), seconds(10)),
        body_idle: spot.duration("body_idle", file.body_idle.as_ref(), seconds(30)),
        keepalive_idle: spot.duration("keepalive_idle", file.keepalive_idle.as_ref(), seconds(75)),
        tunnel_idle: spot.duration_or_none(
            "tunnel_idle",
            file.tunnel_idle.as_ref(),
            Some(seconds(3600)),
        ),
        max_header_bytes,
        max_headers: file.max_headers.unwrap_or(100),
        max_uri_bytes: spot.size("max_uri_bytes", file.max_uri_bytes.as_ref(), 16 * KIB),
        max_request_body: match file.max_request_body.as_ref().map(|size| &size.0) {
            None => None,
            Some(SizeText::Text(text)) if text == "none" => None,
            Some(size) => Some(spot.size("max_request_body", Some(size), u64::MAX)),
        },
        http2_max_concurrent_streams: http2.max_concurrent_streams.unwrap_or(128),
        http2_max_reset_streams: http2.max_reset_streams.unwrap_or(200),
        http2_initial_window: check_window(&spot.key("http2"), http2),
    }
}

pub(super) fn check_telemetry(spot: &Spot<'_>, file: Option<&TelemetryFile>) -> Telemetry {
    let log = file.and_then(|file| file.log.as_ref());
    let level = log.and_then(|log| log.level.as_deref());
    if let Some(level) = level {
        check_level(&spot.key("log").key("level"), level);
    }
    let access_log = file.and_then(|file| file.access_log.as_ref());
    Telemetry {
        log_level: level.unwrap_or("info").to_owned(),
        log_format: match log.and_then(|log| log.format) {
            Some(LogFormatFile::Auto) | None => LogFormat::Auto,
            Some(LogFormatFile::Text) => LogFormat::Text,
            Some(LogFormatFile::Json) => LogFormat::Json,
        },
        access_log: access_log.map(|file| check_access_log(&spot.key("access_log"), file)),
    }
}

/// A window beyond 2^31-1 is a flow-control error (RFC 9113 §6.5.2).
fn check_window(spot: &Spot<'_>, http2: &Http2File) -> u32 {
    let window: u32 = spot.size("initial_window", http2.initial_window.as_ref(), 1 << 20);
    if window > i32::MAX.unsigned_abs() {
        spot.key("initial_window").fault("must be less than 2GiB");
    }
    window
}

fn check_level(spot: &Spot<'_>, level: &str) {
    if let Some(fault) = level_fault(level) {
        spot.fault(fault);
    }
}

/// What is wrong with `info`, or a list such as `info,plugin=debug`.
pub(in crate::config) fn level_fault(level: &str) -> Option<String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    for directive in level.split(',') {
        let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level).trim();
        if !LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
            let hint = did_you_mean(level, LEVELS.into_iter());
            let all = || format!("; there are {}", LEVELS.join(", "));
            let hint = if hint.is_empty() { all() } else { hint };
            return Some(format!("no log level is called \"{level}\"{hint}"));
        }
    }
    None
}

fn check_access_log(spot: &Spot<'_>, file: &AccessLogFile) -> AccessLog {
    match file.format {
        // The only one there is.
        Some(AccessLogFormatFile::Json) | None => (),
    }
    let path = file.path.as_deref().filter(|path| *path != "stdout");
    let sample = file.sample.as_ref();
    let sample = sample.and_then(|text| spot.key("sample").keep(units::percent(&text.0)));
    AccessLog {
        path: path.and_then(|path| spot.key("path").path(path)),
        sample: sample.unwrap_or(1.0),
    }
}
