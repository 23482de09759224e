//! Where components come from, and how registries are spoken to.

use std::{fmt, path::PathBuf};

use super::Secret;
use crate::registry::Reference;

/// Where a component comes from.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Source {
    /// A file, in the plugin directory or where the configuration says.
    File(PathBuf),
    Registry(Reference),
}

impl Source {
    pub fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::File(path) => Some(path),
            Self::Registry(_) => None,
        }
    }

    pub fn reference(&self) -> Option<&Reference> {
        match self {
            Self::File(_) => None,
            Self::Registry(reference) => Some(reference),
        }
    }
}

/// The path, or the reference as the configuration writes it.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Registry(reference) => reference.fmt(f),
        }
    }
}

/// How a registry is spoken to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Registry {
    /// Without TLS; `None`: on this machine only.
    pub plain_http: Option<bool>,
    /// Authorities to trust besides the system's.
    pub ca: Option<PathBuf>,
    /// User and password; `None`: as Docker has them.
    pub credentials: Option<(String, Secret)>,
}
