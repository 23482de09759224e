//! Which part of an artifact is the component. Pure: it reads a manifest.
//!
//! Artifacts come in the layout of the CNCF (one layer `application/wasm`), which is what we write,
//! in older ones whose layers have names of their own, and as images of containers with a
//! `plugin.wasm` in an archive, as Envoy's plugins are often published.

use oci_client::manifest::{
    IMAGE_DOCKER_LAYER_GZIP_MEDIA_TYPE, IMAGE_DOCKER_LAYER_TAR_MEDIA_TYPE,
    IMAGE_LAYER_GZIP_MEDIA_TYPE, IMAGE_LAYER_MEDIA_TYPE, ImageIndexEntry, OciDescriptor,
    OciImageManifest, OciManifest, WASM_LAYER_MEDIA_TYPE as OLD_WASM,
};

use super::Digest;

/// The layer of the CNCF's layout.
pub(super) const WASM: &str = "application/wasm";

/// Layers that are a component as it stands.
const PLAIN: [&str; 3] = [WASM, OLD_WASM, "application/vnd.module.wasm.content.layer.v1+wasm"];

/// Layers that are archives.
const ARCHIVES: [(&str, Packing); 4] = [
    (IMAGE_LAYER_MEDIA_TYPE, Packing::Tar),
    (IMAGE_DOCKER_LAYER_TAR_MEDIA_TYPE, Packing::Tar),
    (IMAGE_LAYER_GZIP_MEDIA_TYPE, Packing::TarGzip),
    (IMAGE_DOCKER_LAYER_GZIP_MEDIA_TYPE, Packing::TarGzip),
];

/// What a manifest leads to.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Content {
    /// The component.
    Wasm(Blob),
    /// An archive with the component in it.
    Archive(Blob, Packing),
    /// Another manifest, of an index for several platforms.
    Index(Digest),
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Blob {
    pub(super) digest: Digest,
    /// Bytes, as the manifest says.
    pub(super) size: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Packing {
    Tar,
    TarGzip,
}

/// Why an artifact holds no component that could be told from the rest of it.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Misfit {
    #[error("what the registry has is no manifest")]
    NoManifest,
    #[error("its manifest has a digest or size that is none")]
    BadDescriptor,
    #[error("it has no layers")]
    Empty,
    #[error("none of its layers is WebAssembly or an archive; the first is {first}")]
    OtherLayers { first: String },
    #[error("it has {0} layers of WebAssembly; which one is the plugin cannot be told")]
    SeveralLayers(usize),
    #[error("it is an index of {0} artifacts, none for the architecture `wasm`")]
    OtherPlatforms(usize),
    #[error("it is an index of an index")]
    NestedIndex,
    #[error("its archive has no `plugin.wasm`")]
    NoPluginInArchive,
    #[error("its archive cannot be read: {0}")]
    BadArchive(String),
}

/// Reads a manifest that has been verified.
pub(super) fn content(manifest: &[u8]) -> Result<Content, Misfit> {
    match serde_json::from_slice(manifest).map_err(|_| Misfit::NoManifest)? {
        OciManifest::Image(image) => layer(&image),
        OciManifest::ImageIndex(index) => entry(&index.manifests),
    }
}

fn layer(manifest: &OciImageManifest) -> Result<Content, Misfit> {
    let layers = &manifest.layers;
    let plain: Vec<_> =
        layers.iter().filter(|layer| PLAIN.contains(&layer.media_type.as_str())).collect();
    match (plain.as_slice(), layers.last()) {
        ([layer], _) => Ok(Content::Wasm(blob(layer)?)),
        ([], None) => Err(Misfit::Empty),
        // Images are built in layers, and the last one is what was added to them.
        ([], Some(last)) => match packing(last) {
            Some(packing) => Ok(Content::Archive(blob(last)?, packing)),
            None => Err(Misfit::OtherLayers { first: shown(&layers[0].media_type) }),
        },
        (several, _) => Err(Misfit::SeveralLayers(several.len())),
    }
}

fn entry(entries: &[ImageIndexEntry]) -> Result<Content, Misfit> {
    let is_wasm = |entry: &&ImageIndexEntry| {
        entry.platform.as_ref().is_some_and(|platform| platform.architecture.to_string() == "wasm")
    };
    let found = match entries {
        [only] => Some(only),
        entries => entries.iter().find(is_wasm),
    };
    let found = found.ok_or(Misfit::OtherPlatforms(entries.len()))?;
    Ok(Content::Index(found.digest.parse().map_err(|_| Misfit::BadDescriptor)?))
}

fn packing(layer: &OciDescriptor) -> Option<Packing> {
    let known = ARCHIVES.iter().find(|(media_type, _)| *media_type == layer.media_type);
    known.map(|(_, packing)| *packing)
}

fn blob(layer: &OciDescriptor) -> Result<Blob, Misfit> {
    let digest = layer.digest.parse().map_err(|_| Misfit::BadDescriptor)?;
    let size = u64::try_from(layer.size).map_err(|_| Misfit::BadDescriptor)?;
    Ok(Blob { digest, size })
}

/// A registry's text as a message can have it: short, and on one line.
fn shown(text: &str) -> String {
    const MOST: usize = 100;
    format!("`{}`", text.chars().take(MOST).flat_map(char::escape_default).collect::<String>())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn manifest(layers: &[&str]) -> Value {
        let layer =
            |media_type: &&str| json!({ "mediaType": media_type, "digest": DIGEST, "size": 7 });
        json!({
            "schemaVersion": 2,
            "config": { "mediaType": "application/vnd.acme.config+json", "digest": DIGEST, "size": 2 },
            "layers": layers.iter().map(layer).collect::<Vec<_>>(),
        })
    }

    #[track_caller]
    fn check(manifest: &Value, expected: Result<Content, Misfit>) {
        assert_eq!(content(manifest.to_string().as_bytes()), expected, "{manifest}");
    }

    fn empty() -> Blob {
        Blob { digest: Digest::of(b""), size: 7 }
    }

    #[test]
    fn the_one_layer_of_webassembly_is_the_component() {
        for media_type in PLAIN {
            check(&manifest(&[media_type]), Ok(Content::Wasm(empty())));
            check(&manifest(&["text/plain", media_type]), Ok(Content::Wasm(empty())));
        }
        check(&manifest(&[WASM, OLD_WASM]), Err(Misfit::SeveralLayers(2)));
    }

    #[test]
    fn without_one_the_last_layer_is_an_archive_with_it() {
        for (media_type, packing) in ARCHIVES {
            let expected = || Ok(Content::Archive(empty(), packing));
            check(&manifest(&[media_type]), expected());
            check(&manifest(&["application/vnd.oci.image.layer.v1.tar", media_type]), expected());
        }
    }

    #[test]
    fn what_is_no_plugin_is_said() {
        check(&manifest(&[]), Err(Misfit::Empty));
        let first = "`text/\\nplain`".to_owned();
        check(&manifest(&["text/\nplain", "b"]), Err(Misfit::OtherLayers { first }));
        check(&json!({ "layers": [] }), Err(Misfit::NoManifest));
        check(&json!("a text"), Err(Misfit::NoManifest));
        let mut wrong = manifest(&[WASM]);
        wrong["layers"][0]["digest"] = json!("sha256:../../etc/passwd");
        check(&wrong, Err(Misfit::BadDescriptor));
        wrong["layers"][0]["digest"] = json!(DIGEST);
        wrong["layers"][0]["size"] = json!(-1);
        check(&wrong, Err(Misfit::BadDescriptor));
    }

    #[test]
    fn an_index_leads_to_the_entry_for_webassembly() {
        let other = DIGEST.replace("e3", "e4");
        let entry = |digest: &str, architecture: &str| {
            json!({
                "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 7,
                "platform": { "architecture": architecture, "os": "linux" },
            })
        };
        let index = |entries: &[Value]| json!({ "schemaVersion": 2, "manifests": entries });
        let found = |digest: &str| Ok(Content::Index(digest.parse().expect("a digest")));
        check(&index(&[entry(DIGEST, "amd64"), entry(&other, "wasm")]), found(&other));
        check(&index(&[entry(DIGEST, "amd64")]), found(DIGEST));
        let native = [entry(DIGEST, "amd64"), entry(&other, "arm64")];
        check(&index(&native), Err(Misfit::OtherPlatforms(2)));
    }
}
