//! Conditions on header fields and query parameters.

use std::{borrow::Cow, fmt};

use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode;
use regex::bytes::Regex;

/// Where a header field or query parameter occurs more than once, its first value counts.
#[derive(Clone, Debug, PartialEq)]
pub struct HeaderCondition {
    pub name: HeaderName,
    pub value: ValueCondition,
}

/// Names and values are compared percent-decoded, with `+` for a space.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryCondition {
    pub name: String,
    pub value: ValueCondition,
}

#[derive(Clone, Debug)]
pub enum ValueCondition {
    Exact(String),
    Prefix(String),
    /// The whole value must match.
    Regex(WholeRegex),
    Present(bool),
}

/// A regular expression that covers all of a value.
#[derive(Clone, Debug)]
pub struct WholeRegex {
    source: String,
    regex: Regex,
}

/// What two conditions may have in common.
pub(super) trait Condition {
    type Name: PartialEq;

    fn name(&self) -> &Self::Name;

    fn value(&self) -> &ValueCondition;
}

impl HeaderCondition {
    pub fn accepts(&self, headers: &HeaderMap) -> bool {
        self.value.accepts(headers.get(&self.name).map(|value| value.as_bytes()))
    }
}

impl Condition for HeaderCondition {
    type Name = HeaderName;

    fn name(&self) -> &HeaderName {
        &self.name
    }

    fn value(&self) -> &ValueCondition {
        &self.value
    }
}

impl QueryCondition {
    pub fn accepts(&self, query: Option<&str>) -> bool {
        let mut pairs = query.unwrap_or_default().split('&');
        let value = pairs.find_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // An empty pair is none, as in `a=1&&b=2`.
            (!pair.is_empty() && *decode(name) == *self.name.as_bytes()).then(|| decode(value))
        });
        self.value.accepts(value.as_deref())
    }
}

impl Condition for QueryCondition {
    type Name = String;

    fn name(&self) -> &String {
        &self.name
    }

    fn value(&self) -> &ValueCondition {
        &self.value
    }
}

impl ValueCondition {
    pub fn regex(source: &str) -> Result<Self, regex::Error> {
        // The source alone must be valid: `a)|(b` is so only between the parentheses.
        Regex::new(source)?;
        // The line break ends a comment that `(?x)` may have begun.
        let newline = if source.contains('#') { "\n" } else { "" };
        let regex = Regex::new(&format!(r"\A(?:{source}{newline})\z"))?;
        Ok(Self::Regex(WholeRegex { source: source.to_owned(), regex }))
    }

    /// Whether `value` satisfies it; `None` where there is none.
    pub fn accepts(&self, value: Option<&[u8]>) -> bool {
        match (self, value) {
            (Self::Present(wanted), value) => *wanted == value.is_some(),
            (_, None) => false,
            (Self::Exact(exact), Some(value)) => exact.as_bytes() == value,
            (Self::Prefix(prefix), Some(value)) => value.starts_with(prefix.as_bytes()),
            (Self::Regex(whole), Some(value)) => whole.regex.is_match(value),
        }
    }

    /// Whether no value satisfies both, as far as that can be told.
    fn is_disjoint(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Present(a), Self::Present(b)) => a != b,
            (Self::Present(present), _) | (_, Self::Present(present)) => !present,
            (Self::Exact(exact), other) | (other, Self::Exact(exact)) => {
                !other.accepts(Some(exact.as_bytes()))
            }
            (Self::Prefix(a), Self::Prefix(b)) => !a.starts_with(b) && !b.starts_with(a),
            (Self::Regex(_), _) | (_, Self::Regex(_)) => false,
        }
    }
}

impl PartialEq for ValueCondition {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(a), Self::Exact(b)) | (Self::Prefix(a), Self::Prefix(b)) => a == b,
            (Self::Regex(a), Self::Regex(b)) => a.source == b.source,
            (Self::Present(a), Self::Present(b)) => a == b,
            _ => false,
        }
    }
}

impl WholeRegex {
    /// As the configuration writes it.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }
}

impl fmt::Display for ValueCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(exact) => write!(f, "exactly {exact:?}"),
            Self::Prefix(prefix) => write!(f, "prefix {prefix:?}"),
            Self::Regex(whole) => write!(f, "regex {}", whole.source),
            Self::Present(true) => f.write_str("present"),
            Self::Present(false) => f.write_str("absent"),
        }
    }
}

/// Whether some pair of conditions on the same name excludes one another.
pub(super) fn are_disjoint<C: Condition>(these: &[C], those: &[C]) -> bool {
    these.iter().any(|this| {
        let mut same_name = those.iter().filter(|that| that.name() == this.name());
        same_name.any(|that| this.value().is_disjoint(that.value()))
    })
}

/// Form-decoded; borrowed where there is nothing to decode.
fn decode(text: &str) -> Cow<'_, [u8]> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return Cow::Owned(percent_decode(spaced.as_bytes()).collect());
    }
    percent_decode(text.as_bytes()).into()
}
