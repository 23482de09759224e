//! Clients that take up nothing of what they asked for.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::interval,
};
use tollgate_tests::{
    Gateway, Upstream,
    client::full,
    frames::{CONTINUATION, DATA, END_STREAM, HEADERS, RST_STREAM, frame, head},
    wait,
};

const LARGE: usize = 32 << 20;

/// Answers `/large` with more than any buffer on the way holds, other paths with a word.
async fn upstream() -> Upstream {
    Upstream::new(async |request| {
        let large = request.uri().path() == "/large";
        Response::new(full(if large { Bytes::from(vec![b'x'; LARGE]) } else { "here".into() }))
    })
    .await
}

/// `more`: keys of the route.
async fn before(upstream: &Upstream, limits: &str, more: &str) -> Gateway {
    Gateway::start(&format!(
        r#"
        workers: 1
        limits: {{ {limits} }}
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes: [{{ name: all, match: {{ path: "/{{*rest}}" }}, upstream: u, {more} }}]
        telemetry: {{ access_log: {{}} }}
        "#
    ))
    .await
}

/// The exchange has ended, once, for this reason, and holds nothing any more.
async fn check_ended(gateway: &Gateway, upstream: &Upstream, reason: &str) {
    wait::until("the upstream is let go", async || (upstream.open() == 0).then_some(())).await;
    wait::until("a line of the access log", async || {
        gateway.output().contains("/large").then_some(())
    })
    .await;
    let lines = gateway.output();
    let lines: Vec<_> = lines.lines().filter(|line| line.contains("\"/large\"")).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(reason), "{lines:?}");
}

async fn ended(gateway: &Gateway) -> f64 {
    gateway.metric("http_server_request_duration_seconds_count", &[("route", "all")]).await
}

#[tokio::test]
async fn a_stream_whose_window_stays_shut_is_reset_and_no_other_stream() {
    for window in [0, 10] {
        let upstream = upstream().await;
        let gateway = before(&upstream, "body_idle: 1s", "").await;
        let mut client = gateway.frames(window).await;
        client.get(1, "/large").await;
        assert_eq!(client.until(HEADERS).await.stream, 1);
        assert_eq!(client.until(RST_STREAM).await.stream, 1);
        check_ended(&gateway, &upstream, "the client took up nothing for 1s").await;
        assert_eq!(ended(&gateway).await, 1.0);

        client.get(3, "/small").await;
        assert_eq!(client.until(HEADERS).await.stream, 3);
        client.open(3, 100).await;
        let mut body = Vec::new();
        loop {
            let data = client.until(DATA).await;
            body.extend(data.payload);
            if data.flags & END_STREAM != 0 {
                break;
            }
        }
        assert_eq!(body, b"here");
        drop(client);
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_stream_that_nobody_reads_ends_with_its_routes_time() {
    let upstream = upstream().await;
    let gateway = before(&upstream, "", "timeout: 1s").await;
    let mut client = gateway.frames(0).await;
    client.get(1, "/large").await;
    assert_eq!(client.until(RST_STREAM).await.stream, 1);
    check_ended(&gateway, &upstream, "the exchange took longer than 1s").await;
    assert_eq!(ended(&gateway).await, 1.0);
    drop(client);
    gateway.stop().await;
}

#[tokio::test]
async fn a_connection_that_nobody_reads_ends_with_its_routes_time() {
    let upstream = upstream().await;
    let gateway = before(&upstream, "", "timeout: 1s").await;
    let mut client = gateway.raw().await;
    client.send("GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await;
    check_ended(&gateway, &upstream, "").await;
    assert_eq!(ended(&gateway).await, 1.0);
    assert!(client.rest().await.len() < LARGE);
    gateway.stop().await;
}

#[tokio::test]
async fn a_stream_that_is_read_slowly_is_not_cut_off() {
    let upstream = upstream().await;
    let gateway = before(&upstream, "body_idle: 1s", "").await;
    let mut client = gateway.frames(0).await;
    client.get(1, "/large").await;
    // Less than one piece in all, so that only the bytes themselves tell that it moves.
    let mut drip = interval(Duration::from_millis(100));
    for _ in 0..30 {
        drip.tick().await;
        client.open(1, 1).await;
        assert_eq!(client.until(DATA).await.payload, b"x");
    }
    client.open(0, 1 << 30).await;
    client.open(1, 1 << 30).await;
    let mut length = 30;
    loop {
        let frame = client.next().await.expect("not closed");
        assert_ne!(frame.kind, RST_STREAM, "after {length} bytes");
        if frame.kind == DATA {
            length += frame.payload.len();
            if frame.flags & END_STREAM != 0 {
                break;
            }
        }
    }
    assert_eq!(length, LARGE);
    drop(client);
    gateway.stop().await;
}

#[tokio::test]
async fn a_block_of_fields_that_does_not_end_closes_its_connection() {
    let upstream = upstream().await;
    let gateway = before(&upstream, "header_timeout: 1s", "").await;
    for opening in ["after an exchange", "beside an exchange"] {
        let mut client =
            gateway.frames(if opening.starts_with("after") { 65_535 } else { 0 }).await;
        client.get(1, "/small").await;
        assert_eq!(client.until(HEADERS).await.stream, 1, "{opening}");
        client.send(frame(HEADERS, END_STREAM, 3, &head("/small"))).await;
        let continuation = frame(CONTINUATION, 0, 3, &[0; 1000]);
        client.send(&continuation[..9]).await;
        // A byte whenever the last one is through, and never the end.
        let mut drip = interval(Duration::from_millis(100));
        let started = Instant::now();
        let (mut reader, mut writer) = client.split();
        let dripping = tokio::spawn(async move {
            loop {
                drip.tick().await;
                if writer.write_all(&[0]).await.is_err() {
                    return;
                }
            }
        });
        let mut rest = Vec::new();
        let _ = wait::within("the connection's end", reader.read_to_end(&mut rest)).await;
        assert!(started.elapsed() > Duration::from_millis(900), "{:?}", started.elapsed());
        dripping.abort();
    }
    gateway.stop().await;
}

#[tokio::test]
async fn the_time_for_a_block_of_fields_does_not_run_between_requests() {
    let upstream = upstream().await;
    let gateway = before(&upstream, "header_timeout: 1s", "").await;
    let mut client = gateway.frames(65_535).await;
    let mut requests = interval(Duration::from_millis(400));
    for number in 0..6 {
        requests.tick().await;
        client.get(2 * number + 1, "/small").await;
        while client.until(DATA).await.flags & END_STREAM == 0 {}
    }
    drop(client);
    gateway.stop().await;
}

#[tokio::test]
async fn the_end_of_a_response_that_is_not_taken_up_is_reset_too() {
    let last = "x".repeat(20_000);
    let gateway = Gateway::start(&format!(
        r#"
        workers: 1
        limits: {{ body_idle: 1s }}
        routes: [{{ name: all, match: {{ path: /large }}, respond: {{ body: {last} }} }}]
        telemetry: {{ access_log: {{}} }}
        "#
    ))
    .await;
    let mut client = gateway.frames(10).await;
    client.get(1, "/large").await;
    assert_eq!(client.until(DATA).await.payload.len(), 10);
    assert_eq!(client.until(RST_STREAM).await.stream, 1);
    let line = wait::until("a line of the access log", async || {
        gateway.output().lines().find(|line| line.contains("/large")).map(str::to_owned)
    })
    .await;
    assert!(line.contains("the client took up nothing for 1s"), "{line}");

    // One that opens its window in the end gets all of it.
    client.get(3, "/large").await;
    let mut length = client.until(DATA).await.payload.len();
    client.open(3, 30_000).await;
    loop {
        let data = client.until(DATA).await;
        length += data.payload.len();
        if data.flags & END_STREAM != 0 {
            break;
        }
    }
    assert_eq!(length, last.len());
    drop(client);
    gateway.stop().await;
}

#[tokio::test]
async fn an_exchange_whose_client_sends_no_more_is_counted_and_logged() {
    const TIMES: usize = 30;
    let (upstream, _release) = Upstream::held().await;
    let gateway = before(&upstream, "", "").await;
    for _ in 0..TIMES {
        let mut client = gateway.raw().await;
        client.send("GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await;
        client.end().await;
        assert_eq!(client.rest().await, "");
    }
    wait::until("a line for each", async || {
        (gateway.output().lines().count() == TIMES).then_some(())
    })
    .await;
    for line in gateway.output().lines() {
        assert!(line.contains("\"status\":499,") && line.contains("the client left"), "{line}");
    }
    assert_eq!(ended(&gateway).await, TIMES as f64);
    gateway.stop().await;
}
