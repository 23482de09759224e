use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tollgate_plugin::Response;
use tollgate_plugin::http::{Call, CallError};
use tollgate_plugin::testing::{Gateway, Request};

use crate::Aggregate;

fn config(calls: Value) -> String {
    json!({ "calls": calls }).to_string()
}

/// Upstreams that answer by their names.
fn upstreams(call: &Call) -> Result<Response, CallError> {
    let cached = |seconds: u32| format!("max-age={seconds}");
    match call.upstream.as_str() {
        "users" => Ok(Response::new(200)
            .with_header("cache-control", &cached(60))
            .with_header("set-cookie", "a=b")
            .with_body(r#"{ "id": 12345678901234567890, "rate": 1.10, "secret": "x" }"#)),
        "orders" => Ok(Response::new(200)
            .with_header("cache-control", &cached(10))
            .with_body(r#"{ "data": { "items": [1, 2] } }"#)),
        "text" => Ok(Response::new(200).with_body("hello")),
        "empty" => Ok(Response::new(204).with_header("cache-control", &cached(10))),
        "missing" => Ok(Response::new(404).with_body("{}")),
        "slow" => Err(CallError::TimedOut),
        _ => Err(CallError::Unreachable("10.0.0.1".to_owned())),
    }
}

fn gateway(calls: Value) -> Gateway<Aggregate> {
    Gateway::new(config(calls)).upstream(upstreams)
}

#[test]
fn the_answer_is_an_object_by_name_with_every_digit() {
    let gateway = gateway(json!([
        { "name": "user", "upstream": "users", "target": "/u", "drop": ["secret"] },
        { "name": "items", "upstream": "orders", "target": "/o", "pointer": "/data/items" },
        { "name": "nothing", "upstream": "empty", "target": "/" },
    ]));
    let exchange = gateway.request(Request::get("/"));
    assert_eq!(exchange.status(), Some(200));
    assert_eq!(
        exchange.answer_text(),
        r#"{"user":{"id":12345678901234567890,"rate":1.10},"items":[1, 2],"nothing":null}"#
    );
    assert_eq!(exchange.answer_header("content-type").as_deref(), Some("application/json"));
    assert_eq!(exchange.answer_header("cache-control").as_deref(), Some("max-age=10"));
    assert_eq!(exchange.answer_header("set-cookie"), None);
    assert_eq!(exchange.answer_header("x-aggregate-partial"), None);
}

#[test]
fn calls_carry_values_of_the_request_and_only_listed_headers() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let calls = json!([{
        "name": "user", "upstream": "users", "method": "POST",
        "target": "/users/{param:id}?q={query:q|none}", "headers": ["Accept", "x-a"],
        "timeout": "250ms",
    }]);
    let gateway = Gateway::<Aggregate>::new(config(calls)).upstream({
        let seen = Rc::clone(&seen);
        move |call| {
            seen.borrow_mut().push(call.clone());
            upstreams(call)
        }
    });
    let request = Request::get("/?q=a%26b").param("id", "../7?x=1").header("x-a", "1");
    let request = request.header("x-a", "2").header("cookie", "a=b").header("accept", "text/html");
    let exchange = gateway.request(request);
    assert_eq!(exchange.answer_header("vary").as_deref(), Some("accept, x-a"));

    let calls = seen.borrow();
    let call = &calls[0];
    assert_eq!(call.method, "POST");
    assert_eq!(call.target, "/users/..%2F7%3Fx%3D1?q=a%26b");
    assert_eq!(call.timeout, Some(Duration::from_millis(250)));
    let headers: Vec<_> =
        call.headers.iter().map(|field| (field.name.as_str(), field.value.as_str())).collect();
    assert_eq!(
        headers,
        [("x-tollgate-depth", "1"), ("accept", "text/html"), ("x-a", "1"), ("x-a", "2")]
    );
}

#[test]
fn a_required_call_that_fails_is_a_problem_that_names_it_and_nothing_inside() {
    for (upstream, status, slug) in [
        ("missing", 502, "upstream-failed"),
        ("text", 502, "upstream-failed"),
        ("down", 502, "upstream-failed"),
        ("slow", 504, "upstream-timeout"),
    ] {
        let exchange = gateway(json!([
            { "name": "user", "upstream": "users", "target": "/" },
            { "name": "other", "upstream": upstream, "target": "/" },
        ]))
        .request(Request::get("/"));
        assert_eq!(exchange.status(), Some(status), "{upstream}");
        let text = exchange.answer_text();
        assert!(text.contains(&format!("https://tollgate.dev/problems/{slug}")), "{text}");
        assert!(text.contains("The call `other` failed."), "{text}");
        assert!(!text.contains("10.0.0.1"), "{text}");
    }
}

#[test]
fn an_optional_call_that_fails_is_its_default_and_the_answer_says_so() {
    let optional = |name: &str, upstream: &str, default: Value| {
        json!({
            "name": name, "upstream": upstream, "target": "/", "required": false,
            "default": default, "pointer": if name == "c" { "/x" } else { "" },
        })
    };
    let exchange = gateway(json!([
        optional("a", "slow", json!({ "items": [] })),
        { "name": "user", "upstream": "users", "target": "/", "pointer": "/rate" },
        optional("b", "text", Value::Null),
        optional("c", "users", json!(7)),
    ]))
    .request(Request::get("/"));
    assert_eq!(exchange.status(), Some(200));
    assert_eq!(exchange.answer_text(), r#"{"a":{"items":[]},"user":1.10,"b":null,"c":7}"#);
    assert_eq!(exchange.answer_header("x-aggregate-partial").as_deref(), Some("a, b, c"));
    assert_eq!(exchange.answer_header("cache-control").as_deref(), Some("no-store"));
}

#[test]
fn a_request_without_a_needed_value_is_the_clients_fault() {
    let gateway = Gateway::<Aggregate>::new(config(json!([
        { "name": "user", "upstream": "users", "target": "/u?q={query:q}" },
    ])))
    .upstream(|_| panic!("nothing is asked"));
    let exchange = gateway.request(Request::get("/"));
    assert_eq!(exchange.status(), Some(400));
    assert!(exchange.answer_text().contains("`user`"));
}

#[test]
fn a_request_that_leads_to_itself_ends() {
    let gateway = gateway(json!([{ "name": "user", "upstream": "users", "target": "/" }]));
    let request = |depth: &str| Request::get("/").header("x-tollgate-depth", depth);
    assert_eq!(gateway.request(request("4")).status(), Some(200));
    for depth in ["5", "255", "256", "-1", "x", ""] {
        let exchange = gateway.request(request(depth));
        assert_eq!(exchange.status(), Some(508), "{depth}");
        assert!(exchange.answer_text().contains("/loop-detected"));
    }
    assert_eq!(gateway.request(request("1").header("x-tollgate-depth", "0")).status(), Some(508));
}

#[test]
fn faulty_configurations_are_refused_with_their_place() {
    let call = |name: &str, value: Value| {
        let mut call = json!({ "name": "a", "upstream": "users", "target": "/" });
        call[name] = value;
        json!([call])
    };
    let same = json!({ "name": "a", "upstream": "users", "target": "/" });
    let cases = [
        (json!([]), "calls: at least one is needed"),
        (json!([same, same]), "calls[1].name: calls[0] has the same name"),
        (call("name", json!("a, b")), "calls[0].name: must be letters"),
        (call("upstream", json!("")), "calls[0].upstream: must not be empty"),
        (call("method", json!("get")), "calls[0].method: must be in capitals"),
        (call("target", json!("{path}")), "calls[0].target: must begin with /"),
        (call("target", json!("/{param}")), "calls[0].target: `/{param}` is not a template"),
        (call("pointer", json!("a")), "calls[0].pointer: must be empty or begin"),
        (call("default", json!(1)), "calls[0].default: a required call has none"),
        (call("timeout", json!("1")), "calls[0].timeout: `1` is not a length of time"),
        (call("headers", json!(["te"])), "calls[0].headers[0]: `te` belongs to the gateway"),
        (call("requred", json!(true)), "calls[0].requred: unknown field"),
    ];
    for (calls, expected) in cases {
        let config = config(calls);
        let error = Gateway::<Aggregate>::try_new(&config).err().expect(&config).to_string();
        assert!(error.starts_with(expected), "{config}: {error}");
    }
}
