//! Blobs on disk, each in a file with its digest's name. Nothing in it is believed: a blob whose
//! content has another digest counts as missing.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tempfile::{NamedTempFile, TempDir};

use super::{Digest, Error};

pub(super) struct Store {
    folder: PathBuf,
    /// Where nothing is to be kept beyond the process.
    _temporary: Option<TempDir>,
}

impl Store {
    /// In the folder for caches; without one, or where it cannot be written, in a folder that is
    /// gone with the process.
    ///
    /// # Errors
    ///
    /// There cannot even be that.
    pub(super) fn open(cache: Option<&Path>) -> Result<Self, Error> {
        if let Some(cache) = cache {
            let folder = cache.join("blobs/sha256");
            match prepare(&folder) {
                Ok(()) => return Ok(Self { folder, _temporary: None }),
                Err(error) => {
                    let folder = folder.display();
                    tracing::warn!(%folder, %error, "fetched plugins are not kept for the next start");
                }
            }
        }
        let temporary = tempfile::Builder::new().prefix("tollgate-").tempdir();
        let temporary =
            temporary.map_err(|source| Error::Disk { path: std::env::temp_dir(), source })?;
        Ok(Self { folder: temporary.path().to_owned(), _temporary: Some(temporary) })
    }

    /// The blob, if it is there and whole.
    pub(super) fn get(&self, digest: &Digest) -> Option<Vec<u8>> {
        let path = self.path(digest);
        let bytes = fs::read(&path).ok()?;
        if Digest::of(&bytes) == *digest {
            return Some(bytes);
        }
        tracing::warn!(path = %path.display(), "a kept blob does not have its digest; it is not used");
        None
    }

    /// Keeps a blob, in one step.
    pub(super) fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<PathBuf, Error> {
        let path = self.path(digest);
        let written = write(&path, bytes);
        written.map_err(|source| Error::Disk { path: path.clone(), source })?;
        Ok(path)
    }

    pub(super) fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.hex())
    }
}

/// Writes a file in one step, for everybody to read whom its folder lets in.
pub(super) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o644))
        .tempfile_in(folder)?;
    file.write_all(content)?;
    file.persist(path)?;
    Ok(())
}

/// Makes the folder, for this user alone, and tries that it can be written.
fn prepare(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    NamedTempFile::new_in(folder).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_that_was_changed_is_missing() {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let store = Store::open(Some(cache.path())).expect("it can be written");
        let digest = Digest::of(b"content");
        assert_eq!(store.get(&digest), None);
        let path = store.put(&digest, b"content").expect("it can be written");
        assert_eq!(store.get(&digest).as_deref(), Some(&b"content"[..]));
        fs::write(&path, b"Content").expect("it can be written");
        assert_eq!(store.get(&digest), None);
        store.put(&digest, b"content").expect("it can be written");
        assert_eq!(store.get(&digest).as_deref(), Some(&b"content"[..]));
    }

    #[test]
    fn without_a_folder_blobs_are_gone_with_the_store() {
        let store = Store::open(None).expect("there is a temporary folder");
        let digest = Digest::of(b"content");
        let path = store.put(&digest, b"content").expect("it can be written");
        assert_eq!(store.get(&digest).as_deref(), Some(&b"content"[..]));
        drop(store);
        assert!(!path.exists());
    }
}
