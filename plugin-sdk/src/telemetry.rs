//! Log lines and metrics; the gateway adds use, route and request id.

use crate::sys;

/// How much a log line matters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Level {
    /// Somebody has to do something.
    Error,
    /// Somebody should look at it.
    Warn,
    /// Worth knowing in production.
    Info,
    /// For finding faults.
    Debug,
    /// For finding them step by step.
    Trace,
}

/// Writes a log line. The gateway drops those above the use's limit and counts them.
pub fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
    sys::log(level, message, fields);
}

/// Adds to a counter. Label values must come from the configuration, never from a client.
pub fn count(metric: &str, labels: &[(&str, &str)], by: u64) {
    sys::count(metric, labels, by);
}

/// Adds a value to a histogram. Labels as for [`count`].
pub fn observe(metric: &str, labels: &[(&str, &str)], value: f64) {
    sys::observe(metric, labels, value);
}

/// Logs a line: `log!(Warn, "fetched {n} keys")`, with fields `log!(Warn, "..."; "key" => value)`.
#[macro_export]
macro_rules! log {
    ($level:ident, $format:literal $(, $argument:expr)* $(; $($name:literal => $value:expr),+ $(,)?)?) => {
        $crate::telemetry::log(
            $crate::telemetry::Level::$level,
            &::std::format!($format $(, $argument)*),
            &[$($(($name, $value)),+)?],
        )
    };
}
