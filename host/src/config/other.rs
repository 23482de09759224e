//! Other files than the configuration that are read like it: every fault with its place.

use std::{fmt, path::Path, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    check,
    document::Document,
    fault::{Fault, Faults},
    file,
    pointer::Pointer,
    structure, units,
};

/// Reads `text`, which stands in `path`, as a `T`.
///
/// # Errors
///
/// Everything that does not fit, in the order of the file.
pub(crate) fn read<T: DeserializeOwned + JsonSchema>(
    text: &str,
    path: &Path,
) -> Result<(Document, T), Vec<Fault>> {
    let (document, found) = Document::parse(text, path).map_err(|fault| vec![fault])?;
    let faults = Faults::after(&document, found);
    let value = checked::<T>(&faults);
    let read = faults.keep(&Pointer::default(), serde_json::from_value(value));
    match (faults.into_vec(), read) {
        (faults, Some(read)) if faults.is_empty() => Ok((document, read)),
        (faults, _) => Err(faults),
    }
}

/// What `text` says as far as it goes, and everything in it that does not fit a `T`.
///
/// # Errors
///
/// It is no YAML.
pub(crate) fn examine<T: JsonSchema>(
    text: &str,
    path: &Path,
) -> Result<(Document, Value, Vec<Fault>), Fault> {
    let (document, found) = Document::parse(text, path)?;
    let faults = Faults::after(&document, found);
    let value = checked::<T>(&faults);
    let faults = faults.into_vec();
    Ok((document, value, faults))
}

/// JSON Schema of a file (2020-12). An empty value is a fault, as in the configuration.
pub(crate) fn schema<T: JsonSchema>() -> Value {
    file::schema_of::<T>()
}

/// The document's value, after its misfits have become faults.
fn checked<T: JsonSchema>(faults: &Faults<'_>) -> Value {
    let schema = schema::<T>();
    let validator = structure::validator(&schema).expect("schemas of types are valid ones");
    let root = Pointer::default();
    let mut value = faults.document().value(&root);
    structure::retype(faults.document(), &validator, &mut value);
    for misfit in structure::misfits(&schema, &validator, &value, &root) {
        match &misfit.key {
            Some(key) => faults.push_key(&misfit.at.key(key), &misfit.at, &misfit.message),
            None => faults.push(&misfit.at, &misfit.message),
        }
    }
    value
}

/// A length of time such as `250ms`.
///
/// # Errors
///
/// It is none, or nothing.
pub(crate) fn duration(text: &str) -> Result<Duration, impl fmt::Display + use<>> {
    units::duration(text)
}

/// Bytes such as `64KiB`.
///
/// # Errors
///
/// It is no such text, or says nothing.
pub(crate) fn size(text: &str) -> Result<u64, impl fmt::Display + use<>> {
    units::size(text)
}

/// What is wrong with a level of the log such as `info,plugin=debug`.
pub(crate) fn log_level_fault(text: &str) -> Option<String> {
    check::level_fault(text)
}

/// The schema of what [`duration`] reads.
pub(crate) fn duration_schema(generator: &mut SchemaGenerator) -> Schema {
    file::DurationText::json_schema(generator)
}
