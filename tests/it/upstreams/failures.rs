//! Upstreams that refuse, are silent, or talk nonsense.

use std::{io, net::SocketAddr, time::Instant};

use futures_util::future::join_all;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
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

use super::before;

/// An address where nobody listens. No other server of the tests has one of this host.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.2:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn an_endpoint_that_refuses_is_passed_over() {
    let upstream = Upstream::text("here").await;
    let gateway = before(&format!("\"{}\", \"{upstream}\"", nobody().await), "").await;
    for method in ["GET", "POST"].repeat(5) {
        let reply = gateway.send(request(method, "/", &[], "")).await;
        assert_eq!((reply.status, reply.text().as_str()), (200, "here"), "{method}");
    }
    let of_nobody = [("upstream", "u"), ("reason", "unreachable")];
    assert!(gateway.metric("tollgate_upstream_failures_total", &of_nobody).await > 0.5);
    gateway.stop().await;
}

#[tokio::test]
async fn endpoints_that_refuse_rest_and_are_tried_again() {
    let upstream = Upstream::text("here").await;
    let dead = join_all((0..5).map(|_| nobody())).await;
    let endpoints: String = dead.iter().map(|address| format!("\"{address}\", ")).collect();
    let gateway = before(&format!("{endpoints}\"{upstream}\""), "").await;
    let back = dead[1];
    // Once each has refused, whoever comes gets an answer.
    wait::until("all five rest", async || {
        gateway.get("/", &[]).await;
        let status = gateway.status().await;
        (status["upstreams"][0]["resting"].as_array()?.len() == 5).then_some(())
    })
    .await;
    for _ in 0..30 {
        assert_eq!(gateway.get("/", &[]).await.text(), "here");
    }
    let resting = [("upstream", "u"), ("state", "resting")];
    assert_eq!(gateway.metric("tollgate_upstream_endpoints", &resting).await, 5.0);
    gateway.logged(&["an endpoint gives no connection, and rests", &back.to_string()]).await;
    let _returned = Upstream::text_at(back, "back").await;
    wait::until("it is asked again", async || {
        (gateway.get("/", &[]).await.text() == "back").then_some(())
    })
    .await;
    gateway.logged(&["an endpoint gives connections again", &back.to_string()]).await;
    gateway.stop().await;
}

#[tokio::test]
async fn the_turns_of_one_that_rests_go_round_by_weight() {
    let (light, heavy) = (Upstream::text("light").await, Upstream::text("heavy").await);
    let weighted =
        |address: &str, weight| format!("{{ address: \"{address}\", weight: {weight} }}");
    let dead = weighted(&nobody().await.to_string(), 10);
    let endpoints =
        [dead, weighted(&light.to_string(), 1), weighted(&heavy.to_string(), 9)].join(", ");
    let gateway = before(&endpoints, "").await;
    for _ in 0..200 {
        assert_eq!(gateway.get("/", &[]).await.status, 200);
    }
    assert!(heavy.requests() > 6 * light.requests(), "{}", light.requests());
    assert!(light.requests() > 10, "{}", light.requests());
    gateway.stop().await;
}

#[tokio::test]
async fn what_a_client_does_to_its_own_body_is_no_failure_of_the_upstream() {
    let [http1, http2] = [Upstream::echo().await, Upstream::http2(echo).await];
    for (upstream, protocol) in [(http1, "http1"), (http2, "http2")] {
        let gateway = Gateway::start(&format!(
            r#"
            workers: 1
            limits: {{ body_idle: 300ms, max_request_body: 1KiB }}
            upstreams: {{ u: {{ endpoints: ["{upstream}"], protocol: {protocol} }} }}
            routes: [{{ name: all, match: {{ path: "/{{*rest}}" }}, upstream: u }}]
            "#
        ))
        .await;
        let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc";
        let large = format!("\r\n800\r\n{}\r\n0\r\n\r\n", "x".repeat(0x800));
        for (rest, expected) in [("", 408), (large.as_str(), 413), ("XX\r\n0", 400)] {
            let mut client = gateway.raw().await;
            client.send(format!("{head}{rest}")).await;
            assert_eq!(status(&client.response().await), expected, "{protocol}: {rest:.9}");
        }
        assert_eq!(
            gateway.metric("tollgate_upstream_failures_total", &[]).await,
            0.0,
            "{protocol}"
        );
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_clients_fault_within_a_response_is_no_failure_of_the_upstream_either() {
    // It answers before it reads, and its answer ends with the request.
    let answering = async |request: Request<Incoming>| {
        Response::new(request.into_body().map_err(io::Error::other).boxed())
    };
    let [http1, http2] = [Upstream::new(answering).await, Upstream::http2(answering).await];
    for (upstream, protocol) in [(http1, "http1"), (http2, "http2")] {
        let gateway = Gateway::start(&format!(
            r#"
            workers: 1
            limits: {{ body_idle: 300ms }}
            upstreams: {{ u: {{ endpoints: ["{upstream}"], protocol: {protocol} }} }}
            routes: [{{ name: all, match: {{ path: "/{{*rest}}" }}, upstream: u }}]
            telemetry: {{ access_log: {{}} }}
            "#
        ))
        .await;
        let mut client = gateway.raw().await;
        client
            .send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
            .await;
        assert_eq!(status(&client.head().await), 200, "{protocol}");
        client.rest().await;
        wait::until("its line", async || gateway.output().contains("sent nothing").then_some(()))
            .await;
        assert_eq!(
            gateway.metric("tollgate_upstream_failures_total", &[]).await,
            0.0,
            "{protocol}"
        );
        gateway.stop().await;
    }
}

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
async fn an_upstream_of_which_all_rest_is_asked_all_the_same() {
    let place = nobody().await;
    let gateway = before(&format!("\"{place}\""), "").await;
    assert_eq!(gateway.get("/", &[]).await.problem(), "502 upstream-unreachable");
    let ready = gateway.admin("/readyz").await.text();
    assert!(ready.contains("degraded: upstream `u` has no address that takes"), "{ready}");
    let _upstream = Upstream::text_at(place, "here").await;
    assert_eq!(gateway.get("/", &[]).await.text(), "here");
    assert_eq!(gateway.admin("/readyz").await.text(), "ready\n");
    gateway.stop().await;
}

#[tokio::test]
async fn a_heavy_endpoint_that_refuses_is_passed_over_too() {
    let upstream = Upstream::text("here").await;
    let nobody = nobody().await;
    let endpoints = format!("{{ address: \"{nobody}\", weight: 10 }}, \"{upstream}\"");
    let gateway = before(&endpoints, "").await;
    for _ in 0..22 {
        assert_eq!(gateway.get("/", &[]).await.status, 200);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_is_whole_after_an_endpoint_has_been_passed_over() {
    let upstream = Upstream::echo().await;
    let gateway = before(&format!("\"{}\", \"{upstream}\"", nobody().await), "").await;
    for _ in 0..4 {
        assert_eq!(gateway.post("/", &[], "a body").await.json()["body"], "a body");
    }
    gateway.stop().await;
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
async fn an_upstream_that_comes_back_is_used_again() {
    let place = nobody().await;
    let gateway = before(&format!("\"{place}\""), "").await;
    assert_eq!(gateway.get("/", &[]).await.problem(), "502 upstream-unreachable");
    let listener = TcpListener::bind(&place).await.unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // Not before it is asked: an answer to nothing is none.
        stream.peek(&mut [0]).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, OK.as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
    });
    assert_eq!(gateway.get("/", &[]).await.text(), "ok");
    serving.abort();
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
