//! Instances that share a store.

use super::*;

/// Two instances with the same set, and how often it was fetched.
fn two_instances(
    set: &Rc<RefCell<Result<Value, CallError>>>,
) -> (Gateway<Jwt>, Gateway<Jwt>, Rc<Cell<u32>>) {
    let (one, calls) = jwks_gateway(set, json!({}));
    let config = json!({ "jwks": { "upstream": "idp", "path": "/jwks.json" } });
    let two = one.instance(config.to_string());
    (one, two, calls)
}

#[test]
fn instances_that_share_a_store_fetch_a_set_once() {
    let set = shared(json!({ "keys": [P256.jwk("ES256", "a")] }));
    let (one, two, calls) = two_instances(&set);
    for gateway in [&one, &two, &one] {
        check_accepted(gateway, &signed("ES256", Some("a"), &claims()));
    }
    assert_eq!(calls.get(), 1);

    // The key has been rotated: one fetches, the other finds the set.
    *set.borrow_mut() = Ok(json!({ "keys": [RSA.jwk("RS256", "b")] }));
    one.advance(Duration::from_secs(30));
    for gateway in [&two, &one] {
        check_accepted(gateway, &signed("RS256", Some("b"), &claims()));
        check_refused(gateway, &signed("ES256", Some("a"), &claims()));
    }
    assert_eq!(calls.get(), 2);

    // It is due, and the upstream is out: one asks, both go on.
    *set.borrow_mut() = Err(CallError::Unreachable("down".to_owned()));
    one.advance(Duration::from_secs(600));
    let token = signed("RS256", Some("b"), &with("exp", NOW + 100_000));
    for gateway in [&two, &one, &two] {
        check_accepted(gateway, &token);
    }
    assert_eq!(calls.get(), 3);
    assert_eq!(one.counted("jwks_fetches"), 2);
}

#[test]
fn without_a_store_each_instance_fetches_for_itself_and_says_nothing_of_it() {
    let set = shared(json!({ "keys": [P256.jwk("ES256", "a")] }));
    let (one, two, calls) = two_instances(&set);
    one.stores_refused(true);
    for gateway in [&one, &two, &one, &two] {
        check_accepted(gateway, &signed("ES256", Some("a"), &claims()));
        check_refused(gateway, &signed("ES256", Some("b"), &claims()));
    }
    assert_eq!(calls.get(), 2);
    let warnings = one.logs().into_iter().filter(|(level, _)| *level == Level::Warn).count();
    assert_eq!(warnings, 0);

    let config = json!({ "jwks": { "upstream": "idp", "path": "/jwks.json", "store": "keys" } });
    let named = one.instance(config.to_string());
    check_accepted(&named, &signed("ES256", Some("a"), &claims()));
    let warnings = one.logs().into_iter().filter(|(level, _)| *level == Level::Warn).count();
    assert_eq!(warnings, 1, "a store that is named was meant to be there");
}
