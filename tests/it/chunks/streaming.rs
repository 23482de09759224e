//! Chunk hooks and bodies of any size: no faster than their reader, in constant memory, and to
//! the end with the plugins that the exchange began with.

use std::sync::{Arc, atomic::AtomicUsize};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Response;
use http_body_util::{BodyExt, BodyStream, StreamBody};
use hyper::body::Frame;
use tokio::sync::Notify;
use tollgate_tests::{
    Upstream,
    client::{self, full, request, request_with},
    process::peak_memory,
    wait,
};

use super::{chunks, config};
use crate::bodies::{channel, length, pieces, pressure::standstill};

const MIB: usize = 1 << 20;
const BOTH: &str = "config: { request: upper, response: upper }";

#[tokio::test]
async fn a_gibibyte_passes_both_ways_in_constant_memory() {
    let size = 1024 * MIB;
    let upstream = Upstream::new(move |request| async move {
        let received = tokio::spawn(length(request.into_body()));
        // It ends after the request has, as a server does that still wants to see all of it.
        let end = stream::once(async move {
            let length = received.await.unwrap().unwrap().to_string();
            Ok(Frame::data(Bytes::from(length)))
        });
        let pieces = BodyStream::new(pieces(size / (64 * 1024), Arc::default()));
        Response::new(BodyExt::boxed(StreamBody::new(pieces.chain(end))))
    })
    .await;
    let gateway = chunks(&upstream, &["config: { request: keep, response: keep }"]).await;
    assert_eq!(gateway.post("/ping", &[], "").await.text(), "pong");
    let before = peak_memory(gateway.pid());
    let mut connection = gateway.connect().await;
    let body = pieces(size / (64 * 1024), Arc::default());
    let response = connection.begin(request_with("POST", "/", &[], body)).await;
    let received = size.to_string();
    assert_eq!(length(response.into_body()).await.unwrap(), size + received.len());
    let grown = peak_memory(gateway.pid()) - before;
    assert!(grown < 64 * MIB as u64, "it grew by {} MiB", grown >> 20);
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_upstream() {
    let offered = 256 * MIB;
    let taken = Arc::<AtomicUsize>::default();
    let upstream = Upstream::new({
        let taken = Arc::clone(&taken);
        move |_| {
            let body = pieces(offered / (64 * 1024), Arc::clone(&taken));
            async move { Response::new(body) }
        }
    })
    .await;
    let gateway = chunks(&upstream, &[BOTH]).await;
    let mut connection = gateway.connect().await;
    let response = connection.begin(request("GET", "/", &[], "")).await;
    let held = standstill(&gateway, &taken).await;
    assert!(held < 64 * MIB, "{held} bytes were taken for a client that reads nothing");
    assert_eq!(length(response.into_body()).await.unwrap(), offered);
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn an_upstream_that_does_not_read_stops_the_client() {
    let offered = 256 * MIB;
    let read = Arc::new(Notify::new());
    let upstream = Upstream::new({
        let read = Arc::clone(&read);
        move |request| {
            let read = Arc::clone(&read);
            async move {
                read.notified().await;
                let length = length(request.into_body()).await.unwrap();
                Response::new(full(length.to_string()))
            }
        }
    })
    .await;
    let gateway = chunks(&upstream, &["config: { request: upper }"]).await;
    let taken = Arc::<AtomicUsize>::default();
    let body = pieces(offered / (64 * 1024), Arc::clone(&taken));
    let address = gateway.address();
    let sending =
        tokio::spawn(
            async move { client::send(address, request_with("POST", "/", &[], body)).await },
        );
    let held = standstill(&gateway, &taken).await;
    assert!(held < 64 * MIB, "{held} bytes were taken for an upstream that reads nothing");
    read.notify_one();
    assert_eq!(sending.await.unwrap().text(), offered.to_string());
    gateway.stop().await;
}

#[tokio::test]
async fn an_exchange_keeps_its_plugins_over_a_swap() {
    let upstream = Upstream::new(async |request| {
        Response::new(request.into_body().map_err(std::io::Error::other).boxed())
    })
    .await;
    let gateway = chunks(&upstream, &["config: { request: { stamp: old- } }"]).await;
    let (sender, body) = channel();
    let mut connection = gateway.connect().await;
    sender.send("one").unwrap();
    let mut response = connection.begin(request_with("POST", "/", &[], body)).await;
    let frame = wait::within("a piece", response.frame()).await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "old-one");
    gateway.write_config(&config(&upstream, "http1", &["config: { request: { stamp: new- } }"]));
    gateway.reload_well().await;
    assert!(gateway.post("/", &[], "x").await.text().starts_with("new-x"));
    sender.send("two").unwrap();
    let frame = wait::within("a piece", response.frame()).await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "old-two");
    drop(sender);
    let rest = wait::within("the rest", response.collect()).await.unwrap().to_bytes();
    assert_eq!(rest, "old-", "the last chunk, which is empty");
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn a_client_that_goes_away_in_between_frees_the_upstream() {
    let (sender, body) = channel();
    let body = Arc::new(std::sync::Mutex::new(Some(body)));
    let upstream = Upstream::new(move |_| {
        let body = body.lock().unwrap().take().expect("one request");
        async move { Response::new(body) }
    })
    .await;
    let gateway = chunks(&upstream, &["config: { response: upper, finish: true }"]).await;
    let mut connection = gateway.connect().await;
    sender.send("one").unwrap();
    let response = connection.begin(request("GET", "/", &[], "")).await;
    drop((response, connection));
    wait::within("the upstream is let go", sender.closed()).await;
    gateway.logged(&["finished", "the client left"]).await;
    gateway.stop().await;
}

#[tokio::test]
async fn both_ways_of_one_exchange_do_not_wait_for_each_other() {
    let upstream = Upstream::new(async |request| {
        Response::new(request.into_body().map_err(std::io::Error::other).boxed())
    })
    .await;
    let gateway = chunks(&upstream, &[BOTH]).await;
    let bodies = (0..16).map(|_| {
        let (address, size) = (gateway.address(), 4 * MIB);
        let body = pieces(size / (64 * 1024), Arc::default());
        tokio::spawn(async move {
            let reply = client::send(address, request_with("POST", "/", &[], body)).await;
            assert_eq!(reply.body.len(), size);
            assert!(reply.body.iter().all(|byte| *byte == b'X'));
        })
    });
    for body in bodies.collect::<Vec<_>>() {
        body.await.unwrap();
    }
    gateway.stop().await;
}
