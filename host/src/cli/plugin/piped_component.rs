//! Components that come through a pipe.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{cli::piped::Piped, registry::MAX_COMPONENT};

/// What came through a pipe, in a file for as long as this lives.
pub(super) struct PipedComponent {
    _folder: TempDir,
    pub(super) file: PathBuf,
    /// What messages call it: the file is nobody's but ours.
    name: String,
}

impl PipedComponent {
    /// `None`: `name` is no pipe of this process.
    ///
    /// # Errors
    ///
    /// The pipe cannot be read, has more in it than a component may have, or there is no place to put
    /// it.
    pub(super) fn open(name: &Path) -> Result<Option<Self>, String> {
        let Some(piped) = Piped::read(name, MAX_COMPONENT)? else { return Ok(None) };
        Self::keep(piped).map(Some).map_err(|error| format!("cannot keep what was read: {error}"))
    }

    /// A message about the file, by the name of the pipe.
    pub(super) fn renamed(&self, message: &str) -> String {
        message.replace(&*self.file.to_string_lossy(), &self.name)
    }

    fn keep(Piped { bytes, name }: Piped) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("piped.wasm");
        fs::write(&file, bytes)?;
        Ok(Self { _folder: folder, file, name })
    }
}
