//! Bodies in the hands of plugins.

use tollgate_tests::{Upstream, client::request};

use super::{lines, probe};

#[tokio::test]
async fn a_granted_request_body_can_be_read_again_and_again_and_still_goes_on() {
    let upstream = Upstream::echo().await;
    let usage = "grants: { request_body: true }, config: { request: [{ show: body }, { show: body }, { set_header: [x-late, '1'] }] }";
    let gateway = probe(&upstream, usage).await;
    let seen = gateway.post("/", &[], "the body").await.json();
    assert_eq!(lines(&seen["headers"]["x-probe"]), ["the body", "the body", "ok"]);
    assert_eq!(seen["headers"]["x-late"][0], "1");
    assert_eq!(seen["body"], "the body");
    gateway.stop().await;
}

#[tokio::test]
async fn a_request_body_can_be_replaced_and_the_length_follows() {
    let upstream = Upstream::echo().await;
    let usage = "grants: { request_body: true }, config: { request: [{ set_body: 'another one' }, { show: body }] }";
    let gateway = probe(&upstream, usage).await;
    for (method, body) in [("POST", "the body"), ("POST", ""), ("GET", "")] {
        let seen = gateway.send(request(method, "/", &[], body)).await.json();
        assert_eq!(seen["body"], "another one");
        assert_eq!(seen["headers"]["content-length"][0], "11");
        assert!(seen["headers"]["transfer-encoding"].is_null());
        assert_eq!(lines(&seen["headers"]["x-probe"]), ["ok", "another one"]);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_response_body_can_be_read_and_replaced_and_the_length_follows() {
    let upstream = Upstream::text("the body").await;
    let usage = "grants: { response_body: true }, config: { response: [{ show: body }, { set_body: 'another one' }, { show: body }] }";
    let gateway = probe(&upstream, usage).await;
    let reply = gateway.get("/", &[]).await;
    assert_eq!(reply.header("x-probe"), "the body, ok, another one");
    assert_eq!(
        (reply.text().as_str(), reply.header("content-length").as_str()),
        ("another one", "11")
    );
    let head = gateway.send(request("HEAD", "/", &[], "")).await;
    assert_eq!(head.text(), "");
    gateway.stop().await;
}

#[tokio::test]
async fn bodies_that_are_not_granted_stay_closed() {
    let upstream = Upstream::echo().await;
    let usage = "config: { request: [{ show: body }, { set_body: x }], response: [{ show: body }, { set_body: x }] }";
    let gateway = probe(&upstream, usage).await;
    let reply = gateway.post("/", &[], "the body").await;
    assert_eq!(reply.json()["body"], "the body");
    assert_eq!(lines(&reply.json()["headers"]["x-probe"]), ["not-granted", "not-granted"]);
    assert_eq!(reply.header("x-probe"), "not-granted, not-granted");
    for grant in ["request_body", "response_body"] {
        let labels = [("plugin", "probe"), ("grant", grant)];
        assert_eq!(gateway.metric("tollgate_plugin_denied_total", &labels).await, 2.0, "{grant}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_above_the_limit_is_too_large_and_the_exchange_goes_on() {
    let upstream = Upstream::echo().await;
    let usage = "limits: { max_body: 100 }, grants: { request_body: true, response_body: true }, config: { request: [{ show: body }], response: [{ show: body }] }";
    let gateway = probe(&upstream, usage).await;
    let body = "x".repeat(101);
    let reply = gateway.post("/", &[], &body).await;
    assert_eq!(reply.status, 200);
    assert_eq!(lines(&reply.json()["headers"]["x-probe"]), ["too-large 100"]);
    assert_eq!(reply.json()["body"], body);
    assert_eq!(reply.header("x-probe"), "too-large 100");
    let fits = gateway.post("/", &[], &"x".repeat(100)).await;
    assert_eq!(lines(&fits.json()["headers"]["x-probe"]), ["100 bytes"]);
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_that_breaks_off_is_told_to_the_plugin_and_never_sent() {
    let upstream = Upstream::echo().await;
    let usage =
        "grants: { request_body: true }, config: { request: [{ show: body }], finish: true }";
    let gateway = probe(&upstream, usage).await;
    let mut client = gateway.raw().await;
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\npart").await;
    client.end().await;
    let _ = client.rest().await;
    gateway.get("/", &[]).await;
    assert_eq!(upstream.requests(), 1, "the broken request went on");
    gateway.stop().await;
}
