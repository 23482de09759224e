//! YAML into nodes that know where they stand.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::{DuplicateKeyPolicy, Error, Spanned};

use super::{Content, Entry, Node};
use crate::config::pointer::Place;

/// # Errors
///
/// Where the text stops being YAML, and why it is none.
pub(super) fn parse(input: &str) -> Result<Node, (Place, String)> {
    let parsed = serde_saphyr::from_str_with_options::<Spanned<Raw>>(input, options());
    parsed.map(Node::from).or_else(|error| {
        let place = error.location().map_or(Place::START, Place::from);
        if matches!(error.without_snippet(), Error::MultipleDocuments { .. }) {
            let (mark, message) = second_document(input, place);
            return match before_nothing(input, mark) {
                Some(first) => parse(first),
                None => Err((mark, message)),
            };
        }
        let text = error.without_snippet().to_string();
        let line = text.lines().next().unwrap_or_default();
        // The place stands before the message already.
        let message = line.rsplit_once(" at line ").map_or(line, |(message, _)| message);
        Err((place, format!("{message}{}", hint(text_line(input, place)))))
    })
}

/// A node before its place is known.
struct Raw(Content);

struct RawVisitor;

impl From<serde_saphyr::Location> for Place {
    fn from(location: serde_saphyr::Location) -> Self {
        let from_one = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).max(1);
        Self { line: from_one(location.line()), column: from_one(location.column()) }
    }
}

impl From<Spanned<Raw>> for Node {
    fn from(raw: Spanned<Raw>) -> Self {
        Self { place: raw.referenced.into(), content: raw.value.0 }
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw(Content::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw(Content::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw(Content::Number(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw(Content::Number(value.into())))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Raw, E> {
        let number = Number::from_f64(value);
        number.map(|number| Raw(Content::Number(number))).ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw(Content::String(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = seq.next_element::<Spanned<Raw>>()? {
            nodes.push(node.into());
        }
        Ok(Raw(Content::Sequence(nodes)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let value = map.next_value::<Spanned<Raw>>()?.into();
            entries.push(Entry { key: key.value, key_place: key.referenced.into(), value });
        }
        Ok(Raw(Content::Mapping(entries)))
    }
}

/// Limits that a configuration with 10,000 routes keeps, and an alias bomb does not.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        // All of them are found later, each with its place.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        // `yes` and `no` are texts (YAML 1.2).
        strict_booleans: true,
        budget: serde_saphyr::budget! {
            max_events: 5_000_000,
            max_nodes: 2_000_000,
            // A thousand routes may share one anchored list.
            enforce_alias_anchor_ratio: false,
        },
    }
}

/// The library finds it by its content, `found`: what has to go is the mark before that.
fn second_document(input: &str, found: Place) -> (Place, String) {
    let is_mark = |line: &str| line.starts_with("---") || line.starts_with("...");
    let lines = input.lines().enumerate().take(found.line);
    let (index, line) =
        lines.filter(|(_, line)| is_mark(line)).last().unwrap_or((found.line - 1, "---"));
    let mark = line.get(..3).unwrap_or(line);
    let message = format!(
        "this file holds more than one document; remove the line `{mark}` and put what is left into one, or into files of their own"
    );
    (Place { line: index + 1, column: 1 }, message)
}

/// What stands before the mark, where nothing stands behind it: programs that join files leave such.
fn before_nothing(input: &str, mark: Place) -> Option<&str> {
    let mut lines = input.split_inclusive('\n');
    let before = lines.by_ref().take(mark.line - 1).map(str::len).sum();
    let is_empty = |line: &str| matches!(line.trim(), "" | "---" | "...") || line.starts_with('#');
    lines.all(is_empty).then_some(&input[..before])
}

fn text_line(input: &str, place: Place) -> &str {
    input.lines().nth(place.line - 1).unwrap_or_default()
}

/// The mistake that paths and variables invite: `{ path: /orders/{id} }`.
fn hint(line: &str) -> &'static str {
    let mut braces = line.match_indices('{');
    let is_inner = |(start, _): (usize, &str)| {
        let before = line[..start].chars().next_back();
        before.is_some_and(|character| character == '/' || character == '$')
    };
    if braces.any(is_inner) {
        "; inside `{ }` and `[ ]`, a text with braces must be in quotes"
    } else {
        ""
    }
}
