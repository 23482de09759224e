//! What an artifact looks like that is pushed, and may look like that is fetched.

use std::io::Write;

use serde_json::json;
use tollgate_tests::{artifacts, registry::sha256};

use super::{Bed, digest};

#[tokio::test]
async fn a_component_comes_back_from_a_registry_as_it_went() {
    let Some(bed) = Bed::start().await else { return };
    let by_digest = bed.push("headers", "acme/headers:1.2");
    let by_tag = bed.registry.reference("acme/headers:1.2");
    assert!(by_digest.starts_with(&format!("{by_tag}@sha256:")), "{by_digest}");
    assert_eq!(
        bed.push("headers", "acme/headers:1.2"),
        by_digest,
        "the same file is the same artifact"
    );

    let whole = std::fs::read(artifacts::component("headers")).unwrap();
    for (reference, out) in [(&by_tag, "a/by-tag.wasm"), (&by_digest, "by-digest.wasm")] {
        let ran = bed.tollgate(&["plugin", "pull", reference, "--out", out]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.stdout.contains(digest(&by_digest)), "{ran:?}");
        assert!(std::fs::read(bed.folder.path().join(out)).unwrap() == whole, "{reference}");
    }
    let ran = bed.tollgate(&["plugin", "pull", by_tag.strip_prefix("oci://").unwrap()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(bed.folder.path().join("headers.wasm").exists(), "{ran:?}");

    let ran = bed.tollgate(&["plugin", "inspect", "--json", &by_tag]);
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(told["name"], "headers");
    assert_eq!(told["artifact"], digest(&by_digest));
}

#[tokio::test]
async fn what_is_pushed_has_the_layout_of_the_cncf() {
    let Some(bed) = Bed::start().await else { return };
    bed.push("headers", "headers:1");
    let manifest = bed.registry.get("/v2/headers/manifests/1").await.json();
    let layer = sha256(&std::fs::read(artifacts::component("headers")).unwrap());
    assert_eq!(manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(manifest["layers"].as_array().expect("layers").len(), 1);
    assert_eq!(manifest["layers"][0]["mediaType"], "application/wasm");
    assert_eq!(manifest["layers"][0]["digest"], layer);
    assert_eq!(manifest["annotations"]["org.opencontainers.image.title"], "headers");
    assert_eq!(manifest["annotations"]["org.opencontainers.image.version"], "0.1.0");
    assert!(manifest["annotations"]["org.opencontainers.image.description"].is_string());

    assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
    let config = manifest["config"]["digest"].as_str().expect("a digest");
    let config = bed.registry.get(&format!("/v2/headers/blobs/{config}")).await.json();
    assert_eq!((&config["architecture"], &config["os"]), (&json!("wasm"), &json!("wasip2")));
    assert_eq!(config["layerDigests"], json!([layer]));
    assert_eq!(config["component"]["exports"], json!(["tollgate:plugin/filter@0.1.0"]));
    assert_eq!(config["component"]["target"], "tollgate:plugin/plugin@0.1.0");
    let imports = config["component"]["imports"].as_array().expect("a list");
    assert!(imports.contains(&json!("tollgate:plugin/types@0.1.0")), "{imports:?}");
    assert!(config["created"].as_str().is_some_and(|time| time.ends_with('Z')), "{config}");
}

#[tokio::test]
async fn older_layouts_are_read() {
    let Some(bed) = Bed::start().await else { return };
    let whole = std::fs::read(artifacts::component("headers")).unwrap();
    let archive = archive(&whole);
    let packed = gzip(&archive);
    let layers: [(&str, &[u8]); 7] = [
        ("application/wasm", &whole),
        ("application/vnd.wasm.content.layer.v1+wasm", &whole),
        ("application/vnd.module.wasm.content.layer.v1+wasm", &whole),
        ("application/vnd.oci.image.layer.v1.tar", &archive),
        ("application/vnd.oci.image.layer.v1.tar+gzip", &packed),
        ("application/vnd.docker.image.rootfs.diff.tar", &archive),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", &packed),
    ];
    for (number, (media_type, content)) in layers.into_iter().enumerate() {
        let tag = number.to_string();
        bed.registry.push_raw("older", &tag, &[(media_type, content)]).await;
        let reference = bed.registry.reference(&format!("older:{tag}"));
        let ran = bed.tollgate(&["plugin", "pull", &reference, "--out", "pulled.wasm"]);
        assert_eq!(ran.code, 0, "{media_type}: {ran:?}");
        assert!(
            std::fs::read(bed.folder.path().join("pulled.wasm")).unwrap() == whole,
            "{media_type}"
        );
    }
}

#[tokio::test]
async fn an_index_leads_to_its_artifact_for_webassembly() {
    let Some(bed) = Bed::start().await else { return };
    let whole = std::fs::read(artifacts::component("headers")).unwrap();
    let other = bed.registry.push_raw("many", "native", &[("text/plain", b"native")]).await;
    let wasm = bed.registry.push_raw("many", "wasm", &[("application/wasm", &whole)]).await;
    let entry = async |digest: &str, architecture: &str| {
        let size = bed.registry.get(&format!("/v2/many/manifests/{digest}")).await.body.len();
        json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": size,
            "platform": { "architecture": architecture, "os": "wasip2" },
        })
    };
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [entry(&other, "amd64").await, entry(&wasm, "wasm").await],
    });
    let index = bed.registry.push_manifest("many", "all", &index).await;
    let reference = bed.registry.reference("many:all");
    let ran = bed.tollgate(&["plugin", "pull", &reference, "--out", "pulled.wasm"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains(&index), "the index is what is named: {ran:?}");
    assert!(std::fs::read(bed.folder.path().join("pulled.wasm")).unwrap() == whole);
}

#[tokio::test]
async fn what_holds_no_plugin_is_refused_with_the_reason() {
    let Some(bed) = Bed::start().await else { return };
    let packed = gzip(b"no archive");
    type Layers<'l> = &'l [(&'l str, &'l [u8])];
    let artifacts: [(Layers<'_>, &str); 5] = [
        (&[("text/plain", b"a")], "the first is `text/plain`"),
        (&[("application/wasm", b"a"), ("application/wasm", b"b")], "2 layers of WebAssembly"),
        (&[], "no layers"),
        (&[("application/vnd.oci.image.layer.v1.tar+gzip", &packed)], "archive cannot be read"),
        (&[("application/vnd.oci.image.layer.v1.tar", &[0; 1024])], "no `plugin.wasm`"),
    ];
    for (number, (layers, reason)) in artifacts.into_iter().enumerate() {
        bed.registry.push_raw("other", &number.to_string(), layers).await;
        let reference = bed.registry.reference(&format!("other:{number}"));
        let ran = bed.tollgate(&["plugin", "pull", &reference, "--out", "pulled.wasm"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.contains(reason) && ran.stderr.contains(&reference), "{ran:?}");
        assert!(!bed.folder.path().join("pulled.wasm").exists(), "{ran:?}");
    }
}

#[tokio::test]
async fn only_what_a_gateway_can_load_is_pushed_and_only_by_a_tag() {
    let Some(bed) = Bed::start().await else { return };
    let file = bed.folder.path().join("module.wasm");
    std::fs::write(&file, b"\0asm\x01\0\0\0").unwrap();
    let file = file.to_str().unwrap();
    let ran = bed.tollgate(&["plugin", "push", file, &bed.registry.reference("module:1")]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("core WebAssembly module"), "{ran:?}");
    assert_eq!(bed.registry.get("/v2/module/manifests/1").await.status, 404);

    let pushed = bed.push("headers", "headers:1");
    let file = artifacts::component("headers");
    let ran = bed.tollgate(&["plugin", "push", file.to_str().unwrap(), &pushed]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("needs one and no digest"), "{ran:?}");
}

/// An image's layer with a plugin in it.
fn archive(plugin: &[u8]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in [("runtime-config.json", b"{}".as_slice()), ("plugin.wasm", plugin)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, content).unwrap();
    }
    archive.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}
