//! Texts with values of the request in them.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::request::Request;

/// A text with values of the request in it: `user-{attribute:auth.subject}`.
///
/// `{param:NAME}`, `{query:NAME}`, `{header:NAME}`, `{attribute:NAME}`, `{request_id}`, `{route}`,
/// `{method}`, `{path}` and `{peer}` stand for values, `{header:x|none}` for a value or else the
/// text after the bar, `{{` and `}}` for braces. It is parsed with the configuration.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Part {
    Text(String),
    Value { source: Source, default: Option<String> },
}

/// Where a value comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Source {
    Param(String),
    Query(String),
    Header(String),
    Attribute(String),
    RequestId,
    Route,
    Method,
    Path,
    Peer,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// A brace without its partner, or a value that does not exist.
    pub fn parse(text: &str) -> Result<Self, InvalidTemplate> {
        let invalid = |why: String| InvalidTemplate { text: text.to_owned(), why };
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                literal.push_str(brace);
                rest = after;
                continue;
            }
            if brace == "}" {
                return Err(invalid("`}` without `{`; write `}}` for a brace".to_owned()));
            }
            let Some((value, after)) = rest.split_once('}') else {
                return Err(invalid("`{` without `}`; write `{{` for a brace".to_owned()));
            };
            rest = after;
            let (source, default) = match value.split_once('|') {
                Some((source, default)) => (source, Some(default.to_owned())),
                None => (value, None),
            };
            let source = Source::parse(source).ok_or_else(|| {
                invalid(format!(
                    "no value is called `{source}`; there are param:NAME, query:NAME, \
                     header:NAME, attribute:NAME, request_id, route, method, path and peer"
                ))
            })?;
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(Part::Value { source, default });
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Self { parts })
    }

    /// The text, if it holds no values.
    #[must_use]
    pub fn constant(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The texts of the template itself, defaults included.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Value { default, .. } => default.as_deref(),
        })
    }

    /// The text before the first value.
    #[must_use]
    pub fn prefix(&self) -> &str {
        match self.parts.first() {
            Some(Part::Text(text)) => text,
            _ => "",
        }
    }

    /// The text with the request's values; `None` if one is missing and has no default.
    #[must_use]
    pub fn render(&self, request: &Request) -> Option<String> {
        self.render_with(request, |value, text| text.push_str(value))
    }

    /// As [`render`](Template::render), for a request target: the values are percent-encoded, so
    /// that none can end its path segment or query value. `None` also if a value would make a
    /// segment `.` or `..`, which no encoding keeps from being taken for a way up.
    #[must_use]
    pub fn render_target(&self, request: &Request) -> Option<String> {
        let target =
            self.render_with(request, |value, text| percent_encode(value.as_bytes(), text))?;
        let path = target.split('?').next().unwrap_or_default();
        let climbs = path.split('/').any(|segment| segment == "." || segment == "..");
        (!climbs).then_some(target)
    }

    fn render_with(&self, request: &Request, write: fn(&str, &mut String)) -> Option<String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Value { source, default } => match source.value(request) {
                    Some(value) => write(&value, &mut text),
                    None => write(default.as_deref()?, &mut text),
                },
            }
        }
        Some(text)
    }
}

impl Source {
    fn parse(text: &str) -> Option<Self> {
        let (kind, name) = match text.split_once(':') {
            Some((_, "")) => return None,
            Some((kind, name)) => (kind, Some(name)),
            None => (text, None),
        };
        Some(match (kind, name) {
            ("param", Some(name)) => Self::Param(name.to_owned()),
            ("query", Some(name)) => Self::Query(name.to_owned()),
            ("header", Some(name)) => Self::Header(name.to_ascii_lowercase()),
            ("attribute", Some(name)) => Self::Attribute(name.to_owned()),
            ("request_id", None) => Self::RequestId,
            ("route", None) => Self::Route,
            ("method", None) => Self::Method,
            ("path", None) => Self::Path,
            ("peer", None) => Self::Peer,
            _ => return None,
        })
    }

    fn value(&self, request: &Request) -> Option<String> {
        match self {
            Self::Param(name) => request.param(name),
            Self::Query(name) => request.query_value(name),
            Self::Header(name) => request.header(name),
            Self::Attribute(name) => request.attribute(name),
            Self::RequestId => Some(request.id()),
            Self::Route => Some(request.route()),
            Self::Method => Some(request.method()),
            Self::Path => Some(request.path()),
            Self::Peer => Some(request.peer().address),
        }
    }
}

/// Writes all but the unreserved characters as `%XX` (RFC 3986 section 2.3).
pub(crate) fn percent_encode(bytes: &[u8], text: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

/// Reads `%XX`, and `+` as a space; what is not hex stays as it is, what is not UTF-8 is replaced.
pub(crate) fn percent_decode(text: &str) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|&byte| char::from(byte).to_digit(16));
    let source = text.as_bytes();
    let mut bytes = Vec::with_capacity(source.len());
    let mut i = 0;
    while i < source.len() {
        match (source[i], digit(source.get(i + 1)), digit(source.get(i + 2))) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high << 4 | low).expect("two hex digits are one byte"));
                i += 2;
            }
            (b'+', ..) => bytes.push(b' '),
            (byte, ..) => bytes.push(byte),
        }
        i += 1;
    }
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

impl JsonSchema for Template {
    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

impl TryFrom<String> for Template {
    type Error = InvalidTemplate;

    fn try_from(text: String) -> Result<Self, InvalidTemplate> {
        Self::parse(&text)
    }
}

/// Why a text is no template.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidTemplate {
    text: String,
    why: String,
}

impl fmt::Display for InvalidTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a template: {}", self.text, self.why)
    }
}

impl std::error::Error for InvalidTemplate {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[track_caller]
    fn check(template: &str, expected: Option<&str>) {
        let request = testing::Request::get("/users/7?q=a%20b")
            .param("id", "7/8")
            .header("x-a", "1")
            .attribute("auth.subject", "ann")
            .build();
        let template = Template::parse(template).expect("a template");
        assert_eq!(template.render(&request).as_deref(), expected);
    }

    #[test]
    fn values_stand_where_their_names_stood() {
        check("{param:id}-{header:X-A}-{attribute:auth.subject}", Some("7/8-1-ann"));
        check("{method} {path} {query:q}", Some("GET /users/7 a b"));
        check("{{{header:x-a}}}", Some("{1}"));
        check("plain", Some("plain"));
        check("", Some(""));
    }

    #[test]
    fn a_missing_value_takes_its_default_or_the_whole_text_is_missing() {
        check("a{header:x-none}", None);
        check("a{header:x-none|}", Some("a"));
        check("a{header:x-none|b c}", Some("ab c"));
    }

    #[test]
    fn values_cannot_leave_their_place_in_a_target() {
        let request = testing::Request::get("/").param("id", "../a?b&c=%41 d").build();
        let template = Template::parse("/users/{param:id}").expect("a template");
        assert_eq!(
            template.render_target(&request).as_deref(),
            Some("/users/..%2Fa%3Fb%26c%3D%2541%20d")
        );
    }

    #[test]
    fn no_value_is_a_way_up() {
        for id in [".", ".."] {
            let request = testing::Request::get("/").param("id", id).build();
            let render = |template: &str| {
                Template::parse(template).expect("a template").render_target(&request)
            };
            assert_eq!(render("/users/{param:id}"), None);
            assert_eq!(render("/users/{param:id}/orders?a=b"), None);
            assert_eq!(
                render("/users/a{param:id}?q={param:id}"),
                Some(format!("/users/a{id}?q={id}"))
            );
        }
    }

    #[test]
    fn templates_that_mean_nothing_are_refused() {
        for text in ["{", "}", "{a", "a}", "{nothing}", "{param}", "{param:}", "{method:x}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
