//! Heads, targets and attributes.

use tollgate_tests::{Setup, Upstream, client::request};

use super::{findings, lines, probe};

#[tokio::test]
async fn a_request_can_be_read() {
    let shown = [
        ("method", "GET"),
        ("scheme", "http"),
        ("authority", "a.test"),
        ("path", "/one/two%20words"),
        ("query", "q=1&r"),
        ("route", "all"),
        ("address", "127.0.0.1"),
        ("tls", "-"),
        ("param:rest", "one/two words"),
        ("param:none", "-"),
        ("header:x-a", "1, 2"),
        ("lines:x-a", "2"),
        ("header:X-B", "3"),
        ("header:x-c", "-"),
        ("attribute:none", "-"),
    ];
    let steps: Vec<_> = shown.iter().map(|(what, _)| format!("{{ show: '{what}' }}")).collect();
    let found = findings(&steps.join(", ")).await;
    for ((what, expected), found) in shown.iter().zip(&found) {
        assert_eq!(found, expected, "{what}");
    }
    assert_eq!(found.len(), shown.len());
}

#[tokio::test]
async fn the_id_that_a_plugin_sees_is_the_exchanges() {
    let upstream = Upstream::echo().await;
    let gateway = probe(&upstream, "config: { request: [{ show: id }] }").await;
    let reply = gateway.get("/", &[]).await;
    assert_eq!(lines(&reply.json()["headers"]["x-probe"]), [reply.header("x-request-id")]);
    gateway.stop().await;
}

#[tokio::test]
async fn a_request_can_be_changed() {
    let upstream = Upstream::echo().await;
    let steps = "{ set_header: [x-a, new] }, { append_header: [x-b, more] }, \
        { remove_header: x-c }, { set_method: PUT }, { set_target: '/new?path' }";
    let gateway = probe(&upstream, &format!("config: {{ request: [{steps}] }}")).await;
    let headers = [("x-a", "1"), ("x-a", "2"), ("x-b", "3"), ("x-c", "4"), ("x-d", "5")];
    let seen = gateway.post("/old", &headers, "body").await.json();
    assert_eq!(
        (seen["method"].as_str(), seen["target"].as_str()),
        (Some("PUT"), Some("/new?path"))
    );
    assert_eq!(lines(&seen["headers"]["x-a"]), ["new"]);
    assert_eq!(lines(&seen["headers"]["x-b"]), ["3", "more"]);
    assert!(seen["headers"]["x-c"].is_null());
    assert_eq!(lines(&seen["headers"]["x-d"]), ["5"]);
    assert_eq!(lines(&seen["headers"]["x-probe"]), ["ok"; 5]);
    assert_eq!(seen["body"], "body");
    gateway.stop().await;
}

#[tokio::test]
async fn a_response_can_be_read_and_changed() {
    let upstream = Upstream::new(async |_| {
        http::Response::builder()
            .status(201)
            .header("x-a", "1")
            .header("x-b", "2")
            .header("x-c", "3")
            .body(tollgate_tests::client::full("body"))
            .unwrap()
    })
    .await;
    let steps = "{ show: status }, { show: 'header:x-a' }, { show: 'request-header:x-r' }, \
        { show: method }, { set_status: 202 }, { set_header: [x-a, new] }, \
        { append_header: [x-b, more] }, { remove_header: x-c }";
    let gateway = probe(&upstream, &format!("config: {{ response: [{steps}] }}")).await;
    let reply = gateway.get("/", &[("x-r", "asked")]).await;
    assert_eq!((reply.status, reply.text().as_str()), (202, "body"));
    assert_eq!(reply.header("x-a"), "new");
    assert_eq!(reply.header("x-b"), "2, more");
    assert_eq!(reply.header("x-c"), "");
    assert_eq!(reply.header("x-probe"), "201, 1, asked, GET, ok, ok, ok, ok");
    gateway.stop().await;
}

#[tokio::test]
async fn fields_of_the_gateway_are_refused_to_plugins() {
    let reserved = [
        "content-length",
        "transfer-encoding",
        "connection",
        "upgrade",
        "te",
        "trailer",
        "keep-alive",
        "proxy-connection",
        "Transfer-Encoding",
    ];
    let steps: Vec<_> = reserved
        .iter()
        .flat_map(|name| {
            [
                format!("{{ set_header: ['{name}', '1'] }}"),
                format!("{{ append_header: ['{name}', '1'] }}"),
                format!("{{ remove_header: '{name}' }}"),
            ]
        })
        .collect();
    let steps = steps.join(", ");
    let upstream = Upstream::echo().await;
    let usage = format!("config: {{ request: [{steps}], response: [{steps}] }}");
    let gateway = probe(&upstream, &usage).await;
    let reply = gateway.post("/", &[], "body").await;
    let seen = reply.json();
    let of_request = lines(&seen["headers"]["x-probe"]);
    let of_response: Vec<_> = reply.headers.get_all("x-probe").iter().collect();
    assert_eq!(of_request, vec!["reserved"; reserved.len() * 3]);
    assert_eq!(of_response, vec!["reserved"; reserved.len() * 3]);
    assert_eq!(seen["headers"]["content-length"][0], "4");
    gateway.stop().await;
}

#[tokio::test]
async fn what_http_does_not_allow_is_refused_to_plugins() {
    let found = findings(
        r#"{ set_header: ["x-a", "1\r\nx-evil: 1"] }, { set_header: ["x-a", "1\n2"] },
        { set_header: ["x-a", "1\0"] }, { append_header: ["x-a", "\r"] },
        { set_header: ["x a", "1"] }, { set_header: ["", "1"] }, { set_header: ["x-ä", "1"] },
        { set_header: ["x:a", "1"] }, { set_header: [":path", "/"] },
        { set_method: "GET /" }, { set_method: "" }, { set_method: CONNECT },
        { set_method: TRACE },
        { set_target: "a" }, { set_target: "/a\r\nx: 1" },
        { set_target: "" }, { set_target: "http://evil.test/" }"#,
    )
    .await;
    assert_eq!(found, vec!["invalid"; 17]);
}

#[tokio::test]
async fn a_status_that_is_none_is_refused_to_plugins() {
    let upstream = Upstream::text("here").await;
    let steps =
        "{ set_status: 99 }, { set_status: 101 }, { set_status: 600 }, { set_status: 1000 }";
    let gateway = probe(&upstream, &format!("config: {{ response: [{steps}] }}")).await;
    let reply = gateway.get("/", &[]).await;
    assert_eq!(reply.header("x-probe"), "invalid, invalid, invalid, invalid");
    assert_eq!(reply.status, 200);
    gateway.stop().await;
}

#[tokio::test]
async fn a_target_that_a_plugin_sets_is_refused_or_normalised_as_a_clients() {
    let upstream = Upstream::echo().await;
    for target in ["/../../etc", "/a/%2e%2e/%2e%2e/etc", "/a b", "/a%"] {
        let usage = format!("config: {{ request: [{{ set_target: '{target}' }}] }}");
        let gateway = probe(&upstream, &usage).await;
        let reply = gateway.get("/", &[]).await;
        // As a client's: refused, or normalised.
        if reply.status == 200 {
            let seen = reply.json();
            let (target, finding) = (seen["target"].as_str().unwrap(), &seen["headers"]["x-probe"]);
            let well_formed = !target.contains("..") && !target.contains("%2e") && target != "/a%";
            assert!(well_formed, "{target} {finding}");
        }
        gateway.stop().await;
    }
}

#[tokio::test]
async fn attributes_last_from_hook_to_hook_and_from_plugin_to_plugin() {
    let upstream = Upstream::echo().await;
    let gateway = Setup::new(&format!(
        r#"
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes:
          - name: all
            match: {{ path: "/" }}
            upstream: u
            plugins:
              - component: probe
                config: {{ request: [{{ set_attribute: [a, one] }}, {{ set_attribute: [a, two] }}] }}
              - component: probe
                config: {{ request: [{{ show: "attribute:a" }}], response: [{{ show: "attribute:a" }}] }}
        "#
    ))
    .plugin("probe")
    .start()
    .await;
    let reply = gateway.get("/", &[]).await;
    assert_eq!(lines(&reply.json()["headers"]["x-probe"]), ["two"]);
    assert_eq!(reply.header("x-probe"), "two");
    gateway.stop().await;
}

#[tokio::test]
async fn attributes_do_not_grow_without_bound() {
    let many: String =
        (0..100).map(|number| format!("{{ set_attribute: [a{number}, x] }}, ")).collect();
    let long = format!("{{ set_attribute: [long, '{}'] }}, ", "x".repeat(9000));
    let found = findings(&format!(
        "{many} {long} {{ show: 'attribute:a0' }}, {{ show: 'attribute:a63' }}, {{ show: 'attribute:a64' }}, {{ show: 'attribute:long' }}"
    ))
    .await;
    assert_eq!(found, ["x", "x", "-", "-"]);
}

#[tokio::test]
async fn a_plugin_can_choose_a_granted_upstream_and_no_other() {
    let (one, two) = (Upstream::text("one").await, Upstream::text("two").await);
    let gateway = Setup::new(&format!(
        r#"
        upstreams: {{ one: {{ endpoints: ["{one}"] }}, two: {{ endpoints: ["{two}"] }} }}
        routes:
          - name: granted
            match: {{ path: "/granted" }}
            upstream: one
            plugins: [{{ component: probe, config: {{ request: [{{ set_upstream: two }}] }}, grants: {{ upstreams: [two] }} }}]
          - name: other
            match: {{ path: "/other" }}
            upstream: one
            plugins: [{{ component: probe, config: {{ request: [{{ set_upstream: two }}, {{ set_upstream: three }}] }} }}]
        "#
    ))
    .plugin("probe")
    .start()
    .await;
    assert_eq!(gateway.get("/granted", &[]).await.text(), "two");
    assert_eq!(gateway.get("/other", &[]).await.text(), "one");
    gateway.stop().await;
}

#[tokio::test]
async fn a_counter_of_a_plugin_is_a_metric() {
    let upstream = Upstream::text("here").await;
    let gateway = probe(&upstream, "config: { request: [{ count: things }] }").await;
    for _ in 0..3 {
        gateway.send(request("GET", "/", &[], "")).await;
    }
    let labels = [("metric", "things")];
    assert!((gateway.metric("tollgate_plugin_events_total", &labels).await - 3.0).abs() < 0.1);
    gateway.stop().await;
}
