mod shape;
mod values;
mod listeners;
mod plugins;
mod routes;
mod effective;

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
