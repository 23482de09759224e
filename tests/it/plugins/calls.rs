//! Requests of plugins' own.

use std::sync::Arc;

use http::Response;
use tokio::sync::Barrier;
use tollgate_tests::{Gateway, Setup, Upstream, client::full, wait};

/// `/call` asks the upstreams `a`, `b` and `c`; `/ping` is another exchange.
async fn before(upstreams: [&Upstream; 3], usage: &str) -> Gateway {
    let [a, b, c] = upstreams;
    Setup::new(&format!(
        r#"
        workers: 1
        upstreams:
          a: {{ endpoints: ["{a}"] }}
          b: {{ endpoints: ["{b}"] }}
          c: {{ endpoints: ["{c}"] }}
        routes:
          - name: call
            match: {{ path: /call }}
            plugins: [{{ component: probe, {usage} }}]
            respond: {{ body: through }}
          - {{ name: ping, match: {{ path: /ping }}, respond: {{ body: pong }} }}
        "#
    ))
    .plugin("probe")
    .start()
    .await
}

const ALL: &str =
    "[{ upstream: a, target: /x }, { upstream: b, target: /y }, { upstream: c, target: /z }]";

/// Three upstreams, each of which answers with its path once all three have been asked.
async fn meeting() -> [Upstream; 3] {
    let barrier = Arc::new(Barrier::new(3));
    let answer = move |request: http::Request<hyper::body::Incoming>| {
        let barrier = Arc::clone(&barrier);
        async move {
            barrier.wait().await;
            Response::new(full(request.uri().path().to_owned()))
        }
    };
    [
        Upstream::new(answer.clone()).await,
        Upstream::new(answer.clone()).await,
        Upstream::new(answer).await,
    ]
}

#[tokio::test]
async fn all_calls_are_on_their_way_at_once_and_answers_keep_their_order() {
    let [a, b, c] = &meeting().await;
    let usage = format!(
        "grants: {{ upstreams: [a, b, c] }}, config: {{ request: [{{ respond_with: {ALL} }}] }}"
    );
    let gateway = before([a, b, c], &usage).await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/call", &[]).await.text(), "/x,/y,/z");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_call_shows_what_came_of_it() {
    let up = Upstream::new(async |_| Response::builder().status(404).body(full("")).unwrap()).await;
    let down = Upstream::text("").await;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let gateway = Setup::new(&format!(
        r#"
        upstreams: {{ up: {{ endpoints: ["{up}"] }}, down: {{ endpoints: ["{closed}"] }}, other: {{ endpoints: ["{down}"] }} }}
        routes:
          - name: call
            match: {{ path: /call }}
            plugins:
              - component: probe
                grants: {{ upstreams: [up, down] }}
                config:
                  response:
                    - {{ call: {{ upstream: up, target: /x }} }}
                    - {{ call: {{ upstream: down, target: /x }} }}
                    - {{ call: {{ upstream: other, target: /x }} }}
                    - {{ call: {{ upstream: up, target: "no path" }} }}
                    - {{ call_all: [{{ upstream: up, target: /x }}, {{ upstream: other, target: /x }}] }}
            respond: {{}}
        "#
    ))
    .plugin("probe")
    .start()
    .await;
    let reply = gateway.get("/call", &[]).await;
    assert_eq!(reply.header("x-probe"), "404, unreachable, not-granted, invalid, 404 not-granted");
    assert_eq!(down.requests(), 0);
    let labels = [("plugin", "probe"), ("grant", "upstreams")];
    assert_eq!(gateway.metric("tollgate_plugin_denied_total", &labels).await, 2.0);
    gateway.logged(&["a plugin lacks a grant", "upstreams", "other", "probe"]).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_fetched_response_can_be_the_answer_and_streams() {
    let upstream = Upstream::new(async |request| {
        let path = request.uri().path().to_owned();
        Response::builder().status(203).header("x-own", "1").body(full(path)).unwrap()
    })
    .await;
    let usage = "grants: { upstreams: [a] }, config: { request: [{ respond_with: [{ upstream: a, target: /x }] }] }";
    let gateway = before([&upstream, &upstream, &upstream], usage).await;
    let reply = gateway.get("/call", &[]).await;
    assert_eq!(
        (reply.status, reply.text().as_str(), reply.header("x-own").as_str()),
        (203, "/x", "1")
    );
    gateway.stop().await;
}

#[tokio::test]
async fn other_exchanges_of_the_worker_go_on_while_a_plugin_waits() {
    let (upstream, release) = Upstream::held().await;
    let usage = "grants: { upstreams: [a] }, config: { request: [{ call: { upstream: a, target: /x } }], response: [{ show: 'request-header:x-probe' }] }";
    let gateway = before([&upstream, &upstream, &upstream], usage).await;
    let waiting = gateway.get("/call", &[]);
    let meanwhile = async {
        wait::until("the call", async || (upstream.requests() == 1).then_some(())).await;
        for _ in 0..20 {
            assert_eq!(gateway.get("/ping", &[]).await.text(), "pong");
        }
        release.notify_one();
    };
    let (reply, ()) = tokio::join!(waiting, meanwhile);
    assert_eq!(reply.header("x-probe"), "200");
    gateway.stop().await;
}

#[tokio::test]
async fn calls_above_the_limit_are_not_made() {
    let upstream = Upstream::text("here").await;
    let calls = "{ call: { upstream: a, target: /x } }, ".repeat(3);
    let usage = format!(
        "grants: {{ upstreams: [a] }}, limits: {{ calls: 2 }}, config: {{ request: [{calls}], response: [{{ show: 'request-header:x-probe' }}] }}"
    );
    let gateway = before([&upstream, &upstream, &upstream], &usage).await;
    let reply = gateway.get("/call", &[]).await;
    assert_eq!(upstream.requests(), 2, "{reply:?}");
    if reply.status == 200 {
        assert!(reply.header("x-probe").starts_with("200, 200, "), "{reply:?}");
        assert_ne!(reply.header("x-probe"), "200, 200, 200");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn each_use_of_a_chain_has_calls_of_its_own() {
    let upstream = Upstream::text("here").await;
    let calls = "{ call: { upstream: a, target: /x } }, ".repeat(3);
    let gateway = Setup::new(&format!(
        r#"
        upstreams: {{ a: {{ endpoints: ["{upstream}"] }} }}
        routes:
          - match: {{ path: / }}
            respond: {{ body: done }}
            plugins:
              - {{ component: probe, grants: {{ upstreams: [a] }}, limits: {{ calls: 2 }}, config: {{ request: [{calls}] }} }}
              - component: probe
                grants: {{ upstreams: [a] }}
                limits: {{ calls: 1 }}
                config: {{ request: [{calls}], response: [{{ show: "request-header:x-probe" }}] }}
        "#
    ))
    .plugin("probe")
    .start()
    .await;
    let reply = gateway.get("/", &[]).await;
    assert_eq!(reply.header("x-probe"), "200, 200, invalid, 200, invalid, invalid");
    assert_eq!(upstream.requests(), 3);
    gateway.stop().await;
}
