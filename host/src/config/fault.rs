//! What is wrong with a configuration, and where.

use std::{cell::RefCell, collections::HashSet, fmt, path::Path};

use super::{
    document::Document,
    pointer::{Place, Pointer},
};

/// A value the gateway cannot run with. Shown as
/// `tollgate.yaml:12:14: routes[1].upstream: no upstream is called "bils"`.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct Fault {
    /// The file as the user named it.
    pub file: String,
    pub place: Place,
    /// Empty where it concerns the whole file.
    pub at: Pointer,
    /// Lower case, no full stop.
    pub message: String,
}

/// The faults of one document, collected from many checks.
#[derive(Debug)]
pub struct Faults<'a> {
    document: &'a Document,
    found: RefCell<Vec<Fault>>,
    /// Values of which the fault is known, whatever else is found in them.
    settled: HashSet<Pointer>,
}

impl Fault {
    pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        Self {
            file: path.display().to_string(),
            place: Place::START,
            at: Pointer::default(),
            message: format!("cannot be read: {error}"),
        }
    }
}

impl Fault {
    /// Whether it is at `at` or inside of it.
    pub(crate) fn is_within(&self, at: &Pointer) -> bool {
        self.at.is_within(at)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, place, at, message } = self;
        if at.is_empty() {
            write!(f, "{file}:{place}: {message}")
        } else {
            write!(f, "{file}:{place}: {at}: {message}")
        }
    }
}

/// A line for each.
pub(crate) fn lines(faults: &[Fault]) -> String {
    faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n")
}

impl<'a> Faults<'a> {
    pub fn new(document: &'a Document) -> Self {
        Self::after(document, Vec::new())
    }

    /// With what has been found before. Nothing more is said of the same values.
    pub(super) fn after(document: &'a Document, found: Vec<Fault>) -> Self {
        let settled = found.iter().map(|fault| fault.at.clone()).collect();
        Self { document, found: found.into(), settled }
    }

    pub fn document(&self) -> &'a Document {
        self.document
    }

    /// How a fault tells of another value than its own: `routes[1] (tollgate.yaml:12:5)`.
    pub(super) fn named_place(&self, at: &Pointer) -> String {
        format!("{at} ({}:{})", self.document.file(), self.document.place(at))
    }

    /// At the value; where there is none, at what it is missing from.
    pub fn push(&self, at: &Pointer, message: impl fmt::Display) {
        if !self.settled.contains(at) {
            self.found.borrow_mut().push(self.document.fault(at, message));
        }
    }

    /// At the key of `at`, but naming `container` as what has the fault.
    pub(super) fn push_key(&self, at: &Pointer, named: &Pointer, message: impl fmt::Display) {
        let fault =
            Fault { place: self.document.key_place(at), ..self.document.fault(named, message) };
        self.found.borrow_mut().push(fault);
    }

    /// Whether a fault has been found at `at` or inside of it.
    pub(super) fn any_within(&self, at: &Pointer) -> bool {
        self.found.borrow().iter().any(|fault| fault.is_within(at))
    }

    /// Whether a fault has been found at `at` itself.
    pub(super) fn any_at(&self, at: &Pointer) -> bool {
        self.found.borrow().iter().any(|fault| fault.at == *at)
    }

    /// The value, or a fault at its place.
    pub fn keep<T, E: fmt::Display>(&self, at: &Pointer, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.push(at, error)).ok()
    }

    /// In the order of the file.
    pub fn into_vec(self) -> Vec<Fault> {
        let mut found = self.found.into_inner();
        sort(&mut found);
        found
    }
}

/// By place; the same fault once.
pub(crate) fn sort(faults: &mut Vec<Fault>) {
    faults.sort_by(|a, b| (a.place, &a.at, &a.message).cmp(&(b.place, &b.at, &b.message)));
    faults.dedup();
}
