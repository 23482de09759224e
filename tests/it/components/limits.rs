//! What a component may use up.

use tollgate_tests::{Gateway, Setup, Upstream, client::request, wait};

use super::{all_gone, config, instances, proxy};

fn granted(upstream: &Upstream) -> String {
    format!(r#"u: {{ endpoints: ["{upstream}"] }}"#)
}

#[tokio::test]
async fn a_component_that_loops_ends_and_others_go_on_meanwhile() {
    let gateway = proxy("", "limits: { cpu: 300ms }").await;
    let looping = gateway.get("/spin", &[]);
    let meanwhile = async {
        wait::until("the loop", async || (instances(&gateway).await == 1).then_some(())).await;
        for _ in 0..5 {
            assert_eq!(gateway.get("/ping", &[]).await.text(), "pong");
        }
    };
    let (reply, ()) = tokio::join!(looping, meanwhile);
    assert_eq!(reply.problem(), "503 plugin-failed");
    gateway.logged(&["more than 300ms of CPU"]).await;
    assert_eq!(gateway.get("/length", &[]).await.text(), "12345");
    gateway.stop().await;
}

#[tokio::test]
async fn a_component_has_the_memory_that_it_may_have() {
    let gateway = proxy("", "limits: { memory: 16MiB }").await;
    assert_eq!(gateway.get("/grow?8000000", &[]).await.text(), "8000000");
    let beyond = gateway.get("/grow?30000000", &[]).await;
    assert_eq!(beyond.problem(), "503 plugin-failed");
    gateway.logged(&["its limit is 16777216"]).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_component_that_waits_for_too_long_is_ended() {
    let (upstream, _release) = Upstream::held().await;
    let table = "grants: { upstreams: [u] }, limits: { timeout: 200ms }";
    let gateway = proxy(&granted(&upstream), table).await;
    let reply = gateway.get("/forward?http://u/", &[]).await;
    // The request to the upstream has the same patience, so either may be the first to end.
    assert!([502, 503].contains(&reply.status), "{reply:?}");
    all_gone(&gateway).await;
    gateway.stop().await;
}

#[tokio::test]
async fn the_time_of_the_exchange_is_that_of_its_component() {
    let (upstream, _release) = Upstream::held().await;
    let config = config(
        &granted(&upstream),
        "grants: { upstreams: [u] }, limits: { cpu: 20s }",
        "timeout: 200ms",
    );
    let gateway = Setup::new(&config).plugin("proxy").start().await;
    assert_eq!(gateway.get("/spin", &[]).await.problem(), "504 upstream-timeout");
    let mut connection = gateway.connect().await;
    let reply = connection.try_send(request("GET", "/forever", &[], "")).await;
    assert!(reply.is_err(), "{reply:?}");
    all_gone(&gateway).await;
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn requests_beyond_the_instances_are_refused_as_overload() {
    let (upstream, release) = Upstream::held().await;
    let table = "grants: { upstreams: [u] }, limits: { max_instances: 1 }";
    let gateway = proxy(&granted(&upstream), table).await;
    let first = gateway.get("/fetch?http://u/", &[]);
    let second = async {
        wait::until("the first", async || (upstream.requests() == 1).then_some(())).await;
        let reply = gateway.get("/length", &[]).await;
        assert_eq!(reply.problem(), "503 overloaded");
        assert_eq!(reply.header("retry-after"), "1");
        release.notify_one();
    };
    let (reply, ()) = tokio::join!(first, second);
    assert_eq!(reply.text(), "200 late");
    all_gone(&gateway).await;
    assert_eq!(gateway.get("/length", &[]).await.text(), "12345");
    gateway.stop().await;
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_instance() {
    let (upstream, _release) = Upstream::held().await;
    let gateway = proxy(&granted(&upstream), "grants: { upstreams: [u] }").await;
    for path in ["/fetch?http://u/", "/forever", "/spin"] {
        let mut raw = gateway.raw().await;
        raw.send(&format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        wait::until("the instance", async || (instances(&gateway).await == 1).then_some(())).await;
        drop(raw);
        all_gone(&gateway).await;
    }
    gateway.stop().await;
}

/// The mebibytes that the guest has written, as it says itself.
fn sent(gateway: &Gateway) -> usize {
    gateway.log().lines().filter(|line| line.contains("sent ")).count()
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_component() {
    let gateway = proxy("", "limits: { cpu: 20s, log_lines: 100000 }").await;
    let mut connection = gateway.connect().await;
    let response = connection.begin(request("GET", "/forever", &[], "")).await;
    let (mut last, mut same) = (0, 0);
    while same < 100 || last == 0 {
        assert_eq!(gateway.get("/ping", &[]).await.text(), "pong");
        let now = sent(&gateway);
        same = if now == last { same + 1 } else { 0 };
        last = now;
        assert!(now < 64, "{now} MiB were written for a client that reads nothing");
    }
    drop((response, connection));
    all_gone(&gateway).await;
    gateway.stop().await;
}
