//! The configuration, as the operator writes it.

use std::collections::BTreeMap;

use serde_json::Value;
use tollgate_plugin::{Config, HeaderName, Period, Template};

/// The calls whose answers make one answer.
#[derive(Config)]
pub(crate) struct Aggregate {
    /// All calls; they run at the same time.
    #[schemars(length(min = 1))]
    pub(crate) calls: Vec<Call>,
}

/// One call to an upstream.
#[derive(Config)]
pub(crate) struct Call {
    /// Its name in the answer.
    pub(crate) name: String,
    /// The upstream; it must be granted to this use.
    pub(crate) upstream: String,
    /// The method.
    #[serde(default = "get")]
    pub(crate) method: String,
    /// Path and query. Values of the request are percent-encoded; without one that has no default
    /// the request is answered with 400.
    pub(crate) target: Template,
    /// Fail the whole answer if this call fails.
    #[serde(default = "yes")]
    pub(crate) required: bool,
    /// What stands in the answer if a call that is not required fails.
    #[serde(default)]
    pub(crate) default: Value,
    /// How long to wait for the response's head.
    #[serde(default = "five_seconds")]
    pub(crate) timeout: Period,
    /// Headers of the request that go along; no others do.
    #[serde(default)]
    pub(crate) headers: Vec<HeaderName>,
    /// The part of the response that is taken, as a JSON Pointer (RFC 6901).
    #[serde(default)]
    pub(crate) pointer: String,
    /// Keys that are left out if what is taken is an object.
    #[serde(default)]
    pub(crate) drop: Vec<String>,
}

impl Aggregate {
    /// The first thing that the types do not rule out.
    pub(crate) fn fault(&self) -> Option<String> {
        if self.calls.is_empty() {
            return Some("calls: at least one is needed".to_owned());
        }
        let mut names = BTreeMap::new();
        for (i, call) in self.calls.iter().enumerate() {
            // Names stand in a header when their calls have failed.
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if call.name.is_empty() || !call.name.chars().all(plain) {
                return Some(format!("calls[{i}].name: must be letters, digits, `-`, `_` and `.`"));
            }
            if let Some(j) = names.insert(&call.name, i) {
                return Some(format!("calls[{i}].name: calls[{j}] has the same name"));
            }
            if call.upstream.is_empty() {
                return Some(format!("calls[{i}].upstream: must not be empty"));
            }
            if call.method.is_empty() || !call.method.bytes().all(|byte| byte.is_ascii_uppercase())
            {
                return Some(format!("calls[{i}].method: must be in capitals, such as GET"));
            }
            // Otherwise a value of the request could choose more than a part of the path.
            if !call.target.prefix().starts_with('/') {
                return Some(format!("calls[{i}].target: must begin with /"));
            }
            if !call.pointer.is_empty() && !call.pointer.starts_with('/') {
                return Some(format!("calls[{i}].pointer: must be empty or begin with /"));
            }
            if call.required && !call.default.is_null() {
                return Some(format!(
                    "calls[{i}].default: a required call has none; say required: false"
                ));
            }
        }
        None
    }
}

fn get() -> String {
    "GET".to_owned()
}

fn yes() -> bool {
    true
}

fn five_seconds() -> Period {
    Period::seconds(5)
}
