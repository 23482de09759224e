//! Components that know nothing of this gateway, here and under another host of their world.

use std::{net::SocketAddr, path::PathBuf, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStderr, Command},
};
use tollgate_tests::{Setup, artifacts, client, process::tollgate, wait};

/// What the example answers to whom, whatever runs it.
async fn check_hello(address: SocketAddr) {
    let greeting = client::get(address, "/some/path?q=1", &[]).await;
    assert_eq!(greeting.text(), "hello from wasi:http, /some/path?q=1\n");
    assert_eq!(greeting.header("content-type"), "text/plain");
    let sent = "a body that comes back ".repeat(10_000);
    let echoed = client::send(address, client::request("POST", "/", &[], &sent)).await;
    assert_eq!(echoed.text(), sent);
}

#[tokio::test]
async fn the_example_component_runs_in_the_gateway() {
    let gateway = Setup::new("routes: [{ match: { path: \"/{*rest}\" }, component: hello }]")
        .plugin("hello")
        .start()
        .await;
    check_hello(gateway.address()).await;
    gateway.stop().await;
}

/// From a project of its language's own tools, which have not heard of the gateway.
#[tokio::test]
async fn a_component_made_of_javascript_runs_as_it_is() {
    if !artifacts::has_example("js-hello") {
        return;
    }
    let file = artifacts::component("js-hello");
    // An interpreter takes long to compile; from here on it is in the cache of the tests.
    let ran = tollgate(&artifacts::root(), &["plugin", "inspect", file.to_str().unwrap()]);
    assert!(ran.stdout.contains("wasi:http/proxy@0.2"), "{ran:?}");
    let gateway = Setup::new("routes: [{ match: { path: \"/{*rest}\" }, component: js-hello }]")
        .plugin("js-hello")
        .start()
        .await;
    let greeting = gateway.get("/some/path", &[]).await;
    assert_eq!(greeting.text(), "hello from JavaScript, /some/path\n");
    assert_eq!(gateway.post("/", &[], "there and back").await.text(), "there and back");
    gateway.stop().await;
}

#[tokio::test]
async fn the_same_file_runs_under_wasmtime_serve() {
    let Some(wasmtime) = artifacts::wasmtime() else { return };
    let serving = serve(wasmtime, "cli", "hello").await;
    check_hello(serving.address).await;
}

#[tokio::test]
async fn a_component_of_the_next_version_runs_under_wasmtime_serve_too() {
    // The first one that has the version by default is not far before.
    let Some(wasmtime) = artifacts::wasmtime_since(48) else { return };
    let serving = serve(wasmtime, "cli,p3", "service").await;
    let address = serving.address;
    assert_eq!(client::get(address, "/length", &[]).await.text(), "12345");
    let sent = "a body that comes back ".repeat(10_000);
    let echoed = client::send(address, client::request("POST", "/echo", &[], &sent)).await;
    assert_eq!(echoed.text(), sent);
}

/// `wasmtime serve` at work, until this is dropped.
struct Serving {
    address: SocketAddr,
    _child: Child,
    /// It must not find its standard error closed.
    _lines: Lines<BufReader<ChildStderr>>,
}

/// Starts it with these interfaces.
async fn serve(wasmtime: PathBuf, interfaces: &str, component: &str) -> Serving {
    let mut child = Command::new(wasmtime)
        .args(["serve", "--addr", "127.0.0.1:0", "-S", interfaces])
        .arg(artifacts::component(component))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // `Serving HTTP on http://127.0.0.1:40123/`
    let address = wait::within("wasmtime serves", async {
        loop {
            let line = lines.next_line().await.unwrap().expect("a line with the address");
            if let Some((_, address)) = line.split_once("http://") {
                return address.trim_end_matches('/').parse().unwrap();
            }
        }
    })
    .await;
    Serving { address, _child: child, _lines: lines }
}
