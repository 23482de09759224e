//! What one exchange leaves in an instance, and who finds it.

use tollgate_tests::{Gateway, Setup};

/// One worker, and the counter with this use.
async fn counter(usage: &str) -> Gateway {
    Setup::new(&format!(
        r#"
        workers: 1
        plugins: {{ counter: {{ component: counter, {usage} }} }}
        routes:
          - {{ name: all, match: {{ path: / }}, plugins: [counter], respond: {{ body: hello }} }}
        "#
    ))
    .plugin("counter")
    .start()
    .await
}

/// What three exchanges saw: the count in the request's hook, in the response's, and a text.
async fn counts(gateway: &Gateway) -> Vec<String> {
    let mut counts = Vec::new();
    for _ in 0..3 {
        counts.push(gateway.get("/", &[]).await.header("x-hooks"));
    }
    counts
}

async fn isolation(gateway: &Gateway) -> serde_json::Value {
    gateway.admin("/status").await.json()["plugins"][0]["isolation"].clone()
}

#[tokio::test]
async fn state_passes_from_one_exchange_to_the_next_where_instances_are_shared() {
    let gateway = counter("isolation: shared").await;
    assert_eq!(counts(&gateway).await, ["1 2", "3 4", "5 6"]);
    assert_eq!(isolation(&gateway).await, serde_json::json!({ "mode": "shared" }));
    gateway.stop().await;
}

#[tokio::test]
async fn no_state_passes_between_exchanges_or_hooks_where_each_has_its_own_instance() {
    let gateway = counter("isolation: request, config: { text: configured }").await;
    assert_eq!(counts(&gateway).await, ["1 1 configured", "1 1 configured", "1 1 configured"]);
    let isolation = isolation(&gateway).await;
    assert_eq!(isolation, serde_json::json!({ "mode": "request", "from": "snapshot" }));
    let instances = gateway.metric("tollgate_plugin_instances", &[]).await;
    assert!(instances < 0.5, "{instances} instances are left");
    gateway.stop().await;
}

#[tokio::test]
async fn an_instance_that_holds_things_of_the_host_is_configured_anew_each_time() {
    let gateway = counter("isolation: request, config: { hold_key: true }").await;
    let reply = gateway.get("/", &[]).await;
    assert_eq!([reply.header("x-hooks"), reply.header("x-key")], ["1 1", "held"]);
    let reply = gateway.get("/", &[]).await;
    assert_eq!([reply.header("x-hooks"), reply.header("x-key")], ["1 1", "held"]);
    let isolation = isolation(&gateway).await;
    assert_eq!(isolation["from"], "configure");
    assert!(isolation["reason"].as_str().unwrap().contains("keys"), "{isolation}");
    gateway.stop().await;
}

#[tokio::test]
async fn fresh_instances_are_bounded_and_leave_nothing_behind() {
    let gateway = counter("isolation: request, limits: { max_instances: 2 }").await;
    let replies = futures_util::future::join_all((0..50).map(|_| gateway.get("/", &[]))).await;
    for reply in replies {
        assert_eq!((reply.status, reply.header("x-hooks").as_str()), (200, "1 1"));
    }
    let round = async || {
        for _ in 0..300 {
            assert_eq!(gateway.get("/", &[]).await.status, 200);
        }
        tollgate_tests::process::resident_memory(gateway.pid())
    };
    round().await;
    let (first, second) = (round().await, round().await);
    let grown = second.saturating_sub(first) >> 20;
    assert!(grown < 8, "600 fresh instances cost {grown} MiB");
    gateway.stop().await;
}
