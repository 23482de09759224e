use std::time::Duration;

use tollgate_plugin::testing::{Gateway, Request};
use tollgate_plugin::{Phases, Response};

use crate::RateLimit;

fn gateway(config: &str) -> Gateway<RateLimit> {
    Gateway::new(config)
}

#[track_caller]
fn check(gateway: &Gateway<RateLimit>, request: Request, expected: Option<u16>) {
    assert_eq!(gateway.request(request).status(), expected);
}

#[test]
fn the_request_above_the_limit_is_a_429_problem_that_says_when_to_come_back() {
    let gateway = gateway(r#"{ "limits": [{ "limit": "2/min" }] }"#);
    check(&gateway, Request::get("/"), None);
    check(&gateway, Request::get("/"), None);

    let refused = gateway.request(Request::get("/"));
    assert_eq!(refused.status(), Some(429));
    assert_eq!(refused.answer_header("retry-after").as_deref(), Some("30"));
    assert!(refused.answer_text().contains("https://tollgate.dev/problems/rate-limited"));

    gateway.advance(Duration::from_secs(30));
    check(&gateway, Request::get("/"), None);
    check(&gateway, Request::get("/"), Some(429));
}

#[test]
fn every_client_has_its_own_count() {
    let gateway = gateway(r#"{ "limits": [{ "limit": "1/min" }] }"#);
    check(&gateway, Request::get("/").from("192.0.2.1"), None);
    check(&gateway, Request::get("/").from("192.0.2.2"), None);
    check(&gateway, Request::get("/").from("::ffff:192.0.2.1"), Some(429));
}

#[test]
fn an_ipv6_network_is_one_client() {
    let limits = r#""limits": [{ "limit": "1/min" }]"#;
    let narrow = gateway(&format!("{{ {limits} }}"));
    check(&narrow, Request::get("/").from("2001:db8::1"), None);
    check(&narrow, Request::get("/").from("2001:db8::ffff:1"), Some(429));
    check(&narrow, Request::get("/").from("2001:db8:0:1::1"), None);

    let exact = gateway(&format!(r#"{{ {limits}, "ipv6_prefix": 128 }}"#));
    check(&exact, Request::get("/").from("2001:db8::1"), None);
    check(&exact, Request::get("/").from("2001:db8::2"), None);
}

#[test]
fn the_first_alternative_that_is_there_counts() {
    let gateway = gateway(r#"{ "limits": [{ "limit": "1/min", "key": "auth.subject | ip" }] }"#);
    check(&gateway, Request::get("/").attribute("auth.subject", "ann"), None);
    check(&gateway, Request::get("/").attribute("auth.subject", "bob"), None);
    check(
        &gateway,
        Request::get("/").attribute("auth.subject", "ann").from("192.0.2.9"),
        Some(429),
    );
    check(&gateway, Request::get("/"), None);
    check(&gateway, Request::get("/"), Some(429));
    // A subject that looks like an address is not that address.
    check(&gateway, Request::get("/").attribute("auth.subject", "192.0.2.1"), None);
}

#[test]
fn a_sum_needs_all_its_values_and_cannot_be_forged() {
    let gateway = gateway(
        r#"{ "limits": [{ "limit": "1/min", "key": "header:a+param:b", "missing": "skip" }] }"#,
    );
    let request = |a: &str, b: &str| Request::get("/").header("a", a).param("b", b);
    check(&gateway, request("1", "2"), None);
    check(&gateway, request("1:1=2", ""), None);
    check(&gateway, request("12", ""), None);
    check(&gateway, request("1", "2"), Some(429));
    check(&gateway, Request::get("/").header("a", "1"), None);
    check(&gateway, Request::get("/").header("a", "1"), None);
}

#[test]
fn a_request_without_a_key_is_refused_or_skipped_or_counted_with_its_like() {
    let config = |missing: &str| {
        format!(
            r#"{{ "limits": [{{ "limit": "1/min", "key": "header:k", "missing": "{missing}" }}] }}"#
        )
    };
    let reject = gateway(&config("reject"));
    check(&reject, Request::get("/"), Some(403));
    let skip = gateway(&config("skip"));
    check(&skip, Request::get("/"), None);
    check(&skip, Request::get("/"), None);
    let shared = gateway(&config("shared"));
    check(&shared, Request::get("/").from("192.0.2.1"), None);
    check(&shared, Request::get("/").from("192.0.2.2"), Some(429));
    check(&shared, Request::get("/").header("k", "-"), None);
}

#[test]
fn a_long_key_counts_by_its_digest() {
    let gateway = gateway(r#"{ "limits": [{ "limit": "1/min", "key": "header:k" }] }"#);
    let long = "k".repeat(4000);
    check(&gateway, Request::get("/").header("k", &long), None);
    check(&gateway, Request::get("/").header("k", &long), Some(429));
    check(&gateway, Request::get("/").header("k", &(long + "k")), None);
}

#[test]
fn responses_say_what_is_left() {
    let gateway = gateway(
        r#"{ "limits": [
            { "limit": "2/s" },
            { "limit": "10/min", "burst": 5, "name": "minute", "cost": 2 }
        ] }"#,
    );
    assert_eq!(gateway.phases(), Phases::REQUEST.and(Phases::RESPONSE));
    let response = gateway.request(Request::get("/")).response(Response::new(200));
    assert_eq!(
        response.header("ratelimit-policy").as_deref(),
        Some(r#""2/s";q=2;w=1, "minute";q=10;w=60"#)
    );
    assert_eq!(
        response.header("ratelimit").as_deref(),
        Some(r#""2/s";r=1;t=1, "minute";r=3;t=12"#)
    );

    let _ = gateway.request(Request::get("/"));
    let refused = gateway.request(Request::get("/")).response(Response::new(200));
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.header("ratelimit").as_deref(), Some(r#""2/s";r=0;t=1"#));
}

#[test]
fn without_headers_there_is_no_response_hook() {
    let gateway = gateway(r#"{ "limits": [{ "limit": "1/s" }], "headers": false }"#);
    assert_eq!(gateway.phases(), Phases::REQUEST);
    let response = gateway.request(Request::get("/")).response(Response::new(200));
    assert_eq!(response.header("ratelimit"), None);
}

#[test]
fn a_dry_run_counts_and_refuses_nobody() {
    let gateway = gateway(
        r#"{ "dry_run": true, "limits": [{ "limit": "1/min" }, { "limit": "1/h", "key": "header:k" }] }"#,
    );
    check(&gateway, Request::get("/").header("k", "1"), None);
    check(&gateway, Request::get("/"), None);
    assert_eq!(gateway.counted("dry_run_refusals"), 2);
    assert_eq!(gateway.counted("refusals"), 0);
    let logs = gateway.logs();
    assert_eq!(logs[0].1, "would have been refused: limit reached limit=1/min");
    assert_eq!(logs[1].1, "would have been refused: missing key limit=1/h");
}

#[test]
fn counts_out_of_reach_deny_or_allow_as_configured() {
    let limits = r#""limits": [{ "limit": "1/min" }]"#;
    let deny = gateway(&format!("{{ {limits} }}"));
    deny.limits_unavailable(true);
    let refused = deny.request(Request::get("/"));
    assert_eq!(refused.status(), Some(503));
    assert!(refused.answer_text().contains("/overloaded"));

    let allow = gateway(&format!(r#"{{ {limits}, "on_store_error": "allow" }}"#));
    allow.limits_unavailable(true);
    check(&allow, Request::get("/"), None);
}

#[test]
fn faulty_configurations_are_refused_with_their_place() {
    let cases = [
        (r#"{ "limits": [] }"#, "limits: at least one is needed"),
        (r#"{}"#, "missing field `limits`"),
        (r#"{ "limits": [{ "limit": "100" }] }"#, "limits[0].limit: `100` is not a rate"),
        (r#"{ "limits": [{ "limit": "0/s" }] }"#, "limits[0].limit: `0/s` is not a rate"),
        (r#"{ "limits": [{ "limit": "1/week" }] }"#, "limits[0].limit: `1/week` is not a rate"),
        (r#"{ "limits": [{ "limit": "1/s", "key": "ipp" }] }"#, "limits[0].key: `ipp` is nothing"),
        (r#"{ "limits": [{ "limit": "1/s", "key": "ip |" }] }"#, "limits[0].key: `` is nothing"),
        (
            r#"{ "limits": [{ "limit": "1/s", "key": "header:a b" }] }"#,
            "limits[0].key: `a b` is not",
        ),
        (r#"{ "limits": [{ "limit": "1/s", "burst": 0 }] }"#, "limits[0].burst: must be at"),
        (r#"{ "limits": [{ "limit": "1/s", "cost": 2 }] }"#, "limits[0].cost: no request could"),
        (r#"{ "limits": [{ "limit": "1/s", "name": "a\"b" }] }"#, "limits[0].name: must be"),
        (r#"{ "limits": [{ "limit": "1/s" }, { "limit": "1/s" }] }"#, "limits[1]: the same limit"),
        (r#"{ "limits": [{ "limit": "1/s" }], "ipv6_prefix": 0 }"#, "ipv6_prefix: must be from"),
        (r#"{ "limits": [{ "limit": "1/s", "brust": 1 }] }"#, "limits[0].brust: unknown field"),
    ];
    for (config, expected) in cases {
        let error = Gateway::<RateLimit>::try_new(config).err().expect(config).to_string();
        assert!(error.starts_with(expected), "{config}: {error}");
    }
}
