//! Two versions of a plugin at a time: who gets which, and what ends it.

use tollgate_tests::{Gateway, Setup, Upstream, wait};

/// One worker, the plugin `p` with a canary, clients told apart by `x-forwarded-for`. Both
/// components stand under other names, as two versions of one would.
async fn gateway(usage: &str, upstream: &str) -> Gateway {
    Setup::new(&config(usage, upstream))
        .plugin_as("probe", "one")
        .plugin_as("probe", "two")
        .plugin_as("faulty", "broken")
        .start()
        .await
}

fn config(usage: &str, upstream: &str) -> String {
    format!(
        r#"
        workers: 1
        trusted_proxies: ["127.0.0.1"]
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        plugins: {{ p: {{ component: one, {usage} }} }}
        routes:
          - {{ name: all, match: {{ path: / }}, plugins: [p], respond: {{ body: through }} }}
          - {{ name: on, match: {{ path: /on }}, plugins: [p], upstream: u }}
        "#
    )
}

const NOWHERE: &str = "127.0.0.1:9";

/// Names itself in both hooks.
fn named(name: &str) -> String {
    format!(
        "config: {{ request: [{{ set_attribute: [version, {name}] }}], response: [{{ show: 'attribute:version' }}, {{ set_header: [x-version, {name}] }}] }}"
    )
}

async fn version(gateway: &Gateway, client: u32) -> String {
    let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + client).to_string();
    let reply = gateway.get("/", &[("x-forwarded-for", address.as_str())]).await;
    let version = reply.header("x-version").to_owned();
    let both = format!("{version}, ok");
    assert_eq!(reply.header("x-probe"), both, "both hooks had the same version");
    version
}

async fn canary(gateway: &Gateway) -> serde_json::Value {
    gateway.admin("/status").await.json()["plugins"][0]["canary"].clone()
}

#[tokio::test]
async fn a_share_of_the_clients_has_the_canary_and_keeps_it() {
    let usage =
        format!("{}, canary: {{ component: two, percent: 30, {} }}", named("old"), named("new"));
    let gateway = gateway(&usage, NOWHERE).await;
    let mut first = Vec::new();
    for client in 0..150 {
        first.push(version(&gateway, client).await);
    }
    for client in (0..150).rev() {
        assert_eq!(version(&gateway, client).await, first[client as usize], "client {client}");
    }
    let new = first.iter().filter(|version| *version == "new").count();
    assert!((25..=65).contains(&new), "{new} of 150 clients have the canary");
    let hooks = canary(&gateway).await["hooks"].as_u64().unwrap();
    assert_eq!(hooks, new as u64 * 4, "two hooks of two exchanges");
    for (plugin, exchanges) in [("p", 150 - new), ("p:canary", new)] {
        let labels = [("plugin", plugin), ("hook", "on-request")];
        let counted = gateway.metric("tollgate_plugin_duration_seconds_count", &labels).await;
        assert!((counted - 2.0 * exchanges as f64).abs() < 0.1, "{plugin}: {counted}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_canary_that_fails_too_often_is_given_up_and_stays_so() {
    let broken = |percent: u32| {
        format!(
            "config: {{}}, canary: {{ component: broken, percent: {percent}, config: {{ hook: request, fault: fail }}, abort_on: {{ errors: 10%, min_calls: 5 }} }}"
        )
    };
    let gateway = gateway(&broken(100), NOWHERE).await;
    for _ in 0..5 {
        assert_eq!(gateway.get("/", &[]).await.problem(), "503 plugin-failed");
    }
    for _ in 0..20 {
        assert_eq!(gateway.get("/", &[]).await.text(), "through");
    }
    gateway.logged(&["a canary is given up", "\"p\""]).await;
    let aborted = gateway.metric("tollgate_plugin_canary_aborted", &[("plugin", "p")]).await;
    assert!(aborted > 0.5);
    let errors = [("plugin", "p:canary"), ("kind", "failed")];
    let errors = gateway.metric("tollgate_plugin_errors_total", &errors).await;
    assert!((errors - 5.0).abs() < 0.1, "{errors}");
    assert_eq!(canary(&gateway).await["aborted"]["failed_hooks"], 5);

    assert_eq!(gateway.reload().await.status, 200);
    assert_eq!(gateway.get("/", &[]).await.text(), "through", "a reload gives it no second chance");
    gateway.write_config(&config(&broken(99), NOWHERE));
    wait::until("another canary is one", async || {
        canary(&gateway).await["aborted"].is_null().then_some(())
    })
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_canary_whose_own_answers_say_that_something_is_wrong_is_given_up() {
    let answering = |status: u16| {
        format!(
            "config: {{}}, canary: {{ component: two, percent: 100, config: {{ request: [{{ respond: {{ status: {status} }} }}] }}, abort_on: {{ errors: 10%, min_calls: 5 }} }}"
        )
    };
    let refusing = gateway(&answering(403), NOWHERE).await;
    for _ in 0..20 {
        assert_eq!(refusing.get("/", &[]).await.status, 403, "a refusal is a verdict");
    }
    refusing.stop().await;
    let failing = gateway(&answering(504), NOWHERE).await;
    for _ in 0..5 {
        assert_eq!(failing.get("/", &[]).await.status, 504);
    }
    assert_eq!(failing.get("/", &[]).await.text(), "through");
    failing.stop().await;
}

#[tokio::test]
async fn a_shadow_is_compared_and_decides_nothing() {
    let upstream = Upstream::echo().await;
    let usage = "config: { request: [{ set_header: [x-a, one] }] }, canary: { component: two, percent: 100, shadow: true, config: { request: [{ set_header: [x-a, a-secret] }, { set_header: [x-b, two] }] } }";
    let gateway = gateway(usage, &upstream.to_string()).await;
    for _ in 0..3 {
        let seen = gateway.get("/on", &[]).await.json();
        assert_eq!(seen["headers"]["x-a"], serde_json::json!(["one"]));
        assert!(seen["headers"]["x-b"].is_null(), "{seen}");
    }
    let line = gateway.logged(&["a shadow would have done otherwise"]).await;
    assert!(line.contains("header x-a") && line.contains("header x-b"), "{line}");
    assert!(!gateway.log().contains("a-secret"));
    wait::until("all are counted", async || {
        let labels = [("plugin", "p"), ("result", "different")];
        let counted = gateway.metric("tollgate_plugin_shadow_total", &labels).await;
        (counted > 2.9).then_some(())
    })
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_shadow_reaches_nothing_outside_and_nobody_waits_for_it() {
    let upstream = Upstream::echo().await;
    let usage = "config: { request: [{ set_header: [x-a, one] }] }, grants: { upstreams: [u] }, canary: { component: two, percent: 100, shadow: true, config: { request: [{ call: { upstream: u, target: /x } }] } }";
    let gateway = gateway(usage, &upstream.to_string()).await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/on", &[]).await.status, 200);
    }
    wait::until("all are counted", async || {
        let labels = [("plugin", "p"), ("result", "inconclusive")];
        let counted = gateway.metric("tollgate_plugin_shadow_total", &labels).await;
        (counted > 2.9).then_some(())
    })
    .await;
    assert_eq!(upstream.requests(), 3, "the shadow has called the upstream");
    gateway.stop().await;
}

#[tokio::test]
async fn a_shadow_that_loops_costs_no_client_its_answer() {
    let usage = "config: {}, limits: { cpu: 3s }, canary: { component: broken, percent: 100, shadow: true, config: { hook: request, fault: loop } }";
    let gateway = gateway(usage, NOWHERE).await;
    let started = std::time::Instant::now();
    assert_eq!(gateway.get("/", &[]).await.text(), "through");
    assert!(started.elapsed().as_millis() < 2500, "the client waited {:?}", started.elapsed());
    wait::until("the shadow's end is counted", async || {
        let labels = [("plugin", "p"), ("result", "different")];
        let counted = gateway.metric("tollgate_plugin_shadow_total", &labels).await;
        (counted > 0.9).then_some(())
    })
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn the_canarys_configuration_is_checked_like_the_plugins_own() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("plugins")).unwrap();
    for name in ["one", "two"] {
        let place = folder.path().join(format!("plugins/{name}.wasm"));
        std::fs::copy(tollgate_tests::artifacts::component("probe"), place).unwrap();
    }
    let usage = |canary: &str| {
        let text = config(&format!("config: {{}}, canary: {{ {canary} }}"), NOWHERE);
        format!("listeners: [{{ address: '127.0.0.1:0' }}]\n{}", text.replace("\n        ", "\n"))
    };
    for (canary, expected) in [
        ("component: three, percent: 5", "canary.component"),
        ("component: two, percent: 5, config: { refuse: no }", "refuses its configuration: no"),
        ("component: two, percent: 5, config: { x: 1 }", "unknown key `x`"),
        ("component: two, percent: 101", "must be at most 100"),
        ("percent: 5", "`component` is missing"),
    ] {
        std::fs::write(folder.path().join("tollgate.yaml"), usage(canary)).unwrap();
        let path = folder.path().to_owned();
        let ran = tokio::task::spawn_blocking(move || {
            tollgate_tests::process::tollgate(&path, &["validate", "-c", "tollgate.yaml"])
        });
        let ran = wait::within("validate ends", ran).await.unwrap();
        assert_eq!(ran.code, 1, "{canary}: {ran:?}");
        assert!(ran.stderr.contains(expected), "{canary}: {ran:?}");
    }
}
