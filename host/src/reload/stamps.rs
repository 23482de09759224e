//! What files looked like when they were read, to find changes that no notice came of: those
//! between reading and watching, and those on file systems that give no notice.

use std::{
    collections::BTreeMap,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::files::{files_of, files_of_upstream};
use crate::config::{Config, UpstreamTls};

/// The stamps of all files that a generation is built from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Stamps(BTreeMap<PathBuf, Option<Stamp>>);

/// `None` in its place: there is no such file. The status change counts and not the content's: a
/// file that was moved to its place keeps the latter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Stamp {
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl Stamps {
    /// Of the configuration file alone, for before it is read.
    pub(crate) fn of_file(path: &Path) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self(BTreeMap::from([(path.clone(), stamp(&path))]))
    }

    /// Adds those of all files that `config` names, for before they are read.
    pub(crate) fn add(&mut self, path: &Path, config: &Config) {
        for file in files_of(path, config) {
            self.0.entry(file).or_insert_with_key(|file| stamp(file));
        }
    }

    /// Whether the files of an upstream's TLS were the same.
    pub(crate) fn agree(&self, other: &Self, tls: Option<&UpstreamTls>) -> bool {
        let mut files = tls.into_iter().flat_map(files_of_upstream);
        files.all(|file| self.0.get(&file) == other.0.get(&file))
    }

    /// The same files as they are now.
    pub(super) fn again(&self) -> Self {
        Self(self.0.keys().map(|file| (file.clone(), stamp(file))).collect())
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(Stamp {
        inode: metadata.ino(),
        length: metadata.len(),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}
