use std::time::Duration;

use tollgate_plugin::testing::{Gateway, Request};

use crate::config::ApiKey;

/// SHA-256 of `key-of-ann`.
const ANN: &str = "ca64daa8b294dc4835d29ca02a6a47427ebc6a225ea3ac2e15f8417fb6601db2";
/// SHA-256 of `key-of-bob`.
const BOB: &str = "808a1d81b5de08d72083995df738947d519d230a20c236003268f0f4b65ee475";

fn gateway(more: &str) -> Gateway<ApiKey> {
    Gateway::new(format!(
        r#"{{ "keys": [
            {{ "sha256": "{ANN}", "consumer": "ann", "metadata": {{ "plan": "gold" }} }},
            {{ "sha256": "{}", "consumer": "bob", "expires": "2026-01-02" }}
        ] {more} }}"#,
        BOB.to_uppercase()
    ))
}

#[track_caller]
fn check_refused(gateway: &Gateway<ApiKey>, request: Request) {
    let exchange = gateway.request(request);
    assert_eq!(exchange.status(), Some(401));
    assert_eq!(
        exchange.answer_header("www-authenticate").as_deref(),
        Some(r#"ApiKey realm="tollgate""#)
    );
    assert!(exchange.answer_text().contains("https://tollgate.dev/problems/unauthorized"));
    assert!(exchange.answer_text().contains("test-request"));
}

#[test]
fn a_known_key_opens_and_says_whose_it_is() {
    let exchange = gateway("").request(Request::get("/").header("X-Api-Key", "key-of-ann"));
    assert!(exchange.is_next());
    let attribute = |name: &str| exchange.request.attribute(name);
    assert_eq!(attribute("auth.consumer").as_deref(), Some("ann"));
    assert_eq!(attribute("auth.subject").as_deref(), Some("ann"));
    assert_eq!(attribute("auth.metadata.plan").as_deref(), Some("gold"));
    assert_eq!(exchange.request.header("x-api-key"), None);
}

#[test]
fn no_key_and_unknown_keys_are_refused() {
    let gateway = gateway("");
    check_refused(&gateway, Request::get("/"));
    for key in ["", "key-of-eve", "key-of-ann ", "KEY-OF-ANN", ANN, &"k".repeat(2000)] {
        check_refused(&gateway, Request::get("/").header("x-api-key", key));
    }
}

#[test]
fn an_expired_key_is_refused() {
    let gateway = gateway("");
    let request = || Request::get("/").header("x-api-key", "key-of-bob");
    assert!(gateway.request(request()).is_next());
    gateway.advance(Duration::from_secs(2 * 86_400 - 1));
    assert!(gateway.request(request()).is_next());
    gateway.advance(Duration::from_secs(1));
    check_refused(&gateway, request());
}

#[test]
fn two_keys_are_refused_even_if_both_are_known() {
    let gateway = gateway(r#", "query": "key""#);
    let twice =
        Request::get("/").header("x-api-key", "key-of-ann").header("x-api-key", "key-of-bob");
    check_refused(&gateway, twice);
    let same_twice =
        Request::get("/").header("x-api-key", "key-of-ann").header("x-api-key", "key-of-ann");
    check_refused(&gateway, same_twice);
    check_refused(&gateway, Request::get("/?key=key-of-ann").header("x-api-key", "key-of-ann"));
}

#[test]
fn query_and_cookie_count_only_where_they_are_configured() {
    check_refused(&gateway(""), Request::get("/?key=key-of-ann"));
    check_refused(&gateway(""), Request::get("/").header("cookie", "key=key-of-ann"));

    let query = gateway(r#", "header": null, "query": "key""#);
    let exchange = query.request(Request::get("/a?x=1&k%65y=key%2Dof-ann&y=2"));
    assert!(exchange.is_next());
    assert_eq!(exchange.target(), "/a?x=1&y=2");
    check_refused(&query, Request::get("/").header("x-api-key", "key-of-ann"));

    let cookie = gateway(r#", "header": null, "cookie": "key""#);
    let exchange = cookie.request(Request::get("/").header("cookie", "a=1; key=key-of-ann; b=2"));
    assert!(exchange.is_next());
    assert_eq!(exchange.request.header("cookie").as_deref(), Some("a=1; b=2"));
}

#[test]
fn the_key_goes_on_only_where_that_is_configured() {
    let exchange = gateway(r#", "forward": true"#)
        .request(Request::get("/").header("x-api-key", "key-of-ann"));
    assert_eq!(exchange.request.header("x-api-key").as_deref(), Some("key-of-ann"));
}

#[test]
fn a_client_cannot_say_who_it_is() {
    let gateway =
        gateway(r#", "headers": { "X-Consumer": "consumer", "x-plan": "metadata.plan" }"#);
    let forged = |key: &str| {
        let request = Request::get("/").header("x-api-key", key).header("x-consumer", "root");
        request
            .header("x_consumer", "root")
            .header("x-plan", "platinum")
            .header("X_Plan", "platinum")
    };
    let ann = gateway.request(forged("key-of-ann"));
    assert_eq!(ann.request.header("x-consumer").as_deref(), Some("ann"));
    assert_eq!(ann.request.header("x-plan").as_deref(), Some("gold"));
    assert_eq!(ann.request.header("x_consumer"), None);

    let bob = gateway.request(forged("key-of-bob"));
    assert_eq!(bob.request.header("x-consumer").as_deref(), Some("bob"));
    assert_eq!(bob.request.header("x-plan"), None);
    assert_eq!(bob.request.header("x_plan"), None);
}

#[test]
fn a_header_that_http_does_not_allow_is_a_failure_that_names_it() {
    let config = format!(
        r#"{{ "keys": [{{ "sha256": "{ANN}", "consumer": "a\nb" }}], "headers": {{ "x-who": "consumer" }} }}"#
    );
    let gateway = Gateway::<ApiKey>::new(config);
    let request = Request::get("/").header("x-api-key", "key-of-ann");
    let error = gateway.try_request(request).err().expect("a failure").to_string();
    assert!(error.contains("x-who"), "{error}");
}

#[test]
fn faulty_configurations_are_refused_with_their_place() {
    let key = format!(r#"{{ "sha256": "{ANN}", "consumer": "ann" }}"#);
    let cases = [
        (r#"{ "keys": [] }"#.to_owned(), "keys: at least one is needed"),
        (format!(r#"{{ "keys": [{key}, {key}] }}"#), "keys[1].sha256: the same key as keys[0]"),
        (
            r#"{ "keys": [{ "sha256": "secret", "consumer": "a" }] }"#.to_owned(),
            "keys[0].sha256: a SHA-256 digest has 64 hex digits",
        ),
        (
            format!(r#"{{ "keys": [{{ "sha256": "{ANN}", "consumer": "" }}] }}"#),
            "keys[0].consumer: must not be empty",
        ),
        (
            format!(
                r#"{{ "keys": [{{ "sha256": "{ANN}", "consumer": "a", "expires": "soon" }}] }}"#
            ),
            "keys[0].expires: `soon` is not a time",
        ),
        (format!(r#"{{ "keys": [{key}], "header": null }}"#), "header: a key has to come from"),
        (format!(r#"{{ "keys": [{key}], "header": "a b" }}"#), "header: `a b` is not a header"),
        (
            format!(r#"{{ "keys": [{key}], "headers": {{ "x-a": "metadata.plan" }} }}"#),
            "headers.x-a: `metadata.plan` is neither",
        ),
        (format!(r#"{{ "keys": [{key}], "headers": {{ "connection": "consumer" }} }}"#), "headers"),
        (format!(r#"{{ "keys": [{key}], "realm": "a\"b" }}"#), "realm: must be printable"),
        (format!(r#"{{ "keys": [{key}], "keyz": 1 }}"#), "keyz: unknown field `keyz`"),
    ];
    for (config, expected) in cases {
        let error = Gateway::<ApiKey>::try_new(&config).err().expect(&config).to_string();
        assert!(error.starts_with(expected), "{config}: {error}");
    }
}
