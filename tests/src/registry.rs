//! Debian's `docker-registry` as its own process, on a free port, with a folder of its own.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{Reply, certs::Certificate, client, wait};

const PROGRAM: &str = "docker-registry";

/// The one user of a registry that asks for credentials, and the password's hash (bcrypt).
pub const USER: &str = "ann";
pub const PASSWORD: &str = "a secret";
const HASH: &str = "$2y$05$abcdefghijklmnopqrstuuIAEipimVgSTxGS2VyWH9AhzRz3iJI3.";

/// A registry that runs. It is killed when this is dropped.
pub struct Registry {
    child: Option<Child>,
    address: SocketAddr,
    folder: TempDir,
    settings: Value,
}

impl Registry {
    /// Starts one that lets everybody do everything. `None`: the program is not installed, which
    /// this tells the person who runs the tests.
    pub async fn start() -> Option<Self> {
        Self::start_with(json!({})).await
    }

    /// Starts one that lets only [`USER`] in.
    pub async fn with_password() -> Option<Self> {
        let auth = json!({ "htpasswd": { "realm": "test", "path": "htpasswd" } });
        Self::start_with(json!({ "auth": auth })).await
    }

    /// Starts one that speaks TLS.
    pub async fn with_tls(certificate: &Certificate) -> Option<Self> {
        let registry = Self::start_with(json!({})).await;
        let mut registry = registry?;
        std::fs::write(registry.folder.path().join("tls.pem"), &certificate.pem).unwrap();
        std::fs::write(registry.folder.path().join("tls.key"), &certificate.key).unwrap();
        let tls = json!({ "certificate": "tls.pem", "key": "tls.key" });
        registry.settings["http"]["tls"] = tls;
        registry.stop().await;
        registry.restart().await;
        Some(registry)
    }

    async fn start_with(mut settings: Value) -> Option<Self> {
        if !is_installed() {
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("htpasswd"), format!("{USER}:{HASH}\n")).unwrap();
        settings["version"] = json!("0.1");
        settings["log"] = json!({ "level": "info" });
        settings["storage"] = json!({ "filesystem": { "rootdirectory": "data" } });
        settings["http"] = json!({ "addr": "127.0.0.1:0" });
        let (child, address) = run(folder.path(), &settings).await;
        // It comes back on the same port.
        settings["http"]["addr"] = json!(address.to_string());
        Some(Self { child: Some(child), address, folder, settings })
    }

    /// Ends it. What it keeps stays.
    pub async fn stop(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().await.expect("it ends");
    }

    /// Starts it again after [`Self::stop`].
    pub async fn restart(&mut self) {
        let (child, address) = run(self.folder.path(), &self.settings).await;
        assert_eq!(address, self.address);
        self.child = Some(child);
    }

    /// A reference to what is in it.
    #[must_use]
    pub fn reference(&self, name: &str) -> String {
        format!("oci://{self}/{name}")
    }

    /// Pushes a manifest with these layers, each a media type and its content, and gives the
    /// manifest's digest.
    pub async fn push_raw(&self, repository: &str, tag: &str, layers: &[(&str, &[u8])]) -> String {
        let config = self.push_blob(repository, "application/vnd.acme.config+json", b"{}").await;
        let mut pushed = Vec::new();
        for (media_type, content) in layers {
            pushed.push(self.push_blob(repository, media_type, content).await);
        }
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config,
            "layers": pushed,
        });
        self.push_manifest(repository, tag, &manifest).await
    }

    /// Pushes a manifest as it stands, and gives its digest.
    pub async fn push_manifest(&self, repository: &str, tag: &str, manifest: &Value) -> String {
        let path = format!("/v2/{repository}/manifests/{tag}");
        let media_type = manifest["mediaType"].as_str().expect("a media type");
        let headers = [("content-type", media_type)];
        let body = client::full(manifest.to_string());
        let reply = self.send(client::request_with("PUT", &path, &headers, body)).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply.header("docker-content-digest")
    }

    /// Pushes a blob, and gives the descriptor by which a manifest names it.
    async fn push_blob(&self, repository: &str, media_type: &str, content: &[u8]) -> Value {
        let path = format!("/v2/{repository}/blobs/uploads/");
        let begun = self.send(client::request("POST", &path, &[], "")).await;
        let location = begun.header("location");
        let (_, location) = location.split_once("//").expect("a URL");
        let (_, location) = location.split_once('/').expect("with a path");
        let digest = sha256(content);
        let place = format!("/{location}&digest={digest}");
        let body = client::full(content.to_vec());
        let done = self.send(client::request_with("PUT", &place, &[], body)).await;
        assert_eq!(done.status, 201, "{}", done.text());
        json!({ "mediaType": media_type, "digest": digest, "size": content.len() })
    }

    /// `GET` of a manifest or blob.
    pub async fn get(&self, path: &str) -> Reply {
        let headers = [("accept", "application/vnd.oci.image.manifest.v1+json")];
        self.send(client::request("GET", path, &headers, "")).await
    }

    async fn send(&self, mut request: http::Request<client::Body>) -> Reply {
        let host = self.address.to_string().parse().unwrap();
        request.headers_mut().insert("host", host);
        client::send(self.address, request).await
    }

    /// The file in which it keeps a blob, for tests that change it behind its back.
    #[must_use]
    pub fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").expect("a digest");
        let blobs = self.folder.path().join("data/docker/registry/v2/blobs/sha256");
        blobs.join(&hex[..2]).join(hex).join("data")
    }
}

/// Host and port, as references have them.
impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// The digest of some content, as registries write it.
#[must_use]
pub fn sha256(content: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content);
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn is_installed() -> bool {
    let tried = std::process::Command::new(PROGRAM).arg("--version").stdout(Stdio::null()).status();
    if tried.is_ok_and(|status| status.success()) {
        return true;
    }
    let test = std::thread::current();
    let test = test.name().unwrap_or("a test");
    let note = format!("{test}: skipped without {PROGRAM} (a package of Debian)\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), note.as_bytes());
    false
}

/// Runs the program and waits until it says where it listens.
async fn run(folder: &Path, settings: &Value) -> (Child, SocketAddr) {
    std::fs::write(folder.join("config.yml"), settings.to_string()).unwrap();
    // A file takes what it logs even while a test waits for a command and reads nothing.
    let log = folder.join("log");
    let child = Command::new(PROGRAM)
        .args(["serve", "config.yml"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap())
        .kill_on_drop(true)
        .spawn()
        .expect("it is installed");
    let address = wait::until("a registry that listens", async || {
        let text = std::fs::read_to_string(&log).unwrap();
        let (_, rest) = text.split_once("listening on ")?;
        let end = rest.find(['"', ',', ' '])?;
        Some(rest[..end].parse().expect("an address"))
    });
    (child, address.await)
}
