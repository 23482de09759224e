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
use super::{Route, Source, document::Document, pointer::Pointer};
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
    let mut shown = config.clone();
    Secrets { document, schema }.each_in(at, &mut shown, &mut |_, secret| *secret = MASK.into());
    shown
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

/// The secrets of a plugin's configuration, as its schema and their names tell.
pub(super) struct Secrets<'d> {
    pub(super) document: &'d Document,
    pub(super) schema: Option<&'d Value>,
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

    /// Whether a text, number or switch may be one.
    fn is_secret(&self, scalar: &Value) -> bool {
        match scalar {
            Value::String(text) => {
                self.is_marked || self.is_named || !self.schema.is_known() || is_credential(text)
            }
            // A number that is called like a secret is hardly one where a schema has a number.
            Value::Bool(_) | Value::Number(_) => {
                self.is_marked || (self.is_named && !self.schema.is_known())
            }
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        }
    }

    fn below(&self, schema: Described<'s>, is_named: bool) -> Self {
        let is_named = is_named && !schema.is_public();
        let is_marked = self.is_marked || schema.is_secret();
        Self { schema, is_marked, is_named }
    }
}

impl Secrets<'_> {
    /// Every text, number and switch in `config` that may be one, and where it is in the file.
    pub(super) fn each_in(
        &self,
        at: &Pointer,
        config: &mut Value,
        each: &mut dyn FnMut(&Pointer, &mut Value),
    ) {
        let schema = self.schema.map_or_else(Described::by_nobody, Described::by);
        self.walk(at, config, &Found { schema, ..Found::default() }, each);
    }

    fn walk(
        &self,
        at: &Pointer,
        value: &mut Value,
        found: &Found<'_>,
        each: &mut dyn FnMut(&Pointer, &mut Value),
    ) {
        match value {
            Value::Array(elements) => {
                for (index, element) in elements.iter_mut().enumerate() {
                    self.walk(&at.index(index), element, &found.element(index), each);
                }
            }
            Value::Object(members) => {
                for (key, member) in members {
                    self.walk(&at.key(key), member, &found.member(key), each);
                }
            }
            scalar if found.is_secret(scalar) || self.document.has_substituted(at) => {
                each(at, scalar);
            }
            _ => (),
        }
    }
}

#[cfg(test)]
mod tests;
