//! The command line.

mod case_ends;
mod cases;
mod case_chunks;
mod case_faults;
mod comparing;
mod figures;
mod files;
mod kept;
mod projects;
mod validate;

use std::path::Path;

use tempfile::TempDir;
use tollgate_tests::{
    artifacts,
    process::{Ran, tollgate, tollgate_with},
};

const VALID: &str = r#"
listeners: [{ address: "127.0.0.1:0" }]
upstreams: { users: { endpoints: ["127.0.0.1:9"] } }
routes:
  - { name: all, match: { path: "/{*rest}" }, upstream: users }
  - name: user
    match: { path: "/users/{id}", methods: [GET] }
    upstream: users
    timeout: 7s
    plugins: [{ component: probe, config: { request: [{ show: method }] } }]
"#;

/// A folder with this configuration, the probe, and other plugins.
fn folder(config: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("plugins")).unwrap();
    for name in ["probe", "headers", "jwt"] {
        let place = folder.path().join(format!("plugins/{name}.wasm"));
        std::fs::copy(artifacts::component(name), place).unwrap();
    }
    std::fs::write(folder.path().join("tollgate.yaml"), config).unwrap();
    folder
}

fn validate(config: &str) -> Ran {
    tollgate(folder(config).path(), &["validate", "-c", "tollgate.yaml"])
}

#[test]
fn a_valid_configuration_validates() {
    let ran = validate(VALID);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("valid"), "{ran:?}");
}

#[test]
fn every_fault_is_told_with_its_place() {
    let ran = validate(
        r#"listeners: [{ address: "127.0.0.1" }]
upstreams: { bills: { endpoints: ["127.0.0.1:9"] } }
routes:
  - name: one
    match: { path: "/{id}/{id}" }
    upstream: bils
  - name: two
    match: { path: /x }
    upstreem: bills
  - name: three
    match: { path: /y }
    upstream: bills
    timeout: soon
    plugins: [{ component: probe, config: { request: [{ shows: method }] } }]
limits: { max_headers: many }
"#,
    );
    assert_eq!(ran.code, 1, "{ran:?}");
    for fault in [
        "tollgate.yaml:1:",
        "tollgate.yaml:5:",
        "tollgate.yaml:6:15: routes[0].upstream: no upstream is called \"bils\"; did you mean \"bills\"?",
        "tollgate.yaml:9:",
        "tollgate.yaml:13:",
        "tollgate.yaml:15:",
    ] {
        assert!(ran.stderr.contains(fault), "{fault} is missing:\n{}", ran.stderr);
    }
}

#[test]
fn what_a_plugin_refuses_is_told_with_its_place() {
    for (config, expected) in [
        ("{ request: [{ shows: method }] }", "plugins[0].config.request[0]"),
        ("{ refuse: because of this }", "because of this"),
    ] {
        let ran = validate(&VALID.replace("{ request: [{ show: method }] }", config));
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.contains("tollgate.yaml:10:"), "{}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    }
}

#[test]
fn faults_of_the_file_and_of_its_plugins_are_told_together() {
    let ran = validate(
        r#"listeners: [{ address: "127.0.0.1:0" }]
plugins:
  one: { component: probe, config: { refuse: "first\nsecond" } }
  two: { component: nowhere }
  three: { component: probe, config: { request: [{ shwo: x }] } }
  four: { component: headers, config: { x: 1 }, on_error: never }
routes:
  - { match: { path: / }, upstream: bils, plugins: [one] }
"#,
    );
    assert_eq!(ran.code, 1, "{ran:?}");
    for line in [
        "tollgate.yaml:3:36: plugins.one.config: plugin `one` refuses its configuration: first",
        "tollgate.yaml:3:36: plugins.one.config: plugin `one` refuses its configuration: second",
        "plugins.two: cannot read",
        "plugins.three.config.request[0]: must be",
        "a table with `show`",
        "plugins.four.on_error: must be `reject` or `skip`",
        "routes[0].upstream: no upstream is called",
    ] {
        assert!(ran.stderr.contains(line), "{line} is missing:\n{}", ran.stderr);
    }
    // What is wrong with a use in the file is enough of it.
    assert!(!ran.stderr.contains("plugins.four.config"), "{}", ran.stderr);
}

#[test]
fn routes_that_nothing_tells_apart_are_a_fault() {
    let ran = validate(&VALID.replace("/users/{id}", "/{*other}").replace(", methods: [GET]", ""));
    assert_eq!(ran.code, 1, "{ran:?}");
    let told = "routes[1].match.path: matches the same requests as routes[0] (tollgate.yaml:5:5)";
    assert_eq!(ran.stderr.matches("matches the same requests").count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
}

#[test]
fn a_component_that_is_missing_or_none_is_a_fault() {
    let missing = validate(&VALID.replace("component: probe", "component: prob"));
    assert_eq!(missing.code, 1, "{missing:?}");
    assert!(missing.stderr.contains("tollgate.yaml:10:"), "{}", missing.stderr);

    let folder = folder(VALID);
    std::fs::write(folder.path().join("plugins/probe.wasm"), "not a component").unwrap();
    let none = tollgate(folder.path(), &["validate", "-c", "tollgate.yaml"]);
    assert_eq!(none.code, 1, "{none:?}");
    assert!(none.stderr.contains("tollgate.yaml:10:"), "{}", none.stderr);
}

#[test]
fn references_are_replaced_and_missing_ones_are_faults() {
    let config = VALID.replace("127.0.0.1:9", "127.0.0.1:${TEST_PORT:-9}");
    assert_eq!(validate(&config).code, 0);
    let config = VALID.replace("127.0.0.1:9", "127.0.0.1:${TEST_PORT_THAT_IS_NOT_SET}");
    let ran = validate(&config);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("tollgate.yaml:3:"), "{}", ran.stderr);
    assert!(ran.stderr.contains("TEST_PORT_THAT_IS_NOT_SET"), "{}", ran.stderr);
}

#[test]
fn json_is_a_configuration_too() {
    let config = r#"{ "listeners": [{ "address": "127.0.0.1:0" }], "routes": [{ "name": "a", "match": { "path": "/" }, "respond": {} }] }"#;
    assert_eq!(validate(config).code, 0);
}

#[test]
fn wrong_usage_exits_with_2_and_a_missing_file_with_1() {
    let here = tempfile::tempdir().unwrap();
    for arguments in [&["walk"][..], &["run", "--fast"], &[], &["explain", "GET"], &["plugin"]] {
        let ran = tollgate(here.path(), arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains("Usage"), "{ran:?}");
    }
    for command in ["run", "validate"] {
        let ran = tollgate(here.path(), &[command, "-c", "none.yaml"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.contains("none.yaml"), "{ran:?}");
    }
}

#[test]
fn a_port_in_use_ends_the_start_with_its_address() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let here = folder(&VALID.replace("127.0.0.1:0", &address));
    let ran = tollgate(here.path(), &["run", "-c", "tollgate.yaml"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let fault = format!(
        "tollgate.yaml:2:24: listeners[0].address: cannot listen on {address}: it is in use; name another one"
    );
    assert!(ran.stderr.contains(&fault), "{ran:?}");
}

#[test]
fn every_address_that_cannot_be_had_is_told() {
    let config = VALID.replace("127.0.0.1:0", "192.0.2.1:80");
    let here = folder(&format!("{config}admin: {{ address: \"192.0.2.1:81\", token: x }}\n"));
    let ran = tollgate(here.path(), &["run"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    for place in ["2:24: listeners[0].address: ", "11:19: admin.address: "] {
        let fault = format!("tollgate.yaml:{place}cannot listen on 192.0.2.1:8");
        assert!(ran.stderr.contains(&fault), "{fault} is missing:\n{}", ran.stderr);
    }
    assert!(ran.stderr.contains("no network interface has it"), "{ran:?}");
}

#[test]
fn an_option_goes_before_the_environment_and_an_empty_variable_is_none() {
    let here = folder(VALID);
    for (arguments, cache) in
        [(&["validate", "--no-cache"][..], "cache"), (&["validate"], ""), (&["validate"], "cache")]
    {
        let environment = [("TOLLGATE_CACHE", Path::new(cache))];
        let ran = tollgate_with(here.path(), &environment, "", arguments);
        assert_eq!(ran.code, 0, "{arguments:?} {cache}: {ran:?}");
        let is_used = arguments.len() == 1 && !cache.is_empty();
        assert_eq!(here.path().join("cache").is_dir(), is_used, "{arguments:?} {cache}");
    }
}

#[test]
fn values_that_mean_nothing_are_wrong_use() {
    let here = folder(VALID);
    for (arguments, expected) in [
        (&["run", "--log", "inf"][..], "no log level is called \"inf\"; did you mean \"info\"?"),
        (&["explain", "get", "/"], "methods are in capitals: `GET`"),
        (&["explain", "GET", "/", "-H", "x"], "a header field is `name: value`"),
        (&["completions", "cmd"], "possible values: bash"),
    ] {
        let ran = tollgate(here.path(), arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(expected), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn completions_know_every_command_and_its_help_says_where_they_go() {
    let here = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let ran = tollgate(here.path(), &["completions", shell]);
        assert_eq!(ran.code, 0, "{ran:?}");
        for word in ["validate", "explain", "completions", "cache-size", "inspect", "offline"] {
            assert!(ran.stdout.contains(word), "{shell}: {word} is missing");
        }
    }
    let help = tollgate(here.path(), &["completions", "--help"]).stdout;
    assert!(help.contains("~/.config/fish/completions/tollgate.fish"), "{help}");
}

fn schema(folder: &Path) -> serde_json::Value {
    let ran = tollgate(folder, &["schema"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str(&ran.stdout).expect("JSON")
}

#[test]
fn the_schema_is_one_and_accepts_what_validates() {
    let here = folder(VALID);
    let schema = schema(here.path());
    jsonschema::meta::validate(&schema).expect("a JSON Schema");
    let validator = jsonschema::validator_for(&schema).unwrap();
    let instance = |text: &str| serde_saphyr::from_str::<serde_json::Value>(text).unwrap();
    let faults = |text: &str| {
        let instance = instance(text);
        validator.iter_errors(&instance).map(|error| error.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(faults(VALID), Vec::<String>::new());
    assert_ne!(faults(&VALID.replace("upstream: users", "upstreem: users")), Vec::<String>::new());
    assert_ne!(faults(&VALID.replace("show: method", "shows: method")), Vec::<String>::new());
    for example in crate::examples::configurations() {
        let text = std::fs::read_to_string(&example).unwrap();
        assert_eq!(faults(&text), Vec::<String>::new(), "{}", example.display());
    }
}

#[test]
fn inspect_tells_what_a_component_is() {
    let here = folder(VALID);
    let ran = tollgate(here.path(), &["plugin", "inspect", "plugins/jwt.wasm"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for part in ["jwt", "tollgate:plugin", "upstreams", "sha256:", "tollgate:plugin/crypto"] {
        assert!(ran.stdout.contains(part), "{part} is missing:\n{}", ran.stdout);
    }
    let ran = tollgate(here.path(), &["plugin", "inspect", "--json", "plugins/jwt.wasm"]);
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(told["name"], "jwt");
    let ran = tollgate(here.path(), &["plugin", "inspect", "tollgate.yaml"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("tollgate.yaml"), "{ran:?}");
}

#[test]
fn version_tells_the_version() {
    let here = tempfile::tempdir().unwrap();
    for arguments in [["version"], ["--version"]] {
        let ran = tollgate(here.path(), &arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.stdout.contains(env!("CARGO_PKG_VERSION")), "{ran:?}");
    }
}
