//! What belongs to the configuration but not to this version. It is refused by name, so that
//! nobody takes it for a typing error, and never accepted without effect.

use serde_json::Value;

use super::pointer::{Pointer, Step};

pub(super) const MESSAGE: &str = "not supported by this version";

/// Keys; `*` stands for a name or an index.
const KEYS: &[&str] = &[
    "state",
    "upstreams.*.circuit",
    "upstreams.*.health",
    "upstreams.*.outlier",
    "routes.*.mirror",
    "routes.*.retries",
    "routes.*.split",
    "routes.*.sticky",
    "telemetry.access_log.fields",
    "telemetry.otlp",
    "telemetry.server_timing",
];

/// Values of keys that are supported as such; a name, or the only key of a table.
const VALUES: &[(&str, &[&str])] =
    &[("upstreams.*.balance", &["hash", "least_requests", "peak_ewma", "random"])];

pub(super) fn is_key(at: &Pointer) -> bool {
    KEYS.contains(&shape(at).as_str())
}

pub(super) fn is_value(at: &Pointer, value: &Value) -> bool {
    let name = match value {
        Value::String(name) => Some(name),
        Value::Object(members) => members.keys().next(),
        _ => None,
    };
    let shape = shape(at);
    let values = VALUES.iter().find(|(key, _)| *key == shape);
    name.zip(values).is_some_and(|(name, (_, values))| values.contains(&name.as_str()))
}

/// The way to a value without what users choose: `routes.*.plugins.*`.
fn shape(at: &Pointer) -> String {
    let mut shape: Vec<&str> = Vec::new();
    for step in at.steps() {
        shape.push(match step {
            Step::Key(_) if matches!(shape.as_slice(), ["plugins" | "upstreams"]) => "*",
            Step::Key(key) => key,
            Step::Index(_) => "*",
        });
    }
    shape.join(".")
}
