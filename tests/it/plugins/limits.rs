//! Limits that are a plugin's to reach: what it is told, and what is counted.

use std::time::Instant;

use tollgate_tests::{Gateway, Setup, Upstream, wait};

use super::{lines, probe};

async fn reached(gateway: &Gateway, limit: &str) -> f64 {
    let labels = [("plugin", "probe"), ("limit", limit)];
    gateway.metric("tollgate_plugin_limits_reached_total", &labels).await
}

#[tokio::test]
async fn a_hook_that_waits_too_long_is_ended_in_both_directions_under_both_policies() {
    let upstream = Upstream::new(async |_| std::future::pending().await).await;
    for (hook, on_error) in
        [("request", "reject"), ("response", "reject"), ("request", "skip"), ("response", "skip")]
    {
        let gateway = Setup::new(&format!(
            r#"
            workers: 1
            upstreams: {{ u: {{ endpoints: ["{upstream}"], timeouts: {{ first_byte: 60s }} }} }}
            routes:
              - name: all
                match: {{ path: / }}
                plugins:
                  - component: probe
                    on_error: {on_error}
                    grants: {{ upstreams: [u] }}
                    limits: {{ timeout: 150ms }}
                    config: {{ {hook}: [{{ call: {{ upstream: u, target: /x }} }}] }}
                respond: {{ body: through }}
            "#
        ))
        .plugin("probe")
        .start()
        .await;
        for _ in 0..3 {
            let started = Instant::now();
            let reply = gateway.get("/", &[]).await;
            assert!(started.elapsed().as_millis() >= 140, "{hook}: it has not waited");
            match on_error {
                "skip" => assert_eq!(reply.text(), "through", "{hook}"),
                _ => assert_eq!(reply.problem(), "503 plugin-failed", "{hook}"),
            }
        }
        let labels = [("plugin", "probe"), ("kind", "timeout")];
        let counted = gateway.metric("tollgate_plugin_errors_total", &labels).await;
        assert!((counted - 3.0).abs() < 0.1, "{hook} {on_error}: {counted}");
        let instances = gateway.metric("tollgate_plugin_instances", &[]).await;
        assert!(instances < 0.5, "{hook} {on_error}: {instances} instances are left");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_told_counted_and_logged() {
    let upstream = Upstream::echo().await;
    let usage = "grants: { request_body: true, response_body: true }, limits: { max_body: 16 }, config: { request: [{ show: body }], response: [{ show: body }] }";
    let gateway = probe(&upstream, usage).await;
    let reply = gateway.post("/", &[], &"x".repeat(100)).await;
    assert_eq!(lines(&reply.json()["headers"]["x-probe"]), ["too-large 16"]);
    assert_eq!(reply.header("x-probe"), "too-large 16");
    assert!((reached(&gateway, "max_body").await - 2.0).abs() < 0.1);
    gateway.logged(&["a plugin has reached a limit", "max_body", "probe", "all"]).await;
    gateway.stop().await;
}

#[tokio::test]
async fn calls_beyond_the_limit_are_refused_and_counted() {
    let upstream = Upstream::echo().await;
    let call = "{ call: { upstream: u, target: /x } }";
    let usage = format!(
        "grants: {{ upstreams: [u] }}, limits: {{ calls: 2 }}, config: {{ request: [{call}, {call}, {call}], response: [{call}] }}"
    );
    let gateway = probe(&upstream, &usage).await;
    let reply = gateway.get("/", &[]).await;
    assert_eq!(lines(&reply.json()["headers"]["x-probe"]), ["200", "200", "invalid"]);
    assert_eq!(reply.header("x-probe"), "invalid", "the limit is the exchange's");
    assert!((reached(&gateway, "calls").await - 2.0).abs() < 0.1);
    assert_eq!(upstream.requests(), 3);
    gateway.stop().await;
}

#[tokio::test]
async fn attributes_beyond_the_limits_are_not_set_and_counted() {
    let upstream = Upstream::echo().await;
    for limits in ["attributes: 2", "attribute_bytes: 8"] {
        let set = |name: &str| format!("{{ set_attribute: [{name}, xxx] }}");
        let show = |name: &str| format!("{{ show: 'attribute:{name}' }}");
        let usage = format!(
            "limits: {{ {limits} }}, config: {{ request: [{}, {}, {}, {}, {}, {}], response: [{}, {}] }}",
            set("a"),
            set("b"),
            set("c"),
            show("a"),
            show("b"),
            show("c"),
            set("d"),
            show("d")
        );
        let gateway = probe(&upstream, &usage).await;
        let reply = gateway.get("/", &[]).await;
        assert_eq!(lines(&reply.json()["headers"]["x-probe"]), ["xxx", "xxx", "-"], "{limits}");
        assert_eq!(reply.header("x-probe"), "-", "{limits}");
        assert!((reached(&gateway, "attributes").await - 2.0).abs() < 0.1, "{limits}");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_table_beyond_the_limit_refuses_the_use() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("plugins")).unwrap();
    let component = tollgate_tests::artifacts::component("probe");
    std::fs::copy(component, folder.path().join("plugins/probe.wasm")).unwrap();
    std::fs::write(
        folder.path().join("tollgate.yaml"),
        "listeners: [{ address: '127.0.0.1:0' }]
plugins: { p: { component: probe, config: {}, limits: { table: 3 } } }
",
    )
    .unwrap();
    let path = folder.path().to_owned();
    let ran = tokio::task::spawn_blocking(move || {
        tollgate_tests::process::tollgate(&path, &["validate", "-c", "tollgate.yaml"])
    });
    let ran = wait::within("validate ends", ran).await.unwrap();
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("its limit is 3"), "{ran:?}");
}

#[tokio::test]
async fn a_plugin_cannot_pile_up_bodies_in_the_gateway() {
    let gateway = |memory: &'static str| {
        Setup::new(&format!(
            r#"
            workers: 1
            routes:
              - name: all
                match: {{ path: / }}
                plugins:
                  - component: faulty
                    limits: {{ memory: {memory}, cpu: 10s }}
                    config: {{ hook: request, fault: hoard }}
                respond: {{ body: through }}
            "#
        ))
        .plugin("faulty")
        .start()
    };
    let small = gateway("64MiB").await;
    assert_eq!(small.get("/", &[]).await.problem(), "503 plugin-failed");
    small.logged(&["a plugin failed", "holds at most 67108864 bytes in the gateway"]).await;
    small.stop().await;
    let large = gateway("300MiB").await;
    assert_eq!(large.get("/", &[]).await.text(), "through");
    large.stop().await;
}

#[tokio::test]
async fn what_the_gateway_does_for_a_plugin_takes_of_its_cpu_time() {
    let gateway = |cpu: &'static str, fault: &'static str| {
        Setup::new(&format!(
            r#"
            workers: 1
            routes:
              - name: all
                match: {{ path: / }}
                plugins:
                  - component: faulty
                    limits: {{ cpu: {cpu} }}
                    config: {{ hook: request, fault: {fault} }}
                respond: {{ body: through }}
            "#
        ))
        .plugin("faulty")
        .start()
    };
    for fault in ["digest", "verify"] {
        let short = gateway("2ms", fault).await;
        assert_eq!(short.get("/", &[]).await.problem(), "503 plugin-failed");
        let labels = [("plugin", "faulty"), ("kind", "cpu")];
        assert!(short.metric("tollgate_plugin_errors_total", &labels).await > 0.5);
        short.stop().await;
        let long = gateway("10s", fault).await;
        assert_eq!(long.get("/", &[]).await.text(), "through");
        long.stop().await;
    }
}
