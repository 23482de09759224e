//! Plugins, stores and the components of both.

use super::*;

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
            "tollgate.yaml:10:15: routes[1].plugins[0]: no plugin is called \"auth\"; add it to `plugins`, or write `{ component: .. }` for this route alone",
            "tollgate.yaml:10:28: routes[1].plugins[1].use: no plugin is called \"atuh\"; add it to `plugins`, or write `{ component: .. }` for this route alone",
            "tollgate.yaml:10:36: routes[1].plugins[2]: needs `use` or `component`",
            "tollgate.yaml:10:51: routes[1].plugins[3].component: cannot stand beside `use`",
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
            "tollgate.yaml:6:3: stores.\"a b\": a name must be of letters, digits, `_`, `-` and `.`",
            "tollgate.yaml:7:36: stores.c.max_value: must be at most `max_bytes`",
            "tollgate.yaml:8:21: stores.d.max_entries: must be at least 1",
            "tollgate.yaml:8:24: stores.d: unknown key `max_size`; did you mean `max_value`?",
            "tollgate.yaml:10:41: plugins.p.grants.stores[0]: a name must be of letters, digits, `_`, `-` and `.`",
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
            "tollgate.yaml:3:3: registries.\"https://ghcr.io\": a registry is named by host and port as in `component`, such as `ghcr.io`",
            "tollgate.yaml:4:20: registries.a.b.username: needs `password`",
            "tollgate.yaml:5:20: registries.b.c.password: needs `username`",
            "tollgate.yaml:6:32: registries.c.d.ca: is for TLS, which `plain_http` turns off",
        ],
    );
}
