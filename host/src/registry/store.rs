//! Blobs on disk, each in a file with its digest's name. Nothing in it is believed: a blob whose
//! content has another digest counts as missing.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tempfile::{NamedTempFile, TempDir};

use super::{Digest, Error, MAX_COMPONENT};
use crate::disk::{self, CacheFolder, InUse};

pub(super) struct Store {
    folder: PathBuf,
    /// What bounds it; `None`: it is gone with the process.
    cache: Option<CacheFolder>,
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
    pub(super) fn open(cache: Option<&CacheFolder>) -> Result<Self, Error> {
        if let Some(cache) = cache {
            let folder = cache.blobs();
            match prepare(&folder) {
                Ok(()) => {
                    return Ok(Self { folder, cache: Some(cache.clone()), _temporary: None });
                }
                Err(error) => {
                    let folder = folder.display();
                    tracing::warn!(%folder, %error, "fetched plugins are not kept for the next start");
                }
            }
        }
        let temporary = tempfile::Builder::new().prefix("tollgate-").tempdir();
        let temporary =
            temporary.map_err(|source| Error::Disk { path: std::env::temp_dir(), source })?;
        let folder = temporary.path().to_owned();
        Ok(Self { folder, cache: None, _temporary: Some(temporary) })
    }

    /// The blob, if it is there and whole; it stays for as long as it is in use.
    pub(super) fn get(&self, digest: &Digest) -> Option<(Vec<u8>, InUse)> {
        let path = self.path(digest);
        let in_use = InUse::of(&path)?;
        let bytes = disk::read(&path, MAX_COMPONENT).ok()?;
        if Digest::of(&bytes) == *digest {
            return Some((bytes, in_use));
        }
        tracing::warn!(path = %path.display(), "a kept blob does not have its digest; it is not used");
        None
    }

    /// Keeps a blob, in one step, and makes room for it.
    pub(super) fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<Option<InUse>, Error> {
        let path = self.path(digest);
        let written = write(&path, bytes);
        written.map_err(|source| Error::Disk { path: path.clone(), source })?;
        let in_use = InUse::of(&path);
        if let Some(cache) = &self.cache {
            cache.prune();
        }
        Ok(in_use)
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
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = CacheFolder { path: folder.path().to_owned(), max_bytes: 1 << 20 };
        let store = Store::open(Some(&cache)).expect("it can be written");
        let get = |digest| store.get(digest).map(|(bytes, _)| bytes);
        let digest = Digest::of(b"content");
        assert_eq!(get(&digest), None);
        store.put(&digest, b"content").expect("it can be written");
        assert_eq!(get(&digest).as_deref(), Some(&b"content"[..]));
        fs::write(store.path(&digest), b"Content").expect("it can be written");
        assert_eq!(get(&digest), None);
        store.put(&digest, b"content").expect("it can be written");
        assert_eq!(get(&digest).as_deref(), Some(&b"content"[..]));
    }

    #[test]
    fn without_a_folder_blobs_are_gone_with_the_store() {
        let store = Store::open(None).expect("there is a temporary folder");
        let digest = Digest::of(b"content");
        store.put(&digest, b"content").expect("it can be written");
        let path = store.path(&digest);
        assert_eq!(store.get(&digest).map(|(bytes, _)| bytes).as_deref(), Some(&b"content"[..]));
        drop(store);
        assert!(!path.exists());
    }
}
