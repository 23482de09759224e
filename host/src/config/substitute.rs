//! `${NAME}`, `${NAME:-default}` and `${file:/path}` in string values.

use std::{env, path::Path};

use serde_json::{Number, Value};

use crate::disk;

/// The text that `NAME` or `file:/path` stands for, or why there is none.
pub(super) type Lookup<'a> = dyn Fn(&str) -> Result<String, String> + 'a;

/// From the environment, or from a file as seen from `folder`, without the line break at its end.
pub(super) fn from_system(folder: &Path, name: &str) -> Result<String, String> {
    match name.strip_prefix("file:") {
        Some(path) => match disk::read_text(&folder.join(path)) {
            Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => Err(format!("`{path}` cannot be read: {error}")),
        },
        None => match env::var(name) {
            Ok(text) => Ok(text),
            Err(env::VarError::NotPresent) => {
                Err(format!("the environment variable `{name}` is not set"))
            }
            Err(env::VarError::NotUnicode(_)) => {
                Err(format!("the environment variable `{name}` is not UTF-8"))
            }
        },
    }
}

/// Replaces what `text` names; what is put in is not looked at again. `$${` stands for `${`.
///
/// As in shells, the default also stands in for a variable that is empty.
pub(super) fn substitute(text: &str, lookup: &Lookup<'_>) -> Result<String, String> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if rest[..start].ends_with('$') {
            result.push_str(&rest[..start]);
            result.push('{');
            rest = &rest[start + 2..];
            continue;
        }
        result.push_str(&rest[..start]);
        let end = rest[start..].find('}').ok_or("`${` has no `}`; write `$${` for `${` itself")?;
        result.push_str(&replacement(&rest[start + 2..start + end], lookup)?);
        rest = &rest[start + end + 1..];
    }
    result.push_str(rest);
    Ok(result)
}

/// Writes every text so that it is read as what it is: `$${` for `${`.
pub(crate) fn escape(value: &mut Value) {
    match value {
        Value::String(text) if text.contains("${") => *text = text.replace("${", "$${"),
        Value::Array(values) => values.iter_mut().for_each(escape),
        Value::Object(members) => members.values_mut().for_each(escape),
        _ => (),
    }
}

/// The number or truth value that an unquoted `text` is in YAML.
pub(super) fn scalar(text: &str) -> Option<Value> {
    match text {
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        _ if text.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) => {
            text.parse::<Number>().ok().map(Value::Number)
        }
        _ => None,
    }
}

fn replacement(variable: &str, lookup: &Lookup<'_>) -> Result<String, String> {
    let (name, default) = match variable.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (variable, None),
    };
    let is_name = |name: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        !name.is_empty() && name.bytes().all(is_allowed)
    };
    if !is_name(name) && !name.starts_with("file:") {
        return Err(format!("`{name}` is not the name of a variable"));
    }
    match (lookup(name), default) {
        (Ok(text), Some(default)) if text.is_empty() => Ok(default.to_owned()),
        (Err(_), Some(default)) => Ok(default.to_owned()),
        (result, _) => result,
    }
}
