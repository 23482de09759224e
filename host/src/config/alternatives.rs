//! What a value could have been, where a schema offers alternatives.

use serde_json::Value;

use super::structure::{quoted, type_name_of};

/// The alternatives of `oneOf` or `anyOf` in `schema`, as in "must be ..."; `None` where one of
/// them says nothing of itself. `root` is what references start from.
pub(super) fn describe(root: &Value, schema: &Value) -> Option<String> {
    let branches = schema.get("oneOf").or_else(|| schema.get("anyOf"))?.as_array()?;
    let described = branches.iter().map(|branch| alternative(root, branch));
    let mut names: Vec<String> = described.collect::<Option<Vec<_>>>()?.concat();
    names.dedup();
    Some(list(&with_one_table(names)))
}

/// `names` with those of tables that are known by a key as one.
fn with_one_table(names: Vec<String>) -> Vec<String> {
    let is_table = |name: &String| name.starts_with(TABLE) && !name.contains(" and ");
    let (tables, mut others): (Vec<_>, Vec<_>) = names.into_iter().partition(is_table);
    let keys: Vec<_> = tables.iter().map(|name| name[TABLE.len()..].to_owned()).collect();
    if !keys.is_empty() {
        others.push(format!("{TABLE}{}", list(&keys)));
    }
    others
}

const TABLE: &str = "a table with ";

/// "`a`, `b` or `c`"
pub(super) fn list(names: &[String]) -> String {
    match names {
        [most @ .., last] if !most.is_empty() => format!("{} or {last}", most.join(", ")),
        names => names.concat(),
    }
}

fn alternative(root: &Value, branch: &Value) -> Option<Vec<String>> {
    let branch = resolve(root, branch);
    if let Some(expected) = branch.get("x-expected").and_then(Value::as_str) {
        return Some(vec![expected.to_owned()]);
    }
    if let Some(only) = branch.get("const") {
        return Some(vec![quoted(only)]);
    }
    if let Some(options) = branch.get("enum").and_then(Value::as_array) {
        return Some(options.iter().map(quoted).collect());
    }
    if let Some(inner) = describe(root, branch) {
        return Some(vec![inner]);
    }
    match branch.get("type")?.as_str()? {
        "object" => Some(vec![table(branch)]),
        other => type_name_of(other).map(|name| vec![name.to_owned()]),
    }
}

/// A table by the keys that it must have.
fn table(branch: &Value) -> String {
    let required = branch.get("required").and_then(Value::as_array);
    let keys = required.into_iter().flatten().filter_map(Value::as_str).map(|key| {
        let only = branch.pointer(&format!("/properties/{key}/const"));
        only.map_or_else(|| format!("`{key}`"), |only| format!("`{key}: {}`", bare(only)))
    });
    let keys: Vec<_> = keys.collect();
    match keys.as_slice() {
        [] => "a table".to_owned(),
        keys => format!("{TABLE}{}", keys.join(" and ")),
    }
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn resolve<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let reference = schema.get("$ref").and_then(Value::as_str);
    let target = reference.and_then(|reference| root.pointer(reference.strip_prefix('#')?));
    target.unwrap_or(schema)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn alternatives_are_told_by_their_values_keys_and_types() {
        let root = json!({ "$defs": { "Url": { "type": "object", "required": ["url"] } } });
        let schema = json!({ "oneOf": [
            { "const": "off" },
            { "enum": ["low", 3] },
            { "$ref": "#/$defs/Url" },
            { "type": "object", "required": ["kind", "keys"], "properties": { "kind": { "const": "jwks" } } },
            { "type": "array" },
        ] });
        assert_eq!(
            describe(&root, &schema).as_deref(),
            Some(
                "`off`, `low`, 3, a table with `kind: jwks` and `keys`, a list or a table with `url`"
            )
        );
    }

    #[test]
    fn tables_that_are_known_by_a_key_are_told_together() {
        let tagged = |key: &str| json!({ "type": "object", "required": [key] });
        let schema = json!({ "oneOf": [tagged("show"), tagged("hide"), { "const": "none" }] });
        let described = describe(&Value::Null, &schema);
        assert_eq!(described.as_deref(), Some("`none` or a table with `show` or `hide`"));
    }

    #[test]
    fn an_alternative_that_says_nothing_of_itself_is_not_guessed() {
        let schema = json!({ "anyOf": [{ "type": "string" }, { "minimum": 3 }] });
        assert_eq!(describe(&Value::Null, &schema), None);
    }
}
