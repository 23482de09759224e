//! Components that know nothing of this gateway, here and under another host of their world.

use std::process::Stdio;

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};
use tollgate_tests::{Setup, artifacts, client, wait};

/// What the example answers to whom, whatever runs it.
async fn check_hello(address: std::net::SocketAddr) {
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

#[tokio::test]
async fn the_same_file_runs_under_wasmtime_serve() {
    let Some(wasmtime) = artifacts::wasmtime() else { return };
    let mut serving = Command::new(wasmtime)
        .args(["serve", "--addr", "127.0.0.1:0", "-S", "cli"])
        .arg(artifacts::component("hello"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(serving.stderr.take().unwrap()).lines();
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
    check_hello(address).await;
    serving.kill().await.unwrap();
}
