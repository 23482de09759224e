//! HTTP/2 connections to upstreams, which many exchanges share.

use std::sync::Arc;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use tollgate_tests::{Upstream, wait};

use super::before;

/// Passes bytes on to `upstream` until `stuck` tells it to let the first connection hang.
async fn relay(upstream: &Upstream, stuck: Arc<Notify>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (place, upstream) = (listener.local_addr().unwrap().to_string(), upstream.address());
    tokio::spawn(async move {
        let mut hanging = Vec::new();
        let (mut first, _) = listener.accept().await.unwrap();
        let mut onward = TcpStream::connect(upstream).await.unwrap();
        tokio::select! {
            _ = copy_bidirectional(&mut first, &mut onward) => {}
            () = stuck.notified() => hanging.push((first, onward)),
        }
        loop {
            let (mut next, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut onward = TcpStream::connect(upstream).await.unwrap();
                let _ = copy_bidirectional(&mut next, &mut onward).await;
            });
        }
    });
    place
}

#[tokio::test]
async fn a_connection_that_is_stuck_is_not_used_again() {
    let upstream = Upstream::http2(tollgate_tests::upstream::echo).await;
    let stuck = Arc::<Notify>::default();
    let relay = relay(&upstream, Arc::clone(&stuck)).await;
    let more = "protocol: http2, timeouts: { first_byte: 300ms }";
    let gateway = before(&format!("\"{relay}\""), more).await;
    for _ in 0..2 {
        assert_eq!(gateway.get("/", &[]).await.status, 200);
    }
    assert_eq!(upstream.connections(), 1);
    stuck.notify_one();
    assert_eq!(gateway.get("/", &[]).await.problem(), "504 upstream-timeout");
    assert_eq!(gateway.get("/", &[]).await.status, 200);
    assert_eq!(upstream.connections(), 2);
    gateway.stop().await;
}

#[tokio::test]
async fn a_connection_is_kept_as_long_as_it_may_be() {
    for (keepalive, connections) in [("max_idle: 0", 2), ("max_idle: 1", 1)] {
        let upstream = Upstream::http2(tollgate_tests::upstream::echo).await;
        let more = format!("protocol: http2, keepalive: {{ {keepalive} }}");
        let gateway = before(&format!("\"{upstream}\""), &more).await;
        for _ in 0..2 {
            assert_eq!(gateway.get("/", &[]).await.status, 200);
        }
        assert_eq!(upstream.connections(), connections, "{keepalive}");
        gateway.stop().await;
    }
    let upstream = Upstream::http2(tollgate_tests::upstream::echo).await;
    let more = "protocol: http2, keepalive: { idle: 100ms }";
    let gateway = before(&format!("\"{upstream}\""), more).await;
    assert_eq!(gateway.get("/", &[]).await.status, 200);
    wait::until("the connection's end", async || (upstream.open() == 0).then_some(())).await;
    gateway.stop().await;
}
