//! Which files a reload depends on, and notice of their changes.
//!
//! Folders are watched and not files: editors and deployments replace files, and Kubernetes swaps
//! the `..data` link of a whole folder.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::{Stamps, Trigger};
use crate::config::{Config, UpstreamTls};

/// The watched folders and files.
pub(super) struct Files {
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
    wanted: Arc<Mutex<Wanted>>,
}

/// What a change must concern to count: folders hold other files too, logs that grow for one.
#[derive(Default)]
struct Wanted(BTreeSet<PathBuf>);

impl Files {
    /// Changes of what [`Self::follow`] names become triggers.
    pub(super) fn watch(triggers: mpsc::Sender<Trigger>) -> Self {
        let wanted = Arc::<Mutex<Wanted>>::default();
        let filter = Arc::clone(&wanted);
        let watcher =
            notify::recommended_watcher(move |event: notify::Result<Event>| match event {
                Ok(event) if filter.lock().concerns(&event) => {
                    // A full queue means that a reload is to come anyway.
                    let _ = triggers.try_send(Trigger::Files);
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "watching files failed"),
            });
        let watcher = watcher
            .inspect_err(|error| {
                tracing::warn!(%error, "files cannot be watched; reload by SIGHUP or POST /reload");
            })
            .ok();
        Self { watcher, folders: BTreeSet::new(), wanted }
    }

    /// Watches these files.
    pub(super) fn follow(&mut self, seen: &Stamps, config: &Config) {
        let wanted = Wanted::new(seen, config);
        let folders = wanted.folders();
        *self.wanted.lock() = wanted;
        let Some(watcher) = &mut self.watcher else { return };
        for folder in self.folders.difference(&folders) {
            // Gone already, perhaps; then there is nothing to unwatch.
            let _ = watcher.unwatch(folder);
        }
        let mut watched = BTreeSet::new();
        for folder in folders {
            if self.folders.contains(&folder) {
                watched.insert(folder);
                continue;
            }
            match watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    watched.insert(folder);
                }
                Err(error) => {
                    tracing::warn!(folder = %folder.display(), %error, "a folder cannot be watched");
                }
            }
        }
        self.folders = watched;
    }
}

impl Wanted {
    fn new(seen: &Stamps, config: &Config) -> Self {
        let lock = absolute(&config.lock());
        let mut files: BTreeSet<_> = seen.files().map(Path::to_owned).collect();
        // The gateway writes it itself; what others do to it is found by its stamp.
        files.remove(&lock);
        Self(files)
    }

    fn folders(&self) -> BTreeSet<PathBuf> {
        let folders = self.0.iter().filter_map(|file| file.parent());
        // A refused configuration may name one that is not there; what is put there is found by
        // its stamp.
        folders.filter(|folder| folder.is_dir()).map(Path::to_owned).collect()
    }

    fn concerns(&self, event: &Event) -> bool {
        let changes = matches!(
            event.kind,
            EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Any
        );
        changes && event.paths.iter().any(|path| self.concerns_path(path))
    }

    fn concerns_path(&self, path: &Path) -> bool {
        self.0.contains(path) || path.file_name().is_some_and(|name| name == "..data")
    }
}

/// Every file that a generation is built from.
pub(super) fn files_of(path: &Path, config: &Config) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::from([absolute(path)]);
    let canaries = config.uses.iter().filter_map(|plugin| plugin.canary.as_ref());
    let sources = config.uses.iter().map(|plugin| &plugin.component);
    let sources = sources.chain(canaries.map(|canary| &canary.component));
    let sources = sources.chain(config.services.iter().map(|service| &service.component));
    files.extend(sources.filter_map(|source| source.file()).map(|file| absolute(file)));
    if config.references().next().is_some() {
        files.insert(absolute(&config.lock()));
        files.extend(
            config.registries.values().filter_map(|registry| registry.ca.as_deref()).map(absolute),
        );
    }
    for tls in config.listeners.iter().filter_map(|listener| listener.tls.as_ref()) {
        files.extend(tls.client_ca.iter().map(|ca| absolute(ca)));
        let pairs = tls.certificates.iter();
        files.extend(pairs.flat_map(|pair| [absolute(&pair.certificate), absolute(&pair.key)]));
    }
    for tls in config.upstreams.values().filter_map(|upstream| upstream.tls.as_ref()) {
        files.extend(files_of_upstream(tls));
    }
    files
}

/// The files of an upstream's TLS.
pub(super) fn files_of_upstream(tls: &UpstreamTls) -> impl Iterator<Item = PathBuf> + '_ {
    let pair = tls.client_certificate.iter();
    let pair = pair.flat_map(|pair| [&pair.certificate, &pair.key]);
    tls.ca.iter().chain(pair).map(|file| absolute(file))
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
