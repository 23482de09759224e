//! What chunk hooks see and make.

use http::Response;
use http_body_util::BodyExt;
use tollgate_tests::{
    Upstream,
    client::{full, request, request_with},
    wait,
};

use super::{chunks, sent_through, setup};
use crate::bodies::channel;

#[tokio::test]
async fn what_a_hook_returns_goes_on_in_the_chunks_place() {
    for (act, expected) in [
        ("keep: null", "the body"),
        ("upper: null", "THE BODY"),
        ("wrap: ['<', '>']", "<the body>"),
        ("hold: null", "the body"),
        ("double: null", "the bodythe body"),
        ("drop: null", ""),
        ("grow: 7", "ggggggg"),
        ("replace: [body, soul]", "the soul"),
    ] {
        let act = act.strip_suffix(": null").map_or(format!("{{ {act} }}"), str::to_owned);
        for side in ["request", "response"] {
            assert_eq!(sent_through(side, &act, "the body").await, expected, "{side} {act}");
        }
    }
}

#[tokio::test]
async fn requests_pass_in_list_order_and_responses_in_reverse() {
    let upstream = Upstream::echo().await;
    let uses = ["a", "b", "c"].map(|name| {
        format!("config: {{ request: {{ stamp: {name} }}, response: {{ stamp: {name} }} }}")
    });
    let uses: Vec<_> = uses.iter().map(String::as_str).collect();
    let gateway = chunks(&upstream, &uses).await;
    let reply = gateway.post("/", &[], "-").await.text();
    let seen = reply.strip_prefix("abc").expect("the first use has the response last");
    let seen: serde_json::Value = serde_json::from_str(seen).unwrap();
    assert_eq!(seen["body"], "cba-");
    gateway.stop().await;
}

#[tokio::test]
async fn chunks_come_as_they_arrive_and_the_last_one_comes_once() {
    let upstream =
        Upstream::new(async |request| Response::new(super::collected(request).await)).await;
    let usage = "config: { request: upper, response: upper, finish: true }";
    let gateway = chunks(&upstream, &[usage]).await;
    let (sender, body) = channel();
    sender.send("one ").unwrap();
    sender.send("two ").unwrap();
    sender.send("three").unwrap();
    drop(sender);
    let reply = gateway.send(request_with("POST", "/", &[], body)).await;
    assert_eq!(reply.text(), "ONE TWO THREE");
    let line = gateway.logged(&["finished"]).await;
    let seen = |side: &str, numbers: &str| line.contains(&format!(r#"{side}=\"{numbers}\""#));
    assert!(seen("response", "1/13/1"), "{line}");
    // Three pieces, of which the network may join some, and the end.
    let joined = ["4/5/1", "3/9/1", "3/8/1", "2/13/1", "3/5/1", "2/9/1", "2/8/1", "1/13/1"];
    assert!(joined.iter().any(|numbers| seen("request", numbers)), "{line}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_message_without_a_body_has_no_chunks() {
    let upstream = Upstream::echo().await;
    let usage = "config: { request: { wrap: ['<', '>'] }, response: { wrap: ['<', '>'] } }";
    let gateway = chunks(&upstream, &[usage]).await;
    let reply = gateway.get("/", &[]).await.text();
    assert!(reply.starts_with('<') && reply.ends_with('>'), "{reply}");
    assert!(reply.contains(r#""body":"""#), "{reply}");
    let head = gateway.send(request("HEAD", "/", &[], "")).await;
    assert_eq!((head.status, head.text().as_str()), (200, ""));
    gateway.stop().await;
}

#[tokio::test]
async fn a_get_with_a_body_keeps_it() {
    for protocol in ["http1", "http2"] {
        let upstream = match protocol {
            "http1" => Upstream::echo().await,
            _ => Upstream::http2(tollgate_tests::upstream::echo).await,
        };
        let gateway = setup(&upstream, protocol, &["config: { request: upper }"]).start().await;
        let seen = gateway.send(request("GET", "/", &[], "the body")).await.json();
        assert_eq!(seen["body"], "THE BODY", "{protocol}: {seen}");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_word_is_found_wherever_chunks_cut_it() {
    let upstream =
        Upstream::new(async |request| Response::new(super::collected(request).await)).await;
    let usage = "config: { request: { replace: [secret, '***'] } }";
    let gateway = chunks(&upstream, &[usage]).await;
    let (sender, body) = channel();
    let mut connection = gateway.connect().await;
    let reply =
        tokio::spawn(async move { connection.send(request_with("POST", "/", &[], body)).await });
    for piece in ["a s", "ecr", "et b", " secre", "c secret s", "e"] {
        sender.send(piece).unwrap();
        // Something between the pieces, so that they arrive one by one.
        gateway.get("/ping", &[]).await;
    }
    drop(sender);
    assert_eq!(reply.await.unwrap().text(), "a *** b secrec *** se");
    gateway.stop().await;
}

#[tokio::test]
async fn large_pieces_are_cut() {
    let body = "x".repeat(1 << 20);
    let upstream =
        Upstream::new(async |request| Response::new(super::collected(request).await)).await;
    let gateway = chunks(
        &upstream,
        &[
            "config: { request: { grow: 100000 } }",
            "config: { request: upper, response: upper, finish: true }",
        ],
    )
    .await;
    let reply = gateway.post("/", &[], &body).await;
    assert_eq!(reply.body.len() % 100_000, 0);
    assert!(reply.body.iter().all(|byte| *byte == b'G'));
    let line = gateway.logged(&["finished"]).await;
    assert!(line.contains("/65536/1"), "{line}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_chunk_goes_on_before_the_next_one_comes() {
    let upstream = Upstream::new(async |request| {
        Response::new(request.into_body().map_err(std::io::Error::other).boxed())
    })
    .await;
    let gateway =
        chunks(&upstream, &["config: { request: upper, response: { stamp: '>' } }"]).await;
    let (sender, body) = channel();
    let mut connection = gateway.connect().await;
    sender.send("one").unwrap();
    let mut response = connection.begin(request_with("POST", "/", &[], body)).await;
    for (piece, next) in [(">ONE", Some("two")), (">TWO", Some("three")), (">THREE", None)] {
        let frame = wait::within("a piece", response.frame()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), piece);
        if let Some(next) = next {
            sender.send(next).unwrap();
        }
    }
    drop(sender);
    // The last chunk is empty, and stamped.
    let frame = wait::within("the last piece", response.frame()).await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), ">");
    assert!(wait::within("the end", response.frame()).await.is_none());
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn problems_of_the_gateway_pass_the_hooks_too() {
    let gateway = chunks(&"127.0.0.1:1", &["config: { response: upper }"]).await;
    let reply = gateway.get("/", &[]).await;
    assert_eq!(reply.status, 502);
    assert!(reply.text().contains("UPSTREAM-UNREACHABLE"), "{}", reply.text());
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_that_a_plugin_reads_or_sets_passes_the_hooks_after_that() {
    let upstream = Upstream::echo().await;
    let gateway = tollgate_tests::Setup::new(&format!(
        r#"
        workers: 1
        plugins:
          upper: {{ component: chunks, {grants}, config: {{ request: upper, response: {{ stamp: '>' }} }} }}
          reads: {{ component: probe, {grants}, config: {{ request: [{{ show: body }}], response: [{{ show: body }}] }} }}
          sets: {{ component: probe, {grants}, config: {{ request: [{{ set_body: another }}], response: [{{ set_body: mine }}] }} }}
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes:
          - {{ name: reads, match: {{ path: /reads }}, upstream: u, plugins: [upper, reads] }}
          - {{ name: sets, match: {{ path: /sets }}, upstream: u, plugins: [sets, upper] }}
        "#,
        grants = super::GRANTS
    ))
    .plugin("probe")
    .plugin("chunks")
    .start()
    .await;
    let reply = gateway.post("/reads", &[], "the body").await;
    let seen: serde_json::Value =
        serde_json::from_str(reply.text().strip_prefix('>').unwrap()).unwrap();
    assert_eq!(seen["body"], "THE BODY");
    assert_eq!(seen["headers"]["x-probe"][0], "the body", "the hooks come after the read");
    let reply = gateway.post("/sets", &[], "the body").await;
    assert_eq!(reply.text(), ">mine");
    gateway.stop().await;
}

#[tokio::test]
async fn trailers_go_on_after_the_last_chunk() {
    let upstream = Upstream::http2(async |request| {
        let body = request.into_body().collect().await.unwrap();
        let sum = body.trailers().and_then(|trailers| trailers.get("x-sum").cloned());
        let trailers = sum.map(|sum| [(http::HeaderName::from_static("x-sum"), sum)]);
        let trailers: http::HeaderMap = trailers.into_iter().flatten().collect();
        let body = full(body.to_bytes());
        Response::new(body.with_trailers(async { Some(Ok(trailers)) }).boxed())
    })
    .await;
    let usage = "config: { request: { wrap: ['<', '>'] }, response: { wrap: ['[', ']'] } }";
    let gateway = setup(&upstream, "http2", &[usage]).start().await;
    let mut connection = gateway.connect_http2().await;
    let trailers: http::HeaderMap =
        [(http::HeaderName::from_static("x-sum"), "42".parse().unwrap())].into_iter().collect();
    let body = full("the body").with_trailers(async { Some(Ok(trailers)) }).boxed();
    let reply = connection.send(request_with("POST", "/", &[("te", "trailers")], body)).await;
    assert_eq!(reply.text(), "[<the body>]");
    assert_eq!(reply.trailers.expect("trailers")["x-sum"], "42");
    drop(connection);
    gateway.stop().await;
}
