//! The admin server: who may ask, and what it tells.

use tollgate_tests::{Gateway, RawClient, Upstream, client, raw::status};

const ROUTE: &str = "routes: [{ name: all, match: { path: / }, respond: { body: here } }]";

#[tokio::test]
async fn requests_of_other_sites_are_refused() {
    let gateway = Gateway::start(ROUTE).await;
    let port = gateway.admin_address().port();
    let own = format!("http://127.0.0.1:{port}");
    let status = async |method: &str, fields: &[(&str, &str)]| {
        let request = client::request(method, "/reload", fields, "");
        client::send(gateway.admin_address(), request).await.status
    };
    let host = format!("127.0.0.1:{port}");
    assert_eq!(status("POST", &[("host", &host)]).await, 200);
    assert_eq!(status("POST", &[("host", &host), ("origin", &own)]).await, 200);
    assert_eq!(status("POST", &[("host", "localhost")]).await, 200);
    for fields in [
        &[("host", "evil.test")][..],
        &[("host", "localhost.evil.test")],
        &[("host", "127.0.0.1.evil.test")],
        &[("host", host.as_str()), ("origin", "http://evil.test")],
        &[("host", host.as_str()), ("origin", "null")],
        &[("host", host.as_str()), ("origin", "http://127.0.0.1:1")],
    ] {
        assert_eq!(status("POST", fields).await, 403, "{fields:?}");
        let reading = client::get(gateway.admin_address(), "/status", fields).await;
        assert_eq!(reading.status, 403, "{fields:?}");
    }
    assert_eq!(gateway.generation().await, 4);
    gateway.stop().await;
}

#[tokio::test]
async fn changes_of_state_need_the_token_where_there_is_one() {
    let gateway =
        Gateway::start(&format!("admin: {{ address: '127.0.0.1:0', token: secret }}\n{ROUTE}"))
            .await;
    let reload = async |fields: &[(&str, &str)]| {
        let fields = [fields, &[("host", "localhost")]].concat();
        client::send(gateway.admin_address(), client::request("POST", "/reload", &fields, "")).await
    };
    for fields in [
        &[][..],
        &[("authorization", "Bearer")],
        &[("authorization", "Bearer secre")],
        &[("authorization", "Bearer secret2")],
        &[("authorization", "Basic secret")],
    ] {
        let reply = reload(fields).await;
        assert_eq!(reply.status, 401, "{fields:?}");
        assert!(reply.header("www-authenticate").starts_with("Bearer"));
    }
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let credentials = format!("{scheme} secret");
        assert_eq!(reload(&[("authorization", &credentials)]).await.status, 200, "{scheme}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn the_effective_configuration_is_shown_without_secrets() {
    let config = format!(
        "admin: {{ address: '127.0.0.1:0', token: hunter2 }}
upstreams: {{ users: {{ endpoints: ['127.0.0.1:9'] }} }}
plugins:
  probe: {{ component: probe, config: {{ request: [{{ set_header: [x-a, '${{NOT_SET:-hunter2}}'] }}] }} }}
  jwt: {{ component: jwt, config: {{ keys: [{{ algorithm: HS256, secret: hunter2-hunter2-hunter2-hunter2-hunter2 }}] }} }}
{ROUTE}"
    );
    let setup = tollgate_tests::Setup::new(&config).plugin("probe").plugin("jwt");
    let gateway = setup.start().await;
    let ask = async |token: &str| {
        let fields = [("host", "localhost"), ("authorization", token)];
        client::get(gateway.admin_address(), "/config", &fields).await
    };
    assert_eq!(ask("Bearer hunter3").await.status, 401);
    let reply = ask("Bearer hunter2").await;
    assert_eq!(reply.status, 200);
    assert!(!reply.text().contains("hunter2"), "{}", reply.text());
    let told: serde_json::Value = reply.json();
    assert_eq!(told["admin"]["token"], "***");
    assert_eq!(told["upstreams"]["users"]["timeouts"]["first_byte"], "30s");
    assert_eq!(told["plugins"]["probe"]["limits"]["cpu"], "10ms");
    let step = &told["plugins"]["probe"]["config"]["request"][0];
    assert_eq!(step["set_header"], serde_json::json!(["x-a", "***"]));
    let key = &told["plugins"]["jwt"]["config"]["keys"][0];
    assert_eq!(*key, serde_json::json!({ "algorithm": "HS256", "secret": "***" }));
    assert_eq!(told["routes"][0]["name"], "all");
    gateway.stop().await;
}

#[tokio::test]
async fn the_effective_configuration_validates_and_says_the_same() {
    let config = "upstreams: { users: { endpoints: ['127.0.0.1:9'] } }
plugins:
  probe: { component: probe, config: { request: [{ set_header: [x-a, b] }] } }
  limit: { component: rate-limit, config: { limits: [{ limit: 5/s, key: ip }] } }
  keys: { component: api-key, config: { keys: [{ sha256: HEX, consumer: me }] } }
routes:
  - { match: { path: / }, plugins: [keys, limit, { use: probe, on_error: skip }], upstream: users }
  - { match: { path: /b, methods: [GET] }, plugins: [{ component: probe }], redirect: { location: / } }
"
    .replace("HEX", &"a".repeat(64));
    let setup = tollgate_tests::Setup::new(&config);
    let setup = setup.plugin("probe").plugin("rate-limit").plugin("api-key");
    let gateway = setup.start().await;
    let fields = [("host", "localhost")];
    let told = client::get(gateway.admin_address(), "/config", &fields).await;
    gateway.write_file("again.yaml", told.text());
    let tollgate =
        |arguments: &[&str]| tollgate_tests::process::tollgate(gateway.folder(), arguments);
    let ran = tollgate(&["validate", "-c", "again.yaml"]);
    assert_eq!(ran.code, 0, "{ran:?}\n{}", told.text());
    let ran = tollgate(&["diff", "tollgate.yaml", "again.yaml"]);
    assert_eq!((ran.code, &*ran.stdout), (0, "no differences\n"), "{}", told.text());
    gateway.stop().await;
}

#[tokio::test]
async fn the_effective_configuration_validates_where_secrets_are_masked_too() {
    let config = "admin: { address: '127.0.0.1:0', token: hunter2-token }
upstreams: { users: { endpoints: ['127.0.0.1:9'] } }
plugins:
  jwt: { component: jwt, config: { keys: [
    { kid: one, algorithm: HS256, secret: hunter2-hunter2-hunter2-hunter2-hunter2 },
    { kid: two, algorithm: HS256, secret_base64url: aHVudGVyMi1odW50ZXIyLWh1bnRlcjItaHVudGVyMi1odW50ZXIy },
    { kid: three, jwk: { kty: oct, alg: HS256, k: aHVudGVyMi1odW50ZXIyLWh1bnRlcjItaHVudGVyMi1odW50ZXIy } }] } }
  keys: { component: api-key, config: { keys: [{ sha256: '${DIGEST:-HEX}', consumer: me }, { sha256: OTHER, consumer: you }] } }
routes:
  - { match: { path: / }, plugins: [jwt, keys], upstream: users }
"
    .replace("HEX", &"a".repeat(64))
    .replace("OTHER", &"b".repeat(64));
    let setup = tollgate_tests::Setup::new(&config).plugin("jwt").plugin("api-key");
    let gateway = setup.start().await;
    let fields = [("host", "localhost"), ("authorization", "Bearer hunter2-token")];
    let told = client::get(gateway.admin_address(), "/config", &fields).await;
    for secret in ["hunter2", "aHVudGVy", &"a".repeat(64)] {
        assert!(!told.text().contains(secret), "{secret}: {}", told.text());
    }
    let plugins = &told.json()["plugins"];
    let keys = &plugins["jwt"]["config"]["keys"];
    assert_eq!(keys[0], serde_json::json!({ "algorithm": "HS256", "kid": "one", "secret": "***" }));
    assert_eq!(keys[2]["jwk"], serde_json::json!({ "kty": "oct", "alg": "HS256", "k": "***" }));
    let keys = &plugins["keys"]["config"]["keys"];
    assert_eq!(keys[0], serde_json::json!({ "consumer": "me", "sha256": "***" }));
    assert_eq!(keys[1]["sha256"], "b".repeat(64));
    gateway.write_file("again.yaml", told.text());
    let tollgate =
        |arguments: &[&str]| tollgate_tests::process::tollgate(gateway.folder(), arguments);
    let ran = tollgate(&["validate", "-c", "again.yaml"]);
    assert_eq!(ran.code, 0, "{ran:?}\n{}", told.text());
    let warning = "a gateway does not start with this, and it was not checked: it is a mask";
    assert_eq!(ran.stdout.matches(warning).count(), 5, "{ran:?}");
    let ran = tollgate(&["run", "-c", "again.yaml"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("admin.token: is a mask"), "{ran:?}");
    // The keys and the token; what is wrong beside a mask is still told.
    let ran = tollgate(&["diff", "tollgate.yaml", "again.yaml"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        ran.stdout,
        "no differences
5 masked values (`***`) not compared:
  plugins jwt: config.keys[0].secret
  plugins jwt: config.keys[1].secret_base64url
  plugins jwt: config.keys[2].jwk.k
  plugins keys: config.keys[0].sha256
  admin.token
"
    );
    gateway.write_file("again.yaml", told.text().replace("HS256", "RS256"));
    let ran = tollgate(&["validate", "-c", "again.yaml"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("keys[2].jwk: "), "{ran:?}");
    gateway.stop().await;
}

#[tokio::test]
async fn an_address_that_is_not_loopback_needs_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let check = |admin: &str| {
        let text = format!("listeners: [{{ address: '127.0.0.1:0' }}]\nadmin: {admin}\n{ROUTE}\n");
        std::fs::write(folder.path().join("tollgate.yaml"), text).unwrap();
        tollgate_tests::process::tollgate(folder.path(), &["validate", "-c", "tollgate.yaml"])
    };
    let open = check("{ address: '0.0.0.0:0' }");
    assert_eq!(open.code, 1, "{open:?}");
    assert!(open.stderr.contains("token"), "{open:?}");
    assert_eq!(check("{ address: '0.0.0.0:0', token: secret }").code, 0);
}

#[tokio::test]
async fn wrong_methods_and_paths_are_told_apart() {
    let gateway = Gateway::start(ROUTE).await;
    let ask = async |method: &str, path: &str| {
        let request = client::request(method, path, &[("host", "localhost")], "");
        client::send(gateway.admin_address(), request).await
    };
    assert_eq!(
        (ask("GET", "/reload").await.status, ask("GET", "/reload").await.header("allow")),
        (405, "POST".into())
    );
    assert_eq!(ask("POST", "/status").await.status, 405);
    assert_eq!(ask("GET", "/nothing").await.status, 404);
    gateway.stop().await;
}

#[tokio::test]
async fn health_tells_that_it_lives_and_is_ready() {
    let gateway = Gateway::start(ROUTE).await;
    for path in ["/livez", "/readyz"] {
        let reply = gateway.admin(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    }
    gateway.stop().await;
}

#[tokio::test]
async fn metrics_have_the_names_that_are_promised() {
    let upstream = Upstream::text("here").await;
    let gateway = tollgate_tests::Setup::new(&format!(
        r#"
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        plugins: {{ named: {{ component: probe, config: {{ request: [{{ count: a }}] }} }} }}
        routes: [{{ name: all, match: {{ path: "/{{*rest}}" }}, upstream: u, plugins: [named] }}]
        "#
    ))
    .plugin("probe")
    .start()
    .await;
    gateway.reload_well().await;
    gateway.get("/", &[]).await;
    gateway.send(client::request("BREW", "/", &[], "")).await;
    for (name, labels) in [
        (
            "http_server_request_duration_seconds_count",
            &[("route", "all"), ("method", "GET"), ("status_class", "2xx")][..],
        ),
        ("http_server_request_duration_seconds_count", &[("method", "other")]),
        (
            "http_client_request_duration_seconds_count",
            &[("upstream", "u"), ("status_class", "2xx")],
        ),
        ("tollgate_plugin_duration_seconds_count", &[("plugin", "named"), ("hook", "on-request")]),
        ("tollgate_plugin_instances", &[("plugin", "named")]),
        ("tollgate_reloads_total", &[("result", "success")]),
        ("tollgate_reload_duration_seconds_count", &[]),
        ("tollgate_generation", &[]),
        ("tollgate_upstream_endpoints", &[("upstream", "u")]),
        ("tollgate_build_info", &[]),
        ("process_open_fds", &[]),
        ("process_resident_memory_bytes", &[]),
        ("process_start_time_seconds", &[]),
    ] {
        assert!(gateway.metric(name, labels).await > 0.0, "{name} {labels:?}");
    }
    let text = gateway.admin("/metrics").await.text();
    assert!(text.contains("tollgate_connections{"), "{text}");
    assert!(!text.contains("BREW"), "a client chose a label");
    gateway.stop().await;
}

#[tokio::test]
async fn status_tells_what_runs() {
    let upstream = Upstream::text("here").await;
    let gateway = tollgate_tests::Setup::new(&format!(
        r#"
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        plugins: {{ named: {{ component: probe }} }}
        routes: [{{ name: all, match: {{ path: / }}, upstream: u, plugins: [named] }}]
        "#
    ))
    .plugin("probe")
    .start()
    .await;
    let status = gateway.status().await;
    assert_eq!(status["routes"][0]["name"], "all");
    assert_eq!(status["routes"][0]["plugins"], serde_json::json!(["named"]));
    assert_eq!(status["plugins"][0]["name"], "named");
    assert_eq!(status["plugins"][0]["plugin"], "probe");
    assert_eq!(status["plugins"][0]["version"], env!("CARGO_PKG_VERSION"));
    assert!(status["plugins"][0]["digest"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(status["upstreams"][0]["name"], "u");
    assert_eq!(status["upstreams"][0]["addresses"], serde_json::json!([upstream.to_string()]));
    gateway.stop().await;
}

#[tokio::test]
async fn who_has_the_token_may_come_by_any_name() {
    let with_token = format!("admin: {{ address: 127.0.0.1:0, token: secret }}\n{ROUTE}");
    for (config, known) in [(with_token.as_str(), 200), (ROUTE, 403)] {
        let gateway = Gateway::start(config).await;
        for (token, expected) in [("Bearer secret", known), ("Bearer wrong", 403), ("", 403)] {
            let fields = [("host", "gateway.internal:9901"), ("authorization", token)];
            for path in ["/metrics", "/status"] {
                let reply = client::get(gateway.admin_address(), path, &fields).await;
                assert_eq!(reply.status, expected, "{path} with {token:?}");
            }
        }
        gateway.stop().await;
    }
}

#[tokio::test]
async fn connections_that_are_silent_keep_no_probe_out() {
    let gateway = Gateway::start(ROUTE).await;
    let address = gateway.admin_address();
    let mut oldest = RawClient::connect(address).await;
    let mut silent = Vec::new();
    for _ in 0..63 {
        silent.push(RawClient::connect(address).await);
    }
    let probe = async {
        let reply = client::get(address, "/livez", &[("host", "localhost")]).await;
        assert_eq!(reply.status, 200);
    };
    // The oldest gives way to the probe, which is answered before any is closed for its silence.
    let mut next = silent.remove(0);
    tokio::join!(probe, async {
        oldest.rest().await;
    });
    next.send("GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert_eq!(status(&next.response().await), 200);
    gateway.stop().await;
}
