//! Brings a component to a registry, in the layout of the CNCF (Wasm OCI artifact layout).

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use oci_client::manifest::{OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageManifest};
use serde::Serialize;

use super::{Digest, Error, Reference, client::Client, layout::WASM};
use crate::{
    config::Registry,
    plugin::{Component, ServiceComponent, Surface},
};

const CONFIG: &str = "application/vnd.wasm.config.v0+json";

/// A component to be pushed.
pub(crate) struct Publication {
    pub(crate) loaded: Loaded,
    /// The component's file.
    pub(crate) bytes: Vec<u8>,
    /// When it was built.
    pub(crate) created: SystemTime,
}

/// A component that a gateway can load.
pub(crate) enum Loaded {
    Plugin(Arc<Component>),
    Service(Arc<ServiceComponent>),
}

impl Loaded {
    fn surface(&self) -> &Surface {
        match self {
            Self::Plugin(plugin) => &plugin.surface,
            Self::Service(service) => &service.surface,
        }
    }

    fn target(&self) -> String {
        match self {
            Self::Plugin(plugin) => plugin.target(),
            Self::Service(service) => service.world.to_string(),
        }
    }
}

/// What the artifact's config says, so that tools need not fetch the component to tell what it is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct WasmConfig<'p> {
    created: String,
    architecture: &'static str,
    os: &'static str,
    layer_digests: [String; 1],
    component: Interfaces<'p>,
}

#[derive(Debug, Serialize)]
struct Interfaces<'p> {
    exports: &'p [String],
    imports: &'p [String],
    target: String,
}

/// Pushes, and gives the digest that names the artifact from now on. The same file has the same
/// digest each time.
///
/// # Errors
///
/// The registry cannot be reached or refuses. The tag means what it meant before.
pub(crate) async fn push(
    reference: &Reference,
    access: Option<&Registry>,
    publication: Publication,
) -> Result<Digest, Error> {
    if reference.tag().is_none() || reference.digest().is_some() {
        return Err(Error::NotATag);
    }
    let client = Client::new(reference, access).await?;
    let Publication { loaded, bytes, created } = publication;
    let bytes = Bytes::from(bytes);
    let config = config(&loaded, &Digest::of(&bytes), created);
    let layer = descriptor(WASM, &bytes);
    let manifest = OciImageManifest {
        schema_version: 2,
        media_type: Some(OCI_IMAGE_MEDIA_TYPE.to_owned()),
        config: descriptor(CONFIG, &config),
        layers: vec![layer],
        annotations: annotations(&loaded),
        ..OciImageManifest::default()
    };
    // The manifest last: a registry wants to know what it names.
    client.push_blob(bytes).await?;
    client.push_blob(config).await?;
    let manifest = serde_json::to_vec(&manifest).expect("a manifest is strings and numbers");
    client.push_manifest(manifest).await
}

fn config(loaded: &Loaded, layer: &Digest, created: SystemTime) -> Bytes {
    let config = WasmConfig {
        created: humantime::format_rfc3339_seconds(created).to_string(),
        architecture: "wasm",
        os: "wasip2",
        layer_digests: [layer.to_string()],
        component: Interfaces {
            exports: &loaded.surface().interfaces,
            imports: &loaded.surface().imports,
            target: loaded.target(),
        },
    };
    serde_json::to_vec(&config).expect("it is strings").into()
}

/// What a plugin says of itself; a component of another world says nothing.
fn annotations(loaded: &Loaded) -> Option<BTreeMap<String, String>> {
    let Loaded::Plugin(plugin) = loaded else { return None };
    let manifest = &plugin.manifest;
    let pairs = [
        ("title", &manifest.name),
        ("version", &manifest.version),
        ("description", &manifest.summary),
    ];
    let told = pairs.into_iter().filter(|(_, text)| !text.is_empty());
    let named =
        |(key, text): (&str, &String)| (format!("org.opencontainers.image.{key}"), text.clone());
    Some(told.map(named).collect())
}

fn descriptor(media_type: &str, bytes: &[u8]) -> OciDescriptor {
    OciDescriptor {
        media_type: media_type.to_owned(),
        digest: Digest::of(bytes).to_string(),
        size: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
        ..OciDescriptor::default()
    }
}

/// When a file was changed last, as far as such a time can be written.
pub(crate) fn built_at(metadata: &std::fs::Metadata) -> SystemTime {
    let latest = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH).clamp(SystemTime::UNIX_EPOCH, latest)
}
