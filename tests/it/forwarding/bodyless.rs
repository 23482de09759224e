//! Responses that end with their heads, whatever was to be their body.

use tollgate_tests::{
    Gateway, Recorder, Setup, Upstream,
    client::{Connection, full, request},
    raw::status,
    recorder::Act::{Head, Send},
    wait,
};

/// Answers of the gateway, of a plugin and of an upstream, and one whose status a plugin changes.
async fn gateway(upstream: &Upstream) -> Gateway {
    Setup::new(&format!(
        r#"
        telemetry: {{ access_log: {{ path: access.log }} }}
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes:
          - {{ name: fixed, match: {{ path: /fixed }}, respond: {{ body: hello }} }}
          - name: plugin
            match: {{ path: /plugin }}
            upstream: u
            plugins: [{{ component: probe, config: {{ request: [{{ respond: {{ status: 401, body: no }} }}] }} }}]
          - name: unchanged
            match: {{ path: /unchanged }}
            upstream: u
            plugins: [{{ component: probe, config: {{ response: [{{ set_status: 304 }}] }} }}]
          - name: empty
            match: {{ path: /empty }}
            respond: {{ body: hello }}
            plugins: [{{ component: probe, config: {{ response: [{{ set_status: 204 }}] }} }}]
        "#
    ))
    .plugin("probe")
    .start()
    .await
}

/// Method, path, and what is answered: status and length, `-` for none said.
const CASES: [(&str, &str, u16, &str); 6] = [
    ("HEAD", "/fixed", 200, "5"),
    ("HEAD", "/nowhere", 404, ""),
    ("HEAD", "/plugin", 401, "2"),
    ("GET", "/unchanged", 304, ""),
    ("GET", "/empty", 204, "-"),
    ("GET", "/fixed", 200, "5"),
];

async fn check(mut connection: Connection) {
    for (method, path, status, length) in CASES {
        let reply = connection.send(request(method, path, &[], "")).await;
        assert_eq!(reply.status, status, "{method} {path}");
        let said = reply.header("content-length");
        match length {
            "" => {}
            "-" => assert_eq!(said, "", "{method} {path}"),
            length => assert_eq!(said, length, "{method} {path}"),
        }
        let is_whole = reply.text() == "hello" && (method, path) == ("GET", "/fixed");
        assert!(is_whole || reply.body.is_empty(), "{method} {path}: {}", reply.text());
    }
}

#[tokio::test]
async fn they_come_without_one_over_both_versions_and_no_client_counts_as_gone() {
    let upstream = Upstream::text("here").await;
    let gateway = gateway(&upstream).await;
    check(gateway.connect_http2().await).await;
    check(gateway.connect().await).await;
    let log = gateway.folder().join("access.log");
    let lines = wait::until("a line for each", async || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        (text.lines().count() == 2 * CASES.len()).then_some(text)
    })
    .await;
    assert!(!lines.contains("the client left"), "{lines}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_status_that_would_have_a_body_has_no_length_of_one() {
    const UNCHANGED: &str = "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n";
    let upstream = Recorder::scripted(&[&[Head, Send(UNCHANGED), Head, Send(UNCHANGED)]]).await;
    let gateway = Setup::new(&format!(
        r#"
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes:
          - name: all
            match: {{ path: / }}
            upstream: u
            plugins: [{{ component: probe, config: {{ response: [{{ set_status: 200 }}] }} }}]
        "#
    ))
    .plugin("probe")
    .start()
    .await;
    for mut connection in [gateway.connect_http2().await, gateway.connect().await] {
        let reply = connection.send(request("GET", "/", &[], "")).await;
        assert_eq!((reply.status, reply.body.len()), (200, 0));
        assert!(["", "0"].contains(&&*reply.header("content-length")), "{reply:?}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn what_a_plugin_makes_of_the_method_does_not_change_what_the_client_waits_for() {
    let upstream = Upstream::new(async |request| {
        http::Response::new(full(format!("to {}", request.method())))
    })
    .await;
    let gateway = Setup::new(&format!(
        r#"
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes:
          - name: get
            match: {{ path: /get }}
            upstream: u
            plugins: [{{ component: probe, config: {{ request: [{{ set_method: GET }}] }} }}]
        "#
    ))
    .plugin("probe")
    .start()
    .await;
    let mut connection = gateway.connect_http2().await;
    let reply = connection.send(request("HEAD", "/get", &[], "")).await;
    assert_eq!((reply.status, reply.body.len()), (200, 0));
    let raw =
        gateway.raw_exchange("HEAD /get HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(status(&raw) == 200 && raw.ends_with("\r\n\r\n"), "{raw}");
    gateway.stop().await;
}
