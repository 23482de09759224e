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
    /// Adds that of a file which is about to be read.
    pub(crate) fn add_file(&mut self, path: &Path) {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        self.0.entry(path).or_insert_with_key(|file| stamp(file));
    }

    /// Brings that of a file up to date, if it counts: the gateway has written it itself.
    pub(crate) fn renew(&mut self, path: &Path) {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        if let Some(known) = self.0.get_mut(&path) {
            *known = stamp(&path);
        }
    }

    /// Adds those of `other`, which count where both know a file.
    pub(super) fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The files.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
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
