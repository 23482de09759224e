//! `validate` tells every fault in one call: of the file, of other files, of plugins.

use tempfile::TempDir;
use tollgate_tests::{
    artifacts,
    certs::Authority,
    process::{Ran, tollgate},
};

use super::VALID;

/// Faults of the file itself, certificates, authorities, the access log and plugins.
const ALL_AT_ONCE: &str = r#"listeners:
  - { address: "127.0.0.1" }
  - address: "127.0.0.1:0"
    tls:
      certificates:
        - { certificate: good.pem, key: good.key }
        - { certificate: none.pem, key: none.key }
        - { certificate: good.pem, key: other.key }
        - { certificate: good.key, key: good.pem }
      client_ca: empty.pem
admin: { address: "127.0.0.1:0" }
registries: { "registry.internal:5000": { ca: none.pem } }
plugins:
  limit:
    component: rate-limit
    config: { limits: [{ limit: 5 per minute }, { limit: 1/s, cost: 2 }], ipv6_prefix: 200 }
  keys: { component: jwt, config: { jwks: { upstream: idq, path: x } }, grants: { upstreams: [idp] } }
  home:
    component: aggregate
    config: { calls: [{ name: "a b", upstream: users, target: "users" }, { name: b, upstream: users, target: "/{x}" }] }
    grants: { upstreams: [idp] }
upstreams:
  idp: { endpoints: ["127.0.0.1:9"], tls: { ca: none.pem, certificate: good.pem, key: other.key } }
  users: { endpoints: ["127.0.0.1:9"], timeouts: { connect: soon }, tls: { ca: good.key } }
routes:
  - { match: { path: / }, upstream: bils, plugins: [limit, keys, home] }
telemetry: { access_log: { path: nowhere/access.log } }
"#;

fn folder(config: &str) -> TempDir {
    let folder = super::folder(config);
    for name in ["rate-limit", "aggregate"] {
        let place = folder.path().join(format!("plugins/{name}.wasm"));
        std::fs::copy(artifacts::component(name), place).unwrap();
    }
    let authority = Authority::default();
    let (good, other) = (authority.server(&["localhost"]), authority.server(&["localhost"]));
    let files = [
        ("good.pem", good.pem.as_str()),
        ("good.key", &good.key),
        ("other.key", &other.key),
        ("empty.pem", ""),
    ];
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn validate(folder: &TempDir) -> Ran {
    tollgate(folder.path(), &["validate", "-c", "tollgate.yaml", "--offline"])
}

#[test]
fn every_fault_is_told_in_one_call_wherever_it_is() {
    let here = folder(ALL_AT_ONCE);
    let ran = validate(&here);
    assert_eq!(ran.code, 1, "{ran:?}");
    let expected = [
        "2:16: listeners[0].address: must be an IP address and a port",
        "7:26: listeners[1].tls.certificates[1].certificate: cannot read `none.pem`: No such file",
        "7:41: listeners[1].tls.certificates[1].key: cannot read `none.key`: No such file",
        "8:26: listeners[1].tls.certificates[2].certificate: `good.pem` does not belong to the key in `other.key`",
        "9:26: listeners[1].tls.certificates[3].certificate: `good.key` holds no certificate",
        "9:41: listeners[1].tls.certificates[3].key: `good.pem` holds no private key",
        "10:18: listeners[1].tls.client_ca: `empty.pem` holds no certificate",
        r#"12:47: registries."registry.internal:5000".ca: cannot read `none.pem`"#,
        "16:33: plugins.limit.config.limits[0].limit: must be a rate such as `10/s`, `100/min`",
        "16:88: plugins.limit.config.ipv6_prefix: must be at most 128",
        "17:55: plugins.keys.config.jwks.upstream: no upstream is called \"idq\"; did you mean \"idp\"?",
        "17:66: plugins.keys.config.jwks.path: must begin with /",
        "20:48: plugins.home.config.calls[0].upstream: the use is not granted upstream \"users\"; add it to its `grants.upstreams`",
        "20:95: plugins.home.config.calls[1].upstream: the use is not granted upstream \"users\"",
        "20:110: plugins.home.config.calls[1].target: `/{x}` is not a template",
        "23:49: upstreams.idp.tls.ca: cannot read `none.pem`",
        "23:72: upstreams.idp.tls.certificate: `good.pem` does not belong to the key in `other.key`",
        "24:61: upstreams.users.timeouts.connect: must be a duration",
        "24:80: upstreams.users.tls.ca: `good.key` holds no certificate",
        "26:37: routes[0].upstream: no upstream is called \"bils\"",
        "27:34: telemetry.access_log.path: `nowhere/access.log` cannot be opened: ",
    ];
    for line in &expected {
        let line = format!("tollgate.yaml:{line}");
        assert!(ran.stderr.contains(&line), "{line} is missing:\n{}", ran.stderr);
    }
    assert_eq!(ran.stderr.lines().count(), expected.len(), "{}", ran.stderr);
    assert_eq!(ran.stdout, format!("tollgate.yaml: not valid ({} faults)\n", expected.len()));
    assert!(!here.path().join("nowhere").exists());
}

#[test]
fn a_start_tells_what_validate_tells() {
    let here = folder(ALL_AT_ONCE);
    let (validated, ran) =
        (validate(&here), tollgate(here.path(), &["run", "-c", "tollgate.yaml"]));
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(ran.stderr, validated.stderr);
}

#[test]
fn a_plugin_tells_all_its_own_faults_at_their_places() {
    let here = folder(
        r#"listeners: [{ address: "127.0.0.1:0" }]
plugins:
  limit:
    component: rate-limit
    config:
      limits:
        - { limit: 1/s, cost: 2, name: "\"" }
        - { limit: 2/s, key: nothing }
        - { limit: 3/s, cost: 4 }
routes: [{ match: { path: / }, plugins: [limit], respond: {} }]
"#,
    );
    let first = validate(&here);
    assert!(first.stderr.contains("tollgate.yaml:8:30: plugins.limit.config.limits[1].key: "));
    let file = here.path().join("tollgate.yaml");
    let text = std::fs::read_to_string(&file).unwrap().replace("key: nothing", "key: ip");
    std::fs::write(&file, text).unwrap();
    let ran = validate(&here);
    for line in [
        "tollgate.yaml:7:31: plugins.limit.config.limits[0].cost: ",
        "tollgate.yaml:7:40: plugins.limit.config.limits[0].name: ",
        "tollgate.yaml:9:31: plugins.limit.config.limits[2].cost: ",
    ] {
        assert!(ran.stderr.contains(line), "{line} is missing:\n{}", ran.stderr);
    }
}

#[test]
fn a_key_with_anything_in_it_has_its_place() {
    let here = folder(
        r#"listeners: [{ address: "127.0.0.1:0" }]
plugins:
  change:
    component: headers
    config:
      request:
        set:
          "a b": x
          "a/b": x
          x-a: { y.z: 5 }
routes: [{ match: { path: / }, plugins: [change], respond: {} }]
"#,
    );
    let ran = validate(&here);
    for line in [
        r#"tollgate.yaml:8:18: plugins.change.config.request.set."a b": "#,
        r#"tollgate.yaml:9:18: plugins.change.config.request.set."a/b": "#,
        "tollgate.yaml:10:16: plugins.change.config.request.set.x-a: ",
    ] {
        assert!(ran.stderr.contains(line), "{line} is missing:\n{}", ran.stderr);
    }
    assert_eq!(ran.stderr.lines().count(), 3, "{}", ran.stderr);
}

#[test]
fn an_entry_may_leave_its_grants_to_the_routes_that_list_it() {
    let keys = "component: jwt, config: { jwks: { upstream: idp, path: /keys } }";
    let config = |listed: &str| {
        format!(
            "listeners: [{{ address: '127.0.0.1:0' }}]
plugins: {{ keys: {{ {keys} }} }}
upstreams: {{ idp: {{ endpoints: ['127.0.0.1:9'] }} }}
routes: [{{ match: {{ path: / }}, plugins: [{listed}], respond: {{}} }}]
"
        )
    };
    let granted = validate(&folder(&config("{ use: keys, grants: { upstreams: [idp] } }")));
    assert_eq!(granted.code, 0, "{granted:?}");
    let listed = validate(&folder(&config("keys")));
    assert_eq!(listed.code, 1, "{listed:?}");
    assert!(listed.stderr.contains("the use is not granted upstream \"idp\""), "{listed:?}");
}

#[test]
fn needs_are_those_of_the_configuration() {
    let config = |listed: &str| {
        format!(
            "listeners: [{{ address: '127.0.0.1:0' }}]
upstreams: {{ u: {{ endpoints: ['127.0.0.1:9'] }} }}
plugins:
  inline: {{ component: jwt, config: {{ keys: [{{ algorithm: HS256, secret: {} }}] }} }}
  first: {{ component: first, config: {{ upstream: u }}, grants: {{ request_body: true, response_body: true }} }}
  chunks: {{ component: chunks, config: {{ request: keep }}, grants: {{ request_body: true }} }}
routes: [{{ match: {{ path: / }}, plugins: [{listed}], respond: {{}} }}]
",
            "s".repeat(32)
        )
    };
    let warnings = |listed: &str| {
        let here = folder(&config(listed));
        let first = artifacts::root().join("tests/fixtures/world-0.1.0.wasm");
        std::fs::copy(first, here.path().join("plugins/first.wasm")).unwrap();
        let chunks = artifacts::component("chunks");
        std::fs::copy(chunks, here.path().join("plugins/chunks.wasm")).unwrap();
        let ran = validate(&here);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.stdout.lines().filter(|line| line.starts_with("warning: ")).map(str::to_owned).collect()
    };
    assert_eq!(warnings("inline, chunks"), Vec::<String>::new());
    let of_first: Vec<String> = warnings("inline, first");
    assert!(of_first[0].contains("plugin `first` may need `upstreams`"), "{of_first:?}");
    assert_eq!(of_first.len(), 3, "{of_first:?}");
}

#[test]
fn a_broken_lock_hides_no_fault_of_a_component_in_a_file() {
    let here = folder(
        r#"listeners: [{ address: "127.0.0.1:0" }]
plugins:
  far: { component: "oci://127.0.0.1:9/far:1" }
  near: { component: headers, config: { x: 1 } }
routes: [{ match: { path: / }, plugins: [near], respond: {} }]
"#,
    );
    std::fs::write(here.path().join("tollgate.lock"), "digests: 5\n").unwrap();
    let ran = validate(&here);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("tollgate.lock:1:"), "{}", ran.stderr);
    assert!(ran.stderr.contains("plugins.near.config: unknown key `x`"), "{}", ran.stderr);
}

#[test]
fn the_summary_counts_in_words_that_fit() {
    let ran = validate(&folder(VALID));
    assert_eq!(ran.stdout, "tollgate.yaml: valid (2 routes, 1 plugin use, 1 upstream)\n");
}

#[test]
fn validate_makes_no_access_log() {
    let config = format!("{VALID}telemetry: {{ access_log: {{ path: access.log }} }}\n");
    let here = folder(&config);
    let ran = validate(&here);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!here.path().join("access.log").exists());
}

#[test]
fn a_misspelt_component_is_told_with_the_one_that_is_there() {
    let here = folder(&VALID.replace("component: probe", "component: prob"));
    let ran = validate(&here);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("did you mean \"probe\"?"), "{}", ran.stderr);
}

#[test]
fn a_plugin_that_wants_no_hook_is_warned_of() {
    let ran = validate(&folder(&VALID.replace("{ request: [{ show: method }] }", "{}")));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("plugin `probe` wants no hook"), "{}", ran.stdout);
}

#[test]
fn a_limit_that_a_plugin_cannot_begin_with_is_told_where_the_limit_is() {
    let config = VALID.replace(
        "routes:",
        "plugins: { p: { component: rate-limit, limits: { memory: 64KiB }, config: { limits: [{ limit: 5/s }] } } }\nroutes:",
    );
    let here = folder(&config);
    let ran = validate(&here);
    assert_eq!(ran.code, 1, "{ran:?}");
    let expected = "plugins.p.limits.memory: plugin `p` cannot be configured: the instance wanted";
    assert!(ran.stderr.contains(expected), "{}", ran.stderr);
}

#[test]
fn a_plugin_that_panics_over_its_configuration_is_told_with_what_it_said() {
    let here = folder(
        "listeners: [{ address: '127.0.0.1:0' }]
routes: [{ match: { path: / }, plugins: [{ component: faulty, config: { hook: configure, fault: panic } }], respond: {} }]
",
    );
    let place = here.path().join("plugins/faulty.wasm");
    std::fs::copy(artifacts::component("faulty"), place).unwrap();
    let ran = validate(&here);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("it trapped: panicked at"), "{ran:?}");
    assert!(ran.stderr.contains("a secret of the panic"), "{ran:?}");
}
