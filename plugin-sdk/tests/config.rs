//! What `#[derive(Config)]` makes of types.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Value, from_value, json};
use tollgate_plugin::{Config, schemars::schema_for};

/// Who may come in, and when.
#[derive(Clone, Config, Debug, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Doors {
    /// How many come in at once.
    #[serde(default = "two")]
    pub(crate) at_once: u32,
    #[serde(default)]
    on_error: Fallback,
    pub(crate) doors: Vec<Door>,
    #[schemars(length(min = 1))]
    note: Option<String>,
}

/// What happens in doubt.
#[derive(Clone, Config, Debug, Default, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Fallback {
    /// Nobody comes in.
    #[default]
    Closed,
    Wait {
        seconds: u64,
    },
}

#[derive(Clone, Config, Debug, PartialEq)]
#[serde(untagged)]
pub(crate) enum Door {
    Named(String),
    Made(Made),
}

#[derive(Clone, Config, Debug, PartialEq)]
pub(crate) struct Made {
    of: String,
    /// A door behind a door.
    behind: Option<Box<Door>>,
}

#[derive(Config, Debug, PartialEq)]
struct Metres(u32);

#[derive(Config, Debug, PartialEq)]
#[serde(default)]
struct Lenient {
    pub(crate) count: u32,
    names: BTreeMap<String, Vec<(u8, u8)>>,
}

impl Default for Lenient {
    fn default() -> Self {
        Self { count: 3, names: BTreeMap::new() }
    }
}

fn two() -> u32 {
    2
}

fn check_refused<T: DeserializeOwned>(value: Value, part: &str) {
    let refused = from_value::<T>(value).map(drop).unwrap_err().to_string();
    assert!(refused.contains(part), "{refused}");
}

#[test]
fn values_are_read_with_defaults_names_and_nesting() {
    let doors: Doors = from_value(json!({
        "on-error": { "wait": { "seconds": 3 } },
        "doors": ["front", { "of": "oak", "behind": "front" }],
    }))
    .unwrap();
    assert_eq!((doors.at_once, &doors.note), (2, &None));
    assert_eq!(doors.on_error, Fallback::Wait { seconds: 3 });
    let front = Door::Named("front".into());
    let oak = Made { of: "oak".into(), behind: Some(Box::new(front.clone())) };
    assert_eq!(doors.doors, [front, Door::Made(oak)]);
    let doors: Doors = from_value(json!({ "doors": [] })).unwrap();
    assert_eq!(doors.on_error, Fallback::Closed);
    assert_eq!(from_value::<Metres>(json!(7)).unwrap(), Metres(7));
    assert_eq!(from_value::<Lenient>(json!({})).unwrap(), Lenient::default());
}

#[test]
fn unknown_keys_are_refused_in_each_type() {
    check_refused::<Doors>(json!({ "doors": [], "at_once": 1 }), "unknown field `at_once`");
    check_refused::<Lenient>(json!({ "counts": 1 }), "unknown field `counts`");
    check_refused::<Made>(json!({ "of": "oak", "by": "me" }), "unknown field `by`");
    check_refused::<Fallback>(json!({ "wait": { "secs": 1 } }), "unknown field `secs`");
}

#[test]
fn the_schema_says_all_that_the_types_say() {
    let schema = schema_for!(Doors).to_value();
    assert_eq!(schema["title"], "Doors");
    assert_eq!(schema["description"], "Who may come in, and when.");
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], json!(["doors"]));
    let at_once = &schema["properties"]["at-once"];
    assert_eq!((&at_once["default"], &at_once["type"]), (&json!(2), &json!("integer")));
    assert_eq!(at_once["description"], "How many come in at once.");
    assert_eq!(schema["properties"]["note"]["minLength"], 1);
    let made = &schema["$defs"]["Made"];
    assert_eq!(made["properties"]["behind"]["description"], "A door behind a door.");
    assert_eq!(made["additionalProperties"], false);
    assert_eq!(schema_for!(Lenient).to_value()["properties"]["count"]["default"], 3);
    assert!(schema["$defs"]["Door"]["anyOf"].is_array(), "{schema:#}");
    assert_eq!(schema["$defs"]["Fallback"]["description"], "What happens in doubt.");
}
