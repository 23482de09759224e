//! Where a token comes from, and what goes on.

use super::*;

#[test]
fn a_valid_token_opens_and_says_whose_it_is() {
    let gateway = gateway(json!({ "claims": ["level", "nothing"] }));
    let exchange = send(&gateway, &hs256(&claims()));
    assert!(exchange.is_next());
    let attribute = |name: &str| exchange.request.attribute(name);
    assert_eq!(attribute("auth.subject").as_deref(), Some("ann"));
    assert_eq!(attribute("auth.scopes").as_deref(), Some("read write"));
    assert_eq!(attribute("auth.claims.level").as_deref(), Some("7"));
    assert_eq!(attribute("auth.claims.nothing"), None);
    assert_eq!(exchange.request.header("authorization"), None);
}

#[test]
fn no_token_is_no_error() {
    let gateway = gateway(json!({}));
    let requests = [
        Request::get("/"),
        Request::get("/").header("authorization", "Basic YTpi"),
        Request::get("/").header("authorization", "Bearer"),
        Request::get("/").header("authorization", "Bearer "),
        Request::get("/?access_token=x").header("cookie", "token=x"),
    ];
    for request in requests {
        let exchange = gateway.request(request);
        assert_eq!(exchange.status(), Some(401));
        assert_eq!(
            exchange.answer_header("www-authenticate").as_deref(),
            Some(r#"Bearer realm="tollgate""#)
        );
    }
}

#[test]
fn the_scheme_has_no_case() {
    let gateway = gateway(json!({}));
    let token = hs256(&claims());
    let request = Request::get("/").header("authorization", &format!("bEARER  {token}"));
    assert!(gateway.request(request).is_next());
}

#[test]
fn two_tokens_are_refused_even_if_both_are_valid() {
    let gateway = gateway(json!({ "token": { "cookie": "token" } }));
    let token = hs256(&claims());
    let bearer = format!("Bearer {token}");
    let lines = Request::get("/").header("authorization", &bearer).header("authorization", &bearer);
    let places = Request::get("/")
        .header("authorization", &bearer)
        .header("cookie", &format!("token={token}"));
    let basic =
        Request::get("/").header("authorization", "Basic YTpi").header("authorization", &bearer);
    for request in [lines, places, basic] {
        let exchange = gateway.request(request);
        assert_eq!(exchange.status(), Some(401));
        let challenge = exchange.answer_header("www-authenticate").expect("a challenge");
        assert!(challenge.contains(r#"error="invalid_request""#), "{challenge}");
    }
}

#[test]
fn a_token_comes_from_cookie_or_query_where_configured_and_goes_no_further() {
    let token = hs256(&claims());
    let cookie = gateway(json!({ "token": { "header": null, "cookie": "t" } }));
    let request = Request::get("/").header("cookie", &format!("a=1; t={token}"));
    let exchange = cookie.request(request);
    assert!(exchange.is_next());
    assert_eq!(exchange.request.header("cookie").as_deref(), Some("a=1"));

    let query = gateway(json!({ "token": { "header": null, "query": "t" } }));
    let exchange = query.request(Request::get(&format!("/a?t={token}&b=1")));
    assert!(exchange.is_next());
    assert_eq!(exchange.target(), "/a?b=1");

    let header = gateway(json!({ "token": { "header": "x-token", "scheme": "" } }));
    let exchange = header.request(Request::get("/").header("x-token", &token));
    assert!(exchange.is_next());
    assert_eq!(exchange.request.header("x-token"), None);
}

#[test]
fn the_token_goes_on_where_that_is_configured() {
    let exchange = send(&gateway(json!({ "forward": true })), &hs256(&claims()));
    assert!(exchange.request.header("authorization").is_some());
}

#[test]
fn a_client_cannot_say_who_it_is_with_a_token_or_without() {
    let gateway = gateway(json!({
        "optional": true, "headers": { "X-User": "sub", "x-mail": "mail" }
    }));
    let forged = || {
        let request = Request::get("/").header("x-user", "root").header("X_User", "root");
        request.header("x-mail", "root@example")
    };
    let token = format!("Bearer {}", hs256(&claims()));
    let ann = gateway.request(forged().header("authorization", &token));
    assert_eq!(ann.request.header("x-user").as_deref(), Some("ann"));
    assert_eq!(ann.request.header("x_user"), None);
    assert_eq!(ann.request.header("x-mail"), None);

    let nobody = gateway.request(forged());
    assert!(nobody.is_next());
    for name in ["x-user", "x_user", "x-mail"] {
        assert_eq!(nobody.request.header(name), None, "{name}");
    }
}

#[test]
fn optional_lets_nobody_through_with_a_bad_token() {
    check_refused(&gateway(json!({ "optional": true })), "e30.e30.e30");
}
