//! Log lines and metrics.

use super::bindings::tollgate::plugin::telemetry;
use crate::telemetry::Level;

pub(crate) fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
    let level = match level {
        Level::Error => telemetry::Level::Error,
        Level::Warn => telemetry::Level::Warn,
        Level::Info => telemetry::Level::Info,
        Level::Debug => telemetry::Level::Debug,
        Level::Trace => telemetry::Level::Trace,
    };
    telemetry::log(level, message, &pairs(fields));
}

pub(crate) fn count(metric: &str, labels: &[(&str, &str)], by: u64) {
    telemetry::count(metric, &pairs(labels), by);
}

pub(crate) fn observe(metric: &str, labels: &[(&str, &str)], value: f64) {
    telemetry::observe(metric, &pairs(labels), value);
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
