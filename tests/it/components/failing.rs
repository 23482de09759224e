//! Components that do not do what they should.

use tollgate_tests::client::request;

use super::{all_gone, proxy};

#[tokio::test]
async fn a_component_without_a_response_is_a_503_problem() {
    let gateway = proxy("", "").await;
    for (path, reason) in [
        ("/trap", "unreachable"),
        ("/none", "without a response"),
        ("/refuse", "ConfigurationError"),
        ("/status?101", "status 101"),
        ("/status?103", "status 103"),
        ("/length-only", "no body, but a length"),
    ] {
        let reply = gateway.get(path, &[]).await;
        assert_eq!(reply.problem(), "503 plugin-failed", "{path}");
        gateway.logged(&["answered with a problem", "`proxy` failed in handle", reason]).await;
    }
    let failed = gateway.metric("tollgate_plugin_errors_total", &[("plugin", "proxy")]).await;
    assert_eq!(failed, 6.0);
    all_gone(&gateway).await;
    assert_eq!(gateway.get("/length", &[]).await.text(), "12345");
    gateway.stop().await;
}

#[tokio::test]
async fn where_a_component_trapped_is_told_once() {
    let gateway = proxy("", "").await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/trap", &[]).await.status, 503);
    }
    let line = gateway.logged(&["where a plugin failed", "proxy"]).await;
    assert!(line.contains("handle"), "{line}");
    assert_eq!(gateway.log().matches("where a plugin failed").count(), 1);
    gateway.logged(&["as it was told", "stderr"]).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_response_whose_component_fails_does_not_look_whole() {
    let gateway = proxy("", "limits: { cpu: 100ms }").await;
    for path in ["/trap-after", "/abort-after", "/too-short", "/spin-after"] {
        for http2 in [false, true] {
            let mut connection =
                if http2 { gateway.connect_http2().await } else { gateway.connect().await };
            let reply = connection.try_send(request("GET", path, &[], "")).await;
            assert!(reply.is_err(), "{path}, http2 {http2}: {reply:?}");
        }
        gateway.logged(&["a response broke off", "`proxy` failed in handle"]).await;
    }
    let failed = gateway.metric("tollgate_plugin_errors_total", &[("plugin", "proxy")]).await;
    assert_eq!(failed, 8.0);
    all_gone(&gateway).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_request_body_that_breaks_off_is_the_clients_fault() {
    let gateway = proxy("", "limits: { timeout: 1s }").await;
    let mut raw = gateway.raw().await;
    raw.send("POST /forward?http://nobody/ HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf")
        .await;
    drop(raw);
    all_gone(&gateway).await;
    assert_eq!(gateway.get("/ping", &[]).await.text(), "pong");
    gateway.stop().await;
}

#[tokio::test]
async fn what_a_component_does_after_its_response_has_its_limits_too() {
    let gateway = proxy("", "limits: { cpu: 100ms }").await;
    assert_eq!(gateway.get("/after?http://nobody/", &[]).await.text(), "done");
    gateway.logged(&["HttpRequestDenied", "stdout"]).await;
    gateway.logged(&["worked after the response"]).await;
    assert_eq!(gateway.get("/spin-later", &[]).await.text(), "done");
    gateway.logged(&["a component failed after its response", "cpu"]).await;
    all_gone(&gateway).await;
    gateway.stop().await;
}
