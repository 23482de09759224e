//! `jwt`: which tokens open a route.

use serde_json::{Value, json};
use tollgate_tests::{
    Gateway, Reply, Upstream,
    tokens::{SECRET, Signer, claims, forged, in_seconds},
};

use super::before;

/// A gateway that knows this signer's key, with more configuration.
async fn knowing(upstream: &Upstream, signer: &Signer, more: Value) -> Gateway {
    let key = match signer.public_pem.as_str() {
        "" => json!({ "kid": signer.kid, "algorithm": "HS256", "secret": SECRET }),
        pem => {
            json!({ "kid": signer.kid, "algorithm": format!("{:?}", signer.algorithm), "pem": pem })
        }
    };
    let mut config = json!({ "keys": [key], "audience": "orders" });
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    before(upstream, "jwt", &config.to_string()).await
}

async fn with(gateway: &Gateway, token: &str) -> Reply {
    gateway.get("/", &[("authorization", &format!("Bearer {token}"))]).await
}

async fn check_refused(gateway: &Gateway, token: &str, why: &str) {
    let reply = with(gateway, token).await;
    assert_eq!(reply.problem(), "401 unauthorized", "{why}");
    let challenge = reply.header("www-authenticate");
    assert!(challenge.contains("error=\"invalid_token\""), "{why}: {challenge}");
}

#[tokio::test]
async fn a_good_token_opens_the_route_and_ends_at_the_gateway() {
    let upstream = Upstream::echo().await;
    for signer in [Signer::hs256("k"), Signer::rs256("k"), Signer::es256("k")] {
        let gateway = knowing(&upstream, &signer, json!({ "headers": { "x-user": "sub" } })).await;
        let token = format!("Bearer {}", signer.token(&claims(&json!({}))));
        let fields = [("authorization", token.as_str()), ("x-user", "root"), ("X_User", "root")];
        let reply = gateway.get("/", &fields).await;
        assert_eq!(reply.status, 200, "{:?}: {}", signer.algorithm, reply.text());
        let seen = reply.json();
        assert_eq!(seen["headers"]["x-user"], json!(["ann"]));
        assert!(seen["headers"]["x_user"].is_null() && seen["headers"]["authorization"].is_null());
        gateway.stop().await;
    }
}

#[tokio::test]
async fn no_token_is_a_401_problem_with_a_challenge() {
    let upstream = Upstream::echo().await;
    let gateway = knowing(&upstream, &Signer::hs256("k"), json!({})).await;
    for fields in [&[][..], &[("authorization", "Basic eDp5")], &[("authorization", "Bearer")]] {
        let reply = gateway.get("/", fields).await;
        assert_eq!(reply.problem(), "401 unauthorized", "{fields:?}");
        assert!(reply.header("www-authenticate").starts_with("Bearer"), "{fields:?}");
    }
    assert_eq!(upstream.requests(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn claims_that_do_not_hold_are_refused() {
    let upstream = Upstream::echo().await;
    let signer = Signer::hs256("k");
    let gateway = knowing(
        &upstream,
        &signer,
        json!({ "issuer": "https://idp.test", "required_claims": ["tenant"] }),
    )
    .await;
    let good = json!({ "iss": "https://idp.test", "tenant": "t" });
    let token = |more: Value| {
        let mut claims = claims(&good);
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        signer.token(&claims)
    };
    assert_eq!(with(&gateway, &token(json!({}))).await.status, 200);
    assert_eq!(with(&gateway, &token(json!({ "aud": ["bills", "orders"] }))).await.status, 200);
    assert_eq!(
        with(&gateway, &token(json!({ "exp": in_seconds(-30) }))).await.status,
        200,
        "leeway"
    );
    for (why, more) in [
        ("expired", json!({ "exp": in_seconds(-90) })),
        ("not yet valid", json!({ "nbf": in_seconds(90) })),
        ("no expiry", json!({ "exp": null })),
        ("an expiry that is none", json!({ "exp": "tomorrow" })),
        ("another audience", json!({ "aud": "bills" })),
        ("no audience", json!({ "aud": null })),
        ("an audience that only begins so", json!({ "aud": "orders2" })),
        ("another issuer", json!({ "iss": "https://idp.test/" })),
        ("no issuer", json!({ "iss": null })),
        ("a claim that is required", json!({ "tenant": null })),
    ] {
        check_refused(&gateway, &token(more), why).await;
    }
    gateway.stop().await;
}

#[tokio::test]
async fn signatures_that_do_not_fit_are_refused() {
    let upstream = Upstream::echo().await;
    let signer = Signer::es256("k");
    let gateway = knowing(&upstream, &signer, json!({})).await;
    let good = signer.token(&claims(&json!({})));
    assert_eq!(with(&gateway, &good).await.status, 200);

    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (head, _) = signed.split_once('.').unwrap();
    let other = signer.token(&claims(&json!({ "sub": "root" })));
    let other_claims = other.split('.').nth(1).unwrap();
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    for (why, token) in [
        ("other claims", format!("{head}.{other_claims}.{signature}")),
        ("another signature", format!("{signed}.{flipped}{}", &signature[1..])),
        ("half a signature", format!("{signed}.{}", &signature[..signature.len() / 2])),
        ("no signature", format!("{signed}.")),
        ("two parts", signed.to_owned()),
        ("four parts", format!("{good}.x")),
        ("an unknown key", Signer::es256("other").token(&claims(&json!({})))),
        ("somebody else's key", Signer::es256("k").token(&claims(&json!({})))),
        ("text", "not-a-token".to_owned()),
        ("a zero signature", format!("{signed}.{}", "A".repeat(86))),
        ("too long", format!("{signed}.{}", "A".repeat(9000))),
    ] {
        check_refused(&gateway, &token, why).await;
    }
    gateway.stop().await;
}

#[tokio::test]
async fn no_algorithm_and_a_confused_one_are_refused() {
    let upstream = Upstream::echo().await;
    for signer in [Signer::rs256("k"), Signer::es256("k")] {
        let gateway = knowing(&upstream, &signer, json!({})).await;
        let claims = claims(&json!({}));
        for none in ["none", "None", "NONE", ""] {
            let token = forged(&json!({ "alg": none, "kid": "k" }), &claims, b"");
            check_refused(&gateway, &token, none).await;
        }
        // The public key as the secret: whoever verifies with "the key" believes it.
        for secret in [signer.public_pem.clone(), signer.public_pem.trim().to_owned()] {
            let token = Signer::hmac("k", secret.as_bytes()).token(&claims);
            check_refused(&gateway, &token, "HS256 with the public key").await;
        }
        check_refused(&gateway, &Signer::hs256("k").token(&claims), "HS256").await;
        gateway.stop().await;
    }
}

#[tokio::test]
async fn what_a_token_says_of_its_own_key_is_not_followed() {
    let keys = Upstream::echo().await;
    let upstream = Upstream::echo().await;
    let signer = Signer::es256("k");
    let gateway = knowing(&upstream, &signer, json!({})).await;
    let url = format!("http://{keys}/keys");
    let own = Signer::es256("k");
    for (name, value) in [
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("jwk", own.jwk()),
        ("crit", json!(["exp"])),
        ("crit", json!(["unknown"])),
        ("crit", json!([])),
    ] {
        let header = json!({ "alg": "ES256", "kid": "k", name: value });
        let token = forged(&header, &claims(&json!({})), &[0; 64]);
        check_refused(&gateway, &token, name).await;
    }
    assert_eq!(keys.requests(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn two_tokens_are_refused_even_if_both_are_good() {
    let upstream = Upstream::echo().await;
    let signer = Signer::hs256("k");
    let gateway = knowing(&upstream, &signer, json!({})).await;
    let token = format!("Bearer {}", signer.token(&claims(&json!({}))));
    let reply = gateway.get("/", &[("authorization", &token), ("authorization", &token)]).await;
    assert_eq!(reply.problem(), "401 unauthorized");
    let joined = format!("{token}, {token}");
    assert_eq!(gateway.get("/", &[("authorization", &joined)]).await.problem(), "401 unauthorized");
    assert_eq!(upstream.requests(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn scopes_that_are_missing_are_a_403_problem() {
    let upstream = Upstream::echo().await;
    let signer = Signer::hs256("k");
    let scopes = json!({ "scopes": { "all_of": ["read"], "any_of": ["a", "b"] } });
    let gateway = knowing(&upstream, &signer, scopes).await;
    let token = |claim: Value| signer.token(&claims(&claim));
    for good in [json!({ "scope": "read b" }), json!({ "scp": ["a", "read"] })] {
        assert_eq!(with(&gateway, &token(good)).await.status, 200);
    }
    for bad in [
        json!({}),
        json!({ "scope": "read" }),
        json!({ "scope": "a b" }),
        json!({ "scope": "reader a" }),
    ] {
        let reply = with(&gateway, &token(bad)).await;
        assert_eq!(reply.problem(), "403 forbidden");
        assert!(reply.header("www-authenticate").contains("insufficient_scope"));
    }
    gateway.stop().await;
}

#[tokio::test]
async fn an_optional_token_may_be_missing_but_not_wrong() {
    let upstream = Upstream::echo().await;
    let signer = Signer::hs256("k");
    let more = json!({ "optional": true, "headers": { "x-user": "sub" } });
    let gateway = knowing(&upstream, &signer, more).await;
    let reply = gateway.get("/", &[("x-user", "root")]).await;
    assert_eq!(reply.status, 200);
    assert!(reply.json()["headers"]["x-user"].is_null());
    check_refused(&gateway, "not-a-token", "a wrong one").await;
    gateway.stop().await;
}
