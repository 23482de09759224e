//! The JSON Schema of the configuration file, for editors.

use serde_json::{Value, json};

/// The definitions that have a `component` and its `config`.
const HOLDERS: [&str; 2] = ["Plugin", "UseTable"];

/// The schema of the file alone (2020-12).
pub fn schema() -> Value {
    super::file::schema()
}

/// `schema` with those of `plugins`, each the name of a component in the plugin directory and the
/// JSON Schema of its configuration.
pub fn with_plugins(mut schema: Value, plugins: &[(String, Value)]) -> Value {
    for (component, plugin) in plugins {
        let name = format!("plugin:{component}");
        let here = format!("#/$defs/{}", name.replace('~', "~0").replace('/', "~1"));
        let mut plugin = plugin.clone();
        embed(&mut plugin, &here);
        schema["$defs"][&name] = plugin;
        for holder in HOLDERS {
            let rules = &mut schema["$defs"][holder]["allOf"];
            if !rules.is_array() {
                *rules = json!([]);
            }
            if let Value::Array(rules) = rules {
                rules.push(rule(component, &here));
            }
        }
    }
    schema
}

fn rule(component: &str, config: &str) -> Value {
    json!({
        "if": {
            "properties": { "component": { "const": component } },
            "required": ["component"],
        },
        "then": { "properties": { "config": { "$ref": config } } },
    })
}

/// Makes a schema that was a document of its own a part of another.
fn embed(plugin: &mut Value, here: &str) {
    if let Value::Object(members) = plugin {
        // They would make references start from another document again.
        members.remove("$id");
        members.remove("$schema");
    }
    move_references(plugin, here);
}

/// References to the document they stand in, `#/...`, now start from `here`.
fn move_references(schema: &mut Value, here: &str) {
    match schema {
        Value::Array(schemas) => {
            schemas.iter_mut().for_each(|schema| move_references(schema, here));
        }
        Value::Object(members) => {
            for (keyword, value) in members {
                match (keyword.as_str(), value) {
                    ("$ref" | "$dynamicRef", Value::String(reference)) => {
                        if reference == "#" || reference.starts_with("#/") {
                            reference.replace_range(..1, here);
                        }
                    }
                    // Data, whatever it looks like.
                    ("const" | "default" | "enum" | "examples", _) => (),
                    (_, value) => move_references(value, here),
                }
            }
        }
        _ => (),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schema: &Value, file: Value, is_valid: bool) {
        let validator = super::super::structure::validator(schema).expect("a valid schema");
        assert_eq!(validator.is_valid(&file), is_valid, "{file}");
    }

    fn file(key: &str, value: Value) -> Value {
        json!({ "listeners": [{ "address": "127.0.0.1:0" }], key: value })
    }

    #[test]
    fn the_schema_says_what_the_file_may_hold() {
        let schema = schema();
        check(&schema, file("drain", json!("30s")), true);
        check(&schema, file("drain", json!("30")), false);
        check(&schema, file("drain", Value::Null), false);
        check(&schema, file("state", json!({})), false);
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["required"], json!(["listeners"]));
        assert_eq!(schema["properties"]["drain"]["default"], "30s");
        assert!(!schema.to_string().contains("null"), "empty values are faults");
    }

    #[test]
    fn the_schemas_of_plugins_hold_where_their_component_is_named() {
        let plugin = |kind: &str| {
            json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "$id": "https://example.com/plugin",
                "type": "object",
                "properties": { "a": { "$ref": "#/$defs/A" }, "self": { "$ref": "#" } },
                "default": { "$ref": "#/stays" },
                "$defs": { "A": { "type": kind } },
            })
        };
        let plugins =
            [("jwt".to_owned(), plugin("string")), ("a/~b".to_owned(), plugin("integer"))];
        let schema = with_plugins(schema(), &plugins);
        assert_eq!(schema["$defs"]["plugin:jwt"]["default"]["$ref"], "#/stays");
        for (component, a, is_valid) in [
            ("jwt", json!("x"), true),
            ("jwt", json!(1), false),
            ("jwt", json!({ "self": 1 }), false),
            ("a/~b", json!(1), true),
            ("a/~b", json!("x"), false),
            ("other", json!([]), true),
        ] {
            let used = json!({ "component": component, "config": { "a": a } });
            check(&schema, file("plugins", json!({ "x": used })), is_valid);
            let route = json!({ "match": { "path": "/" }, "plugins": [used], "upstream": "u" });
            check(&schema, file("routes", json!([route])), is_valid);
        }
    }
}
