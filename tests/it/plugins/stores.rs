//! Stores: what plugins keep, who shares it, and how much there may be.

use tollgate_tests::{Gateway, Setup, Upstream, client::Reply};

use super::{findings, lines, probe};

/// Takes steps with a store that the use was granted, and gives what they found.
async fn with_store(steps: &str) -> Vec<String> {
    let upstream = Upstream::echo().await;
    let usage = format!("grants: {{ stores: [one] }}, config: {{ request: [{steps}] }}");
    let gateway = probe(&upstream, &usage).await;
    let found = found(&gateway.get("/", &[]).await);
    gateway.stop().await;
    found
}

fn found(reply: &Reply) -> Vec<String> {
    lines(&reply.json()["headers"]["x-probe"])
}

/// A gateway with two workers, routes `/a` and `/b` to plugins of their names, and `more`.
async fn two_uses(upstream: &Upstream, more: &str) -> Gateway {
    Setup::new(&format!(
        r#"
        workers: 2
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes:
          - {{ name: a, match: {{ path: /a }}, upstream: u, plugins: [a] }}
          - {{ name: b, match: {{ path: /b }}, upstream: u, plugins: [b] }}
        {more}
        "#
    ))
    .plugin("probe")
    .start()
    .await
}

#[tokio::test]
async fn values_are_set_added_counted_and_deleted() {
    let found = with_store(
        "{ store: { call: get, store: one, key: k } },
        { store: { call: set, store: one, key: k, value: v } },
        { store: { call: get, store: one, key: k } },
        { store: { call: add, store: one, key: k, value: w } },
        { store: { call: delete, store: one, key: k } },
        { store: { call: add, store: one, key: k, value: w } },
        { store: { call: get, key: k } },
        { store: { call: increment, key: n, by: 5 } },
        { store: { call: increment, key: n, by: -7 } },
        { store: { call: get, key: n } },
        { store: { call: increment, key: k, by: 1 } }",
    )
    .await;
    let expected =
        ["none", "set", "v", "false", "deleted", "true", "w", "5", "-2", "-2", "unavailable"];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_store_that_was_not_granted_is_refused() {
    let steps = ["get", "set", "add", "delete", "increment"]
        .map(|call| format!("{{ store: {{ call: {call}, store: two, key: k }} }}"))
        .join(", ");
    assert_eq!(with_store(&steps).await, ["not-granted"; 5]);
    assert_eq!(findings("{ store: { call: get, key: k } }").await, ["not-granted"]);
}

#[tokio::test]
async fn a_key_or_value_that_is_too_large_is_refused_with_the_limit() {
    let (key, value) = ("k".repeat(1025), "v".repeat(101));
    let upstream = Upstream::echo().await;
    let gateway = two_uses(
        &upstream,
        &format!(
            "
        stores: {{ one: {{ max_value: 100 }} }}
        plugins:
          a: {{ component: probe, grants: {{ stores: [one] }}, config: {{ request: [
            {{ store: {{ call: set, key: {key} }} }},
            {{ store: {{ call: set, key: k, value: {value} }} }},
            {{ store: {{ call: set, key: k, value: {} }} }} ] }} }}
          b: {{ component: probe }}",
            &value[1..]
        ),
    )
    .await;
    assert_eq!(found(&gateway.get("/a", &[]).await), ["too-large 1024", "too-large 100", "set"]);
    gateway.stop().await;
}

#[tokio::test]
async fn a_value_is_there_until_its_time_is_over() {
    let upstream = Upstream::echo().await;
    let usage = "grants: { stores: [one] }, config: { request: [
        { store: { call: add, key: k, value: v, ttl_ms: 50 } },
        { store: { call: get, key: k } } ] }";
    let gateway = probe(&upstream, usage).await;
    assert_eq!(found(&gateway.get("/", &[]).await), ["true", "v"]);
    tollgate_tests::wait::until("the value expires", async || {
        (found(&gateway.get("/", &[]).await) == ["true", "v"]).then_some(())
    })
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn all_who_are_granted_a_store_share_it_over_workers_and_reloads() {
    let upstream = Upstream::echo().await;
    let gateway = two_uses(
        &upstream,
        "
        plugins:
          a: { component: probe, grants: { stores: [one] }, config: { request: [{ store: { call: increment, key: n, by: 1 } }] } }
          b: { component: probe, grants: { stores: [two, one] }, config: { request: [
            { store: { call: get, store: one, key: n } }, { store: { call: get, store: two, key: n } } ] } }",
    )
    .await;
    // Connections of their own: both workers get some.
    let calls = (0..40).map(|_| gateway.get("/a", &[]));
    let mut counts: Vec<u32> = futures_util::future::join_all(calls)
        .await
        .iter()
        .map(|reply| found(reply)[0].parse().unwrap())
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, (1..=40).collect::<Vec<_>>());
    gateway.reload_well().await;
    assert_eq!(found(&gateway.get("/b", &[]).await), ["40", "none"]);
    assert!(
        (gateway.metric("tollgate_store_entries", &[("store", "one")]).await - 1.0).abs() < 0.1
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_full_store_makes_room_and_says_so() {
    let upstream = Upstream::echo().await;
    let gateway = two_uses(
        &upstream,
        "
        stores: { one: { max_entries: 3 } }
        plugins:
          a: { component: probe, grants: { stores: [one] }, config: { request: [{ store: { call: set, key: $x-key } }] } }
          b: { component: probe, grants: { stores: [one] }, config: { request: [{ store: { call: get, key: $x-key } }] } }",
    )
    .await;
    for key in ["1", "2", "3"] {
        gateway.get("/a", &[("x-key", key)]).await;
    }
    gateway.get("/b", &[("x-key", "1")]).await;
    gateway.get("/a", &[("x-key", "4")]).await;
    for (key, expected) in [("1", ""), ("2", "none"), ("3", ""), ("4", "")] {
        assert_eq!(found(&gateway.get("/b", &[("x-key", key)]).await), [expected], "{key}");
    }
    let store = [("store", "one")];
    for (metric, expected) in [
        ("tollgate_store_entries", 3.0),
        ("tollgate_store_bytes", 3.0 * (128.0 + 1.0)),
        ("tollgate_store_evictions_total", 1.0),
    ] {
        let value = gateway.metric(metric, &store).await;
        assert!((value - expected).abs() < 0.1, "{metric}: {value}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn smaller_limits_hold_with_the_reload_that_brings_them() {
    let upstream = Upstream::echo().await;
    let config = |limits: &str| {
        format!(
            "workers: 1
upstreams: {{ u: {{ endpoints: ['{upstream}'] }} }}
stores: {{ one: {limits} }}
routes: [{{ match: {{ path: / }}, upstream: u, plugins: [{{ component: probe, grants: {{ stores: [one] }},
  config: {{ request: [{{ store: {{ call: set, key: $x-key }} }}] }} }}] }}]
"
        )
    };
    let gateway = Setup::new(&config("{}")).plugin("probe").start().await;
    for key in ["1", "2", "3"] {
        gateway.get("/", &[("x-key", key)]).await;
    }
    let entries = async || gateway.metric("tollgate_store_entries", &[]).await;
    assert!((entries().await - 3.0).abs() < 0.1);
    gateway.write_config(&config("{ max_entries: 0 }"));
    assert_eq!(gateway.reload().await.status, 422);
    assert!((entries().await - 3.0).abs() < 0.1, "a refused reload changes nothing");
    gateway.write_config(&config("{ max_entries: 2 }"));
    gateway.reload_well().await;
    assert!((entries().await - 2.0).abs() < 0.1);
    gateway.stop().await;
}
