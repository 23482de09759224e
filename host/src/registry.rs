//! Components from OCI registries: fetched once, kept on disk by digest, verified at each reading.
//!
//! What a digest names never changes, so a registry is asked only for what is not kept, and for what
//! a tag means that the lock does not pin. It is asked by the thread that builds generations.

mod archive;
mod client;
mod credentials;
mod error;
mod failure;
mod layout;
mod lock;
mod push;
mod reference;
mod store;

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use tokio::{sync::OnceCell, time::timeout};

pub use self::reference::{BadReference, Reference, SCHEME};
use self::{client::Client, layout::Content, store::Store};
pub(crate) use self::{
    error::Error,
    lock::Lock,
    push::{Loaded, Publication, built_at, push},
};
use crate::{
    config::Registry,
    digest::Digest,
    disk::{CacheFolder, InUse},
};

/// For one artifact, all tries together: a reload waits for it.
const PATIENCE: Duration = Duration::from_secs(300);

/// Artifacts that are fetched at one time.
const FETCHED_AT_ONCE: usize = 4;

/// Largest component, packed or not, in bytes. It is held in memory while it is fetched and
/// compiled; components with an interpreter in them have some 40 MiB.
pub(crate) const MAX_COMPONENT: u64 = 256 << 20;

/// How registries are spoken to, by host and port as references write them.
pub(crate) type Access = BTreeMap<String, Registry>;

/// Fetches components, for as long as the process runs.
pub(crate) struct Registries {
    cache: Option<CacheFolder>,
    /// Opened by the first component that needs it.
    store: OnceCell<Store>,
    /// Pins that no file could take.
    unsaved: Mutex<BTreeMap<String, Digest>>,
    offline: bool,
}

/// A component that is on disk.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    /// Its bytes. They were verified; who reads them again compares their digest again.
    pub(crate) file: PathBuf,
    /// Of the bytes.
    pub(crate) digest: Digest,
    /// Of the artifact that they came in: what references name.
    pub(crate) artifact: Digest,
    /// All that it was made of, which stays on disk for as long as this is held.
    pub(crate) in_use: Vec<InUse>,
}

/// What to fetch: a reference, and the digest that its tag is pinned to.
pub(crate) type Wanted<'w> = (&'w Reference, Option<Digest>);

impl Registries {
    /// `cache`: the folder in which artifacts are kept; `None`: for as long as the process runs only.
    /// `offline`: nothing is fetched, what is kept has to do.
    pub(crate) fn new(cache: Option<&CacheFolder>, offline: bool) -> Self {
        let cache = cache.cloned();
        Self { cache, store: OnceCell::new(), unsaved: Mutex::default(), offline }
    }

    /// Fetches all of them, several at a time. Never call it on a worker.
    pub(crate) async fn fetch_all(
        &self,
        wanted: HashMap<&Reference, Option<Digest>>,
        access: &Access,
    ) -> HashMap<Reference, Result<Fetched, Error>> {
        let fetch = |(reference, pin): (&Reference, Option<Digest>)| {
            let reference = reference.clone();
            async move {
                let fetched = self.fetch((&reference, pin), access).await;
                (reference, fetched)
            }
        };
        let fetching = wanted.into_iter().map(fetch);
        stream::iter(fetching).buffer_unordered(FETCHED_AT_ONCE).collect().await
    }

    /// Fetches one component, unless it is kept. A digest in the reference goes before `pin`.
    ///
    /// # Errors
    ///
    /// The registry cannot be reached or refuses, what it has is no component, or is not what the
    /// digest names. Whether another try may help says [`Error::is_transient`].
    pub(crate) async fn fetch(
        &self,
        (reference, pin): Wanted<'_>,
        access: &Access,
    ) -> Result<Fetched, Error> {
        let store = self.store.get_or_try_init(async || Store::open(self.cache.as_ref())).await?;
        let source = Source {
            store,
            reference,
            access: access.get(reference.registry()),
            offline: self.offline,
            client: OnceCell::new(),
            in_use: Mutex::default(),
        };
        let fetched = timeout(PATIENCE, source.component(pin)).await;
        fetched
            .unwrap_or_else(|_| Err(Error::TimedOut { registry: reference.registry().to_owned() }))
    }

    /// Writes the pins that were added to the lock, or keeps them for as long as the process runs.
    pub(crate) fn save(&self, lock: &Lock) {
        if !lock.save_added() {
            let added = lock.added().map(|(reference, digest)| (reference.clone(), digest.clone()));
            self.unsaved.lock().extend(added);
        }
    }

    /// What the reference's tag is pinned to: by the lock, or by what could not be written to it.
    pub(crate) fn pin(&self, lock: &Lock, reference: &Reference) -> Option<Digest> {
        let unsaved = || self.unsaved.lock().get(&reference.to_string()).cloned();
        lock.pin(reference).or_else(unsaved)
    }

    /// A file beside the kept artifacts that belongs to the file at `path`.
    pub(crate) fn beside(&self, path: &Path) -> Option<PathBuf> {
        let folder = &self.cache.as_ref()?.path;
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let name = Digest::of(path.as_os_str().as_encoded_bytes());
        Some(folder.join("locks").join(format!("{}.lock", name.hex())))
    }
}

/// Where the blobs of one artifact come from: the store, else the registry.
struct Source<'s> {
    store: &'s Store,
    reference: &'s Reference,
    access: Option<&'s Registry>,
    offline: bool,
    client: OnceCell<Client>,
    /// The blobs so far.
    in_use: Mutex<Vec<InUse>>,
}

impl Source<'_> {
    async fn component(&self, pin: Option<Digest>) -> Result<Fetched, Error> {
        let artifact = match self.reference.digest().or(pin) {
            Some(digest) => digest,
            None => self.resolve().await?,
        };
        let mut manifest = self.manifest(&artifact).await?;
        let mut content = layout::content(&manifest)?;
        if let Content::Index(entry) = &content {
            manifest = self.manifest(entry).await?;
            content = layout::content(&manifest)?;
        }
        let (digest, file) = match content {
            Content::Index(_) => return Err(layout::Misfit::NestedIndex.into()),
            Content::Wasm(blob) => {
                let (_, file) = self.blob(&blob).await?;
                (blob.digest, file)
            }
            Content::Archive(blob, packing) => {
                let (bytes, _) = self.blob(&blob).await?;
                let component = archive::plugin(&bytes, packing)?;
                let digest = Digest::of(&component);
                let file = self.keep(&digest, &component)?;
                (digest, file)
            }
        };
        let in_use = std::mem::take(&mut *self.in_use.lock());
        Ok(Fetched { file, digest, artifact, in_use })
    }

    /// A blob that the store has; it is in use from now on.
    fn kept(&self, digest: &Digest) -> Option<Vec<u8>> {
        let (bytes, in_use) = self.store.get(digest)?;
        self.in_use.lock().push(in_use);
        Some(bytes)
    }

    /// Puts a blob into the store; it is in use from now on.
    fn keep(&self, digest: &Digest, bytes: &[u8]) -> Result<PathBuf, Error> {
        let in_use = self.store.put(digest, bytes)?;
        self.in_use.lock().extend(in_use);
        Ok(self.store.path(digest))
    }

    /// What the tag means now, by the registry.
    async fn resolve(&self) -> Result<Digest, Error> {
        if self.offline {
            return Err(Error::NotPinned);
        }
        let manifest = self.client().await?.manifest(None).await?;
        let digest = Digest::of(&manifest);
        self.keep(&digest, &manifest)?;
        Ok(digest)
    }

    async fn manifest(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
        if let Some(kept) = self.kept(digest) {
            return Ok(kept);
        }
        let client = self.for_missing(digest).await?;
        let manifest = client.manifest(Some(digest)).await?;
        self.keep(digest, &manifest)?;
        Ok(manifest)
    }

    async fn blob(&self, blob: &layout::Blob) -> Result<(Vec<u8>, PathBuf), Error> {
        if blob.size > MAX_COMPONENT {
            return Err(Error::TooLarge { most: MAX_COMPONENT });
        }
        if let Some(kept) = self.kept(&blob.digest) {
            return Ok((kept, self.store.path(&blob.digest)));
        }
        let client = self.for_missing(&blob.digest).await?;
        let bytes = client.blob(blob).await?;
        let file = self.keep(&blob.digest, &bytes)?;
        Ok((bytes, file))
    }

    /// The client, for a blob that the store does not have.
    async fn for_missing(&self, digest: &Digest) -> Result<&Client, Error> {
        if self.offline {
            return Err(Error::NotKept { digest: digest.clone() });
        }
        self.client().await
    }

    async fn client(&self) -> Result<&Client, Error> {
        let connect = async || Client::new(self.reference, self.access).await;
        self.client.get_or_try_init(connect).await
    }
}
