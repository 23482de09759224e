//! Sets of keys that an upstream serves.

use super::*;

#[test]
fn a_fetched_set_serves_until_it_is_due() {
    let set = shared(json!({ "keys": [P256.jwk("ES256", "a"), RSA.jwk("RS256", "b")] }));
    let (gateway, calls) = jwks_gateway(&set, json!({}));
    assert_eq!(calls.get(), 0);
    check_accepted(&gateway, &signed("ES256", Some("a"), &claims()));
    check_accepted(&gateway, &signed("RS256", Some("b"), &claims()));
    check_refused(&gateway, &signed("PS256", Some("b"), &claims()));
    assert_eq!(calls.get(), 1);
    gateway.advance(Duration::from_secs(599));
    check_accepted(&gateway, &signed("ES256", Some("a"), &claims()));
    assert_eq!(calls.get(), 1);
    gateway.advance(Duration::from_secs(1));
    check_accepted(&gateway, &signed("ES256", Some("a"), &claims()));
    assert_eq!(calls.get(), 2);
    assert_eq!(gateway.counted("jwks_fetches"), 2);
}

#[test]
fn an_unknown_kid_fetches_at_most_every_30_seconds() {
    let set = shared(json!({ "keys": [P256.jwk("ES256", "a")] }));
    let (gateway, calls) = jwks_gateway(&set, json!({}));
    check_accepted(&gateway, &signed("ES256", Some("a"), &claims()));
    for _ in 0..5 {
        check_refused(&gateway, &signed("RS256", Some("b"), &claims()));
    }
    assert_eq!(calls.get(), 1);

    // The key has been rotated.
    *set.borrow_mut() = Ok(json!({ "keys": [RSA.jwk("RS256", "b")] }));
    gateway.advance(Duration::from_secs(30));
    check_accepted(&gateway, &signed("RS256", Some("b"), &claims()));
    assert_eq!(calls.get(), 2);
    check_refused(&gateway, &signed("ES256", Some("a"), &claims()));
    assert_eq!(calls.get(), 2);
}

#[test]
fn the_last_set_serves_through_an_outage_and_not_for_ever() {
    let set = shared(json!({ "keys": [P256.jwk("ES256", "a")] }));
    let (gateway, calls) = jwks_gateway(&set, json!({ "leeway": "0s" }));
    let token = signed("ES256", Some("a"), &with("exp", NOW + 100_000));
    check_accepted(&gateway, &token);
    *set.borrow_mut() = Err(CallError::Unreachable("down".to_owned()));
    gateway.advance(Duration::from_secs(600));
    check_accepted(&gateway, &token);
    check_accepted(&gateway, &token);
    assert_eq!(calls.get(), 2);
    gateway.advance(Duration::from_secs(3599));
    check_accepted(&gateway, &token);
    gateway.advance(Duration::from_secs(1));
    assert_eq!(send(&gateway, &token).status(), Some(503));

    *set.borrow_mut() = Ok(json!({ "keys": [P256.jwk("ES256", "a")] }));
    gateway.advance(Duration::from_secs(30));
    check_accepted(&gateway, &token);
}

#[test]
fn without_a_set_nobody_gets_in_and_the_client_learns_that_it_is_not_the_token() {
    let set = Rc::new(RefCell::new(Err(CallError::TimedOut)));
    let (gateway, calls) = jwks_gateway(&set, json!({}));
    let token = signed("ES256", Some("a"), &claims());
    for _ in 0..3 {
        let exchange = send(&gateway, &token);
        assert_eq!(exchange.status(), Some(503));
        assert!(exchange.answer_text().contains("/keys-unavailable"));
    }
    assert_eq!(calls.get(), 1);
    assert_eq!(gateway.request(Request::get("/")).status(), Some(401));
    check_refused(&gateway, "e30.e30.e30");
    *set.borrow_mut() = Ok(json!({ "keys": [P256.jwk("ES256", "a")] }));
    gateway.advance(Duration::from_secs(1));
    check_accepted(&gateway, &token);
}

#[test]
fn keys_of_a_set_that_are_not_for_signatures_are_passed_over() {
    let key = |name: &str, value: Value| {
        let mut jwk = P256.jwk("ES256", "a");
        jwk[name] = value;
        jwk
    };
    for key in [
        key("use", json!("enc")),
        key("key_ops", json!(["sign"])),
        key("alg", json!("ES384")),
        key("alg", json!("HS256")),
        key("kty", json!("RSA")),
        key("crv", json!("P-521")),
        key("x", json!(7)),
    ] {
        let set = shared(json!({ "keys": [key, 7, {}, RSA.jwk("RS256", "b")] }));
        let (gateway, _) = jwks_gateway(&set, json!({}));
        check_refused(&gateway, &signed("ES256", Some("a"), &claims()));
        check_accepted(&gateway, &signed("RS256", Some("b"), &claims()));
    }
    let mut bare = P256.jwk("ES256", "a");
    let members = bare.as_object_mut().expect("an object");
    members.remove("alg");
    members.remove("use");
    let set = shared(json!({ "keys": [bare] }));
    let token = signed("ES256", Some("a"), &claims());
    check_accepted(&jwks_gateway(&set, json!({})).0, &token);
    let (narrow, _) = jwks_gateway(&set, json!({ "algorithms": ["RS256"] }));
    assert_eq!(send(&narrow, &token).status(), Some(503));
}

#[test]
fn a_set_can_stand_in_the_configuration() {
    let set = json!({ "keys": [P256.jwk("ES256", "a")] }).to_string();
    let gateway = Gateway::new(json!({ "jwks_json": set }).to_string());
    check_accepted(&gateway, &signed("ES256", Some("a"), &claims()));
}

#[test]
fn a_refresh_below_30_seconds_is_kept_to() {
    let set = shared(json!({ "keys": [P256.jwk("ES256", "a")] }));
    let token = signed("ES256", Some("a"), &claims());
    for refused in [false, true] {
        let config =
            json!({ "jwks": { "upstream": "idp", "path": "/jwks.json", "refresh": "5s" } });
        let (gateway, calls) = jwks_gateway(&set, config);
        gateway.stores_refused(refused);
        for (seconds, expected) in [(0, 1), (4, 1), (1, 2), (4, 2), (1, 3)] {
            gateway.advance(Duration::from_secs(seconds));
            check_accepted(&gateway, &token);
            assert_eq!(calls.get(), expected);
        }
    }
}
