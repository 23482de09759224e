//! Registries that no program of Debian's would be: a server of the test's own.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use serde_json::json;
use tempfile::TempDir;
use tollgate_tests::{
    Upstream, artifacts,
    client::{Body, full},
    process::{Ran, tollgate_with},
    registry::{PASSWORD, USER, sha256},
};

/// What is there to be fetched.
struct Artifact {
    layer: Vec<u8>,
    manifest: String,
}

impl Artifact {
    /// `size`: what the manifest says of the layer.
    fn new(size: impl Fn(usize) -> usize) -> Arc<Self> {
        let layer = std::fs::read(artifacts::component("headers")).unwrap();
        let described = json!({
            "mediaType": "application/wasm", "digest": sha256(&layer), "size": size(layer.len()),
        });
        let config = json!({ "mediaType": "text/plain", "digest": sha256(b""), "size": 0 });
        let manifest = json!({ "schemaVersion": 2, "config": config, "layers": [described] });
        Arc::new(Self { layer, manifest: manifest.to_string() })
    }

    fn answer(&self, path: &str) -> Response<Body> {
        match path {
            "/v2/" => Response::new(full("{}")),
            path if path.contains("/manifests/") => Response::new(full(self.manifest.clone())),
            path if path.ends_with(&sha256(&self.layer)) => Response::new(full(self.layer.clone())),
            _ => status(404),
        }
    }
}

fn status(status: u16) -> Response<Body> {
    Response::builder().status(status).body(full("")).unwrap()
}

/// Pulls from there into an empty cache, with credentials as `docker login` would leave them.
async fn pull(registry: &Upstream, reference: &str) -> (Ran, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let auth = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let logins = json!({ "auths": { registry.to_string(): { "auth": auth } } });
    std::fs::write(folder.path().join("config.json"), logins.to_string()).unwrap();
    let reference = format!("{registry}/{reference}");
    let place = folder.path().to_owned();
    // The test's thread has to answer meanwhile.
    let running = tokio::task::spawn_blocking(move || {
        let environment = [("TOLLGATE_CACHE", &*place), ("DOCKER_CONFIG", &*place)];
        let arguments = ["plugin", "pull", &reference, "--out", "pulled.wasm"];
        tollgate_with(&place, &environment, "", &arguments)
    });
    (running.await.unwrap(), folder)
}

#[tokio::test]
async fn a_registry_that_is_busy_is_asked_again() {
    let artifact = Artifact::new(|size| size);
    let busy = Arc::new(AtomicUsize::new(2));
    let registry = Upstream::new(move |request: Request<Incoming>| {
        let path = request.uri().path();
        let is_busy = || busy.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        let answer = if path != "/v2/" && is_busy() { status(503) } else { artifact.answer(path) };
        async { answer }
    })
    .await;
    let (ran, folder) = pull(&registry, "a:1").await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(folder.path().join("pulled.wasm").exists());
}

#[tokio::test]
async fn a_registry_that_stays_busy_is_given_up() {
    let registry = Upstream::new(|_| async { status(503) }).await;
    let (ran, _folder) = pull(&registry, "a:1").await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("answered with status 503"), "{ran:?}");
}

#[tokio::test]
async fn a_manifest_with_another_digest_is_refused() {
    let artifact = Artifact::new(|size| size);
    let registry = Upstream::new(move |request: Request<Incoming>| {
        let answer = artifact.answer(request.uri().path());
        async { answer }
    })
    .await;
    let (ran, _folder) = pull(&registry, &format!("a@{}", sha256(b"another"))).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("has not the digest by which it was asked for"), "{ran:?}");
}

#[tokio::test]
async fn a_layer_without_end_is_cut_where_its_size_ends() {
    let artifact = Artifact::new(|size| size);
    let registry = Upstream::new(move |request: Request<Incoming>| {
        let path = request.uri().path();
        let answer = if path.contains("/blobs/") {
            let pieces = stream::repeat_with(|| Ok(Frame::data(Bytes::from(vec![0; 64 << 10]))));
            Response::new(StreamBody::new(pieces).boxed())
        } else {
            artifact.answer(path)
        };
        async { answer }
    })
    .await;
    let (ran, folder) = pull(&registry, "a:1").await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("has not the digest by which it was asked for"), "{ran:?}");
    assert!(!folder.path().join("pulled.wasm").exists());
}

#[tokio::test]
async fn a_layer_beyond_the_limit_is_not_even_asked_for() {
    let artifact = Artifact::new(|_| 257 << 20);
    let layers = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&layers);
    let registry = Upstream::new(move |request: Request<Incoming>| {
        let path = request.uri().path();
        asked.fetch_add(usize::from(path.contains("/blobs/")), SeqCst);
        let answer = artifact.answer(path);
        async { answer }
    })
    .await;
    let (ran, _folder) = pull(&registry, "a:1").await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("larger than 256 MiB"), "{ran:?}");
    assert_eq!(layers.load(SeqCst), 0);
}

#[tokio::test]
async fn a_token_is_fetched_where_the_registry_says() {
    let artifact = Artifact::new(|size| size);
    let registry = Upstream::new(move |request: Request<Incoming>| {
        let header = |name: &str| {
            let value = request.headers().get(name);
            value.map_or(String::new(), |value| value.to_str().unwrap().to_owned())
        };
        let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
        let basic = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
        let answer = match path {
            "/token" if header("authorization") == basic => {
                assert!(query.contains("service=test"), "{query}");
                assert!(query.contains("scope=repository%3Aacme%2Fa%3Apull"), "{query}");
                Response::new(full(r#"{ "token": "the-token" }"#))
            }
            "/token" => status(401),
            path if header("authorization") == "Bearer the-token" => artifact.answer(path),
            _ => {
                let realm =
                    format!("Bearer realm=\"http://{}/token\",service=\"test\"", header("host"));
                let refused = Response::builder().status(401).header("www-authenticate", realm);
                refused.body(full("")).unwrap()
            }
        };
        async { answer }
    })
    .await;
    let (ran, folder) = pull(&registry, "acme/a:1").await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(folder.path().join("pulled.wasm").exists());
}
