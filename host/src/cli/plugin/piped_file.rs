//! Components and configurations of plugins that come through a pipe.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{
    cli::piped::Piped,
    disk::MAX_TEXT,
    registry::{MAX_COMPONENT, Reference},
};

/// What came through a pipe, in a file for as long as this lives.
struct Kept {
    _folder: TempDir,
    file: PathBuf,
    /// What messages call it: the file is nobody's but ours.
    name: String,
}

/// A file that may have come through a pipe.
pub(super) struct PipedFile {
    given: PathBuf,
    kept: Option<Kept>,
}

impl PipedFile {
    /// # Errors
    ///
    /// The pipe cannot be read, has more in it than a component may have, or there is no place to put
    /// it.
    pub(super) fn component(given: PathBuf) -> Result<Self, String> {
        check_file(&given)?;
        Self::open(given, MAX_COMPONENT, "piped.wasm")
    }

    /// What is read from a registry and not from here.
    pub(super) fn fetched(given: PathBuf) -> Self {
        Self { given, kept: None }
    }

    /// The same of a plugin's configuration.
    pub(super) fn config(given: PathBuf) -> Result<Self, String> {
        Self::open(given, MAX_TEXT, "piped.yaml")
    }

    fn open(given: PathBuf, most: u64, kept_as: &str) -> Result<Self, String> {
        let piped = Piped::read(&given, most)?;
        let kept = piped.map(|piped| Kept::new(piped, kept_as)).transpose();
        let kept = kept.map_err(|error| format!("cannot keep what was read: {error}"))?;
        Ok(Self { given, kept })
    }

    pub(super) fn path(&self) -> &Path {
        self.kept.as_ref().map_or(&self.given, |kept| &kept.file)
    }

    fn renamed(&self, message: String) -> String {
        match &self.kept {
            Some(kept) => message.replace(&*kept.file.to_string_lossy(), &kept.name),
            None => message,
        }
    }
}

/// Tells what to do with a reference to a registry where a file belongs.
///
/// # Errors
///
/// It is one, and no file.
pub(super) fn check_file(given: &Path) -> Result<(), String> {
    let text = given.to_string_lossy();
    let Ok(reference) = text.parse::<Reference>() else { return Ok(()) };
    if given.exists() {
        return Ok(());
    }
    Err(format!(
        "`{text}`: there is no such file; if it is in a registry, `tollgate plugin pull {reference}` fetches \
         it, and `inspect` reads `{reference}` itself"
    ))
}

/// A message about `files`, by the names that they were given by.
pub(super) fn as_given<'a>(
    message: String,
    files: impl IntoIterator<Item = &'a PipedFile>,
) -> String {
    files.into_iter().fold(message, |message, file| file.renamed(message))
}

impl Kept {
    fn new(Piped { bytes, name }: Piped, kept_as: &str) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join(kept_as);
        fs::write(&file, bytes)?;
        Ok(Self { _folder: folder, file, name })
    }
}
