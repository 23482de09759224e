//! What stands in the file: values, each with its place.

use serde_json::{Map, Number, Value};

use super::super::{
    pointer::{Place, Pointer, Step},
    substitute,
};

#[derive(Clone, Debug)]
pub(in super::super) struct Node {
    pub(in super::super) place: Place,
    pub(in super::super) content: Content,
}

#[derive(Clone, Debug)]
pub(in super::super) enum Content {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    /// A string in which variables were replaced.
    Substituted {
        text: String,
        is_quoted: bool,
    },
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub(in super::super) struct Entry {
    pub(in super::super) key: String,
    pub(in super::super) key_place: Place,
    pub(in super::super) value: Node,
}

impl Node {
    pub(in super::super) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Mapping(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    pub(in super::super) fn child(&self, step: &Step) -> Option<&Self> {
        match (step, &self.content) {
            (Step::Key(key), _) => self.entry(key).map(|entry| &entry.value),
            (Step::Index(index), Content::Sequence(nodes)) => nodes.get(*index),
            (Step::Index(_), _) => None,
        }
    }

    pub(in super::super) fn to_value(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(value) => Value::Bool(*value),
            Content::Number(value) => Value::Number(value.clone()),
            Content::String(text) => Value::String(text.clone()),
            Content::Substituted { text, is_quoted: true } => Value::String(text.clone()),
            Content::Substituted { text, is_quoted: false } => {
                substitute::scalar(text).unwrap_or_else(|| Value::String(text.clone()))
            }
            Content::Sequence(nodes) => nodes.iter().map(Self::to_value).collect(),
            Content::Mapping(entries) => {
                let pairs = entries.iter().map(|entry| (entry.key.clone(), entry.value.to_value()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }

    pub(in super::super) fn for_each(
        &self,
        at: &mut Pointer,
        visit: &mut impl FnMut(&Pointer, &Self),
    ) {
        visit(at, self);
        match &self.content {
            Content::Sequence(nodes) => {
                for (index, node) in nodes.iter().enumerate() {
                    at.push(Step::Index(index));
                    node.for_each(at, visit);
                    at.pop();
                }
            }
            Content::Mapping(entries) => {
                for entry in entries {
                    at.push(Step::Key(entry.key.clone()));
                    entry.value.for_each(at, visit);
                    at.pop();
                }
            }
            _ => (),
        }
    }

    pub(in super::super) fn substitute(
        &mut self,
        lines: &[&str],
        lookup: &substitute::Lookup<'_>,
        at: &mut Pointer,
        failed: &mut Vec<(Pointer, String)>,
    ) {
        match &mut self.content {
            Content::String(text) if text.contains("${") => {
                match substitute::substitute(text, lookup) {
                    Ok(text) => {
                        let is_quoted = is_quoted(lines, self.place);
                        self.content = Content::Substituted { text, is_quoted };
                    }
                    Err(message) => failed.push((at.clone(), message)),
                }
            }
            Content::Sequence(nodes) => {
                for (index, node) in nodes.iter_mut().enumerate() {
                    at.push(Step::Index(index));
                    node.substitute(lines, lookup, at, failed);
                    at.pop();
                }
            }
            Content::Mapping(entries) => {
                for entry in entries {
                    at.push(Step::Key(entry.key.clone()));
                    entry.value.substitute(lines, lookup, at, failed);
                    at.pop();
                }
            }
            _ => (),
        }
    }
}

/// Whether the scalar at `place` is in quotes or a block, so that it is text whatever it says.
fn is_quoted(lines: &[&str], place: Place) -> bool {
    let line = lines.get(place.line - 1);
    let first = line.and_then(|line| line.chars().nth(place.column - 1));
    matches!(first, Some('"' | '\'' | '|' | '>'))
}
