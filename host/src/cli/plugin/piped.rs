//! Components that come through a pipe of the process's own: `-`, or what shells make of `<(..)`.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{disk, registry::MAX_COMPONENT};

/// What came through a pipe, in a file for as long as this lives.
pub(super) struct Piped {
    _folder: TempDir,
    pub(super) file: PathBuf,
    /// What messages call it: the file is nobody's but ours.
    name: String,
}

impl Piped {
    /// `None`: `name` is no pipe of this process. Named pipes are none: nobody might ever write to
    /// them.
    ///
    /// # Errors
    ///
    /// The pipe cannot be read, has more in it than a component may have, or there is no place to put
    /// it.
    pub(super) fn open(name: &Path) -> Result<Option<Self>, String> {
        let read = if name == Path::new("-") {
            disk::read_from(io::stdin().lock(), MAX_COMPONENT)
        } else if is_own(name) {
            File::open(name).and_then(|pipe| disk::read_from(pipe, MAX_COMPONENT))
        } else {
            return Ok(None);
        };
        let name = if name == Path::new("-") {
            "<standard input>".to_owned()
        } else {
            name.display().to_string()
        };
        let bytes = read.map_err(|error| format!("cannot read `{name}`: {error}"))?;
        Self::keep(&bytes, name)
            .map(Some)
            .map_err(|error| format!("cannot keep what was read: {error}"))
    }

    /// A message about the file, by the name of the pipe.
    pub(super) fn renamed(&self, message: &str) -> String {
        message.replace(&*self.file.to_string_lossy(), &self.name)
    }

    fn keep(bytes: &[u8], name: String) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("piped.wasm");
        fs::write(&file, bytes)?;
        Ok(Self { _folder: folder, file, name })
    }
}

fn is_own(name: &Path) -> bool {
    let folders = ["/dev/fd", "/proc/self/fd"].map(Path::new);
    let is_descriptor = name == Path::new("/dev/stdin")
        || name.parent().is_some_and(|parent| folders.contains(&parent));
    is_descriptor && fs::metadata(name).is_ok_and(|metadata| metadata.file_type().is_fifo())
}
