//! A rate as the operator writes it: `100/min`.

use std::borrow::Cow;

use tollgate_plugin::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use tollgate_plugin::serde::Deserialize;

/// So many in so much time.
#[derive(Debug, Deserialize, Eq, PartialEq)]
#[serde(crate = "tollgate_plugin::serde", try_from = "String")]
pub(crate) struct Rate {
    pub(crate) count: u32,
    pub(crate) window_ms: u32,
    pub(crate) text: String,
}

impl TryFrom<String> for Rate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parse = |text: &str| {
            let (count, unit) = text.split_once('/')?;
            let window_ms = match unit {
                "s" => 1000,
                "min" => 60 * 1000,
                "h" => 60 * 60 * 1000,
                "day" => 24 * 60 * 60 * 1000,
                _ => return None,
            };
            let digits = count.bytes().all(|byte| byte.is_ascii_digit());
            let count = count.parse().ok().filter(|&count: &u32| digits && count > 0)?;
            Some((count, window_ms))
        };
        match parse(&text) {
            Some((count, window_ms)) => Ok(Self { count, window_ms, text }),
            None => {
                Err(format!("`{text}` is not a rate such as 10/s, 100/min, 1000/h or 10000/day"))
            }
        }
    }
}

impl JsonSchema for Rate {
    fn schema_name() -> Cow<'static, str> {
        "Rate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]+/(s|min|h|day)$",
            "x-expected": "a rate such as `10/s`, `100/min`, `1000/h` or `10000/day`",
        })
    }
}
