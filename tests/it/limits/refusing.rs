//! Limits that refuse something, and leave the hook to go on: the guest fails if it is not refused.

use tollgate_tests::{Gateway, Setup, wait};

use super::{Cell, Ended, HOOKS, config, mirror};

const REACHED: &str = "tollgate_plugin_limits_reached_total";

const DROPPED: &str = "tollgate_plugin_dropped_total";

/// A limit, and where it is counted that it was reached.
struct Limit {
    fault: &'static str,
    limits: &'static str,
    counted: (&'static str, (&'static str, &'static str)),
    hooks: &'static [&'static str],
}

/// All hooks, and what comes before them.
const EVERYWHERE: [&str; 6] =
    ["configure", "request", "request_chunk", "response", "response_chunk", "finish"];

static LIMITS: [Limit; 8] = [
    // Before and after the exchange there is no body.
    Limit {
        fault: "body",
        limits: "max_body: 4",
        counted: (REACHED, ("limit", "max_body")),
        hooks: &["request", "response"],
    },
    Limit {
        fault: "body",
        limits: "max_body: 1KiB",
        counted: (REACHED, ("limit", "max_body")),
        hooks: &["request_chunk", "response_chunk"],
    },
    Limit {
        fault: "calls",
        limits: "calls: 1",
        counted: (REACHED, ("limit", "calls")),
        // Outside of an exchange no call is granted.
        hooks: &HOOKS,
    },
    Limit {
        fault: "attributes",
        limits: "attributes: 1",
        counted: (REACHED, ("limit", "attributes")),
        // They are the exchange's.
        hooks: &HOOKS,
    },
    Limit {
        fault: "log_flood",
        limits: "log_lines: 5",
        counted: (DROPPED, ("kind", "log_lines")),
        hooks: &EVERYWHERE,
    },
    Limit {
        fault: "series",
        limits: "series: 1",
        counted: (DROPPED, ("kind", "series")),
        hooks: &EVERYWHERE,
    },
    Limit {
        fault: "store",
        limits: "",
        counted: (REACHED, ("limit", "store")),
        hooks: &EVERYWHERE,
    },
    Limit {
        fault: "cache",
        limits: "",
        counted: ("tollgate_cache_puts_total", ("result", "too_large")),
        // The bounds of the cache hold from when the configuration runs.
        hooks: &HOOKS,
    },
];

fn limits(cell: Cell) -> String {
    let is_of = |limit: &&Limit| limit.fault == cell.fault && limit.hooks.contains(&cell.hook);
    let limit = LIMITS.iter().find(is_of).unwrap();
    let comma = if limit.limits.is_empty() { "" } else { ", " };
    format!("cpu: 1s{comma}{}", limit.limits)
}

#[tokio::test]
async fn a_hook_that_is_refused_more_goes_on_and_it_is_counted() {
    let upstream = mirror().await;
    let of = |limit: &'static Limit| Cell::all(limit.fault, limit.hooks).into_iter();
    let cells: Vec<_> =
        LIMITS.iter().flat_map(|limit| of(limit).map(move |cell| (limit, cell))).collect();
    let config =
        config(&upstream, &cells.iter().map(|(_, cell)| *cell).collect::<Vec<_>>(), limits);
    let gateway = Setup::new(&config).plugin("faulty").start().await;
    for (Limit { counted: (metric, label), .. }, cell) in &cells {
        assert_eq!(cell.exchange_beside_another(&gateway).await, Ended::Passed, "{cell}");
        if metric.starts_with("tollgate_plugin") {
            cell.counts(&gateway, metric, *label, 1.0).await;
        }
        if *metric == REACHED && cell.hook != "configure" {
            let plugin = format!("\"plugin\":\"{cell}\"");
            let route = format!("\"route\":\"{cell}\"");
            gateway.logged(&["a plugin has reached a limit", &plugin, &route, label.1]).await;
        }
    }
    nothing_is_kept(&gateway).await;
    nothing_failed(&gateway).await;
    gateway.stop().await;
}

/// Neither a value nor a response; the cache does not count by use.
async fn nothing_is_kept(gateway: &Gateway) {
    let refused = Cell::all("cache", &HOOKS).len() as f64;
    wait::until("all responses are refused", async || {
        let labels = [("result", "too_large")];
        let counted = gateway.metric("tollgate_cache_puts_total", &labels).await;
        (counted >= refused).then_some(())
    })
    .await;
    for metric in ["tollgate_cache_entries", "tollgate_store_entries"] {
        assert!(gateway.metric(metric, &[]).await < 0.5, "{metric}");
    }
}

async fn nothing_failed(gateway: &Gateway) {
    let status = gateway.status().await;
    for used in status["plugins"].as_array().unwrap() {
        assert_eq!(used["errors"], 0, "{used}\n{}", gateway.log());
        assert!(used["instances"].as_u64().unwrap() <= 1, "{used}");
    }
}
