//! `tollgate.lock`: the digests that the tags of a configuration stand for, until an operator says
//! otherwise.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Digest, Reference, store};
use crate::{
    config::{Fault, Pointer, other},
    disk,
};

/// The pins of one configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lock {
    /// Beside the configuration.
    path: PathBuf,
    /// Where pins go if they cannot go there.
    spare: Option<PathBuf>,
    pins: BTreeMap<String, Digest>,
    /// Those that the file does not have yet.
    added: BTreeMap<String, Digest>,
}

/// As the file is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LockFile {
    /// By reference.
    #[serde(default)]
    digests: BTreeMap<String, String>,
}

const HEAD: &str = "\
# The digests that tags of plugins stand for. `tollgate run` adds tags that are missing here, and keeps
# to those that are here. `tollgate plugin lock --update` takes up what the tags mean now. Keep this
# file with the configuration.
";

impl Lock {
    /// The pins in the file at `path`, none if it is missing, and those that had to go to `spare`.
    ///
    /// # Errors
    ///
    /// The file is not such a file: every fault of it. Pins are not guessed.
    pub(crate) fn read(path: &Path, spare: Option<&Path>) -> Result<Self, Vec<Fault>> {
        let mut pins = spare.and_then(|spare| pins(spare).ok()).unwrap_or_default();
        pins.extend(self::pins(path)?);
        let (path, spare) = (path.to_owned(), spare.map(Path::to_owned));
        Ok(Self { path, spare, pins, added: BTreeMap::new() })
    }

    /// What the reference's tag is pinned to.
    pub(crate) fn pin(&self, reference: &Reference) -> Option<Digest> {
        self.pins.get(&reference.to_string()).cloned()
    }

    /// Pins the reference's tag, unless it is pinned.
    pub(crate) fn add(&mut self, reference: &Reference, digest: &Digest) {
        let key = reference.to_string();
        if !self.pins.contains_key(&key) {
            self.pins.insert(key.clone(), digest.clone());
            self.added.insert(key, digest.clone());
        }
    }

    /// What [`Self::add`] has added.
    pub(crate) fn added(&self) -> impl Iterator<Item = (&String, &Digest)> {
        self.added.iter()
    }

    /// Writes what was added, so that a restart finds it; says whether it will. What somebody else
    /// has pinned meanwhile stays.
    pub(crate) fn save_added(&self) -> bool {
        if self.added.is_empty() {
            return true;
        }
        for (reference, digest) in self.added() {
            tracing::info!(reference, %digest, lock = %self.path.display(), "pinned the tag of a plugin");
        }
        let Err(error) = self.save_added_to(&self.path) else { return true };
        let lock = self.path.display();
        let kept = self.spare.as_deref().is_some_and(|spare| self.save_added_to(spare).is_ok());
        if kept {
            tracing::warn!(%lock, %error, "the lock cannot be written; tags are pinned in the cache folder");
        } else {
            tracing::warn!(%lock, %error, "the lock cannot be written; tags are pinned until the process ends");
        }
        kept
    }

    fn save_added_to(&self, path: &Path) -> io::Result<()> {
        let mut all = pins(path).map_err(|faults| {
            io::Error::other(faults.first().map(ToString::to_string).unwrap_or_default())
        })?;
        for (key, digest) in &self.added {
            all.entry(key.clone()).or_insert_with(|| digest.clone());
        }
        write(path, &all)
    }

    /// Writes exactly these pins.
    ///
    /// # Errors
    ///
    /// The file cannot be written; it is as it was.
    pub(crate) fn replace(&self, pins: &BTreeMap<String, Digest>) -> io::Result<()> {
        write(&self.path, pins)?;
        // What stood in for it has had its time.
        if let Some(spare) = &self.spare {
            let _ = fs::remove_file(spare);
        }
        Ok(())
    }

    /// All pins, by reference.
    pub(crate) fn pins(&self) -> &BTreeMap<String, Digest> {
        &self.pins
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn pins(path: &Path) -> Result<BTreeMap<String, Digest>, Vec<Fault>> {
    let text = match disk::read_text(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(vec![Fault::unreadable(path, &error)]),
    };
    let (document, file) = other::read::<LockFile>(&text, path)?;
    let mut pins = BTreeMap::new();
    let mut faults = Vec::new();
    for (key, digest) in file.digests {
        let at = Pointer::default().key("digests").key(&key);
        match (key.parse::<Reference>(), digest.parse::<Digest>()) {
            (Ok(_), Ok(digest)) => {
                pins.insert(key, digest);
            }
            (Err(error), _) => faults.push(document.fault(&at, error)),
            (_, Err(error)) => faults.push(document.fault(&at, error)),
        }
    }
    if faults.is_empty() { Ok(pins) } else { Err(faults) }
}

/// In one step, sorted, so that it reads well in a version control system.
fn write(path: &Path, pins: &BTreeMap<String, Digest>) -> io::Result<()> {
    let mut text = HEAD.to_owned();
    text.push_str(if pins.is_empty() { "digests: {}\n" } else { "digests:\n" });
    for (reference, digest) in pins {
        text.push_str(&format!("  \"{reference}\":\n    {digest}\n"));
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    store::write(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(text: &str) -> Reference {
        text.parse().expect("a reference")
    }

    #[test]
    fn pins_are_found_again_and_never_moved_by_adding() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("tollgate.lock");
        let (one, two) = (reference("oci://ghcr.io/a/b:1"), reference("ghcr.io/a/b:2"));
        let mut lock = Lock::read(&path, None).expect("it is missing");
        lock.add(&one, &Digest::of(b"1"));
        lock.add(&one, &Digest::of(b"other"));
        // Meanwhile, somebody else.
        let mut other = Lock::read(&path, None).expect("it is missing");
        other.add(&one, &Digest::of(b"somebody else's"));
        other.add(&two, &Digest::of(b"2"));
        assert!(lock.save_added() && other.save_added());
        let lock = Lock::read(&path, None).expect("it was written");
        assert_eq!(lock.pin(&one), Some(Digest::of(b"1")));
        assert_eq!(lock.pin(&two), Some(Digest::of(b"2")));
        assert_eq!(lock.added().count(), 0);
    }

    #[test]
    fn pins_that_cannot_be_written_beside_the_configuration_are_kept_elsewhere() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let spare = folder.path().join("locks/spare.lock");
        // No user can write below a file, root neither.
        fs::write(folder.path().join("file"), "").expect("it can be written");
        let path = folder.path().join("file/tollgate.lock");
        let one = reference("oci://ghcr.io/a/b:1");
        let mut lock = Lock { path, spare: Some(spare.clone()), ..Lock::default() };
        lock.add(&one, &Digest::of(b"1"));
        assert!(lock.save_added());
        let path = folder.path().join("tollgate.lock");
        let nowhere = Lock { spare: None, ..lock };
        assert!(!nowhere.save_added());
        let lock = Lock::read(&path, Some(&spare)).expect("both can be read");
        assert_eq!(lock.pin(&one), Some(Digest::of(b"1")));
        // The file itself goes before, and ends the other.
        let pins = BTreeMap::from([(one.to_string(), Digest::of(b"2"))]);
        lock.replace(&pins).expect("it can be written");
        assert!(!spare.exists());
        let lock = Lock::read(&path, Some(&spare)).expect("it can be read");
        assert_eq!(lock.pins(), &pins);
    }

    #[test]
    fn a_pin_that_is_none_is_a_fault_with_its_place() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("tollgate.lock");
        let faults = |text: &str| {
            fs::write(&path, text).expect("it can be written");
            let faults = Lock::read(&path, None).expect_err("it has faults");
            faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        let found = faults("digests:\n  \"oci://ghcr.io/a:1\": sha256:00\n  \"a:1\": \"\"\n");
        assert!(found.contains("tollgate.lock:2:"), "{found}");
        assert!(found.contains("64 hexadecimal digits"), "{found}");
        assert!(found.contains("must begin with the registry"), "{found}");
        assert!(faults("digest: {}\n").contains("unknown key `digest`"));
    }
}
