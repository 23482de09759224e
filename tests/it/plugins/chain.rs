//! Plugins one after the other.

use tollgate_tests::{Gateway, Setup, Upstream, wait};

/// A chain before an upstream; each plugin is a probe with one of these configurations.
async fn chain(upstream: &Upstream, uses: &[&str]) -> Gateway {
    let uses: Vec<_> = uses
        .iter()
        .map(|config| format!("{{ component: probe, config: {{ {config} }} }}"))
        .collect();
    Setup::new(&format!(
        r#"
        workers: 1
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes:
          - name: all
            match: {{ path: "/{{*rest}}" }}
            upstream: u
            plugins: [{}]
        "#,
        uses.join(", ")
    ))
    .plugin("probe")
    .start()
    .await
}

const BOTH: [&str; 3] = [
    "request: [{ append_header: [x-order, a] }], response: [{ append_header: [x-order, a] }]",
    "request: [{ append_header: [x-order, b] }], response: [{ append_header: [x-order, b] }]",
    "request: [{ append_header: [x-order, c] }], response: [{ append_header: [x-order, c] }]",
];

#[tokio::test]
async fn requests_pass_in_order_and_responses_in_reverse() {
    let upstream = Upstream::echo().await;
    let gateway = chain(&upstream, &BOTH).await;
    let reply = gateway.get("/", &[]).await;
    assert_eq!(reply.json()["headers"]["x-order"], serde_json::json!(["a", "b", "c"]));
    assert_eq!(reply.header("x-order"), "c, b, a");
    gateway.stop().await;
}

#[tokio::test]
async fn an_answer_ends_the_way_in_and_passes_those_before_on_its_way_out() {
    let upstream = Upstream::echo().await;
    let answers = "request: [{ respond: { status: 403, headers: { x-own: '1' }, body: stop } }], response: [{ append_header: [x-order, b] }]";
    let gateway = chain(&upstream, &[BOTH[0], answers, BOTH[2]]).await;
    let reply = gateway.get("/", &[]).await;
    assert_eq!((reply.status, reply.text().as_str()), (403, "stop"));
    assert_eq!(reply.header("x-own"), "1");
    assert_eq!(reply.header("x-order"), "b, a");
    assert_eq!(reply.header("content-length"), "4");
    assert!(!reply.header("x-request-id").is_empty());
    assert_eq!(upstream.requests(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn response_hooks_see_the_gateways_own_problems() {
    let upstream = Upstream::echo().await;
    let fails = "request: [{ fail: 'a secret' }], response: [{ append_header: [x-order, b] }]";
    let gateway = chain(&upstream, &[BOTH[0], fails, BOTH[2]]).await;
    let reply = gateway.get("/", &[]).await;
    assert_eq!(reply.problem(), "503 plugin-failed");
    let order = reply.header("x-order");
    assert!(order.ends_with('a') && !order.contains('c'), "{order}");
    assert!(!reply.text().contains("secret"), "{}", reply.text());
    gateway.stop().await;
}

#[tokio::test]
async fn finish_hooks_run_once_for_each_exchange_whatever_its_end() {
    let upstream = Upstream::text("four").await;
    let first = "request: [{ set_attribute: [note, first] }], finish: true";
    let gateway = chain(&upstream, &[first]).await;

    let reply = gateway.post("/", &[], "six ch").await;
    let id = reply.header("x-request-id");
    let line = gateway.logged(&["finished", &id]).await;
    let line: serde_json::Value = serde_json::from_str(&line).expect("a JSON line");
    let fields = line["fields"].as_str().expect("the plugin's fields");
    for part in [
        "note=\"first\"",
        "status=\"200\"",
        "request_bytes=\"6\"",
        "response_bytes=\"4\"",
        "upstream=\"u\"",
    ] {
        assert!(fields.contains(part), "{part}: {fields}");
    }

    drop(upstream);
    let reply = wait::until("the upstream is gone", async || {
        let reply = gateway.get("/", &[]).await;
        (reply.status == 502).then_some(reply)
    })
    .await;
    let line = gateway.logged(&["finished", &reply.header("x-request-id")]).await;
    assert!(line.contains("502"), "{line}");
    let count = gateway
        .log()
        .lines()
        .filter(|line| line.contains("finished") && line.contains(&id))
        .count();
    assert_eq!(count, 1);
    gateway.stop().await;
}

#[tokio::test]
async fn a_named_use_can_be_changed_where_it_is_listed() {
    let upstream = Upstream::echo().await;
    let gateway = Setup::new(&format!(
        r#"
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        plugins:
          named:
            component: probe
            config: {{ request: [{{ fail: always }}] }}
        routes:
          - {{ name: plain, match: {{ path: "/plain" }}, upstream: u, plugins: [named] }}
          - {{ name: changed, match: {{ path: "/changed" }}, upstream: u, plugins: [{{ use: named, on_error: skip }}] }}
          - {{ name: other, match: {{ path: "/other" }}, upstream: u, plugins: [{{ use: named, config: {{}} }}] }}
        "#
    ))
    .plugin("probe")
    .start()
    .await;
    assert_eq!(gateway.get("/plain", &[]).await.problem(), "503 plugin-failed");
    assert_eq!(gateway.get("/changed", &[]).await.status, 200);
    assert_eq!(gateway.get("/other", &[]).await.status, 200);
    gateway.stop().await;
}
