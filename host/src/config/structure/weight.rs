//! How much work a schema makes: what it refers to is compiled anew at each reference, and a few lines
//! can ask for more than there is time for.

use std::collections::HashMap;

use serde_json::Value;

/// Most schemas, values and lists that a schema may come to, each counted where it is referred to.
const MAX: u64 = 200_000;

/// # Errors
///
/// Why no configuration is checked against the schema.
pub(super) fn check(schema: &Value) -> Result<(), String> {
    let mut walk = Walk { root: schema, known: HashMap::new() };
    match walk.weight(schema, false)? > MAX {
        true => Err(format!("it comes to more than {MAX} schemas: it refers to itself too often")),
        false => Ok(()),
    }
}

struct Walk<'a> {
    root: &'a Value,
    /// By the value's address; `None`: it is being weighed, and refers to itself.
    known: HashMap<*const Value, Option<u64>>,
}

impl<'a> Walk<'a> {
    /// `may_be_data`: it stands where a keyword has data; a property of that name has a schema there.
    fn weight(&mut self, value: &'a Value, may_be_data: bool) -> Result<u64, String> {
        if !value.is_object() && !value.is_array() {
            return Ok(1);
        }
        let key = std::ptr::from_ref(value);
        if let Some(known) = self.known.get(&key) {
            return Ok(known.unwrap_or(1));
        }
        self.known.insert(key, None);
        let mut weight = 1_u64;
        for (part, is_of_data) in parts(value) {
            weight = weight.saturating_add(self.weight(part, may_be_data || is_of_data)?);
        }
        for reference in references(value) {
            match self.target(reference) {
                Ok(Some(target)) => weight = weight.saturating_add(self.weight(target, false)?),
                Err(error) if !may_be_data => return Err(error),
                Ok(None) | Err(_) => (),
            }
        }
        self.known.insert(key, Some(weight));
        Ok(weight)
    }

    /// What a reference leads to; `None`: to a schema of schemas, which has its own bounds.
    fn target(&self, reference: &str) -> Result<Option<&'a Value>, String> {
        let is_standard = ["https://json-schema.org/", "http://json-schema.org/"];
        if is_standard.iter().any(|of| reference.starts_with(of)) {
            return Ok(None);
        }
        let pointer = reference.strip_prefix('#').filter(|at| at.is_empty() || at.starts_with('/'));
        let pointer =
            pointer.and_then(|at| percent_encoding::percent_decode_str(at).decode_utf8().ok());
        let target = pointer.and_then(|at| self.root.pointer(&at));
        match target {
            Some(target) => Ok(Some(target)),
            None => Err(format!("`{reference}` refers to nothing in it; write `#/$defs/NAME`")),
        }
    }
}

/// What a value has in it, and whether that may be data.
fn parts(value: &Value) -> Box<dyn Iterator<Item = (&Value, bool)> + '_> {
    const DATA: [&str; 4] = ["const", "default", "enum", "examples"];
    match value {
        Value::Array(values) => Box::new(values.iter().map(|value| (value, false))),
        Value::Object(members) => {
            Box::new(members.iter().map(|(name, value)| (value, DATA.contains(&name.as_str()))))
        }
        _ => Box::new(std::iter::empty()),
    }
}

fn references(value: &Value) -> impl Iterator<Item = &str> {
    ["$ref", "$dynamicRef"].into_iter().filter_map(|name| value.get(name)?.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_that_doubles_with_each_line_is_refused() {
        for keyword in ["allOf", "default"] {
            let mut definitions = serde_json::Map::new();
            for level in 0..40 {
                let next = json!({ "$ref": format!("#/$defs/a{}", level + 1) });
                definitions.insert(format!("a{level}"), json!({ keyword: [next.clone(), next] }));
            }
            definitions.insert("a40".into(), json!({ "type": "object" }));
            let bomb = json!({ "$defs": definitions, "$ref": "#/$defs/a0" });
            assert!(check(&bomb).unwrap_err().contains("too often"));
        }
    }

    #[test]
    fn a_schema_may_refer_to_itself_for_what_is_within() {
        let tree = json!({
            "$defs": { "tree": { "properties": { "left": { "$ref": "#/$defs/tree" }, "right": { "$ref": "#" } } } },
            "$ref": "#/$defs/tree",
        });
        assert_eq!(check(&tree), Ok(()));
    }

    #[test]
    fn a_reference_to_nothing_is_told() {
        assert!(check(&json!({ "$ref": "#/$defs/none" })).unwrap_err().contains("#/$defs/none"));
        assert!(check(&json!({ "$ref": "other.json" })).is_err());
        assert_eq!(check(&json!({ "default": { "$ref": "#/as/it/is" } })), Ok(()));
    }
}
