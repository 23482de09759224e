use std::path::Path;

use serde_json::json;

use super::*;

/// The configuration in YAML as it is shown, with the schema or without one.
#[track_caller]
fn check(config: &str, schema: Option<Value>, expected: Value) {
    let (document, faults) = Document::parse(config, Path::new("t.yaml")).expect("YAML");
    assert!(faults.is_empty(), "{faults:?}");
    let at = Pointer::default();
    let shown = plugin_config(&document, &at, &document.value(&at), schema.as_ref());
    assert_eq!(shown, expected, "{config}");
}

#[test]
fn without_a_schema_every_text_is_masked() {
    check(
        "{ word: a, list: [{ x: a, n: 5 }], is: true, none: null, pin_token: 5 }",
        None,
        json!({ "word": "***", "list": [{ "x": "***", "n": 5 }], "is": true, "none": null, "pin_token": "***" }),
    );
}

#[test]
fn with_a_schema_only_what_may_be_a_secret_is_masked() {
    let schema = json!({
        "properties": {
            "word": { "type": "string" },
            "api_token": { "type": "string" },
            "max_keys": { "type": "integer" },
            "pin": { "type": "integer", "writeOnly": true },
            "entry": { "$ref": "#/$defs/Entry" },
            "list": { "type": "array", "items": { "anyOf": [{ "type": "null" }, { "$ref": "#/$defs/Entry" }] } },
            "hidden": { "type": "object", "writeOnly": true },
            "keys": { "type": "array", "writeOnly": false, "items": { "$ref": "#/$defs/Entry" } },
            "credentials": { "additionalProperties": { "type": "string" } },
            "any": true,
            "foreign": { "$ref": "https://example.org/schema" },
        },
        "$defs": { "Entry": { "properties": {
            "name": { "type": "string" },
            "word": { "type": "string", "format": "password" },
            "next": { "$ref": "#/$defs/Entry" },
        } } },
    });
    let config = r#"
word: a
api_token: b
max_keys: 5
pin: 5
entry: { name: a, word: b, next: { name: a, word: b } }
list: [{ name: a, word: b }]
hidden: { deep: [b, 5] }
keys: [{ name: a, word: b }, { name: "${NOT_SET:-b}" }]
credentials: { user: b }
any: b
foreign: b
unknown: b
"#;
    let entry = json!({ "name": "a", "word": "***" });
    check(
        config,
        Some(schema),
        json!({
            "word": "a",
            "api_token": "***",
            "max_keys": 5,
            "pin": "***",
            "entry": { "name": "a", "word": "***", "next": entry },
            "list": [entry],
            "hidden": { "deep": ["***", "***"] },
            "keys": [entry, { "name": "***" }],
            "credentials": { "user": "***" },
            "any": "***",
            "foreign": "***",
            "unknown": "***",
        }),
    );
}

#[test]
fn below_a_name_like_keys_what_the_schema_knows_is_judged_by_its_own_name() {
    let schema = json!({ "properties": {
        "keys": { "type": "array", "items": { "anyOf": [{ "type": "string" }, { "$ref": "#/$defs/Key" }] } },
        "secrets": { "$ref": "#/$defs/Key" },
        "tokens": { "properties": { "names": { "type": "array", "items": { "type": "string" } } },
            "additionalProperties": { "type": "string" } },
    }, "$defs": { "Key": { "properties": {
        "kid": { "type": "string" },
        "secret": { "type": "string" },
        "value": { "type": "string", "writeOnly": true },
        "more": { "additionalProperties": { "type": "string" } },
    } } } });
    let config = "
keys: [a, { kid: a, secret: b, value: c, more: { plan: d, api_token: e }, unknown: { kid: f } }]
secrets: { kid: a, secret: b, value: c }
tokens: { names: [a], other: b }
";
    check(
        config,
        Some(schema),
        json!({
            "keys": ["***", { "kid": "a", "secret": "***", "value": "***",
                "more": { "plan": "d", "api_token": "***" }, "unknown": { "kid": "***" } }],
            "secrets": { "kid": "a", "secret": "***", "value": "***" },
            "tokens": { "names": ["a"], "other": "***" },
        }),
    );
    check("keys: [a, { kid: a }]", None, json!({ "keys": ["***", { "kid": "***" }] }));
}

#[test]
fn numbers_that_were_substituted_are_masked_too() {
    let schema = json!({ "additionalProperties": { "type": "integer" } });
    check("{ a: '${NOT_SET:-5}', b: 5 }", Some(schema), json!({ "a": "***", "b": 5 }));
}

#[test]
fn credentials_are_masked_by_short_names_and_by_what_they_say() {
    let schema = json!({ "additionalProperties": { "type": "string" } });
    check(
        "{ x-auth: a, x-sig: a, x-session: a, author: a, design: a, x-custom: Bearer a, x-other: basic a, x-more: '\tDigest\ta', plain: bearer }",
        Some(schema),
        json!({
            "x-auth": "***", "x-sig": "***", "x-session": "***", "author": "a", "design": "a",
            "x-custom": "***", "x-other": "***", "x-more": "***", "plain": "bearer",
        }),
    );
}
