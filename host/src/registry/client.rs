//! Speaks to one registry, with bounds on time and size.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use futures_util::TryStreamExt;
use oci_client::{
    client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol},
    manifest::{
        IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE,
        OCI_IMAGE_MEDIA_TYPE,
    },
    secrets::RegistryAuth,
};
use tokio::time::timeout;

use super::{
    Digest, Error, Reference, credentials,
    failure::{self, What},
    layout::Blob,
};
use crate::{config::Registry, disk};

/// Until a connection is there.
const CONNECT: Duration = Duration::from_secs(5);

/// Between two pieces of an answer.
const STALLED: Duration = Duration::from_secs(15);

/// A manifest as a whole: a few kilobytes.
const MANIFEST: Duration = Duration::from_secs(30);

/// A component as a whole, at the most.
const BLOB: Duration = Duration::from_secs(600);

/// Pauses before second and further tries.
const RETRIES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];

/// Between lines in the log about a component that takes its time.
const PROGRESS: Duration = Duration::from_secs(5);

/// Most of a manifest. Registries take no larger ones (OCI distribution specification, pushing
/// manifests).
const MAX_MANIFEST: usize = 4 << 20;

/// What a manifest may be.
const ACCEPTED: &[&str] = &[
    OCI_IMAGE_MEDIA_TYPE,
    OCI_IMAGE_INDEX_MEDIA_TYPE,
    IMAGE_MANIFEST_MEDIA_TYPE,
    IMAGE_MANIFEST_LIST_MEDIA_TYPE,
];

/// A client for the registry of one reference.
pub(super) struct Client {
    inner: oci_client::Client,
    reference: Reference,
    credentials: RegistryAuth,
}

impl Client {
    /// # Errors
    ///
    /// Credentials or authorities cannot be used. Nothing is sent yet.
    pub(super) async fn new(
        reference: &Reference,
        access: Option<&Registry>,
    ) -> Result<Self, Error> {
        let credentials = credentials::find(reference, access).await?;
        let inner = oci_client::Client::try_from(config(reference, access)?);
        let inner = inner.map_err(|error| Error::Authorities {
            registry: reference.registry().to_owned(),
            reason: failure::cause(&error),
        })?;
        inner.store_auth_if_needed(reference.as_inner().resolve_registry(), &credentials).await;
        Ok(Self { inner, reference: reference.clone(), credentials })
    }

    /// The manifest with this digest, verified; `None`: the one that the tag means now.
    pub(super) async fn manifest(&self, digest: Option<&Digest>) -> Result<Vec<u8>, Error> {
        let named = digest.map(|digest| self.reference.by_digest(digest));
        let named = named.as_ref().unwrap_or(self.reference.as_inner());
        let what = if digest.is_some() { What::Digest } else { What::Tag };
        let (bytes, _) = self
            .retrying(what, MANIFEST, || {
                self.inner.pull_manifest_raw(named, &self.credentials, ACCEPTED)
            })
            .await?;
        if bytes.len() > MAX_MANIFEST {
            return Err(self.protocol("a manifest beyond 4 MiB"));
        }
        if let Some(digest) = digest {
            self.verify(digest, &bytes)?;
        }
        Ok(bytes.into())
    }

    /// A layer, verified.
    pub(super) async fn blob(&self, blob: &Blob) -> Result<Vec<u8>, Error> {
        let started = Instant::now();
        let reference = self.reference.to_string();
        tracing::info!(reference, bytes = blob.size, "fetching a plugin");
        let bytes = self.retrying(What::Blob, BLOB, || self.receive(blob)).await?;
        self.verify(&blob.digest, &bytes)?;
        tracing::info!(reference, took = ?started.elapsed(), "fetched a plugin");
        Ok(bytes)
    }

    async fn receive(
        &self,
        blob: &Blob,
    ) -> Result<Vec<u8>, oci_client::errors::OciDistributionError> {
        let digest = blob.digest.to_string();
        let reference = self.reference.as_inner();
        let mut pieces = self.inner.pull_blob_stream(reference, digest.as_str()).await?;
        let mut bytes = Vec::new();
        let mut told = Instant::now();
        while let Some(piece) = pieces.try_next().await? {
            if (bytes.len() + piece.len()) as u64 > blob.size {
                return Err(failure::too_long());
            }
            bytes.extend_from_slice(&piece);
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                let (received, of) = (bytes.len(), blob.size);
                tracing::info!(reference = %self.reference, received, of, "still fetching a plugin");
            }
        }
        Ok(bytes)
    }

    /// Brings a blob there, unless it is there.
    pub(super) async fn push_blob(&self, bytes: bytes::Bytes) -> Result<Digest, Error> {
        let reference = self.reference.as_inner();
        let digest = Digest::of(&bytes);
        let name = digest.to_string();
        let is_there =
            self.retrying(What::Repository, MANIFEST, || self.inner.blob_exists(reference, &name));
        if !is_there.await? {
            let push = || self.inner.push_blob(reference, bytes.clone(), &name);
            self.retrying(What::Repository, BLOB, push).await?;
        }
        Ok(digest)
    }

    /// Makes the tag mean this manifest.
    pub(super) async fn push_manifest(&self, bytes: Vec<u8>) -> Result<Digest, Error> {
        let digest = Digest::of(&bytes);
        let bytes = bytes::Bytes::from(bytes);
        let media_type = http::HeaderValue::from_static(OCI_IMAGE_MEDIA_TYPE);
        let reference = self.reference.as_inner();
        let push = || self.inner.push_manifest_raw(reference, bytes.clone(), media_type.clone());
        self.retrying(What::Repository, MANIFEST, push).await?;
        Ok(digest)
    }

    /// Runs `call`, each try within `limit`, and again where that may help.
    async fn retrying<T, F>(
        &self,
        what: What,
        limit: Duration,
        call: impl Fn() -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, oci_client::errors::OciDistributionError>>,
    {
        let registry = self.reference.registry();
        let mut pauses = RETRIES.into_iter();
        loop {
            let done = match timeout(limit, call()).await {
                Ok(done) => done.map_err(|error| {
                    let is_anonymous = matches!(self.credentials, RegistryAuth::Anonymous);
                    failure::translate(registry, what, is_anonymous, error)
                }),
                Err(_) => Err(Error::TimedOut { registry: registry.to_owned() }),
            };
            match (done, pauses.next()) {
                (Err(error), Some(pause)) if error.is_transient() => {
                    tracing::debug!(registry, %error, "trying again");
                    tokio::time::sleep(pause).await;
                }
                (done, _) => return done,
            }
        }
    }

    fn verify(&self, expected: &Digest, bytes: &[u8]) -> Result<(), Error> {
        if Digest::of(bytes) == *expected {
            return Ok(());
        }
        let registry = self.reference.registry().to_owned();
        Err(Error::Mismatch { registry })
    }

    fn protocol(&self, reason: &'static str) -> Error {
        Error::Protocol { registry: self.reference.registry().to_owned(), reason }
    }
}

fn config(reference: &Reference, access: Option<&Registry>) -> Result<ClientConfig, Error> {
    let ca = access.and_then(|access| access.ca.as_ref());
    let plain = access.and_then(|access| access.plain_http);
    // Nobody listens between two processes of one machine; who names an authority means TLS.
    let plain = plain.unwrap_or(reference.is_loopback() && ca.is_none());
    let mut config = ClientConfig {
        protocol: if plain { ClientProtocol::Http } else { ClientProtocol::Https },
        connect_timeout: Some(CONNECT),
        read_timeout: Some(STALLED),
        user_agent: concat!("tollgate/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    };
    if let Some(path) = ca {
        let data = disk::read(path, disk::MAX_TEXT).map_err(|error| Error::Authorities {
            registry: reference.registry().to_owned(),
            reason: format!("{}: {error}", path.display()),
        })?;
        config.extra_root_certificates =
            vec![Certificate { encoding: CertificateEncoding::Pem, data }];
    }
    Ok(config)
}
