//! What a token says: times, issuer, audience, scopes.

use super::*;

#[test]
fn an_expired_token_is_refused_after_the_leeway_and_says_so() {
    let gateway = gateway(json!({}));
    check_accepted(&gateway, &hs256(&with("exp", NOW - 59)));
    let exchange = send(&gateway, &hs256(&with("exp", NOW - 60)));
    assert_eq!(exchange.status(), Some(401));
    assert_eq!(
        exchange.answer_header("www-authenticate").as_deref(),
        Some(
            r#"Bearer realm="tollgate", error="invalid_token", error_description="The access token expired""#
        )
    );
}

#[test]
fn a_token_expires_while_the_gateway_runs() {
    let gateway = gateway(json!({ "leeway": "0s" }));
    let token = hs256(&with("exp", NOW as f64 + 10.5));
    gateway.advance(Duration::from_secs(10));
    check_accepted(&gateway, &token);
    gateway.advance(Duration::from_secs(1));
    assert_eq!(send(&gateway, &token).status(), Some(401));
}

#[test]
fn a_token_that_is_not_valid_yet_is_refused() {
    let gateway = gateway(json!({}));
    check_accepted(&gateway, &hs256(&with("nbf", NOW + 60)));
    check_refused(&gateway, &hs256(&with("nbf", NOW + 61)));
}

#[test]
fn times_that_are_none_are_refused() {
    let gateway = gateway(json!({}));
    for exp in [json!("9999999999"), json!(true), json!([]), json!({})] {
        check_refused(&gateway, &hs256(&with("exp", exp)));
    }
    assert_eq!(send(&gateway, &hs256(&with("exp", -1))).status(), Some(401));
    check_refused(&gateway, &hs256(&with("nbf", "soon")));
    check_refused(&gateway, &with_header(r#"{"alg":"HS256"}"#, r#"{"exp":1e999}"#));
}

#[test]
fn a_token_without_exp_needs_permission() {
    check_refused(&gateway(json!({})), &hs256(&without("exp")));
    check_refused(&gateway(json!({})), &hs256(&with("exp", Value::Null)));
    check_accepted(&gateway(json!({ "require_exp": false })), &hs256(&without("exp")));
}

#[test]
fn the_issuer_is_exactly_the_one() {
    let one = gateway(json!({ "issuer": "https://idp.example" }));
    check_accepted(&one, &hs256(&claims()));
    for other in [
        json!("https://idp.example/"),
        json!("https://evil.example"),
        json!(["https://idp.example"]),
    ] {
        check_refused(&one, &hs256(&with("iss", other)));
    }
    check_refused(&one, &hs256(&without("iss")));
    let several = gateway(json!({ "issuer": ["https://a.example", "https://idp.example"] }));
    check_accepted(&several, &hs256(&claims()));
}

#[test]
fn one_audience_of_several_is_enough() {
    let gateway = gateway(json!({ "audience": ["orders", "bills"] }));
    check_accepted(&gateway, &hs256(&claims()));
    check_accepted(&gateway, &hs256(&with("aud", json!(["users", "bills"]))));
    for other in [json!("users"), json!([]), json!(["users"]), json!(7), json!(["orders", 7])] {
        check_refused(&gateway, &hs256(&with("aud", other)));
    }
    check_refused(&gateway, &hs256(&without("aud")));
}

#[test]
fn required_claims_have_to_be_there() {
    let gateway = gateway(json!({ "required_claims": ["level"] }));
    check_accepted(&gateway, &hs256(&claims()));
    check_refused(&gateway, &hs256(&without("level")));
    check_refused(&gateway, &hs256(&with("level", Value::Null)));
}

#[test]
fn a_missing_scope_is_a_403_that_names_the_scopes() {
    let gateway =
        gateway(json!({ "scopes": { "all_of": ["read"], "any_of": ["write", "admin"] } }));
    check_accepted(&gateway, &hs256(&claims()));
    check_accepted(
        &gateway,
        &hs256(&{
            let mut claims = without("scope");
            claims["scp"] = json!(["admin", "read"]);
            claims
        }),
    );
    for scope in ["read", "write", "", "reader write", "READ write"] {
        let exchange = send(&gateway, &hs256(&with("scope", scope)));
        assert_eq!(exchange.status(), Some(403), "{scope}");
        assert_eq!(
            exchange.answer_header("www-authenticate").as_deref(),
            Some(
                r#"Bearer realm="tollgate", error="insufficient_scope", scope="read write admin""#
            )
        );
        assert!(exchange.answer_text().contains("https://tollgate.dev/problems/forbidden"));
    }
}

#[test]
fn a_claim_that_can_be_no_header_is_a_token_that_is_not_valid() {
    let gateway = gateway(json!({ "headers": { "x-user": "sub" } }));
    check_accepted(&gateway, &hs256(&with("sub", "a b\u{e4}")));
    for subject in [" alice", "alice\t", "a\r\nx: y", "a\u{0}", &"a".repeat(16 * 1024 + 1)] {
        check_refused(&gateway, &hs256(&with("sub", subject)));
    }
}
