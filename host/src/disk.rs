//! Files that are read as a whole: configurations, certificates, keys, components; and the folder
//! in which components are kept.

mod cache;

use std::{
    fs::{self, File, FileType, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

pub use self::cache::CacheFolder;
pub(crate) use self::cache::InUse;

/// Largest file of text: configurations, certificates, keys, values. In bytes.
pub(crate) const MAX_TEXT: u64 = 16 << 20;

/// The content of a regular file, which links may lead to.
///
/// # Errors
///
/// It cannot be read, has more than `most` bytes, or is something else: a named pipe or a device may
/// never come to an end.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_from(open(path)?, most)
}

/// All that comes until the end.
///
/// # Errors
///
/// It cannot be read, or there are more than `most` bytes.
pub(crate) fn read_from(from: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it has more than {} MiB", most >> 20)));
    }
    Ok(bytes)
}

/// The components in a folder, by their names; none where it cannot be read.
pub(crate) fn components(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "wasm"));
    files.sort();
    files
}

/// As [`read`], of text in UTF-8.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    text(read(path, MAX_TEXT)?)
}

/// # Errors
///
/// It is no UTF-8, and where it stops being that.
pub(crate) fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        let reason =
            format!("it is not text in UTF-8 (line {line} has other bytes); save it as UTF-8");
        io::Error::new(io::ErrorKind::InvalidData, reason)
    })
}

/// Opens a regular file for reading.
///
/// # Errors
///
/// As [`read`].
pub(crate) fn open(path: &Path) -> io::Result<File> {
    // A named pipe that nobody writes to would be waited for; a regular file is read as ever.
    let options = libc::O_NONBLOCK | libc::O_NOCTTY;
    let opened = OpenOptions::new().read(true).custom_flags(options).open(path);
    let opened = opened.map_err(|error| match error.raw_os_error() {
        // What a socket says.
        Some(libc::ENXIO) => irregular("a socket"),
        _ => error,
    })?;
    match kind(opened.metadata()?.file_type()) {
        None => Ok(opened),
        Some(kind) => Err(irregular(kind)),
    }
}

fn irregular(kind: &str) -> io::Error {
    io::Error::other(format!("it is {kind}, not a regular file"))
}

/// `None`: a regular file.
fn kind(kind: FileType) -> Option<&'static str> {
    match () {
        () if kind.is_file() => None,
        () if kind.is_dir() => Some("a folder"),
        () if kind.is_fifo() => Some("a named pipe"),
        () if kind.is_socket() => Some("a socket"),
        () => Some("a device"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[track_caller]
    fn check(path: &Path, expected: &str) {
        let error = read(path, 4).expect_err("it is refused").to_string();
        assert!(error.contains(expected), "{}: {error}", path.display());
    }

    #[test]
    fn only_regular_files_are_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).expect("a socket");
        check(&socket, "it is a socket");
        check(folder.path(), "it is a folder");
        check(Path::new("/dev/null"), "it is a device");
        check(&folder.path().join("none"), "No such file");
    }

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("file");
        fs::write(&file, "four").expect("it can be written");
        assert_eq!(read(&file, 4).expect("it is within"), b"four");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        assert_eq!(read(&link, 4).expect("links are followed"), b"four");
        fs::write(&file, "fives").expect("it can be written");
        check(&file, "more than 0 MiB");
    }
}
