//! The streams of HTTP/2 connections to upstreams: how many there may be, and those that are stuck.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures_util::stream;
use http::Response;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use tokio::{sync::Notify, task::JoinSet};
use tollgate_tests::{
    Gateway, Reply, Upstream,
    client::{full, request},
    raw::status,
    wait,
};

use super::before;

/// HTTP/2 connections to one address for each worker.
const MAX_CONNECTIONS: usize = 32;

/// An upstream that allows so many streams, and answers each request once it is told to.
async fn held(streams: u32) -> (Upstream, Arc<Notify>) {
    let release = Arc::<Notify>::default();
    let kept = Arc::clone(&release);
    let upstream = Upstream::http2_with_streams(streams, move |_| {
        let release = Arc::clone(&kept);
        async move {
            release.notified().await;
            Response::new(full("late"))
        }
    })
    .await;
    (upstream, release)
}

/// So many requests at a time, each on a connection of its own.
fn ask(gateway: &Gateway, times: usize) -> JoinSet<Reply> {
    let address = gateway.address();
    (0..times)
        .map(|_| async move { tollgate_tests::client::get(address, "/", &[]).await })
        .collect()
}

async fn receives(upstream: &Upstream, requests: usize) {
    wait::until(&format!("{requests} requests"), async || {
        (upstream.requests() == requests).then_some(())
    })
    .await;
}

#[tokio::test]
async fn more_requests_than_a_connection_may_carry_open_another() {
    let (upstream, release) = held(2).await;
    let gateway = before(&format!("\"{upstream}\""), "protocol: http2").await;
    let asking = ask(&gateway, 5);
    // None of them waits for another one.
    receives(&upstream, 5).await;
    assert_eq!(upstream.connections(), 3);
    release.notify_waiters();
    for reply in asking.join_all().await {
        assert_eq!(reply.text(), "late");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn requests_beyond_all_streams_wait_for_their_turn() {
    let (upstream, release) = held(1).await;
    let gateway = before(&format!("\"{upstream}\""), "protocol: http2").await;
    let mut asking = ask(&gateway, MAX_CONNECTIONS + 8);
    receives(&upstream, MAX_CONNECTIONS).await;
    for more in 1..=8 {
        release.notify_one();
        let reply = wait::within("an answer", asking.join_next()).await.unwrap().unwrap();
        assert_eq!(reply.text(), "late");
        receives(&upstream, MAX_CONNECTIONS + more).await;
    }
    release.notify_waiters();
    for reply in asking.join_all().await {
        assert_eq!(reply.text(), "late");
    }
    assert_eq!(upstream.connections(), MAX_CONNECTIONS);
    gateway.stop().await;
}

#[tokio::test]
async fn a_request_that_no_stream_becomes_free_for_is_told_to_come_again() {
    let upstream = Upstream::http2_with_streams(1, async |_| {
        let endless = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
        Response::new(endless.map_err(|never| match never {}).boxed())
    })
    .await;
    let more = "protocol: http2, timeouts: { first_byte: 1s }";
    let gateway = before(&format!("\"{upstream}\""), more).await;
    let mut open = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        let mut connection = gateway.connect().await;
        let response = connection.begin(request("GET", "/", &[], "")).await;
        open.push((connection, response));
    }
    let waiting = async || gateway.metric("tollgate_upstream_waiting", &[("upstream", "u")]).await;
    assert_eq!(waiting().await, 0.0);
    let mut asking = ask(&gateway, 1);
    wait::until("a request that waits", async || (waiting().await == 1.0).then_some(())).await;
    let reply = asking.join_next().await.unwrap().unwrap();
    // Not what a slow upstream gets.
    assert_eq!(reply.problem(), "503 overloaded");
    assert_eq!(reply.header("retry-after"), "1");
    assert_eq!(waiting().await, 0.0);
    assert_eq!(upstream.requests(), MAX_CONNECTIONS);
    // Whoever leaves makes room.
    open.pop();
    let response = gateway.connect().await.begin(request("GET", "/", &[], "")).await;
    assert_eq!(response.status(), 200);
    drop((response, open));
    gateway.stop().await;
}

#[tokio::test]
async fn requests_that_come_at_once_share_the_connection_that_is_being_made() {
    let (upstream, release) = held(100).await;
    let gateway = before(&format!("\"{upstream}\""), "protocol: http2").await;
    let asking = ask(&gateway, 20);
    receives(&upstream, 20).await;
    assert_eq!(upstream.connections(), 1);
    release.notify_waiters();
    asking.join_all().await;
    gateway.stop().await;
}

#[tokio::test]
async fn connections_that_are_needed_no_more_are_closed() {
    let (upstream, release) = held(1).await;
    let more = "protocol: http2, keepalive: { max_idle: 1 }";
    let gateway = before(&format!("\"{upstream}\""), more).await;
    let asking = ask(&gateway, 4);
    receives(&upstream, 4).await;
    assert_eq!(upstream.open(), 4);
    release.notify_waiters();
    asking.join_all().await;
    wait::until("all but one are closed", async || (upstream.open() == 1).then_some(())).await;
    gateway.stop().await;
}

/// Answers `/upload` at once and leaves its body alone; other paths get `ok`.
async fn unread() -> (Upstream, Arc<Mutex<Vec<Incoming>>>) {
    let bodies = Arc::<Mutex<Vec<_>>>::default();
    let kept = Arc::clone(&bodies);
    let upstream = Upstream::http2(move |request| {
        let upload = request.uri().path() == "/upload";
        if upload {
            kept.lock().unwrap().push(request.into_body());
        }
        async move { Response::new(full(if upload { "answered" } else { "ok" })) }
    })
    .await;
    (upstream, bodies)
}

#[tokio::test]
async fn an_upload_that_nobody_takes_up_after_its_response_is_ended() {
    let (upstream, bodies) = unread().await;
    let more = "protocol: http2, timeouts: { idle: 1s }";
    let gateway = before(&format!("\"{upstream}\""), more).await;
    let mut client = gateway.raw().await;
    let length = 64 << 20;
    client
        .send(format!("POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n"))
        .await;
    // More than the window of a stream, and less than all buffers on the way.
    client.send(vec![b'x'; 2 << 20]).await;
    let response = client.response().await;
    assert_eq!(status(&response), 200, "{response}");
    // The gateway gives up the rest of the request, and with it the client's connection.
    client.rest().await;
    let body = bodies.lock().unwrap().pop().expect("it was asked");
    let read = wait::within("the stream's end", body.collect()).await;
    assert!(read.is_err(), "the stream was not reset");
    assert_eq!(gateway.get("/", &[]).await.text(), "ok");
    assert_eq!(upstream.connections(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn the_end_of_an_upload_that_nobody_takes_up_is_ended_too() {
    let (upstream, bodies) = unread().await;
    let more = "protocol: http2, timeouts: { idle: 1s }";
    let gateway = Gateway::start(&format!(
        r#"
        workers: 1
        upstreams: {{ u: {{ endpoints: ["{upstream}"], {more} }} }}
        routes: [{{ name: all, match: {{ path: "/{{*rest}}" }}, upstream: u }}]
        telemetry: {{ log: {{ level: "warn,tollgate=debug" }} }}
        "#
    ))
    .await;
    // The gateway has all of it, and the stream's window is 1 MiB. A client that an early response
    // does not keep from sending the rest.
    let length = (1 << 20) + (40 << 10);
    let mut client = gateway.raw().await;
    client
        .send(format!("POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n"))
        .await;
    client.send(vec![b'x'; length]).await;
    let response = client.response().await;
    assert_eq!(status(&response), 200, "{response}");
    gateway.logged(&["an upstream takes up nothing of a body"]).await;
    let body = bodies.lock().unwrap().pop().expect("it was asked");
    let read = wait::within("the stream's end", body.collect()).await;
    assert!(read.is_err(), "the stream was not reset");
    gateway.stop().await;
}
