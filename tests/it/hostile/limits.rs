//! Heads and bodies that are too large or too slow.

use std::time::{Duration, Instant};

use tollgate_tests::{
    Gateway, Recorder, Setup,
    certs::Authority,
    client::request,
    frames::DATA,
    raw::status,
    recorder::{
        Act::{Head, Send},
        OK,
    },
    tls::Dial,
    wait,
};

use super::before;

/// The whole answer to one request; the problem's type has to be in it.
async fn check(gateway: &Gateway, request: &str, expected: u16, kind: &str) {
    let reply = gateway.raw_exchange(request).await;
    let start: String = request.chars().take(60).collect();
    assert_eq!(status(&reply), expected, "{start:?}: {reply}");
    assert!(reply.contains("application/problem+json"), "{start:?}: {reply}");
    assert!(reply.contains(&format!("/{kind}\"")), "{start:?}: {reply}");
}

fn with(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{fields}\r\n")
}

#[tokio::test]
async fn a_flood_of_fields_is_a_431_problem() {
    let upstream = Recorder::new().await;
    let gateway = before(&upstream, "").await;
    check(&gateway, &with(&"x-a: 1\r\n".repeat(99)), 431, "header-too-large").await;
    check(&gateway, &with(&"x-a: 1\r\n".repeat(5000)), 431, "header-too-large").await;
    check(&gateway, &with(&format!("x-a: {}\r\n", "1".repeat(70 << 10))), 431, "header-too-large")
        .await;
    check(&gateway, &with(&format!("{}: 1\r\n", "x".repeat(70 << 10))), 431, "header-too-large")
        .await;
    assert_eq!(upstream.all(), "");
    let reply = gateway.raw_exchange(with(&"x-a: 1\r\n".repeat(98))).await;
    assert_eq!(status(&reply), 200, "{reply}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_large_head_over_http2_is_a_431_problem_in_the_log() {
    let upstream = Recorder::new().await;
    let gateway = before(&upstream, "telemetry: { access_log: {} }").await;
    let mut connection = gateway.connect_http2().await;
    let filler = "1".repeat(40 << 10);
    let fits = connection.send(request("GET", "/fits", &[("x-a", &filler)], "")).await;
    assert_eq!(fits.status, 200);
    let more = [("x-a", filler.as_str()), ("x-b", &filler)];
    let refused = connection.send(request("GET", "/refused", &more, "")).await;
    assert_eq!(refused.status, 431);
    assert!(refused.text().contains("/header-too-large\""), "{}", refused.text());
    wait::until("a line", async || gateway.output().contains("\"status\":431").then_some(())).await;
    assert!(!upstream.all().contains("/refused"));
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn the_limits_of_heads_are_configurable() {
    let upstream = Recorder::new().await;
    let limits = "limits: { max_headers: 4, max_header_bytes: 8KiB, max_uri_bytes: 64 }";
    let gateway = before(&upstream, limits).await;
    check(&gateway, &with("a: 1\r\nb: 1\r\nc: 1\r\n"), 431, "header-too-large").await;
    check(&gateway, &with(&format!("a: {}\r\n", "1".repeat(9 << 10))), 431, "header-too-large")
        .await;
    let long = format!("GET /{} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", "x".repeat(64));
    check(&gateway, &long, 414, "uri-too-long").await;
    assert_eq!(upstream.all(), "");
    gateway.stop().await;
}

#[tokio::test]
async fn a_huge_target_is_a_414_problem() {
    let upstream = Recorder::new().await;
    let gateway = before(&upstream, "").await;
    let request = |length: usize| {
        let target = "x".repeat(length);
        format!("GET /{target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    };
    check(&gateway, &request(17 << 10), 414, "uri-too-long").await;
    check(&gateway, &request(63 << 10), 414, "uri-too-long").await;
    // Where the target alone is more than a whole head may be, both are true.
    let reply = gateway.raw_exchange(request(100 << 10)).await;
    assert!([414, 431].contains(&status(&reply)), "{reply}");
    assert_eq!(upstream.all(), "");
    gateway.stop().await;
}

#[tokio::test]
async fn a_head_that_does_not_end_in_time_is_a_408_problem() {
    let upstream = Recorder::new().await;
    let gateway = before(&upstream, "limits: { header_timeout: 1s }").await;
    for start in ["G", "GET / HTTP/1.1\r\nhost: a\r\nx-a: 1\r\n"] {
        let started = Instant::now();
        check(&gateway, start, 408, "request-timeout").await;
        assert!(started.elapsed().as_millis() >= 900, "{:?}", started.elapsed());
    }
    assert_eq!(upstream.all(), "");
    gateway.stop().await;
}

#[tokio::test]
async fn a_head_that_drips_does_not_get_more_time() {
    let upstream = Recorder::new().await;
    let gateway = before(&upstream, "limits: { header_timeout: 1s }").await;
    let mut client = gateway.raw().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n").await;
    let (mut reader, mut writer) = client.into_stream().into_split();
    let started = Instant::now();
    let dripping = tokio::spawn(async move {
        // A byte whenever the last one is through; the connection's end ends it.
        let mut drip = tokio::time::interval(Duration::from_millis(100));
        loop {
            drip.tick().await;
            if tokio::io::AsyncWriteExt::write_all(&mut writer, b"x").await.is_err() {
                return;
            }
        }
    });
    let mut reply = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut reply).await;
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
    assert_eq!(status(&String::from_utf8_lossy(&reply)), 408);
    dripping.abort();
    gateway.stop().await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let upstream = Recorder::new().await;
    let gateway = before(&upstream, "limits: { header_timeout: 1s }").await;
    let reply = gateway.raw_exchange("").await;
    assert!(reply.is_empty() || status(&reply) == 408, "{reply}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_that_does_not_go_on_in_time_is_a_408_problem() {
    let upstream = Recorder::scripted(&[&[Head]]).await;
    let gateway = before(&upstream, "limits: { body_idle: 1s }").await;
    let slow = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\npart";
    check(&gateway, slow, 408, "request-timeout").await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_kept_connection_is_closed_when_it_is_idle_for_too_long() {
    let upstream = Recorder::new().await;
    let gateway = before(&upstream, "limits: { keepalive_idle: 1s }").await;
    let reply = gateway.raw_exchange("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(status(&reply), 200, "{reply}");
    assert_eq!(reply.matches("HTTP/1.1 ").count(), 1, "{reply}");
    gateway.stop().await;
}

#[tokio::test]
async fn the_time_for_a_head_does_not_run_between_requests() {
    let upstream = Recorder::scripted(&[&[Head, Send(OK), Head, Send(OK)]]).await;
    let gateway = before(&upstream, "limits: { header_timeout: 1s }").await;
    let mut kept = gateway.raw().await;
    let request = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    kept.send(request).await;
    assert_eq!(status(&kept.response().await), 200);
    // Heads that begin later than the answer above, and are given up.
    for _ in 0..2 {
        check(&gateway, "G", 408, "request-timeout").await;
    }
    kept.send(request).await;
    assert_eq!(status(&kept.response().await), 200);
    drop(kept);
    gateway.stop().await;
}

#[tokio::test]
async fn connections_above_the_limit_wait_until_one_ends() {
    let gateway = Gateway::start(
        "workers: 1\nlimits: { max_connections: 2 }\nroutes: [{ name: a, match: { path: / }, respond: {} }]",
    )
    .await;
    let mut open = vec![gateway.raw().await, gateway.raw().await];
    let (request, end) = ("GET / HTTP/1.1\r\nhost: a\r\n", "\r\n");
    for client in &mut open {
        client.send(request).await;
        client.send(end).await;
        assert_eq!(status(&client.head().await), 200);
        // It has asked for more.
        client.send(request).await;
    }
    let mut third = gateway.raw().await;
    third.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    open.pop();
    let reply = third.rest().await;
    assert!([200, 503].contains(&status(&reply)) || reply.is_empty(), "{reply}");
    // The first of them was never harmed.
    open[0].send(end).await;
    assert_eq!(status(&open[0].head().await), 200);
    drop(open);
    gateway.stop().await;
}

#[tokio::test]
async fn a_connection_without_a_request_makes_room_for_a_client_that_waits() {
    let gateway = Gateway::start(
        "workers: 1\nlimits: { max_connections: 1 }\nroutes: [{ name: a, match: { path: / }, respond: {} }]",
    )
    .await;
    let request = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut idle = gateway.raw().await;
    idle.send(request).await;
    assert_eq!(status(&idle.head().await), 200);
    let mut other = gateway.raw().await;
    other.send(request).await;
    assert_eq!(status(&other.head().await), 200);
    assert_eq!(idle.rest().await, "");
    gateway.logged(&["a client waits for one to close"]).await;
    assert_eq!(gateway.metric("tollgate_connections_delayed_total", &[]).await, 1.0);
    gateway.stop().await;
}

#[tokio::test]
async fn clients_that_say_nothing_make_room_too() {
    let gateway = Gateway::start(
        "workers: 1\nlimits: { max_connections: 1, header_timeout: 1m }\nroutes: [{ name: a, match: { path: / }, respond: {} }]",
    )
    .await;
    let ask = async || {
        let mut client = gateway.raw().await;
        client.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        client.head().await
    };
    let mut silent = gateway.raw().await;
    assert_eq!(status(&ask().await), 200);
    assert_eq!(silent.rest().await, "");
    // One that acknowledges nothing of what it is told.
    let mut gone = gateway.frames(1 << 16).await;
    gone.get(1, "/").await;
    gone.until(1).await;
    assert_eq!(status(&ask().await), 200);
    gateway.stop().await;
}

#[tokio::test]
async fn who_takes_up_a_response_slowly_does_not_make_room() {
    let body = "x".repeat(12_000);
    let gateway = Gateway::start(&format!(
        "workers: 1\nlimits: {{ max_connections: 1 }}\nroutes: [{{ name: a, match: {{ path: / }}, respond: {{ body: \"{body}\" }} }}]",
    ))
    .await;
    let mut slow = gateway.frames(1500).await;
    slow.get(1, "/").await;
    let mut other = gateway.raw().await;
    other.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    // The gateway has handed all of it over at once; a client that waits closes what is idle.
    let mut pace = tokio::time::interval(Duration::from_millis(600));
    let mut received = 0;
    while received < body.len() {
        let frame = slow.next().await.expect("the connection stays");
        if frame.kind == DATA && !frame.payload.is_empty() {
            received += frame.payload.len();
            pace.tick().await;
            slow.open(1, 1500).await;
        }
    }
    drop(slow);
    assert_eq!(status(&other.head().await), 200);
    gateway.stop().await;
}

#[tokio::test]
async fn a_silent_tls_client_makes_room() {
    let authority = Authority::default();
    let certificate = authority.server(&["gateway.test"]);
    let gateway = Setup::new(
        r#"
        workers: 1
        limits: { max_connections: 1, header_timeout: 1m }
        listeners: [{ address: "127.0.0.1:0", tls: { certificates: [{ certificate: a.pem, key: a.key }] } }]
        routes: [{ name: a, match: { path: / }, respond: {} }]
        "#,
    )
    .file("a.pem", &certificate.pem)
    .file("a.key", &certificate.key)
    .start()
    .await;
    let mut silent = gateway.raw().await;
    let mut asking = Dial::new(&authority, "gateway.test").http1(gateway.address()).await;
    assert_eq!(asking.send(request("GET", "/", &[], "")).await.status, 200);
    assert_eq!(silent.rest().await, "");
    drop(asking);
    gateway.stop().await;
}

#[tokio::test]
async fn requests_that_never_became_one_are_counted_and_logged() {
    let upstream = Recorder::new().await;
    let more = "limits: { header_timeout: 1s }\ntelemetry: { access_log: {} }";
    let gateway = before(&upstream, more).await;
    check(&gateway, "G", 408, "request-timeout").await;
    check(&gateway, &with(&"x-a: 1\r\n".repeat(5000)), 431, "header-too-large").await;
    check(&gateway, "no request at all\r\n\r\n", 400, "bad-request").await;
    // Who says nothing has asked for nothing.
    gateway.raw_exchange("").await;
    let name = "http_server_request_duration_seconds_count";
    let labels = [("route", ""), ("method", "other"), ("status_class", "4xx")];
    assert_eq!(gateway.metric(name, &labels).await, 3.0);
    assert_eq!(gateway.metric(name, &[]).await, 3.0);
    for status in [408, 431, 400] {
        wait::until(&format!("a line of {status}"), async || {
            let output = gateway.output();
            let line =
                output.lines().find(|line| line.contains(&format!("\"status\":{status}")))?;
            assert!(line.contains("\"client\":\"127.0.0.1\""), "{line}");
            Some(())
        })
        .await;
    }
    gateway.stop().await;
}
