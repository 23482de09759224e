//! The components of a configuration: files, and what registries have.

use std::collections::{HashMap, HashSet};

use super::{
    Builder, Failure,
    build::{Loaded, fault},
};
use crate::{
    config::{self, Config, Fault, Pointer, Source},
    plugin::{LoadError, Origin},
    registry::{Digest, Fetched, Lock, Reference},
};

/// What the references of a configuration have become.
pub(crate) struct Fetches {
    fetched: HashMap<Reference, Result<Fetched, String>>,
    /// With the digests of tags that it did not have.
    pub(super) lock: Lock,
}

impl Fetches {
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
    /// Fetches what the uses that `wanted` says name in registries, all at once. What fails is told
    /// by [`Self::load`], where it is named.
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
        let references: Vec<_> = uses.flat_map(config::Use::references).map(|(r, _)| r).collect();
        if references.is_empty() {
            return Ok(Fetches { fetched: HashMap::new(), lock: Lock::default() });
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

    /// Compiles the component that `source` names; `at`: of the use, `named_at`: of the name.
    pub(super) async fn load(
        &self,
        config: &Config,
        fetches: &Fetches,
        source: &Source,
        [at, named_at]: [&Pointer; 2],
    ) -> Result<Loaded, Fault> {
        match source {
            Source::File(path) => {
                let component = self.components.load(path).await;
                let component =
                    component.map_err(|error| fault(config, at, unusable(config, &error)))?;
                let origin = Origin { source: source.clone(), file: path.clone(), artifact: None };
                Ok((component, origin))
            }
            Source::Registry(reference) => {
                let loaded = self.load_fetched(reference, &fetches.fetched[reference]).await;
                loaded.map_err(|reason| fault(config, named_at, reason))
            }
        }
    }

    /// The error is what to say.
    async fn load_fetched(
        &self,
        reference: &Reference,
        fetched: &Result<Fetched, String>,
    ) -> Result<Loaded, String> {
        let fetched = fetched.as_ref().map_err(String::clone)?;
        let component = self.components.load_as(&fetched.file, reference).await;
        let component = component.map_err(|error| error.to_string())?;
        if component.digest != fetched.digest.hex() {
            return Err(format!("`{reference}` was changed on disk after it was verified"));
        }
        let origin = Origin {
            source: Source::Registry(reference.clone()),
            file: fetched.file.clone(),
            artifact: Some(fetched.artifact.to_string()),
        };
        Ok((component, origin))
    }
}

/// For a file that is not there, with the folder in which it was looked for.
fn unusable(config: &Config, error: &LoadError) -> String {
    match error {
        LoadError::Read { path, .. } if !path.exists() => {
            format!("{error}; the plugin directory is `{}`", config.plugin_directory.display())
        }
        error => error.to_string(),
    }
}
