//! Checks a document against a JSON Schema and says in plain words what does not fit.

mod weight;
mod words;

use std::{collections::HashSet, sync::LazyLock};

use jsonschema::{ValidationError, ValidationOptions, Validator, error::ValidationErrorKind};
use serde_json::Value;

use self::words::{describe, parent, unknown_key};
use super::{
    document::{Content, Document},
    fault::Faults,
    file::{self, File},
    pointer::{Pointer, Step},
    substitute, unsupported,
};

pub(super) use self::words::{quoted, type_name_of};

/// Something in a document that does not fit a schema.
pub(super) struct Misfit {
    /// The value that has it.
    pub(super) at: Pointer,
    /// The key that is too much there, if it is that.
    pub(super) key: Option<String>,
    pub(super) message: String,
    /// What kind of misfit it is, where others depend on it.
    kind: Kind,
}

#[derive(PartialEq)]
enum Kind {
    Type,
    Choice,
    /// The key that is missing.
    Missing(String),
    /// The key that was probably meant.
    Unknown(Option<String>),
    /// By the gateway's own keyword.
    Name,
    Other,
}

impl Misfit {
    /// Whether it is a name that stands for nothing.
    pub(super) fn is_name(&self) -> bool {
        self.kind == Kind::Name
    }
}

/// What a validator was run on.
struct Checked<'a> {
    schema: &'a Value,
    value: &'a Value,
    base: &'a Pointer,
}

/// The file as far as its shape is right; what is not has become a fault and is left out.
pub(super) fn read(faults: &Faults<'_>) -> File {
    static SCHEMA: LazyLock<Value> = LazyLock::new(file::schema);
    static VALIDATOR: LazyLock<Validator> =
        LazyLock::new(|| validator(&SCHEMA).expect("the schema of the file is a valid schema"));

    let document = faults.document();
    let root = Pointer::default();
    let mut value = document.value(&root);
    retype(document, &VALIDATOR, &mut value);
    whole_numbers(&mut value);
    for misfit in misfits(&SCHEMA, &VALIDATOR, &value, &root) {
        report(faults, &misfit);
        take_out(&mut value, &misfit);
    }
    if !value.is_object() {
        return File::default();
    }
    match serde_json::from_value(value) {
        Ok(file) => file,
        Err(error) => {
            faults.push(&root, error);
            File::default()
        }
    }
}

/// # Errors
///
/// The schema itself is at fault. Nothing is ever fetched for it.
pub(super) fn validator(schema: &Value) -> Result<Validator, String> {
    build(options(), schema)
}

/// # Errors
///
/// As [`validator`].
pub(super) fn build(
    options: ValidationOptions<'static>,
    schema: &Value,
) -> Result<Validator, String> {
    weight::check(schema)?;
    // Its own name is one more way to refer to what it has.
    let mut schema = schema.clone();
    if let Some(members) = schema.as_object_mut() {
        members.retain(|name, _| !matches!(name.as_str(), "$id" | "$anchor" | "$dynamicAnchor"));
    }
    options.build(&schema).map_err(|error| match error.instance_path().as_str() {
        "" => error.to_string(),
        at => format!("at {at}: {error}"),
    })
}

/// Bytes of memory that a compiled pattern may take.
const MAX_PATTERN: usize = 1 << 20;

/// What all schemas are read by.
pub(super) fn options() -> ValidationOptions<'static> {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .offline()
        // A plugin's pattern must not be able to take exponential time.
        .with_pattern_options(jsonschema::PatternOptions::regex().size_limit(MAX_PATTERN))
}

/// Everything in `value` that does not fit; `base` is where `value` stands.
pub(super) fn misfits(
    schema: &Value,
    validator: &Validator,
    value: &Value,
    base: &Pointer,
) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    let checked = Checked { schema, value, base };
    for error in validator.iter_errors(value) {
        checked.collect(&error, &mut misfits);
    }
    drop_consequences(&mut misfits);
    misfits
}

/// A key that is missing because it is misspelt, and a wrong type of something of which the
/// choices are told, need no words of their own.
fn drop_consequences(misfits: &mut Vec<Misfit>) {
    let mut said = HashSet::new();
    for misfit in misfits.iter() {
        match &misfit.kind {
            Kind::Choice => drop(said.insert((misfit.at.clone(), None))),
            Kind::Unknown(Some(key)) => drop(said.insert((misfit.at.clone(), Some(key.clone())))),
            _ => (),
        }
    }
    misfits.retain(|misfit| match &misfit.kind {
        Kind::Type => !said.contains(&(misfit.at.clone(), None)),
        Kind::Missing(key) => !said.contains(&(misfit.at.clone(), Some(key.clone()))),
        _ => true,
    });
}

fn report(faults: &Faults<'_>, misfit: &Misfit) {
    let Misfit { at, key, message, .. } = misfit;
    match key {
        Some(key) if unsupported::is_key(&at.key(key)) => {
            faults.push_key(&at.key(key), &at.key(key), unsupported::MESSAGE);
        }
        Some(key) => faults.push_key(&at.key(key), at, message),
        None if unsupported::is_value(at, &faults.document().value(at)) => {
            faults.push(at, unsupported::MESSAGE);
        }
        None => faults.push(at, message),
    }
}

/// `1e3` is an integer to a schema, and to no type of one.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let exact = number.as_f64().filter(|float| float.fract() == 0.0 && *float >= 0.0);
            if number.is_f64()
                && let Some(whole) = exact.and_then(|float| format!("{float}").parse::<u64>().ok())
            {
                *number = whole.into();
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(whole_numbers),
        Value::Object(members) => members.values_mut().for_each(whole_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => (),
    }
}

/// Leaves null where a value was, so that what is beside it keeps its place.
fn take_out(root: &mut Value, misfit: &Misfit) {
    let Some(value) = child_mut(root, &misfit.at) else { return };
    match (&misfit.key, value) {
        (Some(key), Value::Object(members)) => {
            members.remove(key);
        }
        // What has too few members is used as far as it goes.
        (None, _) if matches!(misfit.kind, Kind::Missing(_)) => (),
        (_, value) => *value = Value::Null,
    }
}

fn child_mut<'v>(root: &'v mut Value, at: &Pointer) -> Option<&'v mut Value> {
    at.steps().iter().try_fold(root, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    })
}

/// Gives replaced variables the type that is wanted: `${PORT}` is a number where one belongs, and
/// `"${PORT}"` too; a token made of digits is a text.
pub(super) fn retype(document: &Document, validator: &Validator, value: &mut Value) {
    let base = Pointer::default();
    let checked = Checked { schema: &Value::Null, value, base: &base };
    let wrong = validator.iter_errors(value).map(|error| checked.pointer(&error));
    let wrong: Vec<Pointer> = wrong.collect();
    for at in wrong {
        let Some(Content::Substituted { text, .. }) = document.node(&at).map(|node| &node.content)
        else {
            continue;
        };
        if let Some(value) = child_mut(value, &at) {
            let text_itself = || Value::String(text.clone());
            *value = match value {
                Value::String(_) => substitute::scalar(text).unwrap_or_else(text_itself),
                _ => text_itself(),
            };
        }
    }
}

impl Checked<'_> {
    fn collect(&self, error: &ValidationError<'_>, misfits: &mut Vec<Misfit>) {
        let at = self.pointer(error);
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                let parent = parent(self.schema, error);
                let known = parent.and_then(|parent| parent.get("properties")?.as_object());
                for key in unexpected {
                    let (message, meant) = unknown_key(key, known);
                    let kind = Kind::Unknown(meant);
                    misfits.push(Misfit { at: at.clone(), key: Some(key.clone()), message, kind });
                }
            }
            ValidationErrorKind::AnyOf { context }
            | ValidationErrorKind::OneOfNotValid { context }
                if let Some(branch) = meant_branch(context, error) =>
            {
                branch.iter().for_each(|error| self.collect(error, misfits));
            }
            kind => {
                let kind = match kind {
                    ValidationErrorKind::Type { .. } => Kind::Type,
                    ValidationErrorKind::Enum { .. } => Kind::Choice,
                    ValidationErrorKind::Required { property } => {
                        Kind::Missing(property.as_str().unwrap_or_default().to_owned())
                    }
                    ValidationErrorKind::Custom { .. } => Kind::Name,
                    _ => Kind::Other,
                };
                let message = describe(self.schema, error);
                misfits.push(Misfit { at, key: None, message, kind });
            }
        }
    }

    /// Where the error is, in the document. The value tells keys made of digits from indices.
    fn pointer(&self, error: &ValidationError<'_>) -> Pointer {
        let mut steps = self.base.steps().to_vec();
        let mut value = Some(self.value);
        for segment in error.instance_path().as_str().split('/').skip(1) {
            let key = segment.replace("~1", "/").replace("~0", "~");
            let elements = value.and_then(Value::as_array);
            if let (Some(elements), Ok(index)) = (elements, key.parse()) {
                steps.push(Step::Index(index));
                value = elements.get(index);
            } else {
                value = value.and_then(|value| value.get(&key));
                steps.push(Step::Key(key));
            }
        }
        steps.into_iter().collect()
    }
}

/// The alternative of the value's own type, if there is one: what is wrong is inside it.
fn meant_branch<'e>(
    context: &'e [Vec<ValidationError<'static>>],
    error: &ValidationError<'_>,
) -> Option<&'e [ValidationError<'static>]> {
    let is_other_type = |branch: &&Vec<ValidationError<'static>>| {
        branch.iter().any(|inner| {
            matches!(inner.kind(), ValidationErrorKind::Type { .. })
                && inner.instance_path().as_str() == error.instance_path().as_str()
        })
    };
    let own_type: Vec<_> = context.iter().filter(|branch| !is_other_type(branch)).collect();
    let named: Vec<_> =
        own_type.iter().copied().filter(|branch| !is_other_name(branch, error)).collect();
    match (own_type.as_slice(), named.as_slice()) {
        ([branch], _) | (_, [branch]) => Some(branch),
        _ => None,
    }
}

/// Whether the value lacks a key that the alternative is known by, or has another word there.
fn is_other_name(branch: &[ValidationError<'static>], error: &ValidationError<'_>) -> bool {
    let own = error.instance_path().as_str();
    branch.iter().any(|inner| {
        let at = inner.instance_path().as_str();
        let is_at_key =
            at.strip_prefix(own).is_some_and(|key| !key[1.min(key.len())..].contains('/'));
        match inner.kind() {
            ValidationErrorKind::Required { .. } => at == own,
            ValidationErrorKind::Constant { .. } => is_at_key,
            _ => false,
        }
    })
}
