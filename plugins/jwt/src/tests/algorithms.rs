//! Which signatures count, by which keys.

use super::*;

#[test]
fn every_algorithm_verifies_with_pem_and_with_jwk() {
    for algorithm in
        ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
    {
        let pair = pair(algorithm);
        let token = signed(algorithm, None, &claims());
        for key in [
            json!({ "algorithm": algorithm, "pem": pair.public }),
            json!({ "algorithm": algorithm, "jwk": pair.jwk(algorithm, "k") }),
            json!({ "jwk": pair.jwk(algorithm, "k") }),
        ] {
            let gateway = Gateway::<Jwt>::new(json!({ "keys": [key] }).to_string());
            assert!(send(&gateway, &token).is_next(), "{key}");
            check_refused(&gateway, &hs256(&claims()));
        }
    }
    for algorithm in ["HS256", "HS384", "HS512"] {
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let token =
            jsonwebtoken::encode(&header(algorithm, None), &claims(), &key).expect("a token");
        let base64url = BASE64_URL_SAFE_NO_PAD.encode(SECRET);
        for key in [
            json!({ "algorithm": algorithm, "secret": SECRET }),
            json!({ "algorithm": algorithm, "secret_base64url": base64url }),
            json!({ "jwk": { "kty": "oct", "alg": algorithm, "k": base64url } }),
        ] {
            let gateway = Gateway::<Jwt>::new(json!({ "keys": [key] }).to_string());
            assert!(send(&gateway, &token).is_next(), "{key}");
        }
    }
}

#[test]
fn a_public_key_is_never_a_secret() {
    // The classic: HS256 with the text of the public key, which everybody has.
    for pair in [&RSA, &P256] {
        let algorithm = if std::ptr::eq(pair, &RSA) { "RS256" } else { "ES256" };
        let key = EncodingKey::from_secret(pair.public.as_bytes());
        let token = jsonwebtoken::encode(&header("HS256", None), &claims(), &key).expect("a token");
        let keys = json!([{ "algorithm": algorithm, "pem": pair.public }]);
        check_refused(&Gateway::new(json!({ "keys": keys }).to_string()), &token);
    }
}

#[test]
fn a_secret_in_a_fetched_set_is_no_key() {
    let secret = BASE64_URL_SAFE_NO_PAD.encode(SECRET);
    let set = shared(json!({ "keys": [
        { "kty": "oct", "k": secret, "alg": "HS256" },
        P256.jwk("ES256", "a"),
    ] }));
    let (gateway, calls) = jwks_gateway(&set, json!({}));
    check_refused(&gateway, &hs256(&claims()));
    assert_eq!(calls.get(), 0);
}

#[test]
fn a_key_verifies_only_with_its_own_algorithm() {
    let keys = json!([{ "algorithm": "RS256", "pem": RSA.public }]);
    let gateway = Gateway::new(json!({ "keys": keys }).to_string());
    check_accepted(&gateway, &signed("RS256", None, &claims()));
    check_refused(&gateway, &signed("PS256", None, &claims()));
    check_refused(&gateway, &signed("RS512", None, &claims()));
}

#[test]
fn none_is_no_algorithm_in_any_spelling() {
    let gateway = gateway(json!({}));
    let claims = BASE64_URL_SAFE_NO_PAD.encode(claims().to_string());
    for algorithm in ["none", "None", "NONE", "nOnE", "", "hs256", "HS256 "] {
        let header = BASE64_URL_SAFE_NO_PAD.encode(json!({ "alg": algorithm }).to_string());
        check_refused(&gateway, &format!("{header}.{claims}."));
        check_refused(&gateway, &with_header(&json!({ "alg": algorithm }).to_string(), "{}"));
    }
}

#[test]
fn a_kid_chooses_the_key() {
    let other = Pair::generate(&rcgen::PKCS_ECDSA_P256_SHA256);
    let keys = json!([
        { "kid": "old", "algorithm": "ES256", "pem": other.public },
        { "kid": "new", "algorithm": "ES256", "pem": P256.public },
    ]);
    let gateway = Gateway::new(json!({ "keys": keys }).to_string());
    check_accepted(&gateway, &signed("ES256", Some("new"), &claims()));
    check_accepted(&gateway, &signed("ES256", None, &claims()));
    check_refused(&gateway, &signed("ES256", Some("old"), &claims()));
    check_refused(&gateway, &signed("ES256", Some("unknown"), &claims()));
}
