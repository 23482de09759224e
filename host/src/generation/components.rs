//! The components of a configuration: files, and what registries have.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Builder, Failure, build::fault};
use crate::{
    config::{self, Config, Fault, Pointer, Source},
    digest::Digest,
    disk::{self, InUse},
    plugin::{Component, LoadError, Origin, ServiceComponent},
    registry::{Fetched, Lock, Reference},
};

/// A component, and where it comes from.
pub(super) type Loaded<C> = (Arc<C>, Origin);

/// What a chain can be made of, loaded.
pub(super) enum Linkable {
    Plugin(Loaded<Component>),
    Middleware(Loaded<ServiceComponent>),
}

/// What the references of a configuration have become.
pub(crate) struct Fetches {
    fetched: HashMap<Reference, Result<Fetched, String>>,
    /// With the digests of tags that it did not have.
    pub(super) lock: Lock,
}

impl Fetches {
    pub(super) fn none() -> Self {
        Self { fetched: HashMap::new(), lock: Lock::default() }
    }

    /// What a generation holds, so that its artifacts stay on disk.
    pub(super) fn in_use(&self) -> Vec<InUse> {
        let fetched = self.fetched.values().filter_map(|fetched| fetched.as_ref().ok());
        fetched.flat_map(|fetched| fetched.in_use.iter().cloned()).collect()
    }

    /// A line for each tag whose digest the lock does not hold yet.
    pub(super) fn unpinned(&self, config: &Config) -> Vec<String> {
        let added: HashMap<&String, &Digest> = self.lock.added().collect();
        let mut seen = HashSet::new();
        let uses = config.references().filter_map(|(reference, at)| {
            let key = reference.to_string();
            let digest = added.get(&key)?;
            let lock = self.lock.path().display();
            let reason = format!(
                "the tag is not in `{lock}`; `run` pins it to what it means then, now {digest}"
            );
            seen.insert(key).then(|| fault(config, &at, reason).to_string())
        });
        uses.collect()
    }
}

impl Builder {
    /// Fetches what the uses that `wanted` says and the services name in registries, all at once. What
    /// fails is told by [`Self::load`] and its like, where it is named.
    ///
    /// # Errors
    ///
    /// The lock has faults: no tag is looked up then.
    pub(crate) async fn fetch(
        &self,
        config: &Config,
        wanted: impl Fn(&config::Use) -> bool,
    ) -> Result<Fetches, Failure> {
        let uses = config.uses.iter().filter(|plugin| wanted(plugin));
        let services = config.services.iter().filter_map(config::Service::reference);
        let references = uses.flat_map(config::Use::references).chain(services);
        let references: Vec<_> = references.map(|(reference, _)| reference).collect();
        if references.is_empty() {
            return Ok(Fetches::none());
        }
        let path = config.lock();
        let spare = self.registries.beside(&path);
        let mut lock = Lock::read(&path, spare.as_deref()).map_err(Failure)?;
        let pinned = references
            .into_iter()
            .map(|reference| (reference, self.registries.pin(&lock, reference)));
        let fetched = self.registries.fetch_all(pinned.collect(), &config.registries).await;
        for (reference, fetched) in &fetched {
            if let (None, Ok(fetched)) = (reference.digest(), fetched) {
                lock.add(reference, &fetched.artifact);
            }
        }
        let told = |(reference, fetched): (Reference, Result<Fetched, _>)| {
            let reason = |error| format!("`{reference}` cannot be used: {error}");
            let fetched = fetched.map_err(|error: crate::registry::Error| reason(error));
            (reference, fetched)
        };
        Ok(Fetches { fetched: fetched.into_iter().map(told).collect(), lock })
    }

    /// Compiles the plugin that `source` names; `at`: of the use, `named_at`: of the name.
    pub(super) async fn load(
        &self,
        config: &Config,
        fetches: &Fetches,
        source: &Source,
        at: [&Pointer; 2],
    ) -> Result<Loaded<Component>, Fault> {
        let found = Found::of(config, fetches, source, at)?;
        let loaded = self.components.load_as(&found.origin.file, source).await;
        found.plugin(loaded)
    }

    /// As [`Self::load`], of a `wasi:http` component.
    pub(super) fn load_service(
        &self,
        config: &Config,
        fetches: &Fetches,
        source: &Source,
        at: [&Pointer; 2],
    ) -> Result<Loaded<ServiceComponent>, Fault> {
        let found = Found::of(config, fetches, source, at)?;
        let loaded = self.components.load_service_as(&found.origin.file, source);
        found.service(loaded)
    }

    /// As [`Self::load`], of whatever a chain can have.
    pub(super) async fn load_link(
        &self,
        config: &Config,
        fetches: &Fetches,
        source: &Source,
        at: [&Pointer; 2],
    ) -> Result<Linkable, Fault> {
        let found = Found::of(config, fetches, source, at)?;
        match self.components.load_as(&found.origin.file, source).await {
            Err(LoadError::Middleware { .. }) => {
                let loaded = self.components.load_service_as(&found.origin.file, source);
                found.service(loaded).map(Linkable::Middleware)
            }
            loaded => found.plugin(loaded).map(Linkable::Plugin),
        }
    }
}

/// A component on this machine, and where faults of it are told.
struct Found<'a> {
    config: &'a Config,
    origin: Origin,
    /// What its bytes must have, of one from a registry.
    digest: Option<&'a Digest>,
    at: &'a Pointer,
}

impl<'a> Found<'a> {
    fn of(
        config: &'a Config,
        fetches: &'a Fetches,
        source: &Source,
        [at, named_at]: [&'a Pointer; 2],
    ) -> Result<Self, Fault> {
        let origin = |file: &PathBuf, artifact| {
            let (source, file) = (source.clone(), file.clone());
            Origin { source, file, artifact }
        };
        match source {
            Source::File(path) => Ok(Self { config, origin: origin(path, None), digest: None, at }),
            Source::Registry(reference) => {
                let fetched = fetches.fetched[reference].as_ref();
                let fetched = fetched.map_err(|reason| fault(config, named_at, reason.clone()))?;
                let origin = origin(&fetched.file, Some(fetched.artifact.to_string()));
                Ok(Self { config, origin, digest: Some(&fetched.digest), at: named_at })
            }
        }
    }

    fn plugin(self, loaded: Result<Arc<Component>, LoadError>) -> Result<Loaded<Component>, Fault> {
        let component = loaded.map_err(|error| self.unusable(&error))?;
        self.verified(&component.digest)?;
        Ok((component, self.origin))
    }

    fn service(
        self,
        loaded: Result<Arc<ServiceComponent>, LoadError>,
    ) -> Result<Loaded<ServiceComponent>, Fault> {
        let component = loaded.map_err(|error| self.unusable(&error))?;
        self.verified(&component.digest)?;
        Ok((component, self.origin))
    }

    /// # Errors
    ///
    /// The file was changed since it was fetched.
    fn verified(&self, digest: &Digest) -> Result<(), Fault> {
        if self.digest.is_none_or(|expected| expected == digest) {
            return Ok(());
        }
        let source = &self.origin.source;
        let reason = format!("`{source}` was changed on disk after it was verified");
        Err(fault(self.config, self.at, reason))
    }

    /// For a file that is not there, with the folder in which it was looked for.
    fn unusable(&self, error: &LoadError) -> Fault {
        let reason = match (error, &self.origin.source) {
            (LoadError::Read { path, .. }, Source::File(_)) if !path.exists() => {
                let folder = &self.config.plugin_directory;
                let hint = similar(path, folder);
                format!("{error}; the plugin directory is `{}`{hint}", folder.display())
            }
            _ => error.to_string(),
        };
        fault(self.config, self.at, reason)
    }
}

/// The component that was probably meant by a file that is not in the plugin directory.
fn similar(path: &Path, folder: &Path) -> String {
    let stem = |path: &Path| Some(path.file_stem()?.to_str()?.to_owned());
    // A name is looked for in the directory, and a path is one beside the configuration.
    if let Some(name) = path.file_name().filter(|_| path.parent() != Some(folder))
        && folder.join(name).is_file()
        && let Some(name) = stem(path)
    {
        return format!("; did you mean `{name}`?");
    }
    let Some(name) = stem(path).filter(|_| path.parent() == Some(folder)) else {
        return String::new();
    };
    let there = disk::components(folder);
    let there: Vec<String> = there.iter().filter_map(|path| stem(path)).collect();
    config::did_you_mean(&name, there.iter().map(String::as_str))
}
