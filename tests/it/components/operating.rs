//! Components as operators see them: configuration, status, logs, swaps.

use tollgate_tests::{Setup, artifacts, process::tollgate, wait};

use super::{before, proxy};

/// A folder with a configuration that ends in `component`, and the components it may name.
fn folder(component: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "listeners: [{{ address: \"127.0.0.1:0\" }}]\nupstreams: {{ u: {{ endpoints: [\"127.0.0.1:1\"] }} }}\nroutes:\n  - match: {{ path: / }}\n    component: {component}\n"
    );
    std::fs::write(folder.path().join("tollgate.yaml"), text).unwrap();
    std::fs::create_dir(folder.path().join("plugins")).unwrap();
    for name in ["proxy", "headers"] {
        let place = folder.path().join("plugins").join(format!("{name}.wasm"));
        std::fs::copy(artifacts::component(name), place).unwrap();
    }
    folder
}

#[test]
fn validate_loads_and_starts_components() {
    for component in
        ["proxy", "./plugins/proxy.wasm", "{ component: proxy, grants: { upstreams: [u] } }"]
    {
        let ran = tollgate(folder(component).path(), &["validate"]);
        assert_eq!(ran.code, 0, "{component}: {ran:?}");
    }
    for (component, reason) in [
        ("missing", "missing.wasm"),
        ("headers", "is a plugin, which does not answer requests by itself"),
        ("{ component: proxy, grants: { upstreams: [v] } }", "no upstream is called \"v\""),
        ("{ component: proxy, grants: { stores: [s] } }", "unknown key `stores`"),
        ("{ component: proxy, limits: { memory: 64KiB } }", "component `proxy` does not start"),
        ("{ component: proxy, config: {} }", "unknown key `config`"),
    ] {
        let ran = tollgate(folder(component).path(), &["validate"]);
        assert_eq!(ran.code, 1, "{component}: {ran:?}");
        assert!(ran.stderr.contains(reason), "{component}: {}", ran.stderr);
        assert!(ran.stderr.contains("routes[0].component"), "{component}: {}", ran.stderr);
    }
}

#[test]
fn a_component_that_answers_is_not_a_plugin() {
    let folder = folder("proxy");
    let text = std::fs::read_to_string(folder.path().join("tollgate.yaml")).unwrap();
    let text = text.replace("component: proxy", "plugins: [{ component: proxy }]");
    std::fs::write(folder.path().join("tollgate.yaml"), text).unwrap();
    let ran = tollgate(folder.path(), &["validate"]);
    assert!(ran.stderr.contains("it answers requests, at the end of a route"), "{ran:?}");
}

#[test]
fn explain_and_inspect_tell_of_components() {
    let folder = folder("{ component: proxy, grants: { upstreams: [u] }, limits: { cpu: 2s } }");
    let ran = tollgate(folder.path(), &["explain", "GET", "/"]);
    for part in ["component   proxy", "may use: upstreams u", "cpu 2s", "memory 64MiB"] {
        assert!(ran.stdout.contains(part), "{part} is missing:\n{ran:?}");
    }
    let ran = tollgate(folder.path(), &["plugin", "inspect", "plugins/proxy.wasm"]);
    for part in ["wasi:http/proxy@0.2", "wasi:http/incoming-handler@0.2", "sha256:"] {
        assert!(ran.stdout.contains(part), "{part} is missing:\n{ran:?}");
    }
    let ran = tollgate(folder.path(), &["plugin", "inspect", "--json", "plugins/proxy.wasm"]);
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(told["world"].as_str().unwrap().starts_with("wasi:http/proxy@0.2"), "{told}");
}

#[test]
fn the_schema_of_a_folder_passes_components_by() {
    let folder = folder("proxy");
    let ran = tollgate(folder.path(), &["schema", "--plugin-directory", "plugins"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let schema: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let with = |component: &str| {
        serde_json::json!({
            "listeners": [{ "address": "127.0.0.1:0" }],
            "routes": [{ "match": { "path": "/" }, "component": { "component": component } }],
        })
    };
    assert!(validator.is_valid(&with("proxy")));
    let mut wrong = with("proxy");
    wrong["routes"][0]["component"]["limits"] = serde_json::json!({ "cpus": "1s" });
    assert!(!validator.is_valid(&wrong));
}

#[tokio::test]
async fn status_and_metrics_show_components() {
    let gateway = proxy("", "").await;
    assert_eq!(gateway.get("/length", &[]).await.status, 200);
    assert_eq!(gateway.get("/none", &[]).await.status, 503);
    let status = gateway.status().await;
    let component = &status["components"][0];
    assert_eq!(component["name"], "proxy");
    assert!(component["world"].as_str().unwrap().starts_with("wasi:http/proxy@0.2"), "{status}");
    assert_eq!(component["errors"], 1);
    let routes = status["routes"].as_array().unwrap();
    assert!(routes.iter().any(|route| route["end"]["component"] == "proxy"), "{status}");
    let labels = [("plugin", "proxy"), ("hook", "handle")];
    assert_eq!(gateway.metric("tollgate_plugin_duration_seconds_count", &labels).await, 2.0);
    gateway.stop().await;
}

#[tokio::test]
async fn what_a_component_prints_is_in_the_log() {
    let gateway = proxy("", "").await;
    assert_eq!(gateway.get("/print", &[]).await.text(), "printed");
    gateway.logged(&["printed by the guest", "stdout", "proxy", "request_id"]).await;
    gateway.logged(&["complained by the guest", "stderr", "proxy"]).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_component_has_no_files_sockets_arguments_or_environment() {
    let gateway = proxy("", "").await;
    let granted = gateway.get("/granted", &[]).await.text();
    assert!(granted.starts_with("0 0 false Err("), "{granted}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_replaced_component_takes_over_and_a_broken_one_does_not() {
    let gateway = before("", "").start().await;
    assert_eq!(gateway.get("/length", &[]).await.text(), "12345");
    gateway.write_plugin("proxy", "not a component");
    gateway.failed_reloads_reach(1).await;
    assert_eq!(gateway.get("/length", &[]).await.text(), "12345");
    gateway.write_plugin("proxy", std::fs::read(artifacts::component("hello")).unwrap());
    wait::until("the other component", async || {
        let text = gateway.get("/x", &[]).await.text();
        (text == "hello from wasi:http, /x\n").then_some(())
    })
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn routes_with_the_same_component_and_limits_share_its_instances() {
    let config = r#"
        workers: 1
        routes:
          - { match: { path: /length }, component: proxy }
          - { match: { path: /what }, component: { component: proxy, limits: { cpu: 1s } } }
          - { match: { path: /none }, component: { component: proxy, limits: { cpu: 2s } } }
        "#;
    let gateway = Setup::new(config).plugin("proxy").start().await;
    assert_eq!(gateway.status().await["components"].as_array().unwrap().len(), 2);
    gateway.stop().await;
}
