//! Components of `wasi:http/service@0.3`.

use http_body_util::BodyExt as _;
use tollgate_tests::{
    Gateway, Setup, Upstream,
    client::{request, request_with},
    wait,
};

use super::{all_gone, instances};
use crate::bodies::{channel, go_through};

async fn service(upstreams: &str, table: &str) -> Gateway {
    let config =
        super::config(upstreams, table, "").replace("component: proxy", "component: service");
    Setup::new(&config).plugin("service").start().await
}

#[tokio::test]
async fn a_component_of_the_next_version_answers_too() {
    let gateway = service("", "").await;
    let what = gateway.get("/what?a=b", &[("host", "a.test:81")]).await;
    assert_eq!(what.text(), "Method::Get Some(Scheme::Http) a.test:81 /what?a=b");
    let mut connection = gateway.connect().await;
    for (method, path, text) in
        [("GET", "/length", "12345"), ("HEAD", "/length", ""), ("GET", "/length", "12345")]
    {
        let reply = connection.send(request(method, path, &[], "")).await;
        assert_eq!((reply.text().as_str(), reply.header("content-length").as_str()), (text, "5"));
    }
    let mut http2 = gateway.connect_http2().await;
    let reply = http2.send(request("GET", "/trailers", &[("te", "trailers")], "")).await;
    assert_eq!(reply.text(), "body");
    assert_eq!(reply.trailers.expect("trailers")["x-sum"], "7");
    let world = gateway.status().await["components"][0]["world"].as_str().unwrap().to_owned();
    assert!(world.starts_with("wasi:http/service@0.3"), "{world}");
    all_gone(&gateway).await;
    drop((connection, http2));
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_streams_through_it_piece_by_piece() {
    let gateway = service("", "").await;
    let (sender, body) = channel();
    let mut connection = gateway.connect().await;
    let mut response = connection.begin(request_with("POST", "/echo", &[], body)).await;
    go_through(sender, &mut response).await;
    assert!(wait::within("the end", response.frame()).await.is_none());
    all_gone(&gateway).await;
    gateway.stop().await;
}

#[tokio::test]
async fn it_fails_as_others_do() {
    let gateway = service("", "limits: { cpu: 100ms }").await;
    for path in ["/trap", "/refuse", "/spin"] {
        assert_eq!(gateway.get(path, &[]).await.problem(), "503 plugin-failed", "{path}");
    }
    for path in ["/trap-after", "/abort-after", "/too-short", "/spin-after"] {
        let mut connection = gateway.connect().await;
        let reply = connection.try_send(request("GET", path, &[], "")).await;
        assert!(reply.is_err(), "{path}: {reply:?}");
    }
    let failed = gateway.metric("tollgate_plugin_errors_total", &[("plugin", "service")]).await;
    assert_eq!(failed, 7.0);
    all_gone(&gateway).await;
    gateway.stop().await;
}

#[tokio::test]
async fn it_reaches_granted_upstreams_and_nothing_else() {
    let (u, other) = (Upstream::text("here").await, Upstream::text("").await);
    let upstreams = format!(r#"u: {{ endpoints: ["{u}"] }}, other: {{ endpoints: ["{other}"] }}"#);
    let table = "grants: { upstreams: [u] }, limits: { calls: 2 }";
    let gateway = service(&upstreams, table).await;
    let reply = gateway.get("/fetch?http://other/|http://u/1|http://u/2|http://u/3", &[]).await;
    assert_eq!(reply.text(), "HttpRequestDenied\n200 here\n200 here\nConnectionLimitReached");
    assert_eq!((u.requests(), other.requests()), (2, 0));

    assert_eq!(gateway.get("/after?http://u/4", &[]).await.text(), "done");
    gateway.logged(&["200 here", "stdout"]).await;
    gateway.logged(&["worked after the response"]).await;
    all_gone(&gateway).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_instance() {
    let gateway = service("", "limits: { cpu: 20s }").await;
    for path in ["/forever", "/spin"] {
        let mut raw = gateway.raw().await;
        raw.send(&format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        wait::until("the instance", async || (instances(&gateway).await == 1).then_some(())).await;
        drop(raw);
        all_gone(&gateway).await;
    }
    assert_eq!(gateway.get("/length", &[]).await.text(), "12345");
    gateway.stop().await;
}
