//! What comes through a pipe of the process's own: `-`, or what shells make of `<(..)`.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileTypeExt,
    path::Path,
};

use crate::disk;

pub(super) struct Piped {
    pub(super) bytes: Vec<u8>,
    /// What messages call it.
    pub(super) name: String,
}

impl Piped {
    /// All that comes, at most `most` bytes. `None`: `name` is no pipe of this process. Named pipes
    /// are none: nobody might ever write to them.
    ///
    /// # Errors
    ///
    /// The pipe cannot be read, or has more in it.
    pub(super) fn read(name: &Path, most: u64) -> Result<Option<Self>, String> {
        let is_input = name == Path::new("-");
        let read = if is_input {
            disk::read_from(io::stdin().lock(), most)
        } else if is_own(name) {
            File::open(name).and_then(|pipe| disk::read_from(pipe, most))
        } else {
            return Ok(None);
        };
        let name = shown(name);
        let bytes = read.map_err(|error| format!("cannot read `{name}`: {error}"))?;
        Ok(Some(Self { bytes, name }))
    }
}

/// What messages call a file or pipe of this name.
pub(super) fn shown(name: &Path) -> String {
    if name == Path::new("-") { "<standard input>".to_owned() } else { name.display().to_string() }
}

fn is_own(name: &Path) -> bool {
    let folders = ["/dev/fd", "/proc/self/fd"].map(Path::new);
    let is_descriptor = name == Path::new("/dev/stdin")
        || name.parent().is_some_and(|parent| folders.contains(&parent));
    is_descriptor && fs::metadata(name).is_ok_and(|metadata| metadata.file_type().is_fifo())
}
