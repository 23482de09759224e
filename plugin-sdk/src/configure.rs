//! From the JSON of a use to a plugin, and from a plugin to its manifest.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use crate::error::Error;
use crate::plugin::Plugin;

/// Faults of one configuration that are told; the gateway shows no more.
const MOST_FAULTS: usize = 20;

/// The JSON Schema (2020-12) of a plugin's configuration.
pub(crate) fn schema<P: Plugin>() -> String {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let schema = generator.into_root_schema_for::<P::Config>();
    serde_json::to_string_pretty(&schema).expect("a schema is JSON")
}

/// Makes a plugin from the configuration of its use.
///
/// # Errors
///
/// Every value that cannot be read, a line each, or what the plugin itself says.
pub(crate) fn configure<P: Plugin>(json: &str) -> Result<P, Error> {
    let config = read(json).map_err(|first| {
        let more = faults::<P::Config>(json);
        if more.is_empty() { Error::new(first.to_string()) } else { Error::new(more.join("\n")) }
    })?;
    P::new(config)
}

/// Why a value cannot be read, and the way to it.
struct Misfit {
    path: Path,
    reason: String,
}

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let way: Vec<Step> = self.path.iter().filter_map(Step::of).collect();
        f.write_str(&line(&way, &self.reason))
    }
}

fn read<T: DeserializeOwned>(json: &str) -> Result<T, Misfit> {
    let mut json = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().clone();
        let reason = error.into_inner().to_string();
        // The operator wrote YAML and never saw the JSON whose lines and columns these are.
        let reason = reason.split(" at line ").next().unwrap_or_default().to_owned();
        Misfit { path, reason }
    })
}

/// Reading ends at the first value that does not fit. So that one is taken out, and what is left is
/// read again.
fn faults<T: DeserializeOwned>(json: &str) -> Vec<String> {
    let Ok(mut rest) = serde_json::from_str::<Value>(json) else { return Vec::new() };
    let mut taken_out: Vec<Vec<Step>> = Vec::new();
    let mut faults = Vec::new();
    while let Err(Misfit { path, reason }) = read::<T>(&rest.to_string()) {
        let way = found(&rest, &path);
        let original = original(&way, &taken_out);
        if !is_consequence(&original, &reason, &taken_out) {
            faults.push(line(&original, &reason));
        }
        if faults.len() == MOST_FAULTS || !take_out(&mut rest, &way) {
            break;
        }
        taken_out.push(original);
    }
    faults
}

/// Whether a value misses only what was taken out of it, which has had its line. A key that is missing
/// beside that has not.
fn is_consequence(way: &[Step], reason: &str, taken_out: &[Vec<Step>]) -> bool {
    let mut taken = taken_out
        .iter()
        .filter_map(|taken| taken.split_last())
        .filter(|(_, parent)| *parent == way)
        .map(|(step, _)| step)
        .peekable();
    let missing = reason.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    match missing {
        Some(key) => taken.any(|step| *step == Step::Key(key.to_owned())),
        None => taken.peek().is_some(),
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Step {
    Key(String),
    Index(usize),
}

impl Step {
    fn of(segment: &Segment) -> Option<Self> {
        match segment {
            Segment::Seq { index } => Some(Self::Index(*index)),
            Segment::Map { key } => Some(Self::Key(key.clone())),
            Segment::Enum { variant } => Some(Self::Key(variant.clone())),
            Segment::Unknown => None,
        }
    }
}

/// `limits[0].cost: must be ..`; without a way, the reason alone.
fn line(way: &[Step], reason: &str) -> String {
    let mut text = String::new();
    for step in way {
        match step {
            Step::Index(index) => text.push_str(&format!("[{index}]")),
            Step::Key(key) if text.is_empty() => text.push_str(&written(key)),
            Step::Key(key) => text.push_str(&format!(".{}", written(key))),
        }
    }
    if text.is_empty() { reason.to_owned() } else { format!("{text}: {reason}") }
}

/// In quotes where it could be read otherwise, as the gateway writes keys.
fn written(key: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let is_bare = !key.is_empty() && key.chars().all(is_plain);
    if is_bare { key.into() } else { format!("{key:?}").into() }
}

/// The path as far as there are such values: an enum's variant may be no key.
fn found(root: &Value, path: &Path) -> Vec<Step> {
    let mut way = Vec::new();
    let mut value = root;
    for step in path.iter().filter_map(Step::of) {
        let child = match &step {
            Step::Key(key) => value.get(key),
            Step::Index(index) => value.get(index),
        };
        let Some(child) = child else { break };
        value = child;
        way.push(step);
    }
    way
}

/// The way in the configuration as it was written: elements have moved up to where others were
/// taken out.
fn original(way: &[Step], taken_out: &[Vec<Step>]) -> Vec<Step> {
    let mut original: Vec<Step> = Vec::new();
    for step in way {
        let Step::Index(index) = step else {
            original.push(step.clone());
            continue;
        };
        let is_left = |at: &usize| {
            let taken = |taken: &Vec<Step>| {
                taken.split_last() == Some((&Step::Index(*at), original.as_slice()))
            };
            !taken_out.iter().any(taken)
        };
        let at = (0..).filter(is_left).nth(*index).unwrap_or(*index);
        original.push(Step::Index(at));
    }
    original
}

/// Whether there was something to take out; the root stays.
fn take_out(root: &mut Value, way: &[Step]) -> bool {
    let Some((last, parents)) = way.split_last() else { return false };
    let parent = parents.iter().try_fold(root, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    });
    match (parent, last) {
        (Some(Value::Object(members)), Step::Key(key)) => members.remove(key).is_some(),
        (Some(Value::Array(elements)), Step::Index(index)) if *index < elements.len() => {
            elements.remove(*index);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::{HeaderName, Period, Template};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Config {
        wait: Period,
        #[serde(default)]
        headers: Vec<HeaderName>,
        #[serde(default)]
        calls: Vec<Call>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Call {
        target: Template,
        how: Option<How>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only read")]
    enum How {
        Plain,
        Within(Period),
    }

    #[track_caller]
    fn check(json: &str, expected: &[&str]) {
        let told = faults::<Config>(json);
        let starts = |(told, expected): (&String, &&str)| told.starts_with(*expected);
        let is_as_expected = told.len() == expected.len() && told.iter().zip(expected).all(starts);
        assert!(is_as_expected, "{told:#?}");
    }

    #[test]
    fn every_value_that_cannot_be_read_is_told_with_its_own_way() {
        check(
            r#"{ "wait": "soon", "headers": ["a b", "x-a", "host"], "calls": [
                { "target": "/{", "how": { "within": "5" } },
                { "target": "/", "hwo": "plain" },
                { "how": "fast" }
            ], "x": 1, "y/z": 1 }"#,
            &[
                "calls[0].how.within: `5` is not a length",
                "calls[0].target: ",
                "calls[1].hwo: unknown field `hwo`",
                "calls[2].how: unknown variant `fast`",
                "calls[2]: missing field `target`",
                "headers[0]: ",
                "headers[2]: ",
                "wait: `soon` is not a length",
                "x: unknown field `x`",
                "\"y/z\": unknown field `y/z`",
            ],
        );
    }

    #[test]
    fn what_is_missing_since_it_was_told_is_not_told_again() {
        check(r#"{ "wait": 5 }"#, &["wait: invalid type"]);
        check("{}", &["missing field `wait`"]);
        check("[]", &["invalid length 0"]);
        check(
            r#"{ "wait": "1s", "calls": [{ "target": "}" }, { "target": "{" }] }"#,
            &["calls[0].target: ", "calls[1].target: "],
        );
    }

    #[test]
    fn no_more_is_told_than_can_be_read() {
        let many = vec!["a b"; 100];
        let json = serde_json::json!({ "wait": "1s", "headers": many }).to_string();
        assert_eq!(faults::<Config>(&json).len(), MOST_FAULTS);
    }
}
