//! A plugin that keeps trapping is left alone for a while, and tried again.

use tollgate_tests::{Gateway, Setup, wait};

const FAULTY: [(&str, &str); 1] = [("x-fault", "1")];

fn config(hook: &str, fault: &str, usage: &str) -> String {
    format!(
        r#"
        workers: 1
        plugins:
          faulty:
            component: faulty
            config: {{ hook: {hook}, fault: {fault}, only_with: x-fault }}
            {usage}
        routes:
          - {{ name: faulty, match: {{ path: / }}, plugins: [faulty], respond: {{ body: through }} }}
        "#
    )
}

/// One worker. `/` misbehaves with `x-fault`.
async fn faulty(hook: &str, fault: &str, usage: &str) -> Gateway {
    Setup::new(&config(hook, fault, usage)).plugin("faulty").start().await
}

async fn trap(gateway: &Gateway, times: usize) {
    for _ in 0..times {
        assert_eq!(gateway.get("/", &FAULTY).await.problem(), "503 plugin-failed");
    }
}

async fn errors(gateway: &Gateway, kind: &str) -> f64 {
    gateway.metric("tollgate_plugin_errors_total", &[("plugin", "faulty"), ("kind", kind)]).await
}

async fn is_quarantined(gateway: &Gateway) -> bool {
    let gauge = gateway.metric("tollgate_plugin_quarantined", &[("plugin", "faulty")]).await;
    let status = gateway.admin("/status").await.json();
    let active = status["plugins"][0]["quarantine"]["active"].as_bool().unwrap();
    assert_eq!(gauge > 0.5, active, "{status:#}");
    active
}

async fn passes(gateway: &Gateway) -> Option<()> {
    let reply = gateway.get("/", &[]).await;
    (reply.status == 200).then(|| assert_eq!(reply.text(), "through"))
}

#[tokio::test]
async fn a_use_that_keeps_trapping_is_left_alone_until_an_exchange_comes_through() {
    for hook in ["request", "response"] {
        let usage = "quarantine: { traps: 3, window: 1m, retry: 300ms, max_retry: 1s }";
        let gateway = faulty(hook, "panic", usage).await;
        trap(&gateway, 2).await;
        assert!(!is_quarantined(&gateway).await);
        trap(&gateway, 1).await;
        assert!(is_quarantined(&gateway).await);
        gateway.logged(&["a plugin goes into quarantine", "faulty"]).await;
        let ready = gateway.admin("/readyz").await;
        let degraded = "degraded: plugin `faulty` is in quarantine";
        assert!(ready.status == 200 && ready.text().contains(degraded), "{}", ready.text());
        wait::until("an exchange comes through", async || passes(&gateway).await).await;
        assert!(!is_quarantined(&gateway).await);
        gateway.logged(&["a plugin in quarantine is tried"]).await;
        gateway.logged(&["a plugin leaves quarantine"]).await;
        let trapped = errors(&gateway, "trapped").await;
        assert!((trapped - 3.0).abs() < 0.1, "{hook}: {trapped} trapped");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_refused_exchange_is_told_when_to_come_back() {
    let usage = "quarantine: { traps: 2, window: 1m, retry: 30s }";
    let gateway = faulty("request", "panic", usage).await;
    trap(&gateway, 2).await;
    let reply = gateway.get("/", &[]).await;
    assert_eq!(reply.problem(), "503 plugin-failed");
    let seconds: u32 = reply.header("retry-after").parse().unwrap();
    assert!((25..=30).contains(&seconds), "{seconds}");
    assert!(errors(&gateway, "quarantined").await > 0.9);
    gateway.stop().await;
}

#[tokio::test]
async fn a_try_that_fails_makes_the_next_one_wait_longer() {
    let usage = "quarantine: { traps: 1, window: 1m, retry: 100ms, max_retry: 1h }";
    let gateway = faulty("request", "panic", usage).await;
    wait::until("three tries have failed", async || {
        gateway.get("/", &FAULTY).await;
        (gateway.log().matches("a plugin stays in quarantine").count() >= 3).then_some(())
    })
    .await;
    let status = gateway.admin("/status").await.json();
    let quarantine = &status["plugins"][0]["quarantine"];
    assert!(quarantine["tries"].as_u64().unwrap() >= 3, "{quarantine}");
    assert!(quarantine["lasts_ms"].as_u64().unwrap() >= 700, "{quarantine}");
    // The first trap, and one for each try: nobody else was let in.
    let trapped = errors(&gateway, "trapped").await;
    let tries = quarantine["tries"].as_f64().unwrap();
    assert!(trapped < tries + 1.5, "{trapped} trapped in {tries} tries");
    gateway.stop().await;
}

#[tokio::test]
async fn exchanges_go_on_without_a_skipped_use_in_quarantine() {
    let usage = "on_error: skip\n            quarantine: { traps: 2, window: 1m, retry: 1h, max_retry: 1h }";
    for hook in ["request", "response"] {
        let gateway = faulty(hook, "panic", usage).await;
        for _ in 0..10 {
            assert_eq!(gateway.get("/", &FAULTY).await.text(), "through", "{hook}");
        }
        let trapped = errors(&gateway, "trapped").await;
        assert!((trapped - 2.0).abs() < 0.1, "{hook}: {trapped} trapped");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn neither_errors_of_its_own_nor_a_use_without_quarantine_come_to_it() {
    for (fault, usage) in [
        ("fail", "quarantine: { traps: 2, window: 1m, retry: 1h, max_retry: 1h }"),
        ("panic", "quarantine: none"),
    ] {
        let gateway = faulty("request", fault, usage).await;
        trap(&gateway, 12).await;
        assert_eq!(gateway.get("/", &[]).await.text(), "through", "{fault}");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_reload_keeps_the_quarantine_of_a_use_that_it_does_not_change() {
    let usage = "quarantine: { traps: 2, window: 1m, retry: 1h, max_retry: 1h }";
    let gateway = faulty("request", "panic", usage).await;
    trap(&gateway, 2).await;
    assert_eq!(gateway.reload().await.status, 200);
    assert!(is_quarantined(&gateway).await);
    gateway.write_config(&config(
        "request",
        "panic",
        &format!("{usage}\n            on_error: skip"),
    ));
    wait::until("the changed use starts clean", async || passes(&gateway).await).await;
    assert!(!is_quarantined(&gateway).await);
    gateway.stop().await;
}
