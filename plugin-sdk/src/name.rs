//! Header names as a configuration gives them.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// The fields that belong to the gateway: framing and the connection (RFC 9110 section 7.6.1).
pub(crate) const RESERVED: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// The name of a header that a plugin may set, in lower case.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct HeaderName {
    name: String,
}

impl HeaderName {
    /// Reads a name in any case.
    ///
    /// # Errors
    ///
    /// Not a field name (RFC 9110 section 5.1), or one that belongs to the gateway.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        let name = name.to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(InvalidName { name, why: "is not a header name" });
        }
        if is_reserved(&name) {
            return Err(InvalidName { name, why: "belongs to the gateway" });
        }
        Ok(Self { name })
    }

    /// The name in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// Whether an upstream could take `name` for this one: to CGI and its heirs `x_user` and
    /// `x-user` are the same variable.
    #[must_use]
    pub fn resembles(&self, name: &str) -> bool {
        name.len() == self.name.len()
            && name.bytes().zip(self.name.bytes()).all(|(a, b)| {
                let fold = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
                fold(a) == fold(b)
            })
    }
}

/// Whether a name is one that only the gateway sets.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || name.starts_with("proxy-")
}

/// A token character (RFC 9110 section 5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

impl TryFrom<String> for HeaderName {
    type Error = InvalidName;

    fn try_from(name: String) -> Result<Self, InvalidName> {
        Self::new(&name)
    }
}

impl JsonSchema for HeaderName {
    fn schema_name() -> Cow<'static, str> {
        "HeaderName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for HeaderName {}

impl PartialOrd for HeaderName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for HeaderName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.name.cmp(&other.name)
    }
}

/// Why a text names no header that a plugin may set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidName {
    name: String,
    why: &'static str,
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.name.escape_debug(), self.why)
    }
}

impl std::error::Error for InvalidName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_resembles_its_other_spellings() {
        let name = HeaderName::new("X-User-Id").expect("a name");
        assert_eq!(name.as_str(), "x-user-id");
        assert!(name.resembles("X_User-Id"));
        assert!(!name.resembles("x-user-ib"));
    }

    #[test]
    fn names_of_the_gateway_and_texts_that_are_no_names_are_refused() {
        for name in ["", "a b", "a:b", "Content-Length", "TE", "Host", "proxy-x", "ä"] {
            assert!(HeaderName::new(name).is_err(), "{name}");
        }
    }
}
