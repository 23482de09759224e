//! Upstreams that are not there, are silent, or talk nonsense.

use std::time::Instant;

use http::Response;
use tokio::{io::AsyncReadExt, net::TcpListener};
use tollgate_tests::{
    Gateway, Recorder, Upstream,
    client::{full, request, request_with},
    raw::status,
    recorder::{
        Act::{Close, Head, Send},
        OK,
    },
    upstream::echo,
    wait,
};

use super::{before, nobody};

#[tokio::test]
async fn an_empty_host_is_none_for_upstreams_of_both_protocols() {
    let [http1, http2] = [Upstream::echo().await, Upstream::http2(echo).await];
    for (upstream, protocol) in [(http1, "http1"), (http2, "http2")] {
        let gateway = before(&format!("\"{upstream}\""), &format!("protocol: {protocol}")).await;
        let reply =
            gateway.raw_exchange("GET / HTTP/1.1\r\nhost:\r\nconnection: close\r\n\r\n").await;
        assert_eq!(status(&reply), 200, "{protocol}: {reply}");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn nobody_there_is_a_502_problem() {
    let (first, second) = (nobody().await, nobody().await);
    let gateway = before(&format!("\"{first}\", \"{second}\""), "").await;
    let reply = gateway.get("/", &[]).await;
    assert_eq!(reply.problem(), "502 upstream-unreachable");
    assert!(!reply.text().contains("127.0.0.1"), "{}", reply.text());
    // The log tells of every endpoint: any may be the one that matters.
    gateway.logged(&["before that", &format!("to {first}:"), &format!("to {second}:")]).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_name_that_nobody_has_is_a_502_problem() {
    let gateway = before("\"nobody.invalid:80\"", "").await;
    assert_eq!(gateway.get("/", &[]).await.problem(), "502 upstream-unreachable");
    gateway.stop().await;
}

#[tokio::test]
async fn silence_is_a_504_problem() {
    let upstream = Recorder::scripted(&[&[Head]]).await;
    let gateway = before(&format!("\"{upstream}\""), "timeouts: { first_byte: 200ms }").await;
    let started = Instant::now();
    assert_eq!(gateway.get("/", &[]).await.problem(), "504 upstream-timeout");
    assert!(started.elapsed().as_millis() >= 200);
    // A connection on which an answer is owed is of no use to others.
    assert_eq!(gateway.get("/", &[]).await.problem(), "504 upstream-timeout");
    assert_eq!(upstream.records().len(), 2);
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_that_stops_coming_breaks_the_response_off() {
    let upstream =
        Recorder::scripted(&[&[Head, Send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart")]])
            .await;
    let gateway = before(&format!("\"{upstream}\""), "timeouts: { idle: 200ms }").await;
    let reply = gateway.connect().await.try_send(request("GET", "/", &[], "")).await;
    assert!(reply.is_err(), "{reply:?}");
    let failures = [("upstream", "u"), ("reason", "timed-out")];
    assert_eq!(gateway.metric("tollgate_upstream_failures_total", &failures).await, 1.0);
    gateway.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_a_502_problem() {
    for answer in [
        "garbage\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx-a: 1\0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx-a : 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        "",
    ] {
        let script: &'static [_] = Box::leak(Box::new([Head, Send(answer), Close]));
        let upstream = Recorder::scripted(Box::leak(Box::new([script]))).await;
        let gateway = before(&format!("\"{upstream}\""), "").await;
        let reply = gateway.get("/", &[]).await;
        assert_eq!(reply.problem(), "502 upstream-protocol", "{answer:?}");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_response_with_both_framings_is_not_passed_on_with_both() {
    let upstream = Recorder::scripted(&[
        &[
            Head,
            Send("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"),
        ],
        &[Head, Send(OK), Head, Send(OK)],
    ])
    .await;
    let gateway = before(&format!("\"{upstream}\""), "").await;
    let mut client = gateway.raw().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let head = client.head().await.to_lowercase();
    let both = head.contains("content-length") && head.contains("transfer-encoding");
    assert!(!both, "{head}");
    if head.starts_with("http/1.1 200") {
        assert!(!head.contains("content-length: 3"), "{head}");
    }
    drop(client);
    assert_eq!(gateway.get("/", &[]).await.text(), "ok");
    gateway.stop().await;
}

#[tokio::test]
async fn the_time_of_a_route_bounds_the_whole_exchange() {
    let upstream = Recorder::scripted(&[&[Head]]).await;
    let gateway = Gateway::start(&format!(
        r#"
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes: [{{ name: all, match: {{ path: "/" }}, upstream: u, timeout: 200ms }}]
        "#
    ))
    .await;
    assert_eq!(gateway.get("/", &[]).await.problem(), "504 upstream-timeout");
    gateway.stop().await;
}

#[tokio::test]
async fn an_upstream_that_does_not_read_a_body_on_is_a_504_problem_and_let_go() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let gateway = before(&format!("\"{address}\""), "timeouts: { idle: 1s }").await;
    // More than the buffers on the way hold.
    let body = request_with("POST", "/", &[], full(vec![b'x'; 64 << 20]));
    let mut client = gateway.connect().await;
    let (reply, mut stream) = tokio::join!(client.send(body), async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 100]).await.unwrap();
        stream
    });
    assert_eq!(reply.problem(), "504 upstream-timeout");
    let mut rest = Vec::new();
    // It ends, in whichever way.
    let _ = wait::within("the connection's end", stream.read_to_end(&mut rest)).await;
    assert!(rest.len() < 64 << 20);
    gateway.stop().await;
}

#[tokio::test]
async fn a_response_head_above_its_bound_is_a_502_problem() {
    for (length, expected) in [(200_000, 200), (300_000, 502)] {
        let answer = move |_| async move {
            let mut response = Response::new(full("here"));
            response.headers_mut().insert("x-long", "x".repeat(length).parse().unwrap());
            response
        };
        let (http1, http2) = (Upstream::new(answer).await, Upstream::http2(answer).await);
        for (upstream, protocol) in [(http1, "http1"), (http2, "http2")] {
            let more = format!("protocol: {protocol}");
            let gateway = before(&format!("\"{upstream}\""), &more).await;
            let reply = gateway.get("/", &[]).await;
            assert_eq!(reply.status, expected, "{length} over {protocol}");
            if expected == 502 {
                assert_eq!(reply.problem(), "502 upstream-protocol");
            }
            gateway.stop().await;
        }
    }
}

#[tokio::test]
async fn of_an_upstreams_failures_only_so_many_are_told_and_the_others_are_counted() {
    const TIMES: u64 = 60;
    let gateway = before(&format!("\"{}\"", nobody().await), "").await;
    let mut connection = gateway.connect().await;
    for _ in 0..TIMES {
        let reply = connection.send(request("GET", "/", &[], "")).await;
        assert_eq!(reply.problem(), "502 upstream-unreachable");
    }
    let counted = "more failures of an upstream, not told";
    gateway.tells_few(TIMES, "answered with a problem", counted).await;
    drop(connection);
    gateway.stop().await;
}
