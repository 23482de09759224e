//! The limit of tables, which no compiler's output breaks at will: the guest is written by hand, and
//! takes elements in each hook that its configuration names by its bit in `phases`.

use std::path::Path;

use tollgate_tests::{Setup, wait};

use super::{Cell, HOOKS, config, mirror};

fn tables() -> Vec<u8> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    std::fs::read(fixtures.join("tables.wasm")).unwrap()
}

/// The configuration of cells, with the guest in the place of `faulty`.
fn with_tables(config: &str) -> String {
    let bits = ["request", "request_chunk", "response", "response_chunk", "finish"];
    let config = config.replace("component: faulty", "component: tables");
    bits.iter().enumerate().fold(config, |config, (bit, hook)| {
        config.replace(&format!("{{ hook: {hook}, fault: table }}"), &(1 << bit).to_string())
    })
}

#[tokio::test]
async fn a_hook_that_takes_too_many_elements_of_a_table_costs_what_the_policy_says() {
    let upstream = mirror().await;
    let cells = Cell::all("table", &HOOKS);
    let config = with_tables(&config(&upstream, &cells, |_| "table: 100".to_owned()));
    let gateway = Setup::new(&config).file("plugins/tables.wasm", tables()).start().await;
    for cell in &cells {
        for _ in 0..2 {
            assert_eq!(cell.exchange_beside_another(&gateway).await, cell.fails(), "{cell}");
        }
        cell.counts(&gateway, "tollgate_plugin_errors_total", ("kind", "table"), 2.0).await;
    }
    wait::until("no instance is left", async || {
        (gateway.metric("tollgate_plugin_instances", &[]).await < 0.5).then_some(())
    })
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_plugin_that_takes_them_while_it_is_configured_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("plugins")).unwrap();
    std::fs::write(folder.path().join("plugins/tables.wasm"), tables()).unwrap();
    let config = "listeners: [{ address: '127.0.0.1:0' }]
plugins: { p: { component: tables, config: 0, limits: { table: 100 } } }
";
    std::fs::write(folder.path().join("tollgate.yaml"), config).unwrap();
    let path = folder.path().to_owned();
    let ran = tokio::task::spawn_blocking(move || {
        tollgate_tests::process::tollgate(&path, &["validate", "-c", "tollgate.yaml"])
    });
    let ran = wait::within("validate ends", ran).await.unwrap();
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("its limit is 100"), "{ran:?}");
}
