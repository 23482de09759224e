//! Very many uses of one component.

use std::fmt::Write as _;

use tollgate_tests::{Setup, client::request, process::resident_memory};

const USES: usize = 10_000;

/// A use for each route, each with a configuration of its own.
fn config() -> String {
    let mut config = "workers: 1\nplugins:\n".to_owned();
    for number in 0..USES {
        let set = format!("{{ set: {{ x-number: n{number} }} }}");
        writeln!(config, "  p{number}: {{ component: headers, config: {{ response: {set} }} }}")
            .unwrap();
    }
    config.push_str("routes:\n");
    for number in 0..USES {
        let path = format!("{{ path: /{number} }}");
        writeln!(config, "  - {{ match: {path}, plugins: [p{number}], respond: {{}} }}").unwrap();
    }
    config
}

#[tokio::test]
async fn ten_thousand_uses_of_a_component_compile_it_once() {
    let cache = tempfile::tempdir().unwrap();
    let setup = Setup::new(&config()).plugin("headers").env("TOLLGATE_CACHE", cache.path());
    let gateway = setup.start().await;
    let megabytes = resident_memory(gateway.pid()) >> 20;
    assert!(megabytes < 600, "{megabytes} MiB for {USES} uses");
    for number in [0, 4_711, USES - 1] {
        let reply = gateway.get(&format!("/{number}"), &[]).await;
        assert_eq!(reply.header("x-number"), format!("n{number}"));
    }
    let made =
        async |from| gateway.metric("tollgate_components_made_total", &[("from", from)]).await;
    assert_eq!((made("compiler").await, made("cache").await), (1.0, 0.0));
    gateway.reload_well().await;
    assert_eq!((made("compiler").await, made("cache").await), (1.0, 0.0), "after a reload");
    gateway.stop().await;
}

#[tokio::test]
async fn more_uses_than_there_are_instances_are_all_served() {
    let gateway = Setup::new(&config()).plugin("headers").start().await;
    let mut connection = gateway.connect().await;
    for number in (0..USES).chain([0]) {
        let reply = connection.send(request("GET", &format!("/{number}"), &[], "")).await;
        assert_eq!(reply.status, 200, "{number}: {reply:?}");
    }
    // One of each, so the first ones made room for the last.
    let instances = gateway.metric("tollgate_plugin_instances", &[]).await;
    assert!((1_000.0..=4_000.0).contains(&instances), "{instances}");
    gateway.reload_well().await;
    gateway.stop().await;
}
