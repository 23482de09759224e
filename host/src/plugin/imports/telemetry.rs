//! `telemetry`: log lines and counters that carry the use's name.

use wasmtime::Result;

use super::output::MAX_LINE;
use crate::{
    clock::Coarse,
    plugin::{
        bindings::tollgate::plugin::telemetry::{Host, Level},
        state::State,
    },
};

/// Lines of one instance in a second; what is beyond is counted and dropped.
const LINES_PER_SECOND: u32 = 100;

/// Longest metric name that a plugin can count under, in bytes.
const MAX_METRIC: usize = 64;

type Pairs = Vec<(String, String)>;

impl Host for State {
    fn log(&mut self, level: Level, mut message: String, fields: Pairs) -> Result<()> {
        if !self.may_log() {
            return Ok(());
        }
        message.truncate(message.floor_char_boundary(MAX_LINE));
        let plugin = self.settings.name.as_str();
        let request_id = self.exchange().map(|exchange| exchange.id()).unwrap_or_default();
        let fields = Fields(&fields);
        match level {
            Level::Error => {
                tracing::error!(target: "plugin", plugin, request_id, %fields, "{message}")
            }
            Level::Warn => {
                tracing::warn!(target: "plugin", plugin, request_id, %fields, "{message}")
            }
            Level::Info => {
                tracing::info!(target: "plugin", plugin, request_id, %fields, "{message}")
            }
            Level::Debug => {
                tracing::debug!(target: "plugin", plugin, request_id, %fields, "{message}")
            }
            Level::Trace => {
                tracing::trace!(target: "plugin", plugin, request_id, %fields, "{message}")
            }
        }
        Ok(())
    }

    /// Labels are the plugin's name and the metric's: what a plugin takes from a request must not
    /// become a label, or a client could make as many series as it likes.
    fn count(&mut self, metric: String, _labels: Pairs, by: u64) -> Result<()> {
        if let Some(counters) = &self.settings.counters
            && metric.len() <= MAX_METRIC
            && metric.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        {
            counters.count(&self.settings.name, &metric, by);
        }
        Ok(())
    }

    fn observe(&mut self, metric: String, _labels: Pairs, value: f64) -> Result<()> {
        let plugin = self.settings.name.as_str();
        tracing::debug!(target: "plugin", plugin, metric, value, "observed");
        Ok(())
    }
}

impl State {
    fn may_log(&mut self) -> bool {
        let second = Coarse::now().as_millis() / 1000;
        if self.log_window.second != second {
            self.log_window = crate::plugin::state::LogWindow { second, lines: 0 };
        }
        self.log_window.lines += 1;
        if self.log_window.lines > LINES_PER_SECOND {
            if let Some(counters) = &self.settings.counters {
                counters.count(&self.settings.name, "log_lines_dropped", 1);
            }
            return false;
        }
        true
    }
}

/// `name=value` pairs of a log line.
struct Fields<'a>(&'a [(String, String)]);

impl std::fmt::Display for Fields<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (name, value)) in self.0.iter().take(16).enumerate() {
            let space = if index > 0 { " " } else { "" };
            let end = value.floor_char_boundary(256);
            write!(f, "{space}{name}={:?}", &value[..end])?;
        }
        Ok(())
    }
}
