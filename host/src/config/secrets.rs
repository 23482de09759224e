//! What of a configuration may be a secret: shown masked by whatever shows a configuration.

mod described;
mod masked;
mod urls;

use std::collections::HashMap;

use serde_json::Value;

pub(super) use self::urls::mask_passwords;
use self::{
    described::Described,
    urls::{has_masked_password, has_password},
};
pub(crate) use self::{masked::masked, urls::without_passwords};
use super::{
    Route, Source,
    document::Document,
    pointer::{Pointer, Step},
};
use crate::router::{Match, ValueCondition};

/// What stands where a secret was.
pub(super) const MASK: &str = "***";

/// The same for a regular expression, which must still be one.
const MASKED_REGEX: &str = r"\*{3}";

/// The schemas of plugins' configurations, by where their components come from.
pub(crate) type Schemas = HashMap<Source, Value>;

/// A plugin's configuration with its secrets masked. Where the schema says nothing of a value,
/// every text is taken for one.
pub(super) fn plugin_config(
    document: &Document,
    at: &Pointer,
    config: &Value,
    schema: Option<&Value>,
) -> Value {
    let schema = schema.map_or_else(Described::by_nobody, Described::by);
    Walk { document }.value(at, config, Found { schema, ..Found::default() })
}

/// A route's conditions with those masked that only some clients know.
pub(crate) fn shown_match(document: &Document, route: &Route) -> Match {
    let mut shown = route.matching.clone();
    let at = route.at.key("match");
    for header in &mut shown.headers {
        let is_named = is_secret(document, &at.key("headers"), header.name.as_str());
        mask(&mut header.value, is_named);
    }
    for query in &mut shown.query {
        let is_named = is_secret(document, &at.key("query"), &query.name);
        mask(&mut query.value, is_named);
    }
    shown
}

/// The value of a fixed response's header field, or the mask.
pub(crate) fn shown_field(document: &Document, route: &Route, name: &str, value: &[u8]) -> String {
    let at = route.at.key("respond").key("headers");
    let text = String::from_utf8_lossy(value);
    if is_secret(document, &at, name) || is_credential(&text) {
        return MASK.to_owned();
    }
    without_passwords(&text)
}

/// Whether two values say the same but for what is masked in one of them, which nobody can compare.
pub(crate) fn may_be_same(one: &Value, other: &Value) -> bool {
    if one.is_null() || other.is_null() {
        return false;
    }
    is_mask(one)
        || is_mask(other)
        || matches!((one, other), (Value::String(one), Value::String(other))
            if (has_masked_password(one) || has_masked_password(other))
                && without_passwords(one) == without_passwords(other))
}

/// Whether the value is what stands where a secret was.
pub(crate) fn is_mask(value: &Value) -> bool {
    value.as_str().is_some_and(is_masked_text)
}

fn is_masked_text(text: &str) -> bool {
    text == MASK || text == MASKED_REGEX
}

/// Whether the value with this name in the table at `at` may be one. Names of header fields are in
/// lower case by now, whatever the file has.
fn is_secret(document: &Document, at: &Pointer, name: &str) -> bool {
    is_secret_name(name) || document.has_substituted_member(at, name)
}

/// Masks the condition if its name or what it asks for says that it is a secret.
fn mask(condition: &mut ValueCondition, is_named: bool) {
    match condition {
        ValueCondition::Exact(text) | ValueCondition::Prefix(text) => {
            let is_secret = is_named || is_credential(text);
            *text = if is_secret { MASK.to_owned() } else { without_passwords(text) };
        }
        ValueCondition::Regex(regex) => {
            let source = regex.source();
            // Where groups and flags come first, the scheme is not at the beginning.
            let words = source.trim_start_matches(['^', '(', '?', ':', 'i', ')']);
            // A mask within it would be another expression.
            if is_named || is_credential(words) || has_password(source) {
                *condition =
                    ValueCondition::regex(MASKED_REGEX).expect("it is a regular expression");
            }
        }
        ValueCondition::Present(_) => (),
    }
}

/// Whether what is called so may be a secret.
fn is_secret_name(name: &str) -> bool {
    const WORDS: [&str; 10] = [
        "token",
        "secret",
        "password",
        "passwd",
        "passphrase",
        "credential",
        "authorization",
        "cookie",
        "key",
        "signature",
    ];
    /// Too short to look for within other words.
    const WHOLE: [&str; 11] =
        ["auth", "hmac", "jwt", "login", "otp", "pass", "private", "psk", "pwd", "session", "sig"];
    let name = name.to_lowercase();
    WORDS.iter().any(|word| name.contains(word))
        || name.split(|c: char| !c.is_alphanumeric()).any(|part| WHOLE.contains(&part))
}

/// Whether a text is one that a client shows to be let in, whatever it is called (RFC 9110 §11.4).
fn is_credential(text: &str) -> bool {
    const SCHEMES: [&str; 8] =
        ["basic", "bearer", "digest", "dpop", "hawk", "negotiate", "signature", "token"];
    let scheme = text.trim_start().split_once([' ', '\t']).map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| SCHEMES.contains(&scheme.to_ascii_lowercase().as_str()))
}

/// A plugin's configuration, walked through beside its schema.
struct Walk<'d> {
    document: &'d Document,
}

/// What the way to a value says of it.
#[derive(Clone, Default)]
struct Found<'s> {
    schema: Described<'s>,
    /// A schema on the way says that it is a secret.
    is_marked: bool,
    /// It is called like one, or what it is in is and no schema tells its members apart.
    is_named: bool,
}

impl<'s> Found<'s> {
    /// A member of it. Under `keys`, say, one that the schema names is judged by its own name.
    fn member(&self, key: &str) -> Self {
        let is_named = is_secret_name(key) || (self.is_named && !self.schema.names(key));
        self.below(self.schema.member(key), is_named)
    }

    fn element(&self, index: usize) -> Self {
        self.below(self.schema.element(index), self.is_named)
    }

    fn below(&self, schema: Described<'s>, is_named: bool) -> Self {
        let is_named = is_named && !schema.is_public();
        let is_marked = self.is_marked || schema.is_secret();
        Self { schema, is_marked, is_named }
    }
}

impl Walk<'_> {
    fn value(&self, at: &Pointer, value: &Value, found: Found<'_>) -> Value {
        let is_secret = match value {
            Value::String(text) => {
                found.is_marked || found.is_named || !found.schema.is_known() || is_credential(text)
            }
            // A number that is called like a secret is hardly one where a schema has a number.
            Value::Bool(_) | Value::Number(_) => {
                found.is_marked || (found.is_named && !found.schema.is_known())
            }
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        };
        match value {
            Value::Array(elements) => {
                let elements = elements.iter().enumerate();
                let shown = elements.map(|(index, element)| {
                    self.value(&at.join(Step::Index(index)), element, found.element(index))
                });
                shown.collect()
            }
            Value::Object(members) => {
                let shown = members.iter().map(|(key, member)| {
                    (key.clone(), self.value(&at.key(key), member, found.member(key)))
                });
                Value::Object(shown.collect())
            }
            _ if is_secret || self.document.has_substituted(at) => MASK.into(),
            shown => shown.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
