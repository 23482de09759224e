use std::path::Path;

use super::*;

const FILE: &str = r#"listeners: [{ address: 127.0.0.1:0 }]
plugins:
  auth: { component: jwt, grants: { upstreams: [idp], request_body: true } }
upstreams:
  orders: { endpoints: ["127.0.0.1:9001", { address: "[::1]:9002", weight: 3 }] }
  idp: { endpoints: ["idp.example:443"], tls: {} }
routes:
  - name: orders
    match: { hosts: [api.example.com], path: "/orders/{id}", methods: [GET] }
    plugins: [auth, { use: auth, on_error: skip }]
    upstream: orders
    rewrite: { path: "/v1/orders/{id}" }
    timeout: 30s
  - name: all
    match: { path: "/{*rest}" }
    redirect: { location: "https://www.example.com/{rest}" }
  - name: beta
    match: { path: "/orders/{id}", headers: { x-beta: "1" } }
    respond: { status: 418 }
  - name: put
    match: { hosts: [api.example.com], path: "/orders/{id}", methods: [PUT] }
    upstream: orders
  - name: bills
    match: { path: "/bills/{id}" }
    upstream: orders
"#;

#[track_caller]
fn check(method: &Method, url: &str, expected: &str) {
    let config = crate::config::parse(FILE, Path::new("t.yaml")).expect("a valid file");
    let text = explain(&config, method, url, &HeaderMap::new()).unwrap_or_else(|error| error);
    assert_eq!(text, expected, "\n{text}");
}

#[test]
fn the_whole_way_of_a_request_is_told() {
    check(
        &Method::GET,
        "https://api.example.com/orders/x/../7?a=b",
        r#"request     GET /orders/7?a=b at api.example.com
normalised  from /orders/x/../7
route       orders (routes[0] at t.yaml:8:5)
matched by  host api.example.com, path /orders/{id}, method GET
parameters  id = 7
plugins     1. auth (plugins/jwt.wasm) at t.yaml:3:9
               if it fails: 503
               may use: upstreams idp; request body
               limits: cpu 10ms, timeout 60s, memory 64MiB, table 100000
                       max_instances 64, calls 16, log_lines 100/s
                       max_body 10MiB, attributes 64, attribute_bytes 8KiB, series 200
            2. auth (plugins/jwt.wasm) at t.yaml:10:21
               if it fails: goes on without it
               may use: upstreams idp; request body
               limits: cpu 10ms, timeout 60s, memory 64MiB, table 100000
                       max_instances 64, calls 16, log_lines 100/s
                       max_body 10MiB, attributes 64, attribute_bytes 8KiB, series 200
upstream    orders
            path /v1/orders/7
            host the client's
            HTTP/1.1, cleartext
            endpoint 127.0.0.1:9001, weight 1
            endpoint [::1]:9002, weight 3
            timeouts: connect 2s, first_byte 30s, idle 60s
timeout     30s for the whole exchange

other routes
  all    matches too, but is less specific
  put    method is not PUT
  beta   header x-beta is absent, not exactly "1"
  bills  path segment 1 is `orders`, not `bills` (/bills/{id})
"#,
    );
}

#[test]
fn a_redirect_is_told_with_its_location() {
    check(
        &Method::GET,
        "/orders/7",
        r#"request     GET /orders/7 without a host
route       all (routes[1] at t.yaml:14:5)
matched by  path /{*rest}
parameters  rest = orders/7
plugins     none
redirect    307 to https://www.example.com/orders/7
timeout     none for the whole exchange

other routes
  beta    header x-beta is absent, not exactly "1"
  orders  host is not api.example.com
  put     host is not api.example.com
  bills   path segment 1 is `orders`, not `bills` (/bills/{id})
"#,
    );
}

#[test]
fn secrets_are_not_told() {
    let file = "listeners: [{ address: 127.0.0.1:0 }]
routes:
  - { match: { path: /a, headers: { x-api-key: hunter2 } }, respond: { headers: { x-token: hunter2, x-a: shown } } }
  - { match: { path: /b, query: { word: { prefix: '${NOT_SET:-hunter2}' } } }, respond: {} }
";
    let config = crate::config::parse(file, Path::new("t.yaml")).expect("a valid file");
    for (key, expected) in [
        ("hunter2", "matched by  path /a, header x-api-key exactly \"***\"\n"),
        ("hunter2", "            x-token: ***\n"),
        ("hunter2", "            x-a: shown\n"),
        ("other", "header x-api-key is \"other\", not exactly \"***\"\n"),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", key.parse().expect("a value"));
        let text = explain(&config, &Method::GET, "/a", &headers).expect("a valid URL");
        assert!(text.contains(expected), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    let text = explain(&config, &Method::GET, "/b", &HeaderMap::new()).expect("a valid URL");
    assert!(text.contains("query word is not") && !text.contains("hunter2"), "{text}");
}

#[test]
fn a_refusal_is_told_as_the_answer() {
    let file = "listeners: [{ address: 127.0.0.1:0 }]\nroutes: [{ match: { path: /a, methods: [GET] }, respond: {} }]";
    let config = crate::config::parse(file, Path::new("t.yaml")).expect("a valid file");
    let tell = |method: &Method, url: &str| {
        explain(&config, method, url, &HeaderMap::new()).expect("a valid URL")
    };
    let text = tell(&Method::PUT, "/a");
    assert!(text.contains("answer      405 method-not-allowed; allowed: GET, HEAD\n"), "{text}");
    assert!(text.ends_with("\n  /a  method is not GET\n"), "{text}");
    let text = tell(&Method::GET, "/a/b");
    assert!(text.contains("answer      404 route-not-found\n"), "{text}");
    assert!(text.ends_with("\n  /a  path goes on with `b` (/a)\n"), "{text}");
}

#[test]
fn a_url_that_the_gateway_refuses_is_an_error() {
    check(
        &Method::GET,
        "/a/..;/b",
        "\"/a/..;/b\" is answered with 400: the path has a dot segment with parameters",
    );
}

#[test]
fn a_request_about_the_server_as_a_whole_is_answered_by_the_gateway() {
    let config = crate::config::parse(FILE, Path::new("t.yaml")).expect("a valid file");
    let text = explain(&config, &Method::OPTIONS, "*", &HeaderMap::new()).expect("it is answered");
    assert!(text.contains("answer      204, with the methods that routes may serve\n"), "{text}");
}

#[test]
fn what_is_refused_before_any_route_is_told_as_the_gateway_refuses_it() {
    let long = format!("/{}", "a".repeat(20_000));
    for (method, url, status) in [
        (Method::CONNECT, "/orders/7", "405"),
        (Method::TRACE, "/orders/7", "405"),
        (Method::GET, long.as_str(), "414"),
        (Method::GET, "*", "400"),
        (Method::GET, "/orders/../..", "400"),
    ] {
        let config = crate::config::parse(FILE, Path::new("t.yaml")).expect("a valid file");
        let refused = explain(&config, &method, url, &HeaderMap::new()).expect_err("no route");
        assert!(refused.contains(&format!("is answered with {status}")), "{refused}");
    }
}

#[test]
fn a_listener_that_redirects_is_told_by_the_urls_port() {
    let file = FILE.replace(
        "[{ address: 127.0.0.1:0 }]",
        "[{ address: \"127.0.0.1:8080\", redirect_to_https: true }, { address: \"127.0.0.1:80\" }]",
    );
    let config = crate::config::parse(&file, Path::new("t.yaml")).expect("a valid file");
    let told = |url: &str| {
        let text = explain(&config, &Method::GET, url, &HeaderMap::new()).expect("a text");
        text.lines().find(|line| line.starts_with("listener")).map(str::to_owned)
    };
    let expected = "listener    308 of 127.0.0.1:8080 sends it to https before any route";
    assert_eq!(told("http://a:8080/bills/1").as_deref(), Some(expected));
    for url in ["http://a/bills/1", "https://a:8080/bills/1", "/bills/1"] {
        assert_eq!(told(url), None, "{url}");
    }
}

#[test]
fn a_listener_that_redirects_is_told_where_something_leads_to_it_from_port_80() {
    let redirecting = "[{ address: \"127.0.0.1:8080\", redirect_to_https: true }]";
    let file = FILE.replace("[{ address: 127.0.0.1:0 }]", redirecting);
    let config = crate::config::parse(&file, Path::new("t.yaml")).expect("a valid file");
    let text = explain(&config, &Method::GET, "http://a/bills/1", &HeaderMap::new());
    let expected = "listener    308 of 127.0.0.1:8080 sends it to https before any route";
    assert!(text.expect("a text").contains(expected));
}
