//! Connections that become something other than HTTP.

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{copy, split};
use tollgate_tests::{
    Gateway, RawClient, Setup, Upstream,
    client::{Body, full},
    raw::status,
    wait,
};

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n";

/// Gives back every byte of an upgraded connection; answers other requests as usual.
async fn echo(mut request: Request<Incoming>) -> Response<Body> {
    if request.headers().get("upgrade").is_none_or(|protocol| protocol != "websocket") {
        return Response::new(full("plain"));
    }
    let key = request.headers()["sec-websocket-key"].clone();
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let (mut reader, mut writer) = split(TokioIo::new(upgraded.await.unwrap()));
        let _ = copy(&mut reader, &mut writer).await;
        let _ = tokio::io::AsyncWriteExt::shutdown(&mut writer).await;
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-accept", key)
        .body(full(""))
        .unwrap()
}

async fn before(upstream: &Upstream) -> Gateway {
    Gateway::start(&config(upstream)).await
}

async fn before_with(upstream: &Upstream, limits: &str) -> Gateway {
    Gateway::start(&format!("limits: {{ {limits} }}\n{}", config(upstream))).await
}

fn config(upstream: &Upstream) -> String {
    format!(
        "workers: 1
upstreams: {{ u: {{ endpoints: [\"{upstream}\"] }} }}
routes: [{{ name: all, match: {{ path: \"/{{*rest}}\" }}, upstream: u }}]
"
    )
}

async fn upgrade(gateway: &Gateway) -> RawClient {
    let mut client = gateway.raw().await;
    client.send(UPGRADE).await;
    let head = client.head().await;
    assert_eq!(status(&head), 101, "{head}");
    let lower = head.to_lowercase();
    assert!(
        lower.contains("connection: upgrade") && lower.contains("upgrade: websocket"),
        "{head}"
    );
    assert!(lower.contains("sec-websocket-accept"), "{head}");
    client
}

async fn check_echo(client: &mut RawClient, text: &str) {
    client.send(text).await;
    assert_eq!(client.exactly(text.len()).await, text.as_bytes());
}

#[tokio::test]
async fn bytes_pass_both_ways_after_an_upgrade_until_one_side_ends() {
    let upstream = Upstream::new(echo).await;
    let gateway = before(&upstream).await;
    let mut client = upgrade(&gateway).await;
    check_echo(&mut client, "one").await;
    check_echo(&mut client, &"x".repeat(1 << 20)).await;
    client.send("last").await;
    client.end().await;
    assert_eq!(client.rest().await, "last");
    gateway.stop().await;
}

#[tokio::test]
async fn bytes_that_come_with_the_request_are_not_lost() {
    let upstream = Upstream::new(echo).await;
    let gateway = before(&upstream).await;
    let mut client = gateway.raw().await;
    client.send(format!("{UPGRADE}early")).await;
    assert_eq!(status(&client.head().await), 101);
    assert_eq!(client.exactly(5).await, b"early");
    drop(client);
    gateway.stop().await;
}

#[tokio::test]
async fn upgraded_and_plain_requests_share_a_route() {
    let upstream = Upstream::new(echo).await;
    let gateway = before(&upstream).await;
    let mut first = upgrade(&gateway).await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/ws", &[]).await.text(), "plain");
        check_echo(&mut first, "still").await;
        let mut second = upgrade(&gateway).await;
        check_echo(&mut second, "here").await;
    }
    drop(first);
    gateway.stop().await;
}

#[tokio::test]
async fn an_upgraded_connection_outlives_reloads() {
    let upstream = Upstream::new(echo).await;
    let gateway = before(&upstream).await;
    let mut client = upgrade(&gateway).await;
    for _ in 0..5 {
        gateway.reload_well().await;
        check_echo(&mut client, "still").await;
    }
    gateway.write_config(
        "workers: 1\nroutes: [{ name: all, match: { path: \"/{*rest}\" }, respond: {} }]",
    );
    gateway.reload_well().await;
    check_echo(&mut client, "its route and upstream are gone").await;
    drop(client);
    gateway.stop().await;
}

#[tokio::test]
async fn an_upgrade_that_the_upstream_declines_is_an_ordinary_response() {
    let upstream = Upstream::text("no").await;
    let gateway = before(&upstream).await;
    let mut client = gateway.raw().await;
    client.send(UPGRADE).await;
    let head = client.head().await;
    assert_eq!(status(&head), 200, "{head}");
    assert_eq!(client.exactly(2).await, b"no");
    // The connection is still one of HTTP.
    client.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(client.rest().await.ends_with("no"));
    gateway.stop().await;
}

#[tokio::test]
async fn an_upgrade_that_nobody_asked_for_is_a_502_problem() {
    use tollgate_tests::recorder::Act::{Head, Send};
    let upstream = tollgate_tests::Recorder::scripted(&[&[
        Head,
        Send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"),
    ]])
    .await;
    let gateway = Gateway::start(&format!(
        r#"
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes: [{{ name: all, match: {{ path: "/" }}, upstream: u }}]
        "#
    ))
    .await;
    assert_eq!(gateway.get("/", &[]).await.problem(), "502 upstream-protocol");
    gateway.stop().await;
}

/// The line of the exchange that ended with this status, as soon as there is one.
async fn logged(gateway: &Gateway, status: u16) -> Value {
    wait::until("a line of the access log", async || {
        let output = gateway.output();
        output.lines().find_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["status"] == status).then_some(line)
        })
    })
    .await
}

#[tokio::test]
async fn an_exchange_that_becomes_a_tunnel_is_logged_at_its_end_with_what_passed() {
    let upstream = Upstream::new(echo).await;
    let gateway =
        Gateway::start(&format!("telemetry: {{ access_log: {{}} }}\n{}", config(&upstream))).await;
    let mut client = upgrade(&gateway).await;
    check_echo(&mut client, "twelve bytes").await;
    assert_eq!(gateway.get("/ws", &[]).await.text(), "plain");
    logged(&gateway, 200).await;
    assert!(!gateway.output().contains("\"status\":101"), "{}", gateway.output());
    client.end().await;
    assert_eq!(client.rest().await, "");
    let line = logged(&gateway, 101).await;
    assert_eq!((&line["request_bytes"], &line["response_bytes"]), (&json!(12), &json!(12)));
    assert_eq!(line["error"], Value::Null);
    gateway.stop().await;
}

#[tokio::test]
async fn a_tunnel_that_was_silent_too_long_is_logged_so() {
    let upstream = Upstream::new(echo).await;
    let more = "limits: { tunnel_idle: 1s }\ntelemetry: { access_log: {} }";
    let gateway = Gateway::start(&format!("{more}\n{}", config(&upstream))).await;
    let mut client = upgrade(&gateway).await;
    assert_eq!(client.rest().await, "");
    let line = logged(&gateway, 101).await;
    assert_eq!(line["error"], "neither side of the tunnel sent anything for 1s");
    gateway.stop().await;
}

#[tokio::test]
async fn an_upgrade_that_a_plugin_makes_something_else_is_logged_as_that_and_opens_no_tunnel() {
    let upstream = Upstream::new(echo).await;
    let gateway = Setup::new(&format!(
        r#"
        telemetry: {{ access_log: {{}} }}
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes:
          - name: all
            match: {{ path: "/{{*rest}}" }}
            plugins: [{{ component: probe, config: {{ response: [{{ set_status: 403 }}] }} }}]
            upstream: u
        "#
    ))
    .plugin("probe")
    .start()
    .await;
    let mut client = gateway.raw().await;
    client.send(UPGRADE).await;
    let head = client.head().await;
    assert_eq!(status(&head), 403, "{head}");
    let line = logged(&gateway, 403).await;
    assert_eq!(line["error"], Value::Null);
    gateway.stop().await;
}

/// Takes an upgraded connection, and never says or ends anything.
async fn mute(request: Request<Incoming>) -> Response<Body> {
    let mut request = request;
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let _held = upgraded.await;
        std::future::pending::<()>().await;
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-accept", "x")
        .body(full(""))
        .unwrap()
}

#[tokio::test]
async fn a_tunnel_of_which_one_side_has_ended_does_not_wait_long_for_the_other() {
    let upstream = Upstream::new(mute).await;
    let gateway =
        Gateway::start(&format!("telemetry: {{ access_log: {{}} }}\n{}", config(&upstream))).await;
    let mut client = upgrade(&gateway).await;
    client.end().await;
    assert_eq!(client.rest().await, "");
    assert_eq!(logged(&gateway, 101).await["error"], Value::Null);
    gateway.stop().await;
}

#[tokio::test]
async fn an_upgraded_connection_counts_as_one_until_it_ends() {
    let upstream = Upstream::new(echo).await;
    let gateway = before(&upstream).await;
    let client = upgrade(&gateway).await;
    let open = gateway.metric("tollgate_connections", &[]).await;
    assert!(open >= 1.0, "the tunnel is one of {open}");
    drop(client);
    gateway.stop().await;
}

#[tokio::test]
async fn a_tunnel_on_which_nobody_says_anything_is_closed_and_lets_go_of_all() {
    let upstream = Upstream::new(echo).await;
    let gateway = before_with(&upstream, "tunnel_idle: 1s").await;
    let mut client = upgrade(&gateway).await;
    check_echo(&mut client, "one").await;
    assert_eq!(client.rest().await, "");
    wait::until("its slot is free", async || {
        (gateway.metric("tollgate_connections", &[]).await == 0.0).then_some(())
    })
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_tunnel_on_which_somebody_says_something_stays_open() {
    let upstream = Upstream::new(echo).await;
    for limits in ["tunnel_idle: 1s", "tunnel_idle: none"] {
        let gateway = before_with(&upstream, limits).await;
        let mut client = upgrade(&gateway).await;
        let mut words = tokio::time::interval(std::time::Duration::from_millis(300));
        for _ in 0..6 {
            words.tick().await;
            check_echo(&mut client, "still").await;
        }
        drop(client);
        gateway.stop().await;
    }
}
