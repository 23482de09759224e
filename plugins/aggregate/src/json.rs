//! Parts of JSON texts, cut out as they stand: no number is read, so none changes.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A JSON text, checked as a whole. Nothing but white space is JSON's `null`: an upstream that
/// answers 204 has nothing to say.
pub(crate) fn parse(body: &[u8]) -> Option<&RawValue> {
    if body.trim_ascii().is_empty() {
        return Some(RawValue::NULL);
    }
    serde_json::from_slice(body).ok()
}

/// The value that a pointer names (RFC 6901).
pub(crate) fn point<'a>(value: &'a RawValue, pointer: &str) -> Option<&'a RawValue> {
    let mut value = value;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        value = if value.get().starts_with('[') {
            let items: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
            // No leading zeros and no sign (RFC 6901 section 4).
            let index: usize = step.parse().ok()?;
            if index.to_string() != step {
                return None;
            }
            items.get(index).copied()?
        } else {
            let object: Object<'a> = serde_json::from_str(value.get()).ok()?;
            object.0.into_iter().rev().find(|(key, _)| *key == step)?.1
        };
    }
    Some(value)
}

/// Writes a value without some keys of its object; a value of another kind as it is.
pub(crate) fn write_without(value: &RawValue, drop: &[String], text: &mut String) {
    let is_object = value.get().starts_with('{');
    if drop.is_empty() || !is_object || !copy_without(value.get().as_bytes(), drop, text) {
        text.push_str(value.get());
    }
}

/// Writes the object that `json` is without some of its keys, and checks all of it on the way: one
/// look at each byte. False, and nothing written, if it is no object.
pub(crate) fn copy_without(json: &[u8], drop: &[String], text: &mut String) -> bool {
    let before = text.len();
    text.reserve(json.len());
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let copied = deserializer.deserialize_map(Copying { drop, text });
    let whole = copied.is_ok() && deserializer.end().is_ok();
    if !whole {
        text.truncate(before);
    }
    whole
}

/// Copies the members of an object from one text into another.
struct Copying<'a> {
    drop: &'a [String],
    text: &'a mut String,
}

impl<'de> Visitor<'de> for Copying<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut separator = '{';
        while let Some(Text(key)) = map.next_key()? {
            if self.drop.iter().any(|drop| *drop == key) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            self.text.push(separator);
            write_key(&key, self.text);
            self.text.push_str(map.next_value::<&RawValue>()?.get());
            separator = ',';
        }
        if separator == '{' {
            self.text.push('{');
        }
        self.text.push('}');
        Ok(())
    }
}

/// Writes a key and its colon.
pub(crate) fn write_key(key: &str, text: &mut String) {
    let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if key.bytes().all(plain) {
        text.push('"');
        text.push_str(key);
        text.push('"');
    } else {
        text.push_str(&serde_json::to_string(key).expect("a string is JSON"));
    }
    text.push(':');
}

/// The members of an object in order.
struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// A string that is borrowed where the JSON has no escapes in it.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Self::Value::new();
                while let Some((Text(key), value)) = map.next_entry()? {
                    members.push((key, value));
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Members).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_point(json: &str, pointer: &str, expected: Option<&str>) {
        let value = parse(json.as_bytes()).expect("JSON");
        assert_eq!(point(value, pointer).map(RawValue::get), expected);
    }

    #[test]
    fn a_pointer_names_a_part() {
        let json = r#"{ "a": [1.10, {"b/~": 12345678901234567890}], "": 2 }"#;
        check_point(json, "/a/0", Some("1.10"));
        check_point(json, "/a/1/b~1~0", Some("12345678901234567890"));
        check_point(json, "/", Some("2"));
        for missing in ["/b", "/a/2", "/a/00", "/a/-", "/a/0/x"] {
            check_point(json, missing, None);
        }
    }

    #[track_caller]
    fn check_without(json: &str, drop: &[&str], expected: &str) {
        let drop: Vec<String> = drop.iter().map(|&key| key.to_owned()).collect();
        let mut text = String::new();
        write_without(parse(json.as_bytes()).expect("JSON"), &drop, &mut text);
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_left_keeps_its_order_and_digits() {
        check_without(r#"{"a":1.0,"b":2,"c":1e400}"#, &["b"], r#"{"a":1.0,"c":1e400}"#);
        check_without(r#"{"a":1,"\u0061":2,"b\"":{"a":3}}"#, &["a"], r#"{"b\"":{"a":3}}"#);
        check_without(r#"{"a":1}"#, &["a"], "{}");
        check_without(r#"["a"]"#, &["a"], r#"["a"]"#);
        check_without(r#"{ "a" : 1 }"#, &[], r#"{ "a" : 1 }"#);
    }

    #[test]
    fn a_copy_is_whole_or_nothing() {
        for bad in [r#"{"a":1"#, r#"{"a":1}}"#, r#"{"a":tru}"#, "[]", "1", "", r#"{"a" 1}"#] {
            let mut text = String::from("before");
            assert!(!copy_without(bad.as_bytes(), &["b".into()], &mut text), "{bad}");
            assert_eq!(text, "before", "{bad}");
        }
    }

    #[test]
    fn only_whole_json_texts_are_json() {
        for text in ["{", "{} {}", "nul", "'a'", "{a:1}", "\u{feff}{}", "[1,]"] {
            assert!(parse(text.as_bytes()).is_none(), "{text}");
        }
        assert!(parse(b"\"\xff\"").is_none());
        assert_eq!(parse(b" \n").map(RawValue::get), Some("null"));
    }
}
