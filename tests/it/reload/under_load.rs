//! Swaps and reloads while clients ask without a pause: not one may notice.

use tollgate_tests::{Gateway, Setup, Upstream, load::Load, process::resident_memory, wait};

use super::changed;

/// Enough that every swap happens among requests.
pub(super) const CLIENTS: usize = 32;

const SWAPS: usize = 100;

/// A route with a plugin that marks the response, before an upstream.
fn config(upstream: &Upstream, mark: usize) -> String {
    format!(
        r#"
        workers: 2
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes:
          - name: all
            match: {{ path: / }}
            upstream: u
            plugins: [{{ component: probe, config: {{ response: [{{ set_header: [x-mark, m{mark}] }}] }} }}]
        "#
    )
}

pub(super) fn is_well(reply: &tollgate_tests::Reply) -> bool {
    reply.status == 200 && reply.text() == "here" && reply.header("x-mark").starts_with('m')
}

/// Waits for a few more requests to be answered, so that each change meets some.
pub(super) async fn some_more(load: &Load) {
    let so_far = load.answered();
    wait::until("more answers", async || (load.answered() > so_far + CLIENTS).then_some(())).await;
}

async fn generations_and_failures(gateway: &Gateway) -> (u64, f64) {
    let failures = gateway.metric("tollgate_reloads_total", &[("result", "failure")]).await;
    (gateway.generation().await, failures)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_plugin_swaps_lose_no_request() {
    let upstream = Upstream::text("here").await;
    let gateway = Setup::new(&config(&upstream, 0)).plugin("probe").start().await;
    let load = Load::start(gateway.address(), CLIENTS, "/", is_well).await;
    let (mut swapped, mut refused) = (1, 0.0);
    for swap in 1..=SWAPS {
        let broken = swap % 5 == 0;
        let mut component = changed("probe", swap);
        if broken {
            component.truncate(component.len() / 2);
        }
        gateway.write_plugin("probe", component);
        let reply = gateway.reload().await;
        assert_eq!(reply.status, if broken { 422 } else { 200 }, "{}", reply.text());
        some_more(&load).await;
        let (generation, failures) = generations_and_failures(&gateway).await;
        if broken {
            assert!(failures > refused)
        } else {
            assert!(generation > swapped)
        }
        (swapped, refused) = (generation, failures);
    }
    let (answered, failures) = load.stop().await;
    assert!(failures.is_empty(), "{} of {answered} failed: {:?}", failures.len(), &failures[..1]);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_configuration_reloads_lose_no_request() {
    let upstream = Upstream::text("here").await;
    let gateway = Setup::new(&config(&upstream, 0)).plugin("probe").start().await;
    let load = Load::start(gateway.address(), CLIENTS, "/", is_well).await;
    let mut swapped = 1;
    for swap in 1..=SWAPS {
        let broken = swap % 5 == 0;
        let text = config(&upstream, swap);
        let text = if broken { text.replace("upstream: u", "upstream: gone") } else { text };
        gateway.write_config(&text);
        let reply = gateway.reload().await;
        assert_eq!(reply.status, if broken { 422 } else { 200 }, "{}", reply.text());
        some_more(&load).await;
        let generation = gateway.generation().await;
        assert!(broken || generation > swapped);
        swapped = generation;
        if !broken {
            assert_eq!(gateway.get("/", &[]).await.header("x-mark"), format!("m{swap}"));
        }
    }
    let (answered, failures) = load.stop().await;
    assert!(failures.is_empty(), "{} of {answered} failed: {:?}", failures.len(), &failures[..1]);
    gateway.stop().await;
}

#[tokio::test]
async fn memory_is_flat_over_hundreds_of_reloads() {
    let upstream = Upstream::text("here").await;
    let gateway = Setup::new(&config(&upstream, 0)).plugin("probe").start().await;
    let round = async |from: usize| {
        for mark in from..from + 100 {
            gateway.write_config(&config(&upstream, mark));
            gateway.reload_well().await;
            assert_eq!(gateway.get("/", &[]).await.header("x-mark"), format!("m{mark}"));
        }
        resident_memory(gateway.pid())
    };
    let first = round(1).await;
    round(101).await;
    let third = round(201).await;
    let grown = third.saturating_sub(first) >> 20;
    assert!(grown < 16, "200 reloads cost {grown} MiB");
    gateway.stop().await;
}

#[tokio::test]
async fn memory_is_flat_over_reloads_without_a_pause() {
    let upstream = Upstream::text("here").await;
    let plugin = "{ component: probe, config: { response: [{ set_header: [x-mark, m0] }] } }";
    let many = config(&upstream, 0)
        .replace("plugins: [", &format!("plugins: [{plugin}, {plugin}, {plugin}, "));
    let gateway = Setup::new(&many).plugin("probe").start().await;
    let round = async || {
        for _ in 0..100 {
            gateway.reload_well().await;
        }
        resident_memory(gateway.pid())
    };
    let first = round().await;
    let second = round().await;
    let grown = second.saturating_sub(first) >> 20;
    assert!(
        grown < 8 && second >> 20 < 90,
        "{} MiB, {grown} of them for 100 reloads",
        second >> 20
    );
    gateway.stop().await;
}
