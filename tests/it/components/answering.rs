//! What a component sees of a request, and what clients see of its response.

use http_body_util::BodyExt as _;
use tollgate_tests::{
    Setup, Upstream,
    client::{request, request_with},
    wait,
};

use super::{config, proxy};
use crate::bodies::{channel, go_through};

#[tokio::test]
async fn a_component_sees_the_request_as_the_client_made_it() {
    let gateway = proxy("", "").await;
    let what = gateway.get("/what?a=b%20c", &[("host", "a.test:81")]).await;
    assert_eq!(what.text(), "Method::Get Scheme::Http a.test:81 /what?a=b%20c");
    let patched = gateway.send(request("PATCH", "/what", &[("host", "b")], "")).await;
    assert_eq!(patched.text(), "Method::Patch Scheme::Http b /what");

    let fields = [("x-a", "1"), ("x-a", "2"), ("connection", "x-hop"), ("x-hop", "1")];
    let seen = gateway.get("/fields", &fields).await.text();
    for line in ["x-a: 1", "x-a: 2", "x-forwarded-for: 127.0.0.1", "via: 1.1 tollgate"] {
        assert!(seen.lines().any(|seen| seen == line), "{line} is missing:\n{seen}");
    }
    for name in ["connection", "x-hop", "host"] {
        assert!(!seen.lines().any(|line| line.starts_with(&format!("{name}:"))), "{name}:\n{seen}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_request_without_a_host_has_an_empty_one() {
    let gateway = proxy("", "").await;
    let mut raw = gateway.raw().await;
    raw.send("GET /what HTTP/1.0\r\n\r\n").await;
    let answer = raw.rest().await;
    assert!(answer.ends_with("Method::Get Scheme::Http  /what"), "{answer}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_goes_through_a_component_piece_by_piece() {
    let gateway = proxy("", "").await;
    for http2 in [false, true] {
        let (sender, body) = channel();
        let mut connection =
            if http2 { gateway.connect_http2().await } else { gateway.connect().await };
        let mut response = connection.begin(request_with("POST", "/echo", &[], body)).await;
        go_through(sender, &mut response).await;
        let rest = wait::within("the end", response.collect()).await.unwrap();
        assert!(rest.to_bytes().is_empty());
    }
    super::all_gone(&gateway).await;
    gateway.stop().await;
}

#[tokio::test]
async fn the_connection_serves_on_after_every_kind_of_response() {
    let gateway = proxy("", "").await;
    let mut connection = gateway.connect().await;
    for (method, path, status, length, text) in [
        ("GET", "/length", 200, "5", "12345"),
        ("HEAD", "/length", 200, "5", ""),
        ("GET", "/status?204", 204, "", ""),
        ("GET", "/status?304", 304, "", ""),
        ("GET", "/status?404", 404, "", ""),
        ("HEAD", "/what", 200, "", ""),
        ("GET", "/none", 503, "", ""),
        ("GET", "/length", 200, "5", "12345"),
    ] {
        let reply = connection.send(request(method, path, &[], "")).await;
        assert_eq!(reply.status, status, "{method} {path}");
        if status != 503 {
            assert_eq!(reply.text(), text, "{method} {path}");
            if !length.is_empty() {
                assert_eq!(reply.header("content-length"), length, "{method} {path}");
            }
        }
    }
    assert!(!connection.is_closed());
    super::all_gone(&gateway).await;
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn trailers_of_a_component_reach_the_client() {
    let gateway = proxy("", "").await;
    let mut connection = gateway.connect_http2().await;
    let reply = connection.send(request("GET", "/trailers", &[("te", "trailers")], "")).await;
    assert_eq!(reply.text(), "body");
    assert_eq!(reply.trailers.expect("trailers")["x-sum"], "7");
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn framing_and_connection_fields_are_not_a_components_to_set() {
    let gateway = proxy("", "").await;
    let reserved = gateway.get("/reserved", &[]).await;
    assert_eq!(reserved.text(), "[false, false, false, false, true]");
    let reply = gateway.get("/hop-by-hop", &[]).await;
    assert_eq!((reply.text().as_str(), reply.header("x-own").as_str()), ("sent", "1"));
    assert_eq!((reply.header("te"), reply.header("trailer")), (String::new(), String::new()));
    gateway.stop().await;
}

#[tokio::test]
async fn the_chain_acts_before_and_after_a_component() {
    let chain = r#"plugins: [{ component: headers, config: { request: { set: { x-in: "1" } }, response: { set: { x-out: "2" } } } }]"#;
    let gateway =
        Setup::new(&config("", "", chain)).plugin("proxy").plugin("headers").start().await;
    let reply = gateway.get("/fields", &[]).await;
    assert!(reply.text().contains("x-in: 1"), "{}", reply.text());
    assert_eq!(reply.header("x-out"), "2");
    let failed = gateway.get("/trap", &[]).await;
    assert_eq!(
        (failed.problem().as_str(), failed.header("x-out").as_str()),
        ("503 plugin-failed", "2")
    );
    gateway.stop().await;
}

#[tokio::test]
async fn chunk_hooks_see_the_bodies_of_a_component() {
    let chain = "plugins: [{ component: chunks, grants: { request_body: true, response_body: true }, config: { request: upper, response: upper } }]";
    let upstream = Upstream::text("").await;
    let upstreams = format!(r#"u: {{ endpoints: ["{upstream}"] }}"#);
    let gateway =
        Setup::new(&config(&upstreams, "", chain)).plugin("proxy").plugin("chunks").start().await;
    let reply = gateway.post("/echo", &[], "shout").await;
    assert_eq!(reply.text(), "SHOUT");
    gateway.stop().await;
}
