//! The file as a whole: its shape, its defaults, and what is no configuration at all.

use super::*;

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
fn numbers_are_whole_however_they_are_written_and_told_by_place_where_they_are_too_large() {
    let limits = check_ok(
        "listeners: [{ address: 127.0.0.1:0 }]
limits: { max_uri_bytes: 1e3, max_headers: 2e2, max_header_bytes: 1e5 }
",
    )
    .limits;
    assert_eq!((limits.max_uri_bytes, limits.max_headers), (1000, 200));
    assert_eq!(limits.max_header_bytes, 100_000);
    check_faults(
        &with_routes(
            "limits: { max_uri_bytes: 99999999999999999999, max_headers: 99999999999999999999, keepalive_idle: 0s }
cache: { max_bytes: 1e30 }
",
        ),
        &[
            "tollgate.yaml:5:26: limits.max_uri_bytes: is too large",
            "tollgate.yaml:5:61: limits.max_headers: must be at most 32768",
            "tollgate.yaml:5:99: limits.keepalive_idle: must be more than 0",
            "tollgate.yaml:6:21: cache.max_bytes: is too large",
        ],
    );
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
fn names_of_digits_and_nothing_are_names() {
    check_faults(
        &with_routes("plugins: { \"5\": { component: x, on_error: y }, \"\": { component: x } }\n"),
        &[
            "tollgate.yaml:5:43: plugins.5.on_error: must be `reject` or `skip`",
            "tollgate.yaml:5:48: plugins.\"\": a name must be of letters, digits, `_`, `-` and `.`",
        ],
    );
}

#[test]
fn a_file_that_is_not_there_is_a_fault() {
    let faults = load(Path::new("/nonexistent/tollgate.yaml"), &|_| {}).expect_err("no file");
    let fault = faults[0].to_string();
    assert!(fault.starts_with("/nonexistent/tollgate.yaml:1:1: cannot be read: "), "{fault}");
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
fn a_number_that_is_too_large_is_told_at_its_place() {
    check_faults(
        "listeners: [{ address: 127.0.0.1:0 }]\nroutes: []\nlimits:\n  http2: { max_concurrent_streams: 9999999999 }\n  max_connections: 99999999999999999999\n",
        &[
            "tollgate.yaml:4:36: limits.http2.max_concurrent_streams: must be at most 4294967295",
            "tollgate.yaml:5:20: limits.max_connections: must be at most 9007199254740991",
        ],
    );
}
