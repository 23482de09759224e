//! Kinds of values that configurations share.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// A length of time with its unit, as the gateway's file writes it: `250ms`, `10s`, `5m`, `1h`,
/// `1d`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(try_from = "String")]
pub struct Period(Duration);

impl Period {
    /// So many seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The length of time.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl TryFrom<String> for Period {
    type Error = InvalidPeriod;

    fn try_from(text: String) -> Result<Self, InvalidPeriod> {
        let parse = |text: &str| {
            let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
            let number: u64 = text[..unit_at].parse().ok()?;
            let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs);
            match &text[unit_at..] {
                "ms" => Some(Duration::from_millis(number)),
                "s" => seconds(1),
                "m" => seconds(60),
                "h" => seconds(60 * 60),
                "d" => seconds(24 * 60 * 60),
                _ => None,
            }
        };
        parse(&text).map(Self).ok_or(InvalidPeriod(text))
    }
}

impl JsonSchema for Period {
    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]+(ms|s|m|h|d)$",
            "x-expected": "a length of time such as `250ms`, `10s`, `5m`, `1h` or `1d`",
        })
    }
}

/// A text that is no length of time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidPeriod(String);

impl fmt::Display for InvalidPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a length of time such as 250ms, 10s, 5m, 1h or 1d", self.0)
    }
}

impl std::error::Error for InvalidPeriod {}

/// One value, or a list of them.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(untagged)]
pub enum OneOrMany {
    /// `key: value`.
    One(String),
    /// `key: [value, value]`.
    Many(Vec<String>),
}

impl OneOrMany {
    /// The values.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }

    /// Whether `value` is one of them.
    #[must_use]
    pub fn contains(&self, value: &str) -> bool {
        self.as_slice().iter().any(|each| each == value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_has_a_unit() {
        let period = |text: &str| Period::try_from(text.to_owned()).map(Period::get);
        assert_eq!(period("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(period("2m"), Ok(Duration::from_secs(120)));
        for text in ["", "5", "s", "-1s", "1.5s", "1 s", "99999999999999999999s", "1w"] {
            assert!(period(text).is_err(), "{text}");
        }
    }
}
