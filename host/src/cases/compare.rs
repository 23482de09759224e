//! What was expected beside what came.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::{
    file::{CallOut, Expect, RequestOut, ResponseOut, VerdictOf, Wanted},
    message,
    run::Observed,
    sent::{Came, Message},
    standin::Call,
};
use crate::config::written_key;

/// Something that is not as it was expected.
pub(super) struct Difference {
    /// What it is about, such as `response.headers.x-user`.
    pub(super) what: String,
    pub(super) expected: String,
    pub(super) actual: String,
}

impl Difference {
    /// Lines that begin with `-` (expected), `+` (what came) or a space (both).
    pub(super) fn lines(&self) -> Vec<String> {
        let diff = TextDiff::from_lines(&self.expected, &self.actual);
        let line = |change: similar::Change<&str>| {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            format!("{sign} {}", change.value().trim_end_matches('\n'))
        };
        diff.iter_all_changes().map(line).collect()
    }
}

/// Everything in which `observed` is not as expected.
pub(super) fn compare(expect: &Expect, observed: &Observed) -> Vec<Difference> {
    let mut found = Found(Vec::new());
    found.verdict(expect, observed);
    if let Some(expected) = &expect.request {
        found.request(expected, &observed.request);
    }
    if let Some(expected) = &expect.response {
        found.response(expected, observed.response.as_ref());
    }
    found.calls(expect.calls.as_deref(), &observed.calls);
    if let Some(expected) = &expect.logs {
        found.logs(expected, &observed.logs);
    }
    for (store, entries) in &expect.stores {
        for (key, expected) in entries {
            let there = observed.stored.get(&(store.clone(), key.clone()));
            let at = format!("stores.{}.{}", written_key(store), written_key(key));
            found.option(&at, Some(expected), there);
        }
    }
    for (name, expected) in &expect.attributes {
        let there = observed.attributes.iter().find(|(known, _)| known == name);
        let at = format!("attributes.{}", written_key(name));
        found.option(&at, Some(expected), there.map(|(_, value)| value));
    }
    found.metrics(&expect.metrics, &observed.metrics);
    found.0
}

struct Found(Vec<Difference>);

impl Found {
    fn push(&mut self, what: &str, expected: impl Into<String>, actual: impl Into<String>) {
        let (expected, actual) = (expected.into(), actual.into());
        self.0.push(Difference { what: what.to_owned(), expected, actual });
    }

    fn equal(&mut self, what: &str, expected: Option<&str>, actual: &str) {
        if let Some(expected) = expected.filter(|expected| *expected != actual) {
            self.push(what, expected, actual);
        }
    }

    fn option(&mut self, what: &str, expected: Option<&String>, actual: Option<&String>) {
        if expected.is_some() && expected != actual {
            let text = |value: Option<&String>| value.map_or("(none)", String::as_str).to_owned();
            self.push(what, text(expected), text(actual));
        }
    }

    fn verdict(&mut self, expect: &Expect, observed: &Observed) {
        // A response hook that fails comes after the verdict, and is a failure all the same.
        let failed = !observed.failures.is_empty();
        let actual = if failed { VerdictOf::Fail } else { observed.verdict };
        let failures = observed.failures.join("\n");
        let fails_as_expected = expect.verdict == Some(VerdictOf::Fail)
            || (expect.verdict.is_none() && expect.error.is_some());
        match expect.verdict {
            Some(expected) if expected != actual => {
                let reason = if failed { format!(": {failures}") } else { String::new() };
                self.push("verdict", expected.as_str(), format!("{}{reason}", actual.as_str()));
            }
            None if failed && !fails_as_expected => self.push("error", "", failures.clone()),
            _ => (),
        }
        if let Some(error) = expect.error.as_ref().filter(|part| !failures.contains(*part)) {
            self.push("error", error, failures);
        }
    }

    fn request(&mut self, expected: &RequestOut, actual: &Message) {
        self.equal("request.method", expected.method.as_deref(), &actual.method);
        self.equal("request.target", expected.target.as_deref(), &actual.target);
        let upstream = expected.upstream.as_ref();
        self.option("request.upstream", upstream, actual.upstream.as_ref());
        self.wanted("request", &expected.wanted, &actual.headers, actual.body.whole());
        self.chunks("request.chunks", expected.chunks.as_deref(), &actual.body);
    }

    fn response(&mut self, expected: &ResponseOut, actual: Option<&Message>) {
        let Some(actual) = actual else {
            return self.push("response", "a response", "none: the case states no `response`");
        };
        if let Some(status) = expected.status.filter(|status| *status != actual.status) {
            self.push("response.status", status.to_string(), actual.status.to_string());
        }
        self.wanted("response", &expected.wanted, &actual.headers, actual.body.whole());
        self.chunks("response.chunks", expected.chunks.as_deref(), &actual.body);
    }

    fn calls(&mut self, expected: Option<&[CallOut]>, actual: &[Call]) {
        let line = |call: &Call| format!("{} {} {}\n", call.upstream, call.method, call.target);
        for call in actual.iter().filter(|call| !call.foreseen) {
            self.push("calls", "", format!("{}no answer is stated for it", line(call)));
        }
        let Some(expected) = expected else { return };
        if expected.len() != actual.len() {
            let lines = expected.iter().map(|call| {
                let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "*".to_owned());
                format!("{} {} {}\n", part(&call.upstream), part(&call.method), part(&call.target))
            });
            return self.push(
                "calls",
                lines.collect::<String>(),
                actual.iter().map(line).collect::<String>(),
            );
        }
        for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
            self.call(&format!("calls[{index}]"), expected, actual);
        }
    }

    fn call(&mut self, what: &str, expected: &CallOut, actual: &Call) {
        self.equal(&format!("{what}.upstream"), expected.upstream.as_deref(), &actual.upstream);
        self.equal(&format!("{what}.method"), expected.method.as_deref(), &actual.method);
        self.equal(&format!("{what}.target"), expected.target.as_deref(), &actual.target);
        self.wanted(what, &expected.wanted, &actual.headers, Ok(actual.body.clone()));
    }

    fn logs(&mut self, expected: &[String], actual: &[String]) {
        let fits = expected.len() == actual.len()
            && expected.iter().zip(actual).all(|(part, line)| line.contains(part.as_str()));
        if fits {
            return;
        }
        // Lines that fit look the same, so that the diff shows the others.
        let shown = expected.iter().enumerate().map(|(index, part)| {
            actual.get(index).filter(|line| line.contains(part.as_str())).unwrap_or(part)
        });
        let text = |lines: Vec<&String>| {
            lines.into_iter().map(|line| format!("{line}\n")).collect::<String>()
        };
        self.push("logs", text(shown.collect()), text(actual.iter().collect()));
    }

    /// A series of which nothing is known is shown beside those that there are: it may be misspelt.
    fn metrics(&mut self, expected: &BTreeMap<String, f64>, actual: &BTreeMap<String, f64>) {
        for (series, expected) in expected {
            let there = match actual.get(series) {
                Some(there) if (there - expected).abs() <= 1e-9 * expected.abs() => continue,
                Some(there) => there.to_string(),
                None if actual.is_empty() => "(none)".to_owned(),
                None => {
                    let known: Vec<_> = actual.keys().map(String::as_str).collect();
                    format!("(none; there are {})", known.join(", "))
                }
            };
            let what = format!("metrics.{}", written_key(series));
            self.push(&what, expected.to_string(), there);
        }
    }

    fn chunks(&mut self, what: &str, expected: Option<&[String]>, actual: &Came) {
        let Some(expected) = expected else { return };
        let actual = actual.pieces.iter().map(|piece| String::from_utf8_lossy(piece).into_owned());
        let actual: Vec<_> = actual.collect();
        if actual != expected {
            self.push(what, one_a_line(expected), one_a_line(&actual));
        }
    }

    fn wanted(
        &mut self,
        what: &str,
        expected: &Wanted,
        headers: &HeaderMap,
        body: Result<Bytes, &str>,
    ) {
        for (name, lines) in &expected.headers {
            let actual = field(headers, name);
            if actual != lines.as_slice() {
                let what = format!("{what}.headers.{name}");
                self.push(&what, shown(lines.as_slice()), shown(&actual));
            }
        }
        let without: BTreeSet<_> = expected.without.iter().collect();
        for name in without {
            let actual = field(headers, name);
            if !actual.is_empty() {
                self.push(&format!("{what}.headers.{name}"), "(none)", shown(&actual));
            }
        }
        self.body(what, expected, body);
    }

    fn body(&mut self, what: &str, expected: &Wanted, body: Result<Bytes, &str>) {
        if expected.body.is_none() && expected.json.is_none() && expected.contains.is_none() {
            return;
        }
        let bytes = match body {
            Ok(bytes) => bytes,
            Err(reason) => return self.push(&format!("{what}.body"), "a body", reason),
        };
        let text = String::from_utf8_lossy(&bytes);
        self.equal(&format!("{what}.body"), expected.body.as_deref(), &text);
        if let Some(part) = expected.contains.as_ref().filter(|part| !text.contains(*part)) {
            self.push(&format!("{what}.body contains"), part, text.as_ref());
        }
        let Some(json) = &expected.json else { return };
        match serde_json::from_slice::<Value>(&bytes) {
            Ok(actual) if actual == *json => (),
            Ok(actual) => {
                self.push(&format!("{what}.json"), format!("{json:#}"), format!("{actual:#}"));
            }
            Err(_) => self.push(&format!("{what}.json"), format!("{json:#}"), text.as_ref()),
        }
    }
}

/// The lines of a field.
fn field(headers: &HeaderMap, name: &str) -> Vec<String> {
    let Ok(name) = message::parse_name(name) else { return Vec::new() };
    let lines = headers.get_all(name).iter();
    lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()).collect()
}

/// Quoted, so that a line's end in one does not look like the next one.
fn one_a_line(chunks: &[String]) -> String {
    chunks.iter().map(|chunk| format!("{chunk:?}\n")).collect()
}

fn shown(lines: &[String]) -> String {
    if lines.is_empty() { "(none)".to_owned() } else { lines.join("\n") }
}
