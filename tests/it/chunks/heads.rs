//! Heads that fit the bodies that chunk hooks make, and what a hook can still do with them.

use http::Response;
use tollgate_tests::{
    Setup, Upstream,
    client::{full, request},
};

use super::chunks;

#[tokio::test]
async fn lengths_and_digests_of_what_was_there_before_go() {
    let upstream = Upstream::echo().await;
    let gateway = chunks(&upstream, &["config: { request: double }"]).await;
    let digests = [("content-digest", "sha-256=:abc=:"), ("content-md5", "abc"), ("x-other", "1")];
    let seen = gateway.post("/", &digests, "four").await.json();
    assert_eq!(seen["body"], "fourfour");
    let headers = &seen["headers"];
    assert_eq!(headers["transfer-encoding"][0], "chunked");
    for gone in ["content-length", "content-digest", "content-md5"] {
        assert!(headers[gone].is_null(), "{gone}: {headers}");
    }
    assert_eq!(headers["x-other"][0], "1");
    gateway.stop().await;
}

#[tokio::test]
async fn a_changed_response_has_a_weak_validator_and_no_ranges() {
    let upstream = Upstream::new(async |request| {
        let range = request.headers().get("range").cloned();
        let mut response = Response::new(full("the body"));
        let headers = response.headers_mut();
        headers.insert("etag", "\"1\"".parse().unwrap());
        headers.insert("accept-ranges", "bytes".parse().unwrap());
        headers.insert("x-range", range.unwrap_or("none".parse().unwrap()));
        response
    })
    .await;
    let gateway = chunks(&upstream, &["config: { response: upper }"]).await;
    let reply = gateway.get("/", &[("range", "bytes=0-3"), ("if-range", "\"1\"")]).await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "THE BODY"));
    assert_eq!(reply.header("etag"), "W/\"1\"");
    assert_eq!(
        (reply.header("x-range").as_str(), reply.header("accept-ranges").as_str()),
        ("none", "")
    );
    assert_eq!(reply.header("content-length"), "");
    let head = gateway.send(request("HEAD", "/", &[], "")).await;
    assert_eq!(head.header("etag"), "W/\"1\"", "a HEAD says what a GET would");
    gateway.stop().await;
}

#[tokio::test]
async fn a_head_that_has_been_sent_cannot_be_changed() {
    let upstream = Upstream::echo().await;
    for side in ["request", "response"] {
        let usage = format!("config: {{ {side}: forbidden, finish: true }}");
        let gateway = chunks(&upstream, &[&usage]).await;
        let seen = gateway.post("/", &[], "the body").await.json();
        assert_eq!(seen["body"], "the body");
        assert!(seen["headers"]["x-late"].is_null(), "{seen}");
        let line = gateway.logged(&["finished"]).await;
        assert!(line.contains("6 late, 1 after"), "{line}");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn chunks_without_a_grant_refuse_the_configuration() {
    for (side, grant) in [("request", "request_body"), ("response", "response_body")] {
        let config = format!(
            "routes: [{{ name: all, match: {{ path: / }}, respond: {{ body: x }}, \
             plugins: [{{ component: chunks, config: {{ {side}: upper }} }}] }}]"
        );
        let setup = Setup::new("routes: []").plugin("chunks");
        let gateway = setup.start().await;
        gateway.write_config(&config);
        let reply = gateway.reload().await;
        assert_ne!(reply.status, 200);
        assert!(reply.text().contains(&format!("{grant}: true")), "{}", reply.text());
        gateway.stop().await;
    }
}
