//! What plugins tell the operator: metrics with labels, and log lines, neither without end.

use tollgate_tests::{Setup, Upstream, wait};

use super::probe;

#[tokio::test]
async fn counts_and_observations_are_series_with_the_plugins_labels() {
    let upstream = Upstream::text("here").await;
    let usage = "config: { request: [
          { tell: { count: [things, { kind: a, size: $x-size }, 2] } },
          { tell: { observe: [weight, { kind: a }, 0.02] } } ] }";
    let gateway = probe(&upstream, usage).await;
    for size in ["small", "large", "small"] {
        gateway.get("/", &[("x-size", size)]).await;
    }
    for (name, labels, expected) in [
        ("tollgate_plugin_events_total", &[("kind", "a"), ("size", "small")][..], 4.0),
        ("tollgate_plugin_events_total", &[("kind", "a"), ("size", "large")], 2.0),
        ("tollgate_plugin_observations_count", &[("metric", "weight"), ("kind", "a")], 3.0),
        ("tollgate_plugin_observations_sum", &[("plugin", "probe")], 0.06),
        ("tollgate_plugin_observations_bucket", &[("metric", "weight"), ("le", "0.05")], 3.0),
    ] {
        let value = gateway.metric(name, labels).await;
        assert!((value - expected).abs() < 1e-6, "{name} {labels:?}: {value}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_client_that_chooses_a_label_makes_no_more_series_than_the_use_may_have() {
    let upstream = Upstream::text("here").await;
    let usage = "limits: { series: 5 }, config: { request: [
          { tell: { count: [things, { client: $x-client }, 1] } },
          { tell: { count: [bad-name, {}, 1] } },
          { tell: { count: [things, { le: x }, 1] } } ] }";
    let gateway = probe(&upstream, usage).await;
    let mut connection = gateway.connect().await;
    for number in 0..20 {
        let client = number.to_string();
        let fields = [("x-client", client.as_str())];
        connection.send(tollgate_tests::client::request("GET", "/", &fields, "")).await;
    }
    let text = gateway.admin("/metrics").await.text();
    let series = text.lines().filter(|line| line.starts_with("tollgate_plugin_events_total{"));
    assert_eq!(series.count(), 5);
    let dropped = async |kind| {
        gateway
            .metric("tollgate_plugin_dropped_total", &[("plugin", "probe"), ("kind", kind)])
            .await
    };
    assert!((dropped("series").await - 15.0).abs() < 0.1);
    assert!((dropped("invalid").await - 40.0).abs() < 0.1);
    gateway.logged(&["as many series as it may", "probe"]).await;
    assert_eq!(gateway.log().matches("as many series as it may").count(), 1);
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn log_lines_above_the_limit_of_a_use_are_dropped_and_counted() {
    let upstream = Upstream::text("here").await;
    let usage =
        "limits: { log_lines: 7 }, config: { request: [{ tell: { lines: [1000, noise] } }] }";
    let gateway = probe(&upstream, usage).await;
    gateway.get("/", &[]).await;
    let dropped = gateway.metric("tollgate_plugin_dropped_total", &[("kind", "log_lines")]).await;
    let logged = gateway.log().matches("noise").count();
    // They are quickly logged: in one second, or in the next one too.
    assert!((1..=14).contains(&logged), "{logged}");
    assert!((dropped - (1000 - logged) as f64).abs() < 0.1, "{dropped}");
    gateway.stop().await;
}

#[tokio::test]
async fn the_access_log_tells_which_plugin_answered_or_failed() {
    let gateway = Setup::new(
        r#"
        workers: 1
        telemetry: { access_log: {} }
        plugins: { closed: { component: probe, config: { request: [{ respond: { status: 403 } }] } } }
        routes:
          - { name: closed, match: { path: /closed }, plugins: [closed], respond: {} }
          - name: broken
            match: { path: /broken }
            plugins: [{ component: faulty, config: { hook: request, fault: fail } }]
            respond: {}
          - name: late
            match: { path: /late }
            plugins: [{ component: faulty, config: { hook: response, fault: fail } }]
            respond: {}
          - { name: open, match: { path: /open }, respond: {} }
        "#,
    )
    .plugin("probe")
    .plugin("faulty")
    .start()
    .await;
    let expected = [
        ("/closed", serde_json::json!("closed")),
        ("/broken", serde_json::json!("faulty")),
        ("/late", serde_json::json!("faulty")),
        ("/open", serde_json::Value::Null),
    ];
    for (path, plugin) in expected {
        gateway.get(path, &[]).await;
        let line = wait::until("its line", async || {
            let output = gateway.output();
            let mut lines = output.lines().filter_map(|line| serde_json::from_str(line).ok());
            lines.find(|line: &serde_json::Value| line["path"] == path)
        })
        .await;
        assert_eq!(line["plugin"], plugin, "{line}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_panic_is_one_line_and_not_many_of_them_are_told() {
    const TIMES: usize = 60;
    let gateway = Setup::new(
        r#"
        workers: 1
        routes:
          - name: faulty
            match: { path: / }
            plugins: [{ component: faulty, quarantine: none, config: { hook: request, fault: panic } }]
            respond: { body: through }
        "#,
    )
    .plugin("faulty")
    .start()
    .await;
    let mut connection = gateway.connect().await;
    for _ in 0..TIMES {
        let request = tollgate_tests::client::request("GET", "/", &[], "");
        assert_eq!(connection.send(request).await.problem(), "503 plugin-failed");
    }
    let dropped = wait::until("each is told or counted", async || {
        let dropped =
            gateway.metric("tollgate_plugin_dropped_total", &[("kind", "log_lines")]).await;
        let told = gateway.log().matches(r#""target":"plugin""#).count();
        (dropped as usize + told == TIMES).then_some(dropped)
    })
    .await;
    assert!(dropped >= 1.0);
    let line = gateway.logged(&["WARN", "panicked at", "stderr", "faulty", "request_id"]).await;
    assert!(line.contains("a secret of the panic") && line.contains("note: run with"), "{line}");
    let line = gateway.logged(&["a plugin failed", "it trapped: panicked at"]).await;
    assert!(line.contains("a secret of the panic") && !line.contains("note:"), "{line}");
    drop(connection);
    gateway.stop().await;
}
