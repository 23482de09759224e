use tollgate_plugin::testing::{Gateway, Request};
use tollgate_plugin::{Phases, Response};

use crate::config::Headers;

/// The request's headers after `request` has been sent through, as `name: value` lines.
#[track_caller]
fn check_request(config: &str, request: Request, expected: &[&str]) {
    let gateway = Gateway::<Headers>::new(format!(r#"{{ "request": {config} }}"#));
    let exchange = gateway.request(request);
    assert!(exchange.is_next());
    let fields = exchange.request.headers();
    let lines: Vec<_> =
        fields.iter().map(|field| format!("{}: {}", field.name, field.value)).collect();
    assert_eq!(lines, expected);
}

/// The response's headers, as [`check_request`].
#[track_caller]
fn check_response(config: &str, response: Response, expected: &[&str]) {
    let gateway = Gateway::<Headers>::new(format!(r#"{{ "response": {config} }}"#));
    let response = gateway.request(Request::get("/").param("id", "7")).response(response);
    let fields = response.headers();
    let lines: Vec<_> =
        fields.iter().map(|field| format!("{}: {}", field.name, field.value)).collect();
    assert_eq!(lines, expected);
}

#[test]
fn set_takes_the_place_of_what_the_client_sent_in_every_spelling() {
    check_request(
        r#"{ "set": { "X-User-Id": "{attribute:auth.subject}" } }"#,
        Request::get("/")
            .header("x-user-id", "root")
            .header("X_User-Id", "root")
            .header("x_user_id", "root")
            .attribute("auth.subject", "ann"),
        &["x-user-id: ann"],
    );
}

#[test]
fn set_with_a_missing_value_leaves_nothing() {
    let forged = || Request::get("/").header("x-user", "root").header("x_user", "root");
    check_request(r#"{ "set": { "x-user": "{attribute:auth.subject}" } }"#, forged(), &[]);
    check_request(
        r#"{ "set": { "x-user": "{attribute:auth.subject|nobody}" } }"#,
        forged(),
        &["x-user: nobody"],
    );
}

#[test]
fn append_adds_a_line_where_there_is_a_value() {
    check_request(
        r#"{ "append": { "x-a": "{method} {path}", "x-b": "{header:x-none}" } }"#,
        Request::get("/p").header("x-a", "1"),
        &["x-a: 1", "x-a: GET /p"],
    );
}

#[test]
fn rename_moves_all_lines_and_overwrites() {
    check_request(
        r#"{ "rename": { "x-old": "x-new", "x-none": "x-kept" } }"#,
        Request::get("/")
            .header("x-old", "1")
            .header("x-new", "forged")
            .header("x-old", "2")
            .header("x-kept", "3"),
        &["x-kept: 3", "x-new: 1", "x-new: 2"],
    );
}

#[test]
fn changes_are_made_in_order_remove_rename_set_append() {
    check_request(
        r#"{ "append": { "x-c": "4" }, "set": { "x-c": "3" }, "rename": { "x-b": "x-c" }, "remove": ["X-A"] }"#,
        Request::get("/").header("x-a", "1").header("x-b", "2"),
        &["x-c: 3", "x-c: 4"],
    );
}

#[test]
fn responses_change_likewise_with_values_of_the_request() {
    check_response(
        r#"{ "remove": ["server"], "rename": { "x-old": "x-new" }, "set": { "x-id": "{param:id}", "x-gone": "{param:none}" }, "append": { "vary": "origin" } }"#,
        Response::new(200)
            .with_header("server", "s")
            .with_header("x-old", "1")
            .with_header("vary", "accept")
            .with_header("x-gone", "1"),
        &["vary: accept", "x-new: 1", "x-id: 7", "vary: origin"],
    );
}

#[test]
fn only_the_hooks_that_have_something_to_do_are_wanted() {
    let phases = |config: &str| Gateway::<Headers>::new(config).phases();
    assert_eq!(phases("{}"), Phases::NONE);
    assert_eq!(phases(r#"{ "request": { "remove": ["a"] } }"#), Phases::REQUEST);
    assert_eq!(phases(r#"{ "response": { "remove": ["a"] } }"#), Phases::RESPONSE);
}

#[test]
fn a_value_that_http_does_not_allow_is_a_failure_that_names_the_header() {
    let config = r#"{ "request": { "set": { "x-id": "{param:id}" } } }"#;
    let gateway = Gateway::<Headers>::new(config);
    let request = Request::get("/").param("id", "1\r\nx-admin: 1");
    let error = gateway.try_request(request).err().expect("a failure").to_string();
    assert_eq!(error, "`x-id` cannot be set: not a field value");
}

#[test]
fn faulty_configurations_are_refused_with_their_place() {
    let cases = [
        (r#"{ "requests": {} }"#, "requests: unknown field `requests`"),
        (r#"{ "request": { "sett": {} } }"#, "request.sett: unknown field `sett`"),
        (r#"{ "request": { "remove": ["a b"] } }"#, "request.remove[0]: `a b` is not a header"),
        (r#"{ "request": { "remove": ["TE"] } }"#, "request.remove[0]: `te` belongs to"),
        (
            r#"{ "request": { "set": { "x-a": "{x}" } } }"#,
            "request.set.x-a: `{x}` is not a template",
        ),
        (r#"{ "request": { "set": { "x-a": "a\nb" } } }"#, "request.set.x-a: a header value has"),
        (r#"{ "response": { "append": { "x": "{header:a|\u0000}" } } }"#, "response.append.x: a"),
    ];
    for (config, expected) in cases {
        let error = Gateway::<Headers>::try_new(config).err().expect(config).to_string();
        assert!(error.starts_with(expected), "{config}: {error}");
    }
}
