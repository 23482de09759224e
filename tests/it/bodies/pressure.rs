//! Bodies are no faster than their reader, and take no memory.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use http::Response;
use tokio::sync::Notify;
use tollgate_tests::{
    Gateway, Upstream,
    client::{self, full, request, request_with},
    process::peak_memory,
};

use super::{before, length, pieces};

const MIB: usize = 1 << 20;

/// Waits until `bytes` stays as it is while the gateway serves other requests, and gives it.
pub(crate) async fn standstill(gateway: &Gateway, bytes: &AtomicUsize) -> usize {
    let (mut last, mut same) = (0, 0);
    for _ in 0..2000 {
        assert_eq!(gateway.get("/ping", &[]).await.text(), "pong");
        let now = bytes.load(SeqCst);
        same = if now == last { same + 1 } else { 0 };
        last = now;
        if same == 100 && now > 0 {
            return now;
        }
    }
    panic!("it never stands still");
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
    let gateway = before(&upstream, "").await;
    let mut connection = gateway.connect().await;
    let response = connection.begin(request("GET", "/", &[], "")).await;
    let held = standstill(&gateway, &taken).await;
    // What fits into the buffers of four sockets, which the system chooses.
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
    let gateway = before(&upstream, "").await;
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
async fn a_gibibyte_passes_both_ways_in_constant_memory() {
    let size = 1024 * MIB;
    let upstream = Upstream::new(move |request| async move {
        let received = length(request.into_body()).await.unwrap();
        assert_eq!(received, size);
        Response::new(pieces(size / (64 * 1024), Arc::default()))
    })
    .await;
    let gateway = before(&upstream, "").await;
    assert_eq!(gateway.get("/ping", &[]).await.text(), "pong");
    let before = peak_memory(gateway.pid());
    let mut connection = gateway.connect().await;
    let body = pieces(size / (64 * 1024), Arc::default());
    let length_field = size.to_string();
    let fields = [("content-length", length_field.as_str())];
    let sent = request_with("POST", "/", &fields, body);
    // Neither way waits for an event of its own, so the patience of one wait is not enough.
    let response = tokio::spawn(async move { (connection.begin(sent).await, connection) });
    let (response, connection) = response.await.unwrap();
    assert_eq!(length(response.into_body()).await.unwrap(), size);
    let grown = peak_memory(gateway.pid()) - before;
    assert!(grown < 64 * MIB as u64, "it grew by {} MiB", grown >> 20);
    drop(connection);
    gateway.stop().await;
}
