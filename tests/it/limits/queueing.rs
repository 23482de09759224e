//! The limit of instances: who finds all of them at work waits, but no longer than its exchange may
//! take.
//!
//! Chunk hooks are left out: the exchange's time, and with it the exchange, is over when nobody
//! waits any longer. So are finish hooks: all have 5 s, so that who came before is done before.

use tollgate_tests::Setup;

use super::{Cell, Ended, config, mirror};

#[tokio::test]
async fn where_no_instance_is_free_in_time_the_policy_decides_and_the_next_one_gets_one() {
    let upstream = mirror().await;
    let cells = Cell::all("wait", &["request", "response"]);
    let config = config(&upstream, &cells, |_| "max_instances: 1".to_owned())
        .replace("fault: wait", "fault: wait, only_with: x-fault")
        .replace("upstream: u }", "respond: { body: the body } }");
    // Whoever holds the instance has another route to the same use, without an end of its time.
    let hurried: String = cells
        .iter()
        .map(|cell| {
            format!(
                "\n          - {{ name: hurried-{cell}, match: {{ path: /hurried/{cell} }}, timeout: 300ms, plugins: [{cell}], respond: {{ body: the body }} }}"
            )
        })
        .collect();
    let config = format!("{}{hurried}\n", config.trim_end());
    let gateway = Setup::new(&config).plugin("faulty").start().await;
    for cell in cells {
        let mut holder = gateway.raw().await;
        holder.send(format!("GET /{cell} HTTP/1.1\r\nhost: a\r\nx-fault: 1\r\n\r\n")).await;
        gateway.logged(&["it waits", &format!("\"plugin\":\"{cell}\"")]).await;
        let hurried = format!("/hurried/{cell}");
        let reply = gateway.get(&hurried, &[]).await;
        let expected = match cell.on_error {
            "skip" => Ended::Passed,
            _ => Ended::Problem("503 overloaded".to_owned()),
        };
        assert_eq!(super::ended(&reply), expected, "{cell}");
        if reply.status == 503 {
            assert!(!reply.header("retry-after").is_empty(), "{cell}");
        }
        cell.counts(&gateway, "tollgate_plugin_errors_total", ("kind", "busy"), 1.0).await;
        // The client that holds it leaves.
        drop(holder);
        assert_eq!(cell.exchange(&gateway).await, Ended::Passed, "{cell}");
    }
    let instances = gateway.metric("tollgate_plugin_instances", &[]).await;
    assert!((instances - 4.0).abs() < 0.1, "{instances}: one of each use");
    gateway.stop().await;
}
