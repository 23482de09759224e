//! Tokens that come again.

use super::*;

#[test]
fn a_token_that_comes_again_opens_and_says_the_same() {
    let gateway = gateway(json!({ "claims": ["level"], "headers": { "x-user": "sub" } }));
    let token = hs256(&claims());
    for _ in 0..3 {
        let exchange = send(&gateway, &token);
        assert_eq!(exchange.request.attribute("auth.subject").as_deref(), Some("ann"));
        assert_eq!(exchange.request.attribute("auth.scopes").as_deref(), Some("read write"));
        assert_eq!(exchange.request.attribute("auth.claims.level").as_deref(), Some("7"));
        assert_eq!(exchange.request.header("x-user").as_deref(), Some("ann"));
    }
    check_refused(&gateway, &format!("{token}x"));
    check_refused(&gateway, &token[..token.len() - 1]);
}

#[test]
fn a_token_is_verified_again_where_none_or_others_are_remembered() {
    for remember in [0, 1] {
        let gateway = gateway(json!({ "remember": remember }));
        let (one, other) = (hs256(&claims()), hs256(&with("sub", "bob")));
        for token in [&one, &other, &one, &one] {
            check_accepted(&gateway, token);
        }
    }
}

#[test]
fn a_remembered_token_goes_with_the_key_that_its_set_no_longer_has() {
    let (old, new) = (RSA.jwk("RS256", "old"), P256.jwk("ES256", "new"));
    let set = shared(json!({ "keys": [old, new.clone()] }));
    let (gateway, _) = jwks_gateway(&set, json!({}));
    let token = signed("RS256", Some("old"), &with("exp", NOW + 86_400));
    check_accepted(&gateway, &token);
    check_accepted(&gateway, &token);
    *set.borrow_mut() = Ok(json!({ "keys": [new] }));
    check_accepted(&gateway, &token);
    gateway.advance(Duration::from_secs(600));
    check_refused(&gateway, &token);
}
