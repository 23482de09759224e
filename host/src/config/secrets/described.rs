//! What a JSON Schema says of one value, whichever of its branches the value takes.

use serde_json::Value;

/// Every schema that may apply to a value.
#[derive(Clone, Default)]
pub(super) struct Described<'s> {
    /// What references are looked up in.
    root: Option<&'s Value>,
    applying: Vec<&'s Value>,
    /// One of them cannot be followed.
    is_unclear: bool,
}

impl<'s> Described<'s> {
    pub(super) fn by_nobody() -> Self {
        Self::default()
    }

    pub(super) fn by(root: &'s Value) -> Self {
        Self { root: Some(root), ..Self::default() }.of(vec![root])
    }

    pub(super) fn member(&self, key: &str) -> Self {
        self.of(self.applying.iter().copied().flat_map(|schema| of_member(schema, key)).collect())
    }

    /// Whether a schema knows the member by its name.
    pub(super) fn names(&self, key: &str) -> bool {
        let mut properties = self.applying.iter().filter_map(|schema| schema.get("properties"));
        properties.any(|properties| properties.get(key).is_some())
    }

    pub(super) fn element(&self, index: usize) -> Self {
        self.of(self
            .applying
            .iter()
            .copied()
            .flat_map(|schema| of_element(schema, index))
            .collect())
    }

    /// Whether a schema says anything of the value.
    pub(super) fn is_known(&self) -> bool {
        let says = |schema: &&Value| schema.as_object().is_some_and(|members| !members.is_empty());
        !self.is_unclear && self.applying.iter().any(says)
    }

    /// `writeOnly: true` or `format: password`.
    pub(super) fn is_secret(&self) -> bool {
        let marks = |schema: &&Value| {
            schema.get("writeOnly") == Some(&Value::Bool(true))
                || schema.get("format").is_some_and(|format| format == "password")
        };
        self.is_unclear || self.applying.iter().any(marks)
    }

    /// `writeOnly: false`, in so many words.
    pub(super) fn is_public(&self) -> bool {
        let marks = |schema: &&Value| schema.get("writeOnly") == Some(&Value::Bool(false));
        !self.is_secret() && self.applying.iter().any(marks)
    }

    /// These, with all that they refer to and are made of.
    fn of(&self, mut open: Vec<&'s Value>) -> Self {
        let mut described = Self { root: self.root, applying: Vec::new(), is_unclear: false };
        while let Some(schema) = open.pop() {
            // A schema may refer to itself.
            if described.applying.iter().any(|known| std::ptr::eq(*known, schema)) {
                continue;
            }
            described.applying.push(schema);
            open.extend(parts(schema));
            for key in ["$ref", "$dynamicRef"] {
                let Some(reference) = schema.get(key) else { continue };
                match self.root.and_then(|root| target(root, reference)) {
                    Some(target) => open.push(target),
                    None => described.is_unclear = true,
                }
            }
        }
        described
    }
}

/// `#`, or `#/$defs/Key`: nothing is looked up elsewhere.
fn target<'s>(root: &'s Value, reference: &Value) -> Option<&'s Value> {
    root.pointer(reference.as_str()?.strip_prefix('#')?)
}

fn parts(schema: &Value) -> impl Iterator<Item = &Value> {
    let lists = ["allOf", "anyOf", "oneOf"].into_iter();
    let lists = lists.filter_map(|key| schema.get(key)?.as_array()).flatten();
    let single = ["if", "then", "else"].into_iter().filter_map(|key| schema.get(key));
    let dependent = schema.get("dependentSchemas").and_then(Value::as_object);
    lists.chain(single).chain(dependent.into_iter().flat_map(|schemas| schemas.values()))
}

fn of_member<'s>(schema: &'s Value, key: &str) -> Vec<&'s Value> {
    let patterns = schema.get("patternProperties").and_then(Value::as_object);
    let mut found: Vec<_> = patterns.into_iter().flat_map(|schemas| schemas.values()).collect();
    match schema.get("properties").and_then(|properties| properties.get(key)) {
        Some(property) => found.push(property),
        None => found.extend(others(schema, &["additionalProperties", "unevaluatedProperties"])),
    }
    found
}

fn of_element(schema: &Value, index: usize) -> Vec<&Value> {
    let first = schema.get("prefixItems").and_then(|schemas| schemas.get(index));
    let mut found: Vec<_> = first.into_iter().chain(schema.get("contains")).collect();
    if first.is_none() {
        found.extend(others(schema, &["items", "unevaluatedItems"]));
    }
    found
}

fn others<'s>(schema: &'s Value, keys: &[&str]) -> impl Iterator<Item = &'s Value> {
    keys.iter().filter_map(|key| schema.get(key))
}
