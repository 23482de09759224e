//! What is said of a value that does not fit a schema.

use jsonschema::{
    JsonType, ValidationError,
    error::{TypeKind, ValidationErrorKind},
};
use serde_json::{Map, Value};

use crate::config::{
    alternatives,
    check::{did_you_mean, nearest},
    substitute,
};

pub(super) fn describe(schema: &Value, error: &ValidationError<'_>) -> String {
    if let ValidationErrorKind::Custom { message, .. } = error.kind() {
        return message.clone();
    }
    let instance = error.instance();
    let expected = parent(schema, error).and_then(|parent| parent.get("x-expected")?.as_str());
    let message = match (error.kind(), expected) {
        (ValidationErrorKind::Required { property }, _) => {
            format!("`{}` is missing", property.as_str().unwrap_or_default())
        }
        (ValidationErrorKind::Minimum { limit }, _) => format!("must be at least {limit}"),
        (ValidationErrorKind::Maximum { limit }, _) => format!("must be at most {limit}"),
        (ValidationErrorKind::ExclusiveMinimum { limit }, _) => {
            format!("must be more than {limit}")
        }
        (ValidationErrorKind::ExclusiveMaximum { limit }, _) => {
            format!("must be less than {limit}")
        }
        (_, Some(expected)) => format!("must be {expected}"),
        (ValidationErrorKind::Type { kind }, None) => wrong_type(kind, instance),
        (ValidationErrorKind::Enum { options }, None) => wrong_choice(options, instance),
        (ValidationErrorKind::Constant { expected_value }, None) => {
            format!("must be {}", quoted(expected_value))
        }
        (
            ValidationErrorKind::MinItems { limit: 1 }
            | ValidationErrorKind::MinLength { limit: 1 },
            None,
        ) => "must not be empty".to_owned(),
        (ValidationErrorKind::Pattern { pattern }, None) => {
            format!("must match `{pattern}`{}", example(schema, error))
        }
        (ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. }, None)
            if let Some(choice) =
                parent(schema, error).and_then(|parent| alternatives::describe(schema, parent)) =>
        {
            format!("must be {choice}")
        }
        // Without the value, which may be a secret.
        _ => error.masked_with("it").to_string(),
    };
    if instance.is_null() { format!("{message}; it is empty") } else { message }
}

/// `, such as `10s`` where the schema has an example.
fn example(schema: &Value, error: &ValidationError<'_>) -> String {
    let examples = parent(schema, error).and_then(|parent| parent.get("examples")?.as_array());
    let first = examples.and_then(|examples| examples.first());
    first.map_or_else(String::new, |example| format!(", such as {}", quoted(example)))
}

fn wrong_type(kind: &TypeKind, instance: &Value) -> String {
    let types: Vec<&str> = match kind {
        TypeKind::Single(one) => vec![type_name(*one)],
        TypeKind::Multiple(types) => types.iter().map(type_name).collect(),
    };
    let is_bare = instance.is_number() || instance.is_boolean();
    let hint = if is_bare && types == [type_name(JsonType::String)] { ", in quotes" } else { "" };
    format!("must be {}{hint}", types.join(" or "))
}

/// A type by its name in a schema.
pub(in crate::config) fn type_name_of(name: &str) -> Option<&'static str> {
    name.parse().ok().map(type_name)
}

fn type_name(json_type: JsonType) -> &'static str {
    match json_type {
        JsonType::Array => "a list",
        JsonType::Boolean => "`true` or `false`",
        JsonType::Integer => "a whole number",
        JsonType::Null => "empty",
        JsonType::Number => "a number",
        JsonType::Object => "a table",
        JsonType::String => "a text",
    }
}

fn wrong_choice(options: &Value, instance: &Value) -> String {
    let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
    let names: Vec<String> = options.iter().map(quoted).collect();
    let choice = alternatives::list(&names);
    let known = options.iter().filter_map(Value::as_str);
    let hint = instance.as_str().map(|name| did_you_mean(name, known)).unwrap_or_default();
    format!("must be {choice}{hint}")
}

pub(in crate::config) fn quoted(value: &Value) -> String {
    match value {
        // A text that would be something else without its quotes.
        Value::String(text) if substitute::scalar(text).is_some() => format!("{text:?}"),
        Value::String(text) => format!("`{text}`"),
        other => other.to_string(),
    }
}

/// With the key that was probably meant, or else with those that there are.
pub(super) fn unknown_key(
    key: &str,
    known: Option<&Map<String, Value>>,
) -> (String, Option<String>) {
    let names = || known.into_iter().flat_map(Map::keys).map(String::as_str);
    if let Some(meant) = nearest(key, names()) {
        let message = format!("unknown key `{key}`; did you mean `{meant}`?");
        return (message, Some(meant.to_owned()));
    }
    let names: Vec<_> = names().map(|name| format!("`{name}`")).collect();
    let there_are = match names.as_slice() {
        [] => String::new(),
        [only] => format!("; there is only {only}"),
        names => format!("; there are {}", names.join(", ")),
    };
    (format!("unknown key `{key}`{there_are}"), None)
}

/// The schema that holds the keyword which failed.
pub(super) fn parent<'s>(schema: &'s Value, error: &ValidationError<'_>) -> Option<&'s Value> {
    let (parent, _) = error.schema_path().as_str().rsplit_once('/')?;
    schema.pointer(parent)
}
