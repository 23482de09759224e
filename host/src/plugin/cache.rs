//! Compiled components on disk, by digest and engine, so that a restart does not compile again.
//!
//! Compiled code runs with the process's rights. So it is only ever read from a folder that
//! nobody but the process's user can write.

use std::{
    fs,
    io::{self, Write},
    os::{
        fd::AsRawFd,
        unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use wasmtime::component::Component;

use super::compiler::MachineCode;
use crate::{
    digest::Digest,
    disk::{CacheFolder, InUse},
};

/// A folder of compiled components.
#[derive(Clone, Debug)]
pub(super) struct CompiledCache {
    folder: CacheFolder,
}

/// A component as the engine runs it, and its hold on the cache where it is kept there.
pub(super) struct Compiled {
    pub(super) component: Component,
    pub(super) kept: Option<InUse>,
}

impl Compiled {
    /// Of code that no folder keeps.
    ///
    /// # Errors
    ///
    /// There is no memory for it.
    #[expect(unsafe_code, reason = "running compiled code is what it is made for")]
    pub(super) fn unkept(engine: &wasmtime::Engine, code: &MachineCode) -> wasmtime::Result<Self> {
        // SAFETY: only the compiler of this very program makes this type.
        let component = unsafe { Component::deserialize(engine, code.bytes()) }?;
        Ok(Self { component, kept: None })
    }
}

impl CompiledCache {
    /// The cache in `folder`, which is made where it is missing; `None` where it cannot be
    /// trusted or made, with the reason in the log.
    pub(super) fn open(folder: &CacheFolder) -> Option<Self> {
        match prepare(&folder.path) {
            // Wherever links lead later.
            Ok(path) => Some(Self { folder: CacheFolder { path, ..folder.clone() } }),
            Err(error) => {
                let folder = folder.path.display();
                tracing::warn!(%folder, %error, "compiled plugins are not cached");
                None
            }
        }
    }

    /// The compiled form of the component with this digest, for this engine.
    #[expect(unsafe_code, reason = "loading compiled code is what the cache is for")]
    pub(super) fn get(&self, engine: &wasmtime::Engine, digest: &Digest) -> Option<Compiled> {
        let path = self.path(engine, digest);
        let kept = InUse::of(&path)?;
        if !kept.file().metadata().is_ok_and(|it| is_ours_alone(&it)) {
            tracing::warn!(path = %path.display(), "a compiled plugin that others could have written is not used");
            return None;
        }
        // SAFETY: the file was written by `put` of this user, and nobody else may write it or could
        // have put it there (`prepare`). Wasmtime itself refuses code of another version or
        // configuration.
        let path = format!("/proc/self/fd/{}", kept.file().as_raw_fd());
        match unsafe { Component::deserialize_file(engine, &path) } {
            Ok(component) => Some(Compiled { component, kept: Some(kept) }),
            Err(error) => {
                tracing::debug!(path, %error, "compiled plugin is not usable");
                None
            }
        }
    }

    /// Keeps a compiled component, makes room for it, and gives it as it is kept; `None` where it cannot
    /// be, which costs the next start's time.
    pub(super) fn put(
        &self,
        engine: &wasmtime::Engine,
        digest: &Digest,
        code: &MachineCode,
    ) -> Option<Compiled> {
        let path = self.path(engine, digest);
        // In a container beside, another gateway may have the same process id.
        let temporary = path.with_extension(format!("{:016x}.tmp", fastrand::u64(..)));
        let written = write(&temporary, code.bytes()).and_then(|()| fs::rename(&temporary, &path));
        if let Err(error) = written {
            let _ = fs::remove_file(&temporary);
            tracing::warn!(path = %path.display(), %error, "a compiled plugin is not kept: each start compiles it");
            return None;
        }
        let kept = self.get(engine, digest);
        if kept.is_none() {
            let _ = fs::remove_file(&path);
        }
        self.folder.prune();
        kept
    }

    fn path(&self, engine: &wasmtime::Engine, digest: &Digest) -> PathBuf {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        self.folder.path.join(format!("{}-{:016x}.cwasm", digest.hex(), hasher.finish()))
    }
}

/// Whatever the process's umask.
fn write(path: &Path, code: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)?.write_all(code)
}

fn prepare(folder: &Path) -> io::Result<PathBuf> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    if !is_ours_alone(&fs::metadata(folder)?) {
        return Err(io::Error::other("others than this process's user could write the folder"));
    }
    // Whoever may write a folder above it could put another in its place.
    let whole = folder.canonicalize()?;
    match whole.ancestors().skip(1).find(|above| fs::metadata(above).is_ok_and(|it| is_open(&it))) {
        Some(above) => {
            let reason = format!("others could replace what is in `{}`", above.display());
            Err(io::Error::other(reason))
        }
        None => Ok(whole),
    }
}

fn is_ours_alone(metadata: &fs::Metadata) -> bool {
    let user = fs::metadata("/proc/self").map(|it| it.uid());
    user.is_ok_and(|user| user == metadata.uid()) && metadata.permissions().mode() & 0o022 == 0
}

/// Whether everybody, or an owner who is neither this process's user nor root, may rename what others have
/// in a folder.
fn is_open(metadata: &fs::Metadata) -> bool {
    let mode = metadata.permissions().mode();
    let user = fs::metadata("/proc/self").map_or(0, |it| it.uid());
    (mode & 0o002 != 0 && mode & 0o1000 == 0) || ![0, user].contains(&metadata.uid())
}
