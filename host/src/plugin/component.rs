//! From a file to a linked component: read, compile once for each digest, describe.

mod compiling;
mod error;
mod file;
mod manifest;
mod size;

use std::{
    collections::HashMap,
    fmt,
    path::Path,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use prometheus::{IntCounter, IntCounterVec};
use wasmtime::PoolConcurrencyLimitError;

use super::{
    bindings::PluginPre,
    cache::{Compiled, CompiledCache},
    canary,
    compiler::{self, Guests},
    engine::Engine,
    kept::Kept,
    quarantine::Quarantine,
    service::{self, ServiceComponent},
    settings::Settings,
    snapshot::{NoSnapshot, Snapshot},
    state::State,
    surface::Surface,
    trace::{self, Traces},
    world::Release,
};
use crate::{
    config,
    digest::Digest,
    disk::{CacheFolder, InUse},
};

pub use self::error::LoadError;
use self::file::{check_kind, read, release};
pub use self::manifest::Manifest;

pub(super) use self::compiling::Compiling;

/// A compiled component that fits the world, shared by all uses of the same bytes.
pub struct Component {
    pub manifest: Manifest,
    /// Of the file.
    pub digest: Digest,
    /// Bytes of the file.
    pub size: usize,
    pub surface: Surface,
    /// The version of the world that it is written for.
    pub release: Release,
    pub(super) pre: PluginPre<State>,
    pub(super) traces: Traces,
    /// Its compiled code on disk, which stays for as long as it is used.
    _kept: Option<InUse>,
}

impl Component {
    /// The package of the world that it is written for.
    pub fn world(&self) -> String {
        format!("tollgate:plugin@{}", self.release.version())
    }

    /// The world that it is written for, by its whole name.
    pub fn target(&self) -> String {
        format!("tollgate:plugin/plugin@{}", self.release.version())
    }
}

/// Every component in use, so that the same bytes are compiled once.
pub struct Components {
    engine: Engine,
    cache: Option<CompiledCache>,
    made: Made,
    loaded: Mutex<HashMap<Digest, Weak<Component>>>,
    services: Kept<ServiceComponent>,
    snapshots: Kept<Snapshot>,
    quarantines: Kept<Quarantine>,
    canaries: Kept<canary::Record>,
}

impl Components {
    /// `cache`: the folder for compiled code; `None`: every start compiles.
    pub fn new(engine: Engine, cache: Option<&CacheFolder>) -> Self {
        let cache = cache.and_then(CompiledCache::open);
        Self {
            engine,
            cache,
            made: Made::default(),
            loaded: Mutex::default(),
            services: Kept::default(),
            snapshots: Kept::default(),
            quarantines: Kept::default(),
            canaries: Kept::default(),
        }
    }

    /// Counts in `made` where code comes from.
    pub(crate) fn counting(self, made: &IntCounterVec) -> Self {
        let [compiled, cached] = ["compiler", "cache"].map(|from| made.with_label_values(&[from]));
        Self { made: Made { compiled: Some(compiled), cached: Some(cached) }, ..self }
    }

    /// Loads the component in `path`. Takes as long as compiling does: never call it on a worker.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is not a component of this world.
    pub async fn load(&self, path: &Path) -> Result<Arc<Component>, LoadError> {
        self.load_as(path, &path.display()).await
    }

    /// As [`Self::load`]; errors call it `name`.
    pub(crate) async fn load_as(
        &self,
        path: &Path,
        name: &dyn fmt::Display,
    ) -> Result<Arc<Component>, LoadError> {
        let (bytes, digest) = read(path)?;
        if let Some(loaded) = self.loaded.lock().get(&digest).and_then(Weak::upgrade) {
            return Ok(loaded);
        }
        let component = Arc::new(self.build(&name.to_string(), bytes, digest.clone()).await?);
        let mut loaded = self.loaded.lock();
        loaded.retain(|_, component| component.strong_count() > 0);
        loaded.insert(digest, Arc::downgrade(&component));
        Ok(component)
    }

    /// Loads the `wasi:http` component in `path`. Takes as long as compiling does: never call it on a
    /// worker.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is not a component of such a world.
    pub fn load_service(&self, path: &Path) -> Result<Arc<ServiceComponent>, LoadError> {
        self.load_service_as(path, &path.display())
    }

    /// As [`Self::load_service`]; errors call it `name`.
    pub(crate) fn load_service_as(
        &self,
        path: &Path,
        name: &dyn fmt::Display,
    ) -> Result<Arc<ServiceComponent>, LoadError> {
        let (bytes, digest) = read(path)?;
        if let Some(loaded) = self.services.get(digest.hex()) {
            return Ok(loaded);
        }
        let name = &*name.to_string();
        check_kind(name, &bytes)?;
        let compiling = Compiling { components: self, name, bytes: &bytes, digest: &digest };
        let component = service::load(compiling, &self.engine)?;
        Ok(self.services.keep(digest.into_hex(), component))
    }

    async fn build(
        &self,
        name: &str,
        bytes: Vec<u8>,
        digest: Digest,
    ) -> Result<Component, LoadError> {
        check_kind(name, &bytes)?;
        let release = release(name, &bytes)?;
        let compiling = Compiling { components: self, name, bytes: &bytes, digest: &digest };
        let Compiled { component: compiled, kept } = compiling.compile(Guests::Plugins)?;
        let other_world = |reason| LoadError::OtherWorld { name: name.to_owned(), reason };
        let Some(release) = release else {
            return Err(other_world("it does not export `tollgate:plugin/filter`".into()));
        };
        let linked = match release {
            Release::V0_1_0 => {
                self.engine.linker.instantiate_pre(&compiled).and_then(PluginPre::new)
            }
        };
        let pre = linked.map_err(|error| other_world(format!("{error:#}")))?;
        let lacks_room = |error: &wasmtime::Error| error.is::<PoolConcurrencyLimitError>();
        let described = || Manifest::ask(&self.engine, &pre);
        let described = self.engine.idle.with_room(described, lacks_room).await;
        let described = described.map_err(|error| trace::reason(&error));
        let manifest = described.and_then(Manifest::checked);
        let describe = |reason| LoadError::Describe { name: name.to_owned(), reason };
        let manifest = manifest.map_err(describe)?;
        Ok(Component {
            manifest,
            surface: Surface::of(&compiled, &self.engine.engine),
            release,
            traces: Traces::new(&digest, &bytes),
            digest,
            size: bytes.len(),
            pre,
            _kept: kept,
        })
    }

    /// For plugins: from the cache, or compiled and cached.
    pub(super) fn compiled(&self, bytes: &[u8]) -> wasmtime::Result<Compiled> {
        self.compiled_for(Guests::Plugins, "a snapshot", bytes, &Digest::of(bytes))
    }

    fn compiled_for(
        &self,
        guests: Guests,
        name: &str,
        bytes: &[u8],
        digest: &Digest,
    ) -> wasmtime::Result<Compiled> {
        let engine = self.engine.of(guests)?;
        if let Some(cached) = self.cache.as_ref().and_then(|cache| cache.get(engine, digest)) {
            count(self.made.cached.as_ref());
            return Ok(cached);
        }
        // Before it begins: a start that compiles much takes a while.
        tracing::info!(component = name, bytes = bytes.len(), "compiling");
        let code = compiler::compile(guests, bytes)?;
        count(self.made.compiled.as_ref());
        let kept = self.cache.as_ref().and_then(|cache| cache.put(engine, digest, &code));
        kept.map_or_else(|| Compiled::unkept(engine, &code), Ok)
    }

    /// The component in `path` with the memory that it has once it is configured; taken once for
    /// each component and configuration in use.
    pub(super) async fn snapshot(
        &self,
        path: &Path,
        component: &Component,
        settings: &Arc<Settings>,
    ) -> Result<Arc<Snapshot>, NoSnapshot> {
        let key = format!("{} {}", component.digest, settings.config);
        if let Some(taken) = self.snapshots.get(&key) {
            return Ok(taken);
        }
        let taken = Snapshot::take(self, path, &component.digest, settings).await?;
        Ok(self.snapshots.keep(key, taken))
    }

    /// The quarantine of a use. A reload that changes neither the use nor its component gives it no
    /// other chance to trap.
    pub(super) fn quarantine(
        &self,
        use_: &config::Use,
        component: &Component,
    ) -> Option<Arc<Quarantine>> {
        let settings = use_.quarantine.clone()?;
        let key = format!("{} {}", component.digest, use_.identity());
        Some(self.quarantines.keep(key, Quarantine::new(&use_.name, settings)))
    }

    /// A reload that changes nothing of a canary does not forget that it was given up.
    pub(super) fn canary_record(&self, key: String, new: canary::Record) -> Arc<canary::Record> {
        self.canaries.keep(key, new)
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }
}

/// How often machine code was made, and how often it was found.
#[derive(Default)]
struct Made {
    compiled: Option<IntCounter>,
    cached: Option<IntCounter>,
}

fn count(counter: Option<&IntCounter>) {
    if let Some(counter) = counter {
        counter.inc();
    }
}
