//! The end: nothing new comes in, what runs is finished.

use std::{path::Path, sync::Arc};

use tokio::{net::TcpStream, sync::Notify};
use tollgate_tests::{Gateway, Upstream, client::request, raw::status, wait};

/// A gateway before an upstream that answers when it is released.
async fn waiting(more: &str) -> (Gateway, Upstream, Arc<Notify>) {
    let (upstream, release) = Upstream::held().await;
    let gateway = Gateway::start(&format!(
        r#"
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes:
          - {{ name: all, match: {{ path: "/{{*rest}}" }}, upstream: u }}
          - {{ name: ping, match: {{ path: /ping }}, respond: {{ body: pong }} }}
        {more}
        "#
    ))
    .await;
    (gateway, upstream, release)
}

/// Waits until the port does not accept any more: the refusal is the signal.
async fn closed(gateway: &Gateway) {
    wait::until("the port is closed", async || {
        TcpStream::connect(gateway.address()).await.is_err().then_some(())
    })
    .await;
}

async fn arrived(upstream: &Upstream) {
    wait::until("the request is upstream", async || (upstream.requests() > 0).then_some(())).await;
}

#[tokio::test]
async fn a_request_in_flight_is_finished_after_the_port_is_closed() {
    let (gateway, upstream, release) = waiting("").await;
    let asking = gateway.get("/", &[]);
    let stopping = async {
        arrived(&upstream).await;
        gateway.signal(libc::SIGTERM);
        closed(&gateway).await;
        let ready = gateway.admin("/readyz").await;
        assert_eq!((ready.status, gateway.admin("/livez").await.status), (503, 200));
        assert!(ready.text().contains("draining"), "{}", ready.text());
        release.notify_one();
    };
    let (reply, ()) = tokio::join!(asking, stopping);
    assert_eq!((reply.status, reply.text().as_str()), (200, "late"));
    let (ended, log) = gateway.ended().await;
    assert!(ended.success(), "{log}");
}

#[tokio::test]
async fn a_stream_in_flight_is_finished_on_http2_too() {
    let (gateway, upstream, release) = waiting("").await;
    let mut connection = gateway.connect_http2().await;
    let asking = connection.send(request("GET", "/", &[], ""));
    let stopping = async {
        arrived(&upstream).await;
        gateway.signal(libc::SIGTERM);
        closed(&gateway).await;
        release.notify_one();
    };
    let (reply, ()) = tokio::join!(asking, stopping);
    assert_eq!(reply.text(), "late");
    let (ended, log) = gateway.ended().await;
    assert!(ended.success(), "{log}");
}

#[tokio::test]
async fn idle_connections_are_closed_at_once() {
    let (gateway, _upstream, _release) = waiting("").await;
    let mut idle = gateway.raw().await;
    idle.send("GET /ping HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(status(&idle.head().await), 200);
    let untouched = gateway.raw().await;
    let mut idle2 = gateway.connect_http2().await;
    assert_eq!(idle2.send(request("GET", "/ping", &[], "")).await.text(), "pong");
    gateway.signal(libc::SIGTERM);
    let mut untouched = untouched;
    assert_eq!(idle.rest().await, "pong");
    assert_eq!(untouched.rest().await, "");
    let (ended, log) = gateway.ended().await;
    assert!(ended.success(), "{log}");
}

#[tokio::test]
async fn an_answer_during_the_drain_tells_the_client_to_close() {
    let (gateway, upstream, release) = waiting("").await;
    let mut client = gateway.raw().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    arrived(&upstream).await;
    gateway.signal(libc::SIGTERM);
    closed(&gateway).await;
    release.notify_one();
    let reply = client.rest().await;
    assert!(
        reply.to_lowercase().contains("connection: close") && reply.ends_with("late"),
        "{reply}"
    );
    gateway.ended().await;
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once_and_what_it_cuts_has_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let (gateway, upstream, _release) = waiting(&logging_to(&log)).await;
    let mut client = gateway.raw().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    arrived(&upstream).await;
    gateway.signal(libc::SIGTERM);
    closed(&gateway).await;
    gateway.signal(libc::SIGTERM);
    gateway.ended().await;
    assert_eq!(client.rest().await, "");
    check_cut(&log);
}

#[tokio::test]
async fn sigint_drains_as_well() {
    let (gateway, ..) = waiting("").await;
    gateway.signal(libc::SIGINT);
    let (ended, log) = gateway.ended().await;
    assert!(ended.success(), "{log}");
}

#[tokio::test]
async fn a_drain_has_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let more = format!("drain: 300ms\n        {}", logging_to(&log));
    let (gateway, upstream, _release) = waiting(&more).await;
    let mut client = gateway.raw().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    arrived(&upstream).await;
    gateway.signal(libc::SIGTERM);
    gateway.ended().await;
    client.rest().await;
    check_cut(&log);
}

fn logging_to(log: &Path) -> String {
    format!("telemetry: {{ access_log: {{ path: \"{}\" }} }}", log.display())
}

/// The one exchange has a line: its client was still there.
fn check_cut(log: &Path) {
    let line = std::fs::read_to_string(log).unwrap();
    assert!(line.contains("\"status\":503"), "{line}");
    assert!(line.contains("the gateway ended before it"), "{line}");
}

async fn unready(gateway: &Gateway) {
    wait::until("it is not ready", async || {
        (gateway.admin("/readyz").await.status == 503).then_some(())
    })
    .await;
}

#[tokio::test]
async fn before_the_drain_it_goes_on_accepting_and_says_that_it_is_not_ready() {
    let (gateway, ..) = waiting("drain_delay: 1h").await;
    gateway.signal(libc::SIGTERM);
    unready(&gateway).await;
    assert_eq!(gateway.get("/ping", &[]).await.text(), "pong");
    assert_eq!(gateway.status().await["draining"], true);
    // Told again, it does not wait for the hour's end.
    gateway.signal(libc::SIGTERM);
    assert!(gateway.ended().await.0.success());
}

#[tokio::test]
async fn after_the_delay_the_port_is_closed() {
    let (gateway, ..) = waiting("drain_delay: 500ms").await;
    gateway.signal(libc::SIGTERM);
    unready(&gateway).await;
    closed(&gateway).await;
    assert!(gateway.ended().await.0.success());
}

#[tokio::test]
async fn an_http2_client_that_is_gone_does_not_hold_up_the_drain() {
    let (gateway, ..) = waiting("drain: 10m").await;
    // It has not asked, reads nothing of what it is told, and acknowledges nothing.
    let mut silent = gateway.frames(1 << 16).await;
    silent.get(1, "/ping").await;
    silent.until(1).await;
    gateway.signal(libc::SIGTERM);
    let (ended, log) = gateway.ended().await;
    assert!(ended.success() && log.contains("all connections are closed"), "{log}");
}

#[tokio::test]
async fn sigquit_drains_too_and_the_log_can_be_rotated_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let (gateway, upstream, release) = waiting(&logging_to(&log)).await;
    let asking = gateway.get("/", &[]);
    let stopping = async {
        arrived(&upstream).await;
        gateway.signal(libc::SIGQUIT);
        closed(&gateway).await;
        std::fs::rename(&log, folder.path().join("access.log.1")).unwrap();
        gateway.signal(libc::SIGUSR1);
        wait::until("a new log", async || log.exists().then_some(())).await;
        release.notify_one();
    };
    let (reply, ()) = tokio::join!(asking, stopping);
    assert_eq!(reply.text(), "late");
    let (ended, _) = gateway.ended().await;
    assert!(ended.success());
    assert_eq!(std::fs::read_to_string(&log).unwrap().lines().count(), 1);
}
