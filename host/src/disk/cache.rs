//! The folder in which compiled and fetched components are kept, and its bound.
//!
//! Gateways may share it. Who uses a file holds a lock on it (`flock`, which ends with the process at
//! the latest), and nobody removes a file that somebody holds.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Age at which a file that somebody was about to write counts as left behind.
const LEFT_BEHIND: Duration = Duration::from_secs(60 * 60);

/// Where components are kept, and how many bytes of them.
#[derive(Clone, Debug)]
pub struct CacheFolder {
    pub path: PathBuf,
    /// Of all kept files together; what is in use stays even beyond it.
    pub max_bytes: u64,
}

/// A kept file that is in use. Clones are the same use.
#[derive(Clone, Debug)]
pub(crate) struct InUse {
    file: Arc<File>,
}

impl InUse {
    /// Takes a file of the cache into use; `None` where it is gone, or just going.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let file = super::open(path).ok()?;
        match file.try_lock_shared() {
            Ok(()) => {
                // When it was used last. Whose file it is not cannot say so, and does without.
                let _ = file.set_modified(SystemTime::now());
            }
            Err(TryLockError::WouldBlock) => return None,
            // A file system without locks: then nothing is ever removed.
            Err(TryLockError::Error(error)) => {
                tracing::debug!(path = %path.display(), %error, "a cached file cannot be locked");
            }
        }
        Some(Self { file: Arc::new(file) })
    }

    /// What is in use, even where another file has its name by now.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

/// A file of the cache, as far as it counts for the bound.
struct Kept {
    used: SystemTime,
    bytes: u64,
    path: PathBuf,
}

impl CacheFolder {
    /// Where fetched artifacts are, by their digests.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.path.join("blobs/sha256")
    }

    /// Removes what was not used for the longest time until the rest is within the bound.
    pub(crate) fn prune(&self) {
        let mut kept = self.kept();
        let mut bytes: u64 = kept.iter().map(|kept| kept.bytes).sum();
        if bytes <= self.max_bytes {
            return;
        }
        kept.sort_by_key(|kept| kept.used);
        let (mut files, before) = (0_usize, bytes);
        for kept in kept {
            if bytes <= self.max_bytes {
                break;
            }
            if remove_unused(&kept.path) {
                files += 1;
                bytes -= kept.bytes;
            }
        }
        if files > 0 {
            let (folder, removed) = (self.path.display(), before - bytes);
            tracing::info!(%folder, files, bytes = removed, "cached plugins that nobody used made room");
        }
        if bytes > self.max_bytes {
            let folder = self.path.display();
            tracing::debug!(%folder, bytes, "all that is left in the cache is in use");
        }
    }

    /// All kept files; on the way, what was never finished is removed.
    fn kept(&self) -> Vec<Kept> {
        let blobs = self.blobs();
        let mut kept = files(&self.path);
        kept.extend(files(&blobs));
        let now = SystemTime::now();
        kept.retain(|kept| {
            let name = kept.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_blob = kept.path.parent() == Some(&blobs);
            if name.ends_with(".cwasm") || (is_blob && is_digest(name)) {
                return true;
            }
            let age = now.duration_since(kept.used).unwrap_or_default();
            if (is_blob || name.ends_with(".tmp")) && age > LEFT_BEHIND {
                let _ = fs::remove_file(&kept.path);
            }
            false
        });
        kept
    }
}

fn is_digest(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The regular files of a folder; none where it cannot be read.
fn files(folder: &Path) -> Vec<Kept> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let kept = entries.filter_map(|entry| {
        // Of a link itself, and not of what it leads to.
        let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        let used = metadata.modified().ok()?;
        Some(Kept { used, bytes: metadata.len(), path: entry.path() })
    });
    kept.collect()
}

/// Whether the file is gone, by this process or another.
fn remove_unused(path: &Path) -> bool {
    let file = match super::open(path) {
        Ok(file) => file,
        Err(error) => return error.kind() == io::ErrorKind::NotFound,
    };
    match file.try_lock() {
        Ok(()) => fs::remove_file(path).is_ok(),
        Err(TryLockError::WouldBlock) => {
            // For whoever looks at it once its user has gone.
            let _ = file.set_modified(SystemTime::now());
            false
        }
        Err(TryLockError::Error(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with files of 10 bytes, the first one used longest ago.
    fn folder(names: &[&str]) -> (tempfile::TempDir, CacheFolder) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = CacheFolder { path: folder.path().to_owned(), max_bytes: 0 };
        fs::create_dir_all(cache.blobs()).expect("it can be made");
        for (age, name) in names.iter().rev().enumerate() {
            let file = File::create(folder.path().join(name)).expect("it can be made");
            file.set_len(10).expect("it can be written");
            let age = Duration::from_secs(1 + age as u64);
            file.set_modified(SystemTime::now() - age).expect("it is ours");
        }
        (folder, cache)
    }

    fn left(cache: &CacheFolder, names: &[&str]) -> Vec<String> {
        let is_there = |name: &&&str| cache.path.join(name).exists();
        names.iter().filter(is_there).map(|name| (*name).to_owned()).collect()
    }

    fn blob() -> String {
        format!("blobs/sha256/{}", "a".repeat(64))
    }

    #[test]
    fn what_was_not_used_for_the_longest_time_goes_first() {
        let blob = blob();
        let names = ["a.cwasm", &blob, "b.cwasm", "c.cwasm"];
        let (_folder, cache) = folder(&names);
        CacheFolder { max_bytes: 40, ..cache.clone() }.prune();
        assert_eq!(left(&cache, &names), names);
        CacheFolder { max_bytes: 25, ..cache.clone() }.prune();
        assert_eq!(left(&cache, &names), ["b.cwasm", "c.cwasm"]);
    }

    #[test]
    fn what_is_in_use_stays_and_counts_as_used_afterwards() {
        let names = ["a.cwasm", "b.cwasm", "c.cwasm"];
        let (_folder, cache) = folder(&names);
        let in_use = InUse::of(&cache.path.join("a.cwasm")).expect("it is there");
        let also = in_use.clone();
        drop(in_use);
        CacheFolder { max_bytes: 15, ..cache.clone() }.prune();
        assert_eq!(left(&cache, &names), ["a.cwasm"]);
        drop(also);
        cache.prune();
        assert_eq!(left(&cache, &names), Vec::<String>::new());
    }

    #[test]
    fn other_files_are_left_alone_and_unfinished_ones_go_with_time() {
        let names = ["notes.txt", "old.tmp", "new.tmp", "locks"];
        let (_folder, cache) = folder(&names);
        let old =
            File::options().write(true).open(cache.path.join("old.tmp")).expect("it is there");
        old.set_modified(SystemTime::now() - 2 * LEFT_BEHIND).expect("it is ours");
        cache.prune();
        assert_eq!(left(&cache, &names), ["notes.txt", "new.tmp", "locks"]);
    }

    #[test]
    fn a_file_that_is_about_to_be_removed_is_not_taken_into_use() {
        let (_folder, cache) = folder(&["a.cwasm"]);
        let path = cache.path.join("a.cwasm");
        let remover = File::open(&path).expect("it is there");
        remover.try_lock().expect("nobody uses it");
        assert!(InUse::of(&path).is_none());
    }
}
