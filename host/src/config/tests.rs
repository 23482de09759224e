use std::path::Path;

use http::StatusCode;
use serde_json::json;

use super::*;
use crate::router::{HostPattern, ValueCondition};
use proptest::prelude::*;

/// Asserts what is printed for `text`, line by line.
#[track_caller]
fn check_faults(text: &str, expected: &[&str]) {
    let faults = parse(text, Path::new("tollgate.yaml")).expect_err("the file is faulty");
    let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
    assert_eq!(faults, expected, "\n{}", faults.join("\n"));
}

#[track_caller]
fn check_ok(text: &str) -> Config {
    parse(text, Path::new("etc/tollgate.yaml")).unwrap_or_else(|faults| {
        let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
        panic!("{}", faults.join("\n"))
    })
}

/// `routes` under a listener and two upstreams, `bills` and `idp`; the first is on line 5.
fn with_routes(routes: &str) -> String {
    format!(
        "listeners: [{{ address: 127.0.0.1:0 }}]\nupstreams:\n  bills: {{ endpoints: [\"127.0.0.1:1\"] }}\n  idp: {{ endpoints: [\"127.0.0.1:2\"] }}\n{routes}"
    )
}

const COMPLETE: &str = r#"# yaml-language-server: $schema=tollgate.schema.json
listeners:
  - address: 127.0.0.1:8080
  - address: 127.0.0.1:8443
    tls:
      certificates:
        - { certificate: certs/api.pem, key: certs/api.key }
      client_ca: certs/clients.pem
      client_auth: required
      min_version: "1.2"
admin:
  address: 127.0.0.1:9901
  token: secret
workers: 2
trusted_proxies: [10.0.0.0/8, 192.0.2.1]
plugin_directory: plugins
plugins:
  auth:
    component: jwt
    config:
      issuer: https://idp.example
      audience: orders
      jwks: { upstream: idp, path: /.well-known/jwks.json }
    grants: { upstreams: [idp], request_body: false, response_body: false }
    on_error: reject
    isolation: shared
    limits: { cpu: 10ms, memory: 64MiB, max_body: 10MiB, max_instances: 64, calls: 16 }
  per-user: { component: ./rate-limit.wasm }
upstreams:
  orders:
    endpoints: ["127.0.0.1:9001", { address: "127.0.0.1:9002", weight: 3 }, "orders.internal:9000", "[::1]:80"]
    protocol: http1
    tls: { server_name: orders.internal, ca: certs/ca.pem, certificate: a.pem, key: a.key, verify: true }
    balance: round_robin
    timeouts: { connect: 2s, first_byte: 30s, idle: 60s }
    keepalive: { max_idle: 128, idle: 60s }
  idp: { endpoints: ["idp.example:443"], tls: {} }
routes:
  - name: orders
    match:
      hosts: [api.example.com, "*.example.org"]
      path: /orders/{id}
      methods: [GET, PUT]
      headers: { x-version: "2" }
      query: { debug: { present: true } }
    plugins:
      - auth
      - use: per-user
        on_error: skip
      - component: cors
        config: { origins: ["https://app.example"] }
    upstream: orders
    rewrite: { path: "/v1/orders/{id}", host: orders.internal }
    timeout: 30s
  - name: old
    match: { path: "/old/{*rest}" }
    redirect: { status: 308, location: "/orders/{rest}" }
  - name: teapot
    match: { path: /teapot }
    respond: { status: 418, body: "short and stout", headers: { content-type: text/plain } }
  - match: { path: /api/x }
    strip_prefix: /api
    upstream: orders
limits:
  max_connections: 10000
  header_timeout: 10s
  body_idle: 30s
  keepalive_idle: 75s
  max_header_bytes: 64KiB
  max_headers: 100
  max_uri_bytes: 16KiB
  max_request_body: none
  http2: { max_concurrent_streams: 128, max_reset_streams: 200, initial_window: 1MiB }
drain: 30s
telemetry:
  log: { level: info, format: auto }
  access_log: { path: stdout, format: json, sample: 50% }
"#;

#[test]
fn the_documented_file_is_accepted() {
    let config = check_ok(COMPLETE);
    assert_eq!(config.listeners.len(), 2);
    let tls = config.listeners[1].tls.as_ref().expect("TLS");
    assert_eq!(tls.client_auth, ClientAuth::Required);
    assert_eq!(tls.certificates[0].key, Path::new("etc/certs/api.key"));
    assert_eq!(config.trusted_proxies[1].to_string(), "192.0.2.1/32");
    assert_eq!(config.plugin_directory, Path::new("etc/plugins"));

    let names: Vec<_> = config.uses.iter().map(|use_| use_.name.as_str()).collect();
    assert_eq!(names, ["auth", "per-user", "per-user", "cors"]);
    assert_eq!(config.uses[0].component, Source::File("etc/plugins/jwt.wasm".into()));
    assert_eq!(config.uses[1].component, Source::File("etc/./rate-limit.wasm".into()));
    assert_eq!(config.uses[2].on_error, OnError::Skip);
    assert_eq!(config.uses[3].config, json!({ "origins": ["https://app.example"] }));

    let orders = &config.upstreams["orders"];
    let endpoint = |host: &str, port, weight| Endpoint { host: host.to_owned(), port, weight };
    assert_eq!(
        orders.endpoints,
        [
            endpoint("127.0.0.1", 9001, 1),
            endpoint("127.0.0.1", 9002, 3),
            endpoint("orders.internal", 9000, 1),
            endpoint("::1", 80, 1)
        ]
    );

    let route = &config.routes[0];
    assert_eq!(route.plugins, [0, 2, 3]);
    assert_eq!(route.matching.hosts[1], HostPattern::Wildcard("example.org".to_owned()));
    assert_eq!(route.matching.headers[0].value, ValueCondition::Exact("2".to_owned()));
    let Action::Forward(forward) = &route.action else { panic!("{:?}", route.action) };
    assert!(
        matches!(&forward.path, PathRewrite::Replace(path) if path.to_string() == "/v1/orders/{id}")
    );
    assert_eq!(config.routes[3].name, "/api/x");
    assert!(config.telemetry.access_log.is_some_and(|log| log.path.is_none() && log.sample == 0.5));
}

#[test]
fn every_default_is_safe_and_as_documented() {
    let config = check_ok("listeners: [{ address: 127.0.0.1:0 }]");
    assert_eq!(config.admin.address.to_string(), "127.0.0.1:9901");
    assert_eq!(config.workers, None);
    assert_eq!(config.drain, Duration::from_secs(30));
    assert_eq!(config.telemetry.log_level, "info");
    assert_eq!(config.telemetry.log_format, LogFormat::Auto);
    assert_eq!(config.telemetry.access_log, None);
    assert_eq!(
        config.limits,
        Limits {
            max_connections: 10_000,
            header_timeout: Duration::from_secs(10),
            body_idle: Duration::from_secs(30),
            keepalive_idle: Duration::from_secs(75),
            tunnel_idle: Some(Duration::from_secs(3600)),
            max_header_bytes: 64 << 10,
            max_headers: 100,
            max_uri_bytes: 16 << 10,
            max_request_body: None,
            http2_max_concurrent_streams: 128,
            http2_max_reset_streams: 200,
            http2_initial_window: 1 << 20,
        }
    );
}

#[test]
fn a_complete_file_with_many_slips_prints_them_all() {
    let slips = [
        ("address: 127.0.0.1:8080", "address: localhost:8080"),
        ("min_version: \"1.2\"", "min_version: 1.2"),
        ("workers: 2", "workers: 0"),
        ("[10.0.0.0/8,", "[10.0.0.0/33,"),
        ("component: jwt\n", "componnent: jwt\n"),
        ("upstreams: [idp]", "upstreams: [ipd]"),
        ("on_error: reject", "on_error: rejct"),
        ("cpu: 10ms", "cpu: 10"),
        ("{ component: ./rate-limit.wasm }", "{ component: oci://x.y/z@sha256:00 }"),
        ("weight: 3", "weight: 0"),
        ("protocol: http1", "protocol: h2"),
        ("verify: true", "verify: yes"),
        ("balance: round_robin", "balance: least_requests"),
        ("connect: 2s", "conect: 2s"),
        ("methods: [GET, PUT]", "metod: [GET, PUT]"),
        ("x-version: \"2\"", "x-version: 2"),
        ("present: true", "presnt: true"),
        ("      - auth\n", "      - auht\n"),
        ("    upstream: orders\n    rewrite", "    upstream: order\n    rewrite"),
        ("/v1/orders/{id}", "/v1/orders/{ib}"),
        ("status: 308", "status: 300"),
        ("status: 418", "status: 99"),
        ("drain: 30s", "drain: soon"),
        ("level: info", "level: inof"),
        ("sample: 50%", "sample: 150%"),
        ("max_header_bytes: 64KiB", "max_header_bytes: 4KiB"),
        ("max_connections: 10000", "max_connections: many"),
    ];
    let text = slips.iter().fold(COMPLETE.to_owned(), |text, (right, wrong)| {
        assert_eq!(text.matches(right).count(), 1, "{right}");
        text.replace(right, wrong)
    });
    check_faults(
        &text,
        &[
            "tollgate.yaml:3:14: listeners[0].address: must be an IP address and a port, such as `0.0.0.0:8080`",
            "tollgate.yaml:10:20: listeners[1].tls.min_version: must be \"1.2\" or \"1.3\"",
            "tollgate.yaml:14:10: workers: must be at least 1",
            "tollgate.yaml:15:19: trusted_proxies[0]: must be an IP address or a network such as `10.0.0.0/8`",
            "tollgate.yaml:19:5: plugins.auth: unknown key `componnent`; did you mean `component`?",
            "tollgate.yaml:24:27: plugins.auth.grants.upstreams[0]: no upstream is called \"ipd\"; did you mean \"idp\"?",
            "tollgate.yaml:25:15: plugins.auth.on_error: must be `reject` or `skip`; did you mean \"reject\"?",
            "tollgate.yaml:27:20: plugins.auth.limits.cpu: must be a duration such as `250ms`, `10s`, `5m` or `1h`",
            "tollgate.yaml:28:26: plugins.per-user.component: a digest is `sha256:` and 64 hexadecimal digits in lower case",
            "tollgate.yaml:31:72: upstreams.orders.endpoints[1].weight: must be at least 1",
            "tollgate.yaml:32:15: upstreams.orders.protocol: must be `http1`, `http2` or `auto`",
            "tollgate.yaml:33:100: upstreams.orders.tls.verify: must be `true` or `false`",
            "tollgate.yaml:34:14: upstreams.orders.balance: not supported by this version",
            "tollgate.yaml:35:17: upstreams.orders.timeouts: unknown key `conect`; did you mean `connect`?",
            "tollgate.yaml:43:7: routes[0].match: unknown key `metod`; did you mean `methods`?",
            "tollgate.yaml:44:29: routes[0].match.headers.x-version: must be a text, `{ prefix: .. }`, `{ regex: .. }` or `{ present: true }`",
            "tollgate.yaml:45:25: routes[0].match.query.debug: unknown key `presnt`; did you mean `present`?",
            "tollgate.yaml:47:9: routes[0].plugins[0]: no plugin is called \"auht\"; did you mean \"auth\"?",
            "tollgate.yaml:52:15: routes[0].upstream: no upstream is called \"order\"; did you mean \"orders\"?",
            "tollgate.yaml:57:25: routes[1].redirect.status: must be 301, 302, 303, 307 or 308",
            "tollgate.yaml:60:24: routes[2].respond.status: must be at least 200",
            "tollgate.yaml:65:20: limits.max_connections: must be a whole number",
            "tollgate.yaml:69:21: limits.max_header_bytes: must be at least 8KiB",
            "tollgate.yaml:74:8: drain: must be a duration such as `250ms`, `10s`, `5m` or `1h`",
            "tollgate.yaml:76:17: telemetry.log.level: no log level is called \"inof\"; did you mean \"info\"?",
            "tollgate.yaml:77:53: telemetry.access_log.sample: must be a percentage from `0%` to `100%`",
        ],
    );
}

#[test]
fn the_shape_is_checked_everywhere() {
    check_faults("", &["tollgate.yaml:1:1: `listeners` is missing"]);
    check_faults("- a\n", &["tollgate.yaml:1:1: must be a table"]);
    check_faults(
        "listeners: []\nplugins:\nroutes: 5\n",
        &[
            "tollgate.yaml:1:12: listeners: must not be empty",
            "tollgate.yaml:2:8: plugins: must be a table; it is empty",
            "tollgate.yaml:3:9: routes: must be a list",
        ],
    );
}

#[test]
fn what_is_named_must_be_there() {
    check_faults(
        &with_routes(
            "routes:
  - match: { path: /a }
    upstream: bils
  - match: { path: /b }
    upstream: bills
    plugins: [auth, { use: atuh }, { }, { use: a, component: b }]
",
        ),
        &[
            "tollgate.yaml:7:15: routes[0].upstream: no upstream is called \"bils\"; did you mean \"bills\"?",
            "tollgate.yaml:10:15: routes[1].plugins[0]: no plugin is called \"auth\"",
            "tollgate.yaml:10:28: routes[1].plugins[1].use: no plugin is called \"atuh\"",
            "tollgate.yaml:10:36: routes[1].plugins[2]: needs `use` or `component`",
            "tollgate.yaml:10:51: routes[1].plugins[3].component: cannot stand beside `use`",
        ],
    );
}

#[test]
fn a_route_has_one_end_and_only_what_goes_with_it() {
    check_faults(
        &with_routes(
            "routes:
  - match: { path: /a }
  - match: { path: /b }
    upstream: bills
    respond: {}
  - match: { path: /c }
    respond: {}
    strip_prefix: /x
  - match: { path: /d }
    upsteam: bills
  - match: { path: /e }
    upstream: bills
    rewrite: { path: /x }
    strip_prefix: /x
",
        ),
        &[
            "tollgate.yaml:6:5: routes[0]: needs one of `upstream`, `component`, `redirect` and `respond`, or `plugins` that answer",
            "tollgate.yaml:9:5: routes[1].respond: cannot stand beside `upstream`",
            "tollgate.yaml:12:5: routes[2].strip_prefix: needs `upstream`",
            "tollgate.yaml:14:5: routes[3]: unknown key `upsteam`; did you mean `upstream`?",
            "tollgate.yaml:18:5: routes[4].strip_prefix: cannot stand beside `rewrite.path`",
        ],
    );
}

#[test]
fn routes_between_which_nothing_decides_are_refused_at_both() {
    check_faults(
        &with_routes(
            "routes:
  - { match: { path: \"/a/{x}\" }, upstream: bills }
  - { name: two, match: { path: \"/a/{y}\" }, upstream: bills }
  - { name: two, match: { path: \"/b\" }, upstream: bills }
",
        ),
        &[
            "tollgate.yaml:6:22: routes[0].match.path: matches the same requests as routes[1] (tollgate.yaml:7:5), and neither is more specific",
            "tollgate.yaml:7:33: routes[1].match.path: matches the same requests as routes[0] (tollgate.yaml:6:5), and neither is more specific",
            "tollgate.yaml:8:13: routes[2].name: is already the name of routes[1] (tollgate.yaml:7:5)",
        ],
    );
}

#[test]
fn methods_that_the_gateway_answers_itself_match_nothing() {
    check_faults(
        &with_routes(
            "routes:
  - { match: { path: /a, methods: [GET, TRACE, CONNECT, PURGE] }, upstream: bills }
",
        ),
        &[
            "tollgate.yaml:6:41: routes[0].match.methods[1]: never matches: the gateway answers TRACE with 405 itself",
            "tollgate.yaml:6:48: routes[0].match.methods[2]: never matches: the gateway answers CONNECT with 405 itself",
        ],
    );
}

#[test]
fn templates_name_parameters_of_their_own_path_and_decide_on_no_host() {
    check_faults(
        &with_routes(
            r#"routes:
  - { match: { path: "/a/{id}" }, upstream: bills, rewrite: { path: "/b/{ib}" } }
  - { match: { path: "/b" }, upstream: bills, rewrite: { path: "/b/{id}" } }
  - { match: { path: "/c/{id}" }, upstream: bills, rewrite: { path: "/b/../{id}?x" } }
  - { match: { path: "/d/{id}" }, redirect: { location: "https://{id}.example/" } }
  - { match: { path: "/e/{id}" }, redirect: { location: "javascript:{id}" } }
  - { match: { path: "/f/{id" }, redirect: { location: "/{id}" } }
  - { match: { path: "/g" }, respond: { headers: { content-length: "1", "a b": "x", x: "a\nb" } } }
"#,
        ),
        &[
            "tollgate.yaml:6:69: routes[0].rewrite.path: the path has no parameter called `ib` (it has `id`)",
            "tollgate.yaml:7:64: routes[1].rewrite.path: the path has no parameter called `id` (it has none)",
            "tollgate.yaml:8:69: routes[2].rewrite.path: must be without `?` and `#`; the query stays as it is",
            "tollgate.yaml:9:57: routes[3].redirect.location: parameters may stand after the host only",
            "tollgate.yaml:10:57: routes[4].redirect.location: must begin with `/`, `https://` or `http://`",
            "tollgate.yaml:11:22: routes[5].match.path: a parameter must be a whole segment, such as `/{name}/`; `{id` is not",
            "tollgate.yaml:12:52: routes[6].respond.headers.content-length: is set by the gateway itself",
            "tollgate.yaml:12:73: routes[6].respond.headers.a b: is not a header field name",
            "tollgate.yaml:12:88: routes[6].respond.headers.x: is not a header field value",
        ],
    );
}

#[test]
fn what_this_version_lacks_is_refused_by_name() {
    check_faults(
        &with_routes(
            "routes:
  - match: { path: /a }
    split: [{ upstream: bills, weight: 1 }]
    sticky: { cookie: v }
  - match: { path: /c }
    upstream: bills
    mirror: {}
    retries: {}
    plugins: [{ component: x }]
state: {}
telemetry: { otlp: {}, server_timing: false, access_log: { fields: [] } }
plugins:
  p: { component: x }
",
        ),
        &[
            "tollgate.yaml:7:5: routes[0].split: not supported by this version",
            "tollgate.yaml:8:5: routes[0].sticky: not supported by this version",
            "tollgate.yaml:11:5: routes[1].mirror: not supported by this version",
            "tollgate.yaml:12:5: routes[1].retries: not supported by this version",
            "tollgate.yaml:14:1: state: not supported by this version",
            "tollgate.yaml:15:14: telemetry.otlp: not supported by this version",
            "tollgate.yaml:15:24: telemetry.server_timing: not supported by this version",
            "tollgate.yaml:15:60: telemetry.access_log.fields: not supported by this version",
        ],
    );
}

#[test]
fn a_component_at_the_end_of_a_route_is_named_or_a_table() {
    let config = check_ok(&with_routes(
        "routes:
  - { match: { path: /a }, component: hello }
  - { match: { path: /b }, component: { component: hello } }
  - { match: { path: /c }, component: { component: ./own.wasm, grants: { upstreams: [bills] }, limits: { cpu: 5s, calls: 1 } } }
",
    ));
    let [hello, own] = config.services.as_slice() else { panic!("{:?}", config.services) };
    assert_eq!(hello.component, Source::File("etc/plugins/hello.wasm".into()));
    assert_eq!((hello.name.as_str(), own.name.as_str()), ("hello", "own"));
    assert_eq!(
        (hello.limits.cpu, own.limits.cpu),
        (Duration::from_secs(1), Duration::from_secs(5))
    );
    assert_eq!((own.upstreams.as_slice(), own.limits.calls), (&["bills".to_owned()][..], 1));
    let ends = config.routes.iter().map(|route| match route.action {
        Action::Component(index) => index,
        ref other => panic!("{other:?}"),
    });
    assert_eq!(ends.collect::<Vec<_>>(), [0, 0, 1]);

    check_faults(
        &with_routes(
            "routes:
  - { match: { path: /a }, component: hello, upstream: bills }
  - { match: { path: /b }, component: { grants: { upstreams: [bils] } } }
  - { match: { path: /c }, component: { component: oci://x.y/z } }
  - { match: { path: /d }, component: [hello] }
  - { match: { path: /e }, component: { component: x, on_error: skip, limits: { memory: 2GiB } } }
  - { match: { path: /f }, component: x, strip_prefix: /f }
",
        ),
        &[
            "tollgate.yaml:6:28: routes[0].component: cannot stand beside `upstream`",
            "tollgate.yaml:7:39: routes[1].component: `component` is missing",
            "tollgate.yaml:7:63: routes[1].component.grants.upstreams[0]: no upstream is called \"bils\"; did you mean \"bills\"?",
            "tollgate.yaml:8:52: routes[2].component.component: must end with a tag or a digest: `NAME:TAG` or `NAME@sha256:..`",
            "tollgate.yaml:9:39: routes[3].component: must be the name of a component or `{ component: name, ... }`",
            "tollgate.yaml:10:55: routes[4].component: unknown key `on_error`",
            "tollgate.yaml:10:89: routes[4].component.limits.memory: must be at most 1GiB",
            "tollgate.yaml:11:42: routes[5].strip_prefix: needs `upstream`",
        ],
    );
}

#[test]
fn how_far_a_plugins_trouble_goes_is_checked() {
    check_faults(
        &with_routes(
            "plugins:
  a: { component: x, quarantine: off, isolation: process }
  b: { component: x, quarantine: { traps: 0, retry: 2m, max_retry: 1m, windw: 1s } }
  c: { component: x, canary: { component: y z, percent: 101, abort_on: { errors: 1 } } }
  d: { component: x, canary: { percent: 5 }, limits: { attribute_bytes: 2MiB, table: 0 } }
routes: []
",
        ),
        &[
            "tollgate.yaml:6:34: plugins.a.quarantine: must be `none` or `{ traps: 10, window: 10s, retry: 1s, max_retry: 1m }`",
            "tollgate.yaml:6:50: plugins.a.isolation: must be `shared` or `request`",
            "tollgate.yaml:7:43: plugins.b.quarantine.traps: must be at least 1",
            "tollgate.yaml:7:68: plugins.b.quarantine.max_retry: must be at least `retry`",
            "tollgate.yaml:7:72: plugins.b.quarantine: unknown key `windw`; did you mean `window`?",
            "tollgate.yaml:8:43: plugins.c.canary.component: must be a name such as `jwt` or a path such as `./jwt.wasm`",
            "tollgate.yaml:8:57: plugins.c.canary.percent: must be at most 100",
            "tollgate.yaml:8:82: plugins.c.canary.abort_on.errors: must be a percentage from `0%` to `100%`",
            "tollgate.yaml:9:30: plugins.d.canary: `component` is missing",
            "tollgate.yaml:9:73: plugins.d.limits.attribute_bytes: must be at most 1MiB",
            "tollgate.yaml:9:86: plugins.d.limits.table: must be at least 1",
        ],
    );
}

#[test]
fn listeners_and_the_administration_server_are_safe() {
    check_faults(
        "listeners:
  - { address: 127.0.0.1:80 }
  - { address: 127.0.0.1:80, tls: { certificates: [{ certificate: a }], client_auth: optional } }
  - { address: 127.0.0.1:0 }
  - { address: 127.0.0.1:0, tls: {} }
admin: { address: 0.0.0.0:9901 }
",
        &[
            "tollgate.yaml:3:16: listeners[1].address: is already the address of listeners[0] (tollgate.yaml:2:5)",
            "tollgate.yaml:3:52: listeners[1].tls.certificates[0]: `key` is missing",
            "tollgate.yaml:3:86: listeners[1].tls.client_auth: needs `client_ca`",
            "tollgate.yaml:5:34: listeners[3].tls: `certificates` is missing",
            "tollgate.yaml:6:19: admin.address: is not a loopback address, so that `token` must be set",
        ],
    );
}

#[test]
fn duplicate_keys_and_broken_yaml_are_faults_with_a_place() {
    check_faults(
        "drain: 1s\nadmin: { token: a, token: b }\ndrain: 2s\n",
        &[
            "tollgate.yaml:1:1: `listeners` is missing",
            "tollgate.yaml:2:20: admin.token: the key is already on line 2",
            "tollgate.yaml:3:1: drain: the key is already on line 1",
        ],
    );
    check_faults("a: [1\nb: }\n", &["tollgate.yaml:2:2: illegal placement of ':' indicator"]);
}

#[test]
fn braces_inside_of_braces_are_explained() {
    for line in ["a: { path: /orders/{id} }", "a: { token: ${TOKEN} }"] {
        let fault = &parse(line, Path::new("t.yaml")).expect_err("no YAML")[0].to_string();
        let hint = "; inside `{ }` and `[ ]`, a text with braces must be in quotes";
        assert!(fault.ends_with(hint), "{fault}");
    }
}

#[test]
fn equal_uses_are_one_unless_they_stand_in_different_routes() {
    let config = check_ok(&with_routes(
        "plugins: { a: { component: x }, unused: { component: y } }
routes:
  - { match: { path: /a }, upstream: bills, plugins: [a, { use: a }, { use: a, on_error: skip }] }
  - { match: { path: /b }, upstream: bills, plugins: [{ use: a, on_error: skip }, { component: z }] }
  - { match: { path: /c }, upstream: bills, plugins: [{ component: z }, { use: a, limits: { cpu: 1s } }] }
",
    ));
    let plugins: Vec<_> = config.routes.iter().map(|route| route.plugins.clone()).collect();
    assert_eq!(plugins, [vec![0, 0, 2], vec![2, 3], vec![4, 5]]);
    assert_eq!(config.uses[5].limits.cpu, Duration::from_secs(1));
    assert_eq!(config.uses[5].limits.calls, 16);
    let scopes: Vec<_> = config.uses.iter().map(|plugin| plugin.scope.as_str()).collect();
    assert_eq!(scopes, ["a", "unused", "a", "/b/z", "/c/z", "a"], "whose rate limits they have");
}

#[test]
fn routes_without_a_name_are_called_after_their_match() {
    let config = check_ok(&with_routes(
        "routes:
  - { match: { path: /a }, upstream: bills }
  - { match: { path: /b, methods: [GET] }, upstream: bills }
  - { match: { path: /b, methods: [PUT], hosts: [x] }, upstream: bills }
  - { name: /c, match: { path: /d }, upstream: bills }
  - { match: { path: /c }, upstream: bills }
",
    ));
    let names: Vec<_> = config.routes.iter().map(|route| route.name.as_str()).collect();
    assert_eq!(names, ["/a", "GET /b", "PUT x/b", "/c", "/c routes[4]"]);
}

#[test]
fn secrets_do_not_show() {
    let config = check_ok("listeners: [{ address: 127.0.0.1:0 }]\nadmin: { token: hunter2 }");
    assert!(!format!("{:?}", config.admin).contains("hunter2"));
}

/// The variables `PORT` (8080), `TOKEN` (12345), `EMPTY` and `WORD` (word).
fn lookup(name: &str) -> Result<String, String> {
    match name {
        "PORT" => Ok("8080".to_owned()),
        "TOKEN" => Ok("12345".to_owned()),
        "EMPTY" => Ok(String::new()),
        "WORD" => Ok("word".to_owned()),
        "file:/run/token" => Ok("from-file".to_owned()),
        _ => Err(format!("`{name}` is not set")),
    }
}

fn parse_with_variables(text: &str) -> Result<Config, Vec<Fault>> {
    let parsed = Document::parse_with(text, Path::new("t.yaml"), &lookup);
    let (document, found) = parsed.map_err(|fault| vec![fault])?;
    let (config, faults) = check::check(document, found);
    if faults.is_empty() { Ok(config) } else { Err(faults) }
}

#[test]
fn variables_are_replaced_and_take_the_type_that_is_wanted() {
    let text = r#"
listeners: [{ address: "127.0.0.1:${PORT}" }]
workers: ${NONE:-3}
admin: { token: "${file:/run/token}" }
limits: { max_headers: "${TOKEN}", max_uri_bytes: "${EMPTY:-4KiB}" }
plugins:
  a:
    component: ${WORD}
    config:
      bare: ${TOKEN}
      quoted: "${TOKEN}"
      escaped: $${WORD}
      plain: $WORD
"#;
    let config = parse_with_variables(text).unwrap_or_else(|faults| panic!("{}", faults[0]));
    assert_eq!(config.listeners[0].address.port(), 8080);
    assert_eq!(config.workers.map(NonZeroUsize::get), Some(3));
    assert_eq!(config.admin.token, Some(Secret("from-file".to_owned())));
    assert_eq!(config.limits.max_headers, 12_345);
    assert_eq!(config.limits.max_uri_bytes, 4096);
    assert_eq!(config.uses[0].component, Source::File("plugins/word.wasm".into()));
    let expected =
        json!({ "bare": 12345, "quoted": "12345", "escaped": "${WORD}", "plain": "$WORD" });
    assert_eq!(config.uses[0].config, expected);

    let text = "listeners: [{ address: 127.0.0.1:0 }]\nadmin:\n  token: ${TOKEN}\n";
    let config = parse_with_variables(text).expect("a token of digits is a text");
    assert_eq!(config.admin.token, Some(Secret("12345".to_owned())));
}

#[test]
fn a_variable_that_is_not_set_is_a_fault_where_it_stands() {
    let text = "drain: ${NO}\nadmin:\n  token: \"a${WORD\"\n  address: ${a b}\nworkers: ${WORD}\n";
    let faults = parse_with_variables(text).expect_err("variables are missing");
    let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
    assert_eq!(
        faults,
        [
            "t.yaml:1:1: `listeners` is missing",
            "t.yaml:1:8: drain: `NO` is not set",
            "t.yaml:3:10: admin.token: `${` has no `}`; write `$${` for `${` itself",
            "t.yaml:4:12: admin.address: `a b` is not the name of a variable",
            "t.yaml:5:10: workers: must be a whole number",
        ]
    );
    let faults = parse_with_variables("listeners: []\nworkers: ${WORD}\n").expect_err("no number");
    let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
    assert_eq!(
        faults,
        [
            "t.yaml:1:12: listeners: must not be empty",
            "t.yaml:2:10: workers: must be a whole number"
        ]
    );
}

#[test]
fn a_plugin_s_schema_points_into_its_configuration() {
    let config = check_ok(
        "listeners: [{ address: 127.0.0.1:0 }]
plugins:
  a:
    component: x
    config:
      rate: fast
      keys:
        - { nme: a }
        - { name: 1 }
      mode: strct
",
    );
    let schema = json!({
        "type": "object",
        "required": ["origin"],
        "additionalProperties": false,
        "properties": {
            "origin": true,
            "rate": { "type": "integer", "minimum": 1 },
            "mode": { "enum": ["strict", "loose"] },
            "keys": { "items": { "$ref": "#/$defs/key" } },
        },
        "$defs": {
            "key": {
                "type": "object",
                "properties": { "name": { "type": "string" } },
                "required": ["name"],
                "additionalProperties": false,
            },
        },
    });
    let print = |schema: &serde_json::Value| {
        let faults = plugin_config_faults(&config, schema, &config.uses[0]);
        assert!(faults.names.is_empty(), "{faults:?}");
        faults.shape.iter().map(Fault::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        print(&schema),
        [
            "etc/tollgate.yaml:6:7: plugins.a.config: `origin` is missing",
            "etc/tollgate.yaml:6:13: plugins.a.config.rate: must be a whole number",
            "etc/tollgate.yaml:8:13: plugins.a.config.keys[0]: unknown key `nme`; did you mean `name`?",
            "etc/tollgate.yaml:9:19: plugins.a.config.keys[1].name: must be a text, in quotes",
            "etc/tollgate.yaml:10:13: plugins.a.config.mode: must be `strict` or `loose`; did you mean \"strict\"?",
        ]
    );
    assert_eq!(print(&json!({ "type": 5 })).len(), 1);
    let remote = print(&json!({ "$ref": "https://example.com/schema.json" }));
    assert!(
        remote[0].starts_with(
            "etc/tollgate.yaml:4:5: plugins.a: the configuration schema of plugin `a` is invalid: "
        ),
        "{remote:?}"
    );
}

#[test]
fn anchors_and_merge_keys_are_followed() {
    let config = check_ok(
        "listeners: [{ address: 127.0.0.1:0 }]
upstreams:
  a: &a { endpoints: [\"a:1\"], timeouts: &t { connect: 1s } }
  b: *a
  c: { <<: *a, endpoints: [\"c:1\"] }
",
    );
    assert_eq!(config.upstreams["b"].endpoints[0].host, "a");
    assert_eq!(config.upstreams["c"].endpoints[0].host, "c");
    assert_eq!(config.upstreams["c"].connect_timeout, Duration::from_secs(1));
}

#[test]
fn an_alias_bomb_is_a_fault() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    let faults = parse(&text, Path::new("t.yaml")).expect_err("a bomb");
    assert_eq!(faults.len(), 1, "{}", faults[0]);
}

#[test]
fn the_effective_configuration_has_every_default_and_no_secret() {
    let text = r#"listeners: [{ address: "127.0.0.1:0" }]
admin: { token: hunter2 }
registries: { "a:5000": { username: hunter2, password: hunter2 } }
plugins: { a: { component: b, config: { word: hunter2, list: [{ x: hunter2, n: 5 }] }, canary: { component: c, percent: 5, config: { word: hunter2 } } } }
upstreams: { u: { endpoints: ["127.0.0.1:9"] } }
routes:
  - { match: { path: /a, headers: { x-api-key: hunter2 } }, plugins: [a, { use: a, on_error: skip, limits: { calls: 3 } }], upstream: u }
  - { match: { path: /b, query: { a: "${WORD:-hunter2}" } }, respond: { body: hunter2, headers: { X-A: "${WORD:-hunter2}", x-token: hunter2, x-b: shown } } }
  - { match: { path: /c, headers: { cookie: { regex: "hunter2|" } } }, respond: {} }
"#;
    let config = parse(text, Path::new("etc/t.yaml")).expect("a valid file");
    let none = Schemas::new();
    let value = effective(&config, Secrets::Masked(&none));
    assert!(!value.to_string().contains("hunter2"), "{value:#}");
    assert!(!format!("{:?}", config.document).contains("hunter2"));
    assert_eq!(value["upstreams"]["u"]["timeouts"]["first_byte"], "30s");
    assert_eq!(
        value["plugins"]["a"]["config"],
        json!({ "word": "***", "list": [{ "x": "***", "n": 5 }] })
    );
    assert_eq!(value["plugins"]["a"]["component"], "plugins/b.wasm");
    assert_eq!(
        value["routes"][0]["plugins"],
        json!(["a", { "use": "a", "on_error": "skip", "limits": { "calls": 3 } }])
    );
    assert_eq!(value["routes"][1]["respond"]["headers"]["x-b"], "shown");
    assert_eq!(value["limits"]["tunnel_idle"], "1h");
    assert_eq!(value["plugins"]["a"]["canary"]["percent"], 5.0);
    parse(&value.to_string(), Path::new("etc/t.yaml")).expect("it is a configuration");
    let plain = effective(&config, Secrets::Plain).to_string();
    assert_eq!(plain.matches("hunter2").count(), text.matches("hunter2").count());
}

#[test]
fn the_effective_configuration_is_a_configuration_that_says_the_same() {
    let more = "
plugins:
  a: { component: a, config: { x: 1, y: '$${z}' }, grants: { stores: [s] }, canary: { component: b, percent: 5, config: {} } }
upstreams: { u: { endpoints: [\"[::1]:9\"] } }
drain_delay: 5s
listeners: [{ address: 127.0.0.1:0, redirect_to_https: true }]
routes:
  - { match: { path: /a }, plugins: [a, { use: a, config: {}, quarantine: none, grants: {} }, { component: ./c.wasm }] }
  - { match: { path: /b }, component: { component: d, grants: { upstreams: [u] } } }
  - { match: { path: /c }, component: d }
";
    for text in [COMPLETE, more, "listeners: [{ address: 127.0.0.1:0 }]"] {
        let written = effective(&check_ok(text), Secrets::Plain);
        let again = effective(&check_ok(&written.to_string()), Secrets::Plain);
        assert_eq!(again, written);
    }
}

#[test]
fn a_rewritten_path_needs_no_more_normalising() {
    check_faults(
        &with_routes(
            r#"routes:
  - { match: { path: "/a/{*rest}" }, upstream: bills, rewrite: { path: "/b/.{rest}" } }
  - { match: { path: "/b/{*rest}" }, upstream: bills, rewrite: { path: "/%7eb/{rest}" } }
  - { match: { path: "/c/{*rest}" }, upstream: bills, strip_prefix: /c/ }
"#,
        ),
        &[
            "tollgate.yaml:6:72: routes[0].rewrite.path: must be normalised as requests are: no dot segments, no needless escapes",
            "tollgate.yaml:7:72: routes[1].rewrite.path: must be normalised as requests are: no dot segments, no needless escapes",
            "tollgate.yaml:8:69: routes[2].strip_prefix: must begin with `/` and not end with it",
        ],
    );
}

#[test]
fn a_file_for_a_variable_is_seen_from_the_configuration_s_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tollgate.yaml");
    std::fs::write(folder.path().join("token"), "t0ken\n").expect("written");
    std::fs::write(
        &path,
        "listeners: [{ address: 127.0.0.1:0 }]\nadmin:\n  token: ${file:token}\n",
    )
    .expect("written");
    let config = load(&path).expect("a valid file");
    assert_eq!(config.admin.token, Some(Secret("t0ken".to_owned())));
}

#[test]
fn names_of_digits_and_nothing_are_names() {
    check_faults(
        &with_routes("plugins: { \"5\": { component: x, on_error: y }, \"\": { component: x } }\n"),
        &[
            "tollgate.yaml:5:43: plugins.5.on_error: must be `reject` or `skip`",
            "tollgate.yaml:5:48: plugins.: a name must be of letters, digits, `_`, `-` and `.`",
        ],
    );
}

#[test]
fn a_file_that_is_not_there_is_a_fault() {
    let faults = load(Path::new("/nonexistent/tollgate.yaml")).expect_err("no file");
    let fault = faults[0].to_string();
    assert!(fault.starts_with("/nonexistent/tollgate.yaml:1:1: cannot be read: "), "{fault}");
}

#[test]
fn ten_thousand_routes_are_accepted() {
    let routes: String = (0..10_000)
        .map(|number| format!("  - {{ name: r{number}, match: {{ path: \"/a{number}/{{x}}\", methods: [GET] }}, upstream: bills, plugins: [{{ component: x }}] }}\n"))
        .collect();
    let config = check_ok(&with_routes(&format!("routes:\n{routes}")));
    assert_eq!(config.routes.len(), 10_000);
    assert_eq!(config.uses.len(), 10_000);
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = parse(&text, Path::new("t.yaml"));
    }

    /// The complete file with one piece replaced.
    #[test]
    fn no_slip_panics(start in 0..COMPLETE.len(), length in 0..40_usize, piece in "[-{}\\[\\]:,&*\"'a0%/ \n$]{0,6}") {
        let end = (start + length).min(COMPLETE.len());
        let text = format!("{}{piece}{}", &COMPLETE[..start], &COMPLETE[end..]);
        if let Err(faults) = parse(&text, Path::new("t.yaml")) {
            prop_assert!(!faults.is_empty());
            let lines = text.lines().count() + 1;
            prop_assert!(faults.iter().all(|fault| fault.place.line <= lines), "{faults:?}");
        }
    }
}

#[test]
fn a_store_that_is_granted_has_the_limits_that_the_file_gives_it_or_the_defaults() {
    let config = check_ok(&with_routes(
        "stores:
  few: { max_entries: 3, max_bytes: 64KiB }
  unused: { max_value: 10 }
plugins:
  p: { component: x, grants: { stores: [few, other] } }
",
    ));
    let limits =
        |max_bytes, max_entries, max_value| StoreLimits { max_bytes, max_entries, max_value };
    let expected = [
        ("few", limits(64 << 10, 3, 64 << 10)),
        ("other", limits(16 << 20, 100_000, 1 << 20)),
        ("unused", limits(16 << 20, 100_000, 10)),
    ];
    let expected = expected.map(|(name, limits)| (name.to_owned(), limits));
    assert_eq!(config.stores, BTreeMap::from(expected));
    assert_eq!(config.uses[0].grants.stores, ["few", "other"]);
}

#[test]
fn faulty_stores_are_refused_at_their_place() {
    check_faults(
        &with_routes(
            "stores:
  a b: {}
  c: { max_bytes: 1KiB, max_value: 2KiB }
  d: { max_entries: 0, max_size: 1 }
plugins:
  p: { component: x, grants: { stores: [\"\"] } }
",
        ),
        &[
            "tollgate.yaml:6:3: stores.a b: a name must be of letters, digits, `_`, `-` and `.`",
            "tollgate.yaml:7:36: stores.c.max_value: must be at most `max_bytes`",
            "tollgate.yaml:8:21: stores.d.max_entries: must be at least 1",
            "tollgate.yaml:8:24: stores.d: unknown key `max_size`; did you mean `max_value`?",
            "tollgate.yaml:10:41: plugins.p.grants.stores[0]: a name must be of letters, digits, `_`, `-` and `.`",
        ],
    );
}

#[test]
fn a_listener_that_redirects_is_a_cleartext_one() {
    check_faults(
        "listeners:
  - address: 127.0.0.1:0
    redirect_to_https: true
    tls: { certificates: [{ certificate: a, key: b }] }
  - { address: 127.0.0.1:0, redirect_to_https: { port: 0, status: 200 } }
  - { address: 127.0.0.1:0, redirect_to_https: 443 }
",
        &[
            "tollgate.yaml:3:5: listeners[0].redirect_to_https: cannot stand beside `tls`",
            "tollgate.yaml:5:56: listeners[1].redirect_to_https.port: must be at least 1",
            "tollgate.yaml:5:67: listeners[1].redirect_to_https.status: must be 301, 302, 303, 307 or 308",
            "tollgate.yaml:6:48: listeners[2].redirect_to_https: must be `true`, `false` or `{ port: 443, status: 308 }`",
        ],
    );
    let config = check_ok(
        "listeners:
  - { address: 127.0.0.1:0, redirect_to_https: true }
  - { address: 127.0.0.1:0, redirect_to_https: { status: 301 } }
  - { address: 127.0.0.1:0, redirect_to_https: false }
",
    );
    let redirects: Vec<_> = config.listeners.iter().map(|l| l.redirect_to_https).collect();
    let to = |status| Some(RedirectToHttps { port: 443, status });
    let expected = [to(StatusCode::PERMANENT_REDIRECT), to(StatusCode::MOVED_PERMANENTLY), None];
    assert_eq!(redirects, expected);
}

#[test]
fn some_times_may_be_none() {
    let limits = |text: &str| check_ok(&format!("listeners: [{{ address: 127.0.0.1:0 }}]\n{text}"));
    let hour = Some(Duration::from_secs(3600));
    assert_eq!((limits("").limits.tunnel_idle, limits("").drain_delay), (hour, None));
    let none = limits("limits: { tunnel_idle: none }\ndrain_delay: none");
    assert_eq!((none.limits.tunnel_idle, none.drain_delay), (None, None));
    let some = limits("limits: { tunnel_idle: 1s }\ndrain_delay: 5s");
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!((some.limits.tunnel_idle, some.drain_delay), (seconds(1), seconds(5)));
    check_faults(
        "listeners: [{ address: 127.0.0.1:0 }]\ndrain_delay: never\n",
        &[
            "tollgate.yaml:2:14: drain_delay: must be `none` or a duration such as `250ms`, `10s`, `5m` or `1h`",
        ],
    );
}

#[test]
fn components_may_be_in_registries_and_registries_have_settings() {
    let config = check_ok(
        "listeners: [{ address: 127.0.0.1:0 }]
registries:
  ghcr.io: { username: ann, password: secret }
  localhost:5000: { plain_http: false, ca: ca.pem }
plugins:
  p:
    component: oci://ghcr.io/acme/word:1.2
    canary: { component: oci://localhost:5000/word:2, percent: 1 }
routes:
  - { match: { path: /a }, component: \"oci://ghcr.io/acme/hello:1\" }
  - { match: { path: /b }, component: { component: \"oci://ghcr.io/acme/app:1\" } }
",
    );
    assert_eq!(config.uses[0].component.to_string(), "oci://ghcr.io/acme/word:1.2");
    let references = config.references().map(|(reference, at)| format!("{at} {reference}"));
    let expected = [
        "plugins.p.component oci://ghcr.io/acme/word:1.2",
        "plugins.p.canary.component oci://localhost:5000/word:2",
        "routes[0].component oci://ghcr.io/acme/hello:1",
        "routes[1].component.component oci://ghcr.io/acme/app:1",
    ];
    assert_eq!(references.collect::<Vec<_>>(), expected);
    let services: Vec<_> = config.services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(services, ["hello", "app"]);
    let ghcr = &config.registries["ghcr.io"];
    assert_eq!(ghcr.credentials, Some(("ann".to_owned(), Secret("secret".to_owned()))));
    let local = &config.registries["localhost:5000"];
    assert_eq!(
        (local.plain_http, local.ca.as_deref()),
        (Some(false), Some(Path::new("etc/ca.pem")))
    );
    assert_eq!(config.lock(), Path::new("etc/tollgate.lock"));
}

#[test]
fn slips_in_registries_are_faults() {
    check_faults(
        "listeners: [{ address: 127.0.0.1:0 }]
registries:
  https://ghcr.io: {}
  a.b: { username: ann }
  b.c: { password: secret }
  c.d: { plain_http: true, ca: ca.pem }
",
        &[
            "tollgate.yaml:3:3: registries.https://ghcr.io: a registry is named by host and port as in `component`, such as `ghcr.io`",
            "tollgate.yaml:4:20: registries.a.b.username: needs `password`",
            "tollgate.yaml:5:20: registries.b.c.password: needs `username`",
            "tollgate.yaml:6:32: registries.c.d.ca: is for TLS, which `plain_http` turns off",
        ],
    );
}

#[test]
fn a_number_that_is_too_large_is_told_at_its_place() {
    check_faults(
        "listeners: [{ address: 127.0.0.1:0 }]\nroutes: []\nlimits:\n  http2: { max_concurrent_streams: 9999999999 }\n  max_connections: 99999999999999999999\n",
        &[
            "tollgate.yaml:4:36: limits.http2.max_concurrent_streams: must be at most 4294967295",
            "tollgate.yaml:5:20: limits.max_connections: must be at most 9007199254740991",
        ],
    );
}
