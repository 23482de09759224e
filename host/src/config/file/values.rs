//! Values with units as the file writes them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Number;

use crate::config::units::{DURATION, PERCENT, SIZE};

#[derive(Debug, Deserialize)]
pub(in crate::config) struct DurationText(pub(in crate::config) String);

/// A duration, or `none`.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(in crate::config) struct DurationOrNone(pub(in crate::config) DurationText);

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(in crate::config) enum SizeText {
    Bytes(Number),
    Text(String),
}

/// A size, or `none`.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(in crate::config) struct SizeOrNone(pub(in crate::config) SizeText);

#[derive(Debug, Deserialize)]
pub(in crate::config) struct PercentText(pub(in crate::config) String);

impl JsonSchema for DurationText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]+(ms|s|m|h)$",
            "x-expected": DURATION,
        })
    }
}

impl JsonSchema for DurationOrNone {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "DurationOrNone".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^([0-9]+(ms|s|m|h)|none)$",
            "x-expected": format!("`none` or {DURATION}"),
        })
    }
}

impl JsonSchema for SizeText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "minimum": 1,
            "pattern": "^[0-9]+(B|KiB|MiB|GiB)?$",
            "x-expected": SIZE,
        })
    }
}

impl JsonSchema for SizeOrNone {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SizeOrNone".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "minimum": 1,
            "pattern": "^([0-9]+(B|KiB|MiB|GiB)?|none)$",
            "x-expected": format!("`none` or {SIZE}"),
        })
    }
}

impl JsonSchema for PercentText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]+(\\.[0-9]+)?%$",
            "x-expected": PERCENT,
        })
    }
}
