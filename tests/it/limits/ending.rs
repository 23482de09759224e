//! Limits that end a hook.

use std::time::Duration;

use tollgate_tests::{Gateway, Setup, process, wait};

use super::{Cell, HOOKS, config, mirror};

/// A limit, and the kind of failure that going beyond it is.
struct Limit {
    fault: &'static str,
    limits: &'static str,
    kind: &'static str,
    hooks: &'static [&'static str],
    /// How long a hook may take that goes beyond it.
    within: Duration,
}

static LIMITS: [Limit; 7] = [
    Limit {
        fault: "loop",
        limits: "cpu: 10ms",
        kind: "cpu",
        hooks: &HOOKS,
        within: Duration::from_millis(10),
    },
    Limit {
        fault: "wait",
        limits: "timeout: 150ms",
        kind: "timeout",
        hooks: &HOOKS,
        within: Duration::from_millis(150),
    },
    Limit {
        fault: "allocate",
        limits: "memory: 4MiB, cpu: 1s",
        kind: "memory",
        hooks: &HOOKS,
        within: Duration::from_secs(1),
    },
    Limit {
        fault: "overflow",
        limits: "cpu: 1s",
        kind: "stack",
        hooks: &HOOKS,
        within: Duration::from_secs(1),
    },
    Limit {
        fault: "overflow_in_memory",
        limits: "cpu: 1s",
        kind: "stack",
        hooks: &HOOKS,
        within: Duration::from_secs(1),
    },
    Limit {
        // What a call hands over is copied at once, while the worker does nothing else.
        fault: "lists",
        limits: "max_body: 1KiB, cpu: 1s",
        kind: "trapped",
        hooks: &HOOKS,
        within: Duration::from_secs(1),
    },
    Limit {
        fault: "long_chunk",
        limits: "max_body: 1KiB",
        kind: "output",
        // No other hook returns bytes.
        hooks: &["request_chunk", "response_chunk"],
        within: Duration::from_secs(1),
    },
];

/// What a machine that does other things too may take longer.
const MARGIN: Duration = Duration::from_secs(2);

/// Megabytes that a process may grow by without having lost any.
const SLACK: u64 = 16;

fn cells() -> Vec<(&'static Limit, Cell)> {
    let of = |limit: &'static Limit| Cell::all(limit.fault, limit.hooks).into_iter();
    LIMITS.iter().flat_map(|limit| of(limit).map(move |cell| (limit, cell))).collect()
}

async fn start(cells: &[(&Limit, Cell)]) -> (tollgate_tests::Upstream, Gateway) {
    let upstream = mirror().await;
    let limits = |cell: Cell| {
        let limit = LIMITS.iter().find(|limit| limit.fault == cell.fault).unwrap();
        limit.limits.to_owned()
    };
    let cells: Vec<_> = cells.iter().map(|(_, cell)| *cell).collect();
    let config = config(&upstream, &cells, limits);
    let gateway = Setup::new(&config).plugin("faulty").start().await;
    (upstream, gateway)
}

#[tokio::test]
async fn a_hook_beyond_a_limit_costs_its_own_exchange_what_the_policy_says() {
    let cells = cells();
    let (upstream, gateway) = start(&cells).await;
    for (limit, cell) in &cells {
        let before = upstream.requests();
        assert_eq!(cell.exchange_beside_another(&gateway).await, cell.fails(), "{cell}");
        if (cell.hook, cell.on_error) == ("request", "reject") {
            assert_eq!(upstream.requests(), before, "{cell}: the upstream was asked");
        }
        cell.counts(&gateway, "tollgate_plugin_errors_total", ("kind", limit.kind), 1.0).await;
        took_no_longer(limit, *cell, &gateway).await;
    }
    is_told(&cells, &gateway).await;
    no_instance_is_left(&gateway).await;
    gateway.stop().await;
}

#[tokio::test]
async fn hooks_beyond_limits_leave_no_memory_and_no_connection_behind() {
    let cells = cells();
    let (_upstream, gateway) = start(&cells).await;
    let rounds = async |count| {
        for (_, cell) in cells.iter().cycle().take(cells.len() * count) {
            assert_eq!(cell.exchange(&gateway).await, cell.fails(), "{cell}");
        }
        no_instance_is_left(&gateway).await;
        (process::resident_memory(gateway.pid()), process::descriptors(gateway.pid()))
    };
    let (memory, descriptors) = rounds(2).await;
    let (memory_later, descriptors_later) = rounds(3).await;
    let grown = memory_later.saturating_sub(memory) >> 20;
    assert!(grown < SLACK, "three rounds cost {grown} MiB");
    assert!(descriptors_later <= descriptors + 8, "{descriptors}, then {descriptors_later}");
    gateway.stop().await;
}

/// By the gateway's own figures.
async fn took_no_longer(limit: &Limit, cell: Cell, gateway: &Gateway) {
    let (name, hook) = (cell.to_string(), cell.hook());
    let labels = [("plugin", name.as_str()), ("hook", hook.as_str())];
    let sum = gateway.metric("tollgate_plugin_duration_seconds_sum", &labels).await;
    let most = (limit.within + MARGIN).as_secs_f64();
    assert!(sum > 0.0 && sum < most, "{cell} took {sum} s");
}

/// Which limit it was, in `/status` and in the log, each use once.
async fn is_told(cells: &[(&Limit, Cell)], gateway: &Gateway) {
    let status = gateway.status().await;
    for (limit, cell) in cells {
        let name = cell.to_string();
        let uses = status["plugins"].as_array().unwrap();
        let used = uses.iter().find(|used| used["name"] == *name).unwrap();
        assert_eq!(used["errors"], 1, "{used}");
        assert_eq!(used["errors_by_kind"], serde_json::json!({ (limit.kind): 1 }), "{used}");
        let route = format!("\"route\":\"{name}\"");
        let hook = format!("\"hook\":\"{}\"", cell.hook());
        let kind = format!("\"kind\":\"{}\"", limit.kind);
        gateway.logged(&["a plugin failed", &route, &hook, &kind]).await;
    }
}

/// Those that were at work are gone. Of a hook that only returned too much the instance is sound.
async fn no_instance_is_left(gateway: &Gateway) {
    for (limit, cell) in cells() {
        let name = cell.to_string();
        let most = if limit.kind == "output" { 1.0 } else { 0.0 };
        wait::until(&format!("no instance of {name} is left"), async || {
            let labels = [("plugin", name.as_str())];
            let left = gateway.metric("tollgate_plugin_instances", &labels).await;
            (left <= most).then_some(())
        })
        .await;
    }
}
