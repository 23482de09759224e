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
    #[schemars(extend("x-tollgate-name" = "upstream"))]
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
    /// What the types do not rule out, a line each.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.calls.is_empty() {
            faults.push("calls: at least one is needed".to_owned());
        }
        let mut names = BTreeMap::new();
        for (i, call) in self.calls.iter().enumerate() {
            faults.extend(call.faults().into_iter().map(|fault| format!("calls[{i}].{fault}")));
            if let Some(j) = names.insert(&call.name, i) {
                faults.push(format!("calls[{i}].name: calls[{j}] has the same name"));
            }
        }
        faults
    }
}

impl Call {
    fn faults(&self) -> Vec<String> {
        // Names stand in a header when their calls have failed.
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_method = |method: &str| method.bytes().all(|byte| byte.is_ascii_uppercase());
        let checks = [
            (
                !self.name.is_empty() && self.name.chars().all(plain),
                "name: must be letters, digits, `-`, `_` and `.`",
            ),
            (!self.upstream.is_empty(), "upstream: must not be empty"),
            (
                !self.method.is_empty() && is_method(&self.method),
                "method: must be in capitals, such as GET",
            ),
            // Otherwise a value of the request could choose more than a part of the path.
            (self.target.prefix().starts_with('/'), "target: must begin with /"),
            (
                self.pointer.is_empty() || self.pointer.starts_with('/'),
                "pointer: must be empty or begin with /",
            ),
            (
                !self.required || self.default.is_null(),
                "default: a required call has none; say required: false",
            ),
        ];
        let failed = checks.into_iter().filter(|(holds, _)| !holds);
        failed.map(|(_, fault)| fault.to_owned()).collect()
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
