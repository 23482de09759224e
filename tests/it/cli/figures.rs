//! `tollgate plugin inspect` and `bench`, and completions.

use serde_json::Value;
use tollgate_tests::{artifacts, heavy, process::tollgate};

/// What `arguments` print about a plugin with this configuration, as JSON.
#[track_caller]
fn told(command: &str, plugin: &str, config: &str, more: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.yaml"), config).unwrap();
    let component = artifacts::component(plugin);
    let file = component.to_str().unwrap();
    let arguments = ["plugin", command, file, "--json", "--config", "config.yaml"];
    let ran = tollgate(folder.path(), &[&arguments, more].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str(&ran.stdout).expect("JSON")
}

#[test]
fn inspect_tells_what_a_component_is_and_which_hooks_a_configuration_wants() {
    let told = told("inspect", "headers", "{ response: { set: { x-a: b } } }", &[]);
    assert_eq!(told["hooks"], serde_json::json!(["on-response"]));
    assert_eq!(told["world"], "tollgate:plugin@0.1.0");
    assert_eq!(told["config_schema"]["type"], "object");
    let has = |key: &str, name: &str| {
        told[key].as_array().is_some_and(|all| all.iter().any(|one| one == name))
    };
    assert!(has("exports", "tollgate:plugin/filter@0.1.0.on-request"), "{told}");
    assert!(has("imports", "tollgate:plugin/types@0.1.0"), "{told}");
    let size = std::fs::metadata(artifacts::component("headers")).unwrap().len();
    assert_eq!(told["bytes"], size);
}

#[test]
fn a_component_that_would_take_too_long_to_compile_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("large.wasm"), heavy::component(100_001, 0)).unwrap();
    let ran = tollgate(folder.path(), &["plugin", "inspect", "large.wasm"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("`large.wasm` has more than 100000 functions"), "{ran:?}");
}

#[test]
fn a_configuration_that_the_plugin_refuses_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.yaml"), "request:\n  sett: {}\n").unwrap();
    let component = artifacts::component("headers");
    for command in ["inspect", "bench"] {
        let file = component.to_str().unwrap();
        let arguments = ["plugin", command, file, "--config", "config.yaml"];
        let ran = tollgate(folder.path(), &arguments);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.contains("config.yaml:2:3: request: unknown key `sett`"), "{ran:?}");
    }
}

#[test]
fn bench_measures_each_hook_that_the_configuration_wants() {
    let config =
        r#"{ request: [{ show: "header:x-a" }], response: [{ show: status }], finish: true }"#;
    let told = told("bench", "probe", config, &["--request", "POST /a?b", "-H", "x-a: 1"]);
    let hooks = told["hooks"].as_array().unwrap();
    let names: Vec<_> = hooks.iter().map(|hook| hook["hook"].as_str().unwrap()).collect();
    assert_eq!(names, ["on-request", "on-response", "on-finish"]);
    for hook in hooks {
        let ns = |of: &str, what: &str| hook[of][what].as_u64().unwrap();
        for of in ["warm", "fresh"] {
            assert!(ns(of, "calls") >= 1 && ns(of, "p50_ns") > 0, "{hook}");
            assert!(ns(of, "p50_ns") <= ns(of, "p99_ns"), "{hook}");
        }
        assert!(ns("warm", "p50_ns") < ns("fresh", "p50_ns"), "{hook}");
    }
    assert!(told["instance_memory_bytes"].as_u64().unwrap() >= 64 << 10, "{told}");
    assert!(told["compile_ms"].as_u64().unwrap() > 0, "{told}");
}

/// Nobody is there to grant it.
#[test]
fn a_plugin_is_granted_what_its_configuration_names() {
    let config = "{ calls: [{ name: a, upstream: users, target: /x, required: false }] }";
    let hooks = |told: &Value| told["hooks"].as_array().unwrap().len();
    assert_eq!(hooks(&told("inspect", "aggregate", config, &[])), 1);
    assert_eq!(hooks(&told("bench", "aggregate", config, &[])), 1);
    let stored = "{ request: [{ store: { call: set, key: k, value: v } }] }";
    assert_eq!(told("bench", "probe", stored, &[])["hooks"][0]["hook"], "on-request");
}

#[test]
fn bench_measures_chunk_hooks_over_the_bodies_that_it_is_given() {
    let told = told("bench", "chunks", "{ request: upper, response: keep }", &["--body", "abc"]);
    let hooks = told["hooks"].as_array().unwrap();
    let names: Vec<_> = hooks.iter().map(|hook| hook["hook"].as_str().unwrap()).collect();
    assert_eq!(names, ["on-request-chunk", "on-response-chunk"]);
    assert_eq!((&hooks[0]["chunk_bytes"], &hooks[1]["chunk_bytes"]), (&3.into(), &16384.into()));
    for hook in hooks {
        for of in ["warm", "fresh"] {
            assert!(hook[of]["calls"].as_u64().unwrap() >= 1, "{hook}");
            assert!(hook[of]["p50_ns"].as_u64().unwrap() > 0, "{hook}");
        }
    }
}

#[test]
fn a_hook_that_fails_is_not_measured() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.yaml"), "request: [{ fail: so it is }]").unwrap();
    let component = artifacts::component("probe");
    let arguments = ["plugin", "bench", component.to_str().unwrap(), "--config", "config.yaml"];
    let ran = tollgate(folder.path(), &arguments);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("on-request: it said: so it is"), "{ran:?}");
}

#[test]
fn completions_know_every_command() {
    let here = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let ran = tollgate(here.path(), &["completions", shell]);
        assert_eq!(ran.code, 0, "{ran:?}");
        for word in ["inspect", "bench", "junit", "filter", "lang", "sdk", "out"] {
            assert!(ran.stdout.contains(word), "{shell}: {word} is missing");
        }
    }
}
