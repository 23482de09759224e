//! How long a body is, and how long it may be.

use tollgate_tests::{Upstream, client::request_with, raw::status};

use super::{before, channel};

#[tokio::test]
async fn a_length_goes_on_as_a_length_and_chunks_as_chunks() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream, "").await;
    let whole = gateway.post("/", &[], "four").await.json();
    assert_eq!(whole["headers"]["content-length"][0], "4");
    assert!(whole["headers"]["transfer-encoding"].is_null());

    let (sender, body) = channel();
    sender.send("four").unwrap();
    drop(sender);
    let chunked = gateway.send(request_with("POST", "/", &[], body)).await.json();
    assert_eq!(chunked["headers"]["transfer-encoding"][0], "chunked");
    assert!(chunked["headers"]["content-length"].is_null());
    assert_eq!(chunked["body"], "four");
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_above_the_limit_is_a_413_problem_however_it_is_framed() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream, "max_request_body: 1KiB").await;
    let fits = "x".repeat(1024);
    assert_eq!(gateway.post("/", &[], &fits).await.json()["body"], fits);

    let before = upstream.requests();
    let declared = gateway.post("/", &[], &format!("{fits}x")).await;
    assert_eq!(declared.problem(), "413 body-too-large");
    assert_eq!(upstream.requests(), before, "it was known before the upstream was asked");

    let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("400\r\n{fits}\r\n");
    let mut raw = gateway.raw().await;
    raw.send(format!("{head}{chunk}{chunk}0\r\n\r\n")).await;
    let reply = raw.head().await;
    assert_eq!(status(&reply), 413, "{reply}");
    assert!(reply.contains("application/problem+json"), "{reply}");
    drop(raw);
    gateway.stop().await;
}
