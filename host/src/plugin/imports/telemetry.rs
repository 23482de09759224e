//! `telemetry`: log lines and metrics that carry the use's name.

use wasmtime::Result;

use super::output::MAX_LINE;
use crate::{
    plugin::{
        bindings::tollgate::plugin::telemetry::{Host, Level},
        state::State,
    },
    printable,
};

type Pairs = Vec<(String, String)>;

impl Host for State {
    fn log(&mut self, level: Level, mut message: String, fields: Pairs) -> Result<()> {
        if !is_logged(level) || !self.may_complain(level) || !self.settings.may_log() {
            return Ok(());
        }
        message.truncate(message.floor_char_boundary(MAX_LINE));
        let plugin = self.settings.name.as_str();
        let (route, request_id) = self.whose();
        // None at all rather than an empty one at the end of every line.
        let fields = (!fields.is_empty()).then(|| tracing::field::display(Fields(&fields)));
        match level {
            Level::Error => {
                tracing::error!(target: "plugin", plugin, request_id, route, fields, "{message}")
            }
            Level::Warn => {
                tracing::warn!(target: "plugin", plugin, request_id, route, fields, "{message}")
            }
            Level::Info => {
                tracing::info!(target: "plugin", plugin, request_id, route, fields, "{message}")
            }
            Level::Debug => {
                tracing::debug!(target: "plugin", plugin, request_id, route, fields, "{message}")
            }
            Level::Trace => {
                tracing::trace!(target: "plugin", plugin, request_id, route, fields, "{message}")
            }
        }
        Ok(())
    }

    fn count(&mut self, metric: String, labels: Pairs, by: u64) -> Result<()> {
        if let Some(series) = &self.settings.series {
            series.count(self.settings.limits.series, &metric, labels, by);
        }
        Ok(())
    }

    fn observe(&mut self, metric: String, labels: Pairs, value: f64) -> Result<()> {
        if let Some(series) = &self.settings.series {
            series.observe(self.settings.limits.series, &metric, labels, value);
        }
        Ok(())
    }
}

impl State {
    /// What a plugin warns of after a call of its own has failed is a failure like others: an
    /// upstream that is down makes every request one.
    fn may_complain(&self, level: Level) -> bool {
        let is_complaint = matches!(level, Level::Warn | Level::Error);
        !is_complaint || !self.has_failed_call || self.settings.may_tell_failure()
    }
}

/// Whether a line of this level goes anywhere; what does not costs nothing of the use's limit.
fn is_logged(level: Level) -> bool {
    match level {
        Level::Error => tracing::enabled!(target: "plugin", tracing::Level::ERROR),
        Level::Warn => tracing::enabled!(target: "plugin", tracing::Level::WARN),
        Level::Info => tracing::enabled!(target: "plugin", tracing::Level::INFO),
        Level::Debug => tracing::enabled!(target: "plugin", tracing::Level::DEBUG),
        Level::Trace => tracing::enabled!(target: "plugin", tracing::Level::TRACE),
    }
}

/// Bytes of a field's name, and of its value.
const MAX_FIELD: usize = 256;

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_FIELD)]
}

/// `name=value` pairs of a log line.
struct Fields<'a>(&'a [(String, String)]);

impl std::fmt::Display for Fields<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (name, value)) in self.0.iter().take(16).enumerate() {
            let space = if index > 0 { " " } else { "" };
            // A name that reads like several would be taken for them.
            let name =
                cut(name).replace(|it: char| it == '=' || it == '"' || it.is_whitespace(), "_");
            write!(f, "{space}{}={:?}", printable::one_line(&name), cut(value))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Fields;

    #[test]
    fn names_of_fields_are_as_short_as_values_and_each_one_name() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let fields = [pair("a=1 plugin", "b\n"), pair(&"n".repeat(300), &"v".repeat(300))];
        let (name, value) = ("n".repeat(256), "v".repeat(256));
        let expected = format!(r#"a_1_plugin="b\n" {name}="{value}""#);
        assert_eq!(Fields(&fields).to_string(), expected);
    }
}
