//! Limits that a plugin breaks while it is configured. At the start of the gateway its configuration
//! is refused (`faults`); here it is a later instance, which an exchange waits for.

use tollgate_tests::{Gateway, Setup};

use super::{Cell, Ended, config, mirror};

/// A fault, the kind of failure, and what an exchange gets under `reject`.
const LIMITS: [(&str, &str, &str); 4] = [
    ("allocate", "memory", "503 plugin-failed"),
    ("overflow", "stack", "503 plugin-failed"),
    // What it has of CPU where an exchange waits for it is not what it had at the start.
    ("loop", "cpu", "503 plugin-failed"),
    // `configure` has 30 s in all: more than this exchange has.
    ("wait", "busy", "503 overloaded"),
];

/// The faults happen while the store `s` has this key.
const KEY: &str = "armed";

#[tokio::test]
async fn an_instance_that_cannot_be_configured_costs_who_waits_for_it_what_the_policy_says() {
    let upstream = mirror().await;
    let cells: Vec<_> =
        LIMITS.iter().flat_map(|(fault, ..)| Cell::all(fault, &["configure"])).collect();
    let config = config(&upstream, &cells, |_| "memory: 4MiB".to_owned())
        .replace("hook: configure,", &format!("hook: configure, only_while: {KEY},"))
        // Who has not come to its upstream in time would have none.
        .replace("upstream: u }", "respond: { body: the body }, timeout: 4s }");
    let arming = ["set", "delete"].map(|call| {
        format!(
            "\n          - {{ match: {{ path: /{call} }}, plugins: [{{ component: probe, grants: {{ stores: [s] }}, config: {{ request: [{{ store: {{ call: {call}, key: {KEY}, value: x }} }}] }} }}], respond: {{}} }}"
        )
    });
    let config = format!("{}{}\n", config.trim_end(), arming.concat());
    let gateway = Setup::new(&config).plugin("faulty").plugin("probe").start().await;
    gateway.get("/set", &[]).await;
    for (cell, (_, kind, problem)) in
        cells.iter().zip(LIMITS.iter().flat_map(|limit| [limit, limit]))
    {
        let expected = match cell.on_error {
            "skip" => Ended::Passed,
            _ => Ended::Problem((*problem).to_owned()),
        };
        assert_eq!(cell.exchange_beside_another(&gateway).await, expected, "{cell}");
        cell.counts(&gateway, "tollgate_plugin_errors_total", ("kind", *kind), 1.0).await;
    }
    assert!(instances(&gateway).await < 0.5, "half an instance is left");
    gateway.get("/delete", &[]).await;
    for cell in &cells {
        assert_eq!(cell.exchange(&gateway).await, Ended::Passed, "{cell}");
    }
    assert!((instances(&gateway).await - cells.len() as f64).abs() < 0.1);
    gateway.stop().await;
}

/// Of the plugin `faulty`.
async fn instances(gateway: &Gateway) -> f64 {
    let all = gateway.metric("tollgate_plugin_instances", &[]).await;
    all - gateway.metric("tollgate_plugin_instances", &[("plugin", "probe")]).await
}
