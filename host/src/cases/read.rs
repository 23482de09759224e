//! Reads a file of cases as far as it is sound: what is wrong with one case hides nothing of another.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    check,
    file::{Case, File, Setting},
};
use crate::{
    config::{self, Document, Fault, Faults, Pointer},
    disk,
};

/// A file of cases.
pub(super) struct Cases {
    pub(super) document: Document,
    pub(super) file: File,
    /// What is wrong with the file, before any case is tried.
    pub(super) faults: Vec<Fault>,
}

/// # Errors
///
/// The file cannot be read, or is no YAML.
pub(super) fn read(path: &Path) -> Result<Cases, Fault> {
    let text = disk::read_text(path).map_err(|error| Fault::unreadable(path, &error))?;
    let (document, value, found) = config::other::examine::<File>(&text, path)?;
    let faults = Faults::new(&document);
    let piece = Piece { value: &value, found: &found, faults: &faults };
    let root = Pointer::default();
    let defaults = match value.get("defaults") {
        Some(_) => piece.sound(&root.key("defaults")),
        None => Some(Setting::default()),
    };
    let count = value.get("cases").and_then(Value::as_array).map_or(0, Vec::len);
    let cases = (0..count).map(|index| piece.sound::<Case>(&root.key("cases").index(index)));
    let cases = cases.collect();
    let file = File { defaults: defaults.unwrap_or_default(), cases };
    let mut faults = [found, faults.into_vec(), check::faults(&document, &file)].concat();
    config::sort_faults(&mut faults);
    Ok(Cases { document, file, faults })
}

impl Cases {
    /// Every case that can be tried, with its place.
    pub(super) fn sound(&self) -> Vec<(Pointer, &Case)> {
        let root = Pointer::default();
        let is_sound = |at: &Pointer| !self.faults.iter().any(|fault| fault.is_within(at));
        if !is_sound(&root.key("defaults")) {
            return Vec::new();
        }
        let cases = self.file.cases.iter().enumerate();
        let cases = cases.map(|(index, case)| (root.key("cases").index(index), case));
        let sound = cases.filter(|(at, _)| is_sound(at));
        sound.filter_map(|(at, case)| Some((at, case.as_ref()?))).collect()
    }
}

/// A part of the file, and what has been found in it.
struct Piece<'a> {
    value: &'a Value,
    found: &'a [Fault],
    faults: &'a Faults<'a>,
}

impl Piece<'_> {
    /// What stands at `at`, if it has no faults.
    fn sound<T: DeserializeOwned>(&self, at: &Pointer) -> Option<T> {
        if self.found.iter().any(|fault| fault.is_within(at)) {
            return None;
        }
        let value = at.steps().iter().try_fold(self.value, |value, step| match step {
            config::Step::Key(key) => value.get(key),
            config::Step::Index(index) => value.get(index),
        })?;
        self.faults.keep(at, T::deserialize(value))
    }
}
