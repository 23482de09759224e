//! How much work a schema makes: what it refers to is compiled anew at each reference, and a few lines
//! can ask for more than there is time for.

use std::collections::HashMap;

use serde_json::Value;

/// Most schemas, values and lists that a schema may come to, each counted where it is referred to.
const MAX: u64 = 200_000;

/// Most of them within one another: whoever reads them does so by calling itself.
const MAX_DEPTH: u64 = 200;

/// Most regular expressions: each takes memory of its own.
const MAX_PATTERNS: usize = 200;

/// # Errors
///
/// Why no configuration is checked against the schema.
pub(super) fn check(schema: &Value) -> Result<(), String> {
    let mut walk = Walk { root: schema, known: HashMap::new(), patterns: 0, level: 0 };
    let Size { weight, depth } = walk.size(schema, false)?;
    if depth > MAX_DEPTH {
        return Err(format!("it has more than {MAX_DEPTH} levels"));
    }
    if walk.patterns > MAX_PATTERNS {
        return Err(format!("it has more than {MAX_PATTERNS} regular expressions"));
    }
    match weight > MAX {
        true => Err(format!("it comes to more than {MAX} schemas: it refers to itself too often")),
        false => Ok(()),
    }
}

#[derive(Clone, Copy)]
struct Size {
    weight: u64,
    depth: u64,
}

struct Walk<'a> {
    root: &'a Value,
    /// By the value's address; `None`: it is being weighed, and refers to itself.
    known: HashMap<*const Value, Option<Size>>,
    patterns: usize,
    /// Of what is being weighed.
    level: u64,
}

impl<'a> Walk<'a> {
    /// `may_be_data`: it stands where a keyword has data; a property of that name has a schema there.
    fn size(&mut self, value: &'a Value, may_be_data: bool) -> Result<Size, String> {
        const LEAF: Size = Size { weight: 1, depth: 1 };
        if !value.is_object() && !value.is_array() {
            return Ok(LEAF);
        }
        let key = std::ptr::from_ref(value);
        if let Some(known) = self.known.get(&key) {
            return Ok(known.unwrap_or(LEAF));
        }
        self.check_names(value)?;
        self.known.insert(key, None);
        let mut size = LEAF;
        for (part, is_of_data) in parts(value) {
            self.add(&mut size, part, may_be_data || is_of_data)?;
        }
        for reference in references(value) {
            match self.target(reference) {
                Ok(target) => self.add(&mut size, target, false)?,
                Err(error) if !may_be_data => return Err(error),
                Err(_) => (),
            }
        }
        self.known.insert(key, Some(size));
        Ok(size)
    }

    fn add(&mut self, size: &mut Size, part: &'a Value, may_be_data: bool) -> Result<(), String> {
        // Each level lies on the stack.
        if self.level >= MAX_DEPTH {
            return Err(format!("it has more than {MAX_DEPTH} levels"));
        }
        self.level += 1;
        let part = self.size(part, may_be_data)?;
        self.level -= 1;
        size.weight = size.weight.saturating_add(part.weight);
        size.depth = size.depth.max(part.depth + 1);
        Ok(())
    }

    /// Names by which it could be referred to past what is weighed here; and expressions.
    fn check_names(&mut self, value: &Value) -> Result<(), String> {
        let Some(members) = value.as_object() else { return Ok(()) };
        for name in ["$id", "$anchor", "$dynamicAnchor", "$recursiveAnchor"] {
            if members.get(name).is_some_and(|it| !it.is_object())
                && !std::ptr::eq(value, self.root)
            {
                return Err(format!("`{name}` is known at its root only; write `#/$defs/NAME`"));
            }
        }
        let named = members.get("patternProperties").and_then(Value::as_object);
        self.patterns += named.map_or(0, serde_json::Map::len);
        self.patterns += usize::from(members.contains_key("pattern"));
        Ok(())
    }

    /// What a reference leads to.
    fn target(&self, reference: &str) -> Result<&'a Value, String> {
        let pointer = reference.strip_prefix('#').filter(|at| at.is_empty() || at.starts_with('/'));
        let pointer =
            pointer.and_then(|at| percent_encoding::percent_decode_str(at).decode_utf8().ok());
        let target = pointer.and_then(|at| self.root.pointer(&at));
        target.ok_or_else(|| format!("`{reference}` refers to nothing in it; write `#/$defs/NAME`"))
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
    fn names_that_lead_past_what_is_weighed_are_refused() {
        for schema in [
            json!({ "$id": "https://json-schema.org/e", "$ref": "https://json-schema.org/e#/$defs/a" }),
            json!({ "properties": { "a": { "$id": "http://x/", "$defs": {} } } }),
            json!({ "$defs": { "const": { "$anchor": "a" } } }),
        ] {
            assert!(check(&schema).is_err(), "{schema}");
        }
        assert_eq!(
            check(&json!({ "$id": "https://a.test/", "properties": { "$id": {} } })),
            Ok(())
        );
    }

    #[test]
    fn a_long_chain_is_refused_in_either_order() {
        for order in [0..5000, 0..300] {
            for turned in [false, true] {
                let end = order.end;
                let name = |at: usize| format!("a{:05}", if turned { end - at } else { at });
                let link = |at: usize| json!({ "$ref": format!("#/$defs/{}", name(at + 1)) });
                let mut definitions: serde_json::Map<_, _> =
                    order.clone().map(|at| (name(at), link(at))).collect();
                definitions.insert(name(end), json!({}));
                assert!(check(&json!({ "$defs": definitions })).is_err(), "{end} {turned}");
            }
        }
    }

    #[test]
    fn expressions_are_counted() {
        let patterns: serde_json::Map<_, _> =
            (0..201).map(|at| (format!("a{at}"), json!({}))).collect();
        assert!(check(&json!({ "patternProperties": patterns })).is_err());
    }

    #[test]
    fn a_reference_to_nothing_is_told() {
        assert!(check(&json!({ "$ref": "#/$defs/none" })).unwrap_err().contains("#/$defs/none"));
        assert!(check(&json!({ "$ref": "other.json" })).is_err());
        assert_eq!(check(&json!({ "default": { "$ref": "#/as/it/is" } })), Ok(()));
    }
}
