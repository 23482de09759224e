//! Configurations that are refused.

use super::*;

#[test]
fn faulty_configurations_are_refused_with_their_place() {
    let key = |key: Value| json!({ "keys": [key] });
    let with = |name: &str, value: Value| {
        let mut config = key(json!({ "algorithm": "HS256", "secret": SECRET }));
        config[name] = value;
        config
    };
    let pem = &P256.public;
    let cases = [
        (json!({}), "keys: there are none"),
        (json!({ "keys": [] }), "keys: there are none"),
        (key(json!({ "algorithm": "HS256" })), "keys[0]: must have one of"),
        (
            key(json!({ "algorithm": "none", "secret": SECRET })),
            "keys[0].algorithm: unknown variant",
        ),
        (key(json!({ "secret": SECRET })), "keys[0]: `algorithm` is missing"),
        (
            key(json!({ "algorithm": "HS256", "secret": "short" })),
            "keys[0].secret: for HS256 it has",
        ),
        (
            key(json!({ "algorithm": "HS256", "secret": SECRET, "pem": pem })),
            "keys[0]: must have one of",
        ),
        (key(json!({ "algorithm": "RS256", "secret": SECRET })), "keys[0].secret: RS256 does not"),
        (key(json!({ "algorithm": "HS256", "pem": pem })), "keys[0].pem: HS256 uses a secret"),
        (key(json!({ "algorithm": "RS256", "pem": pem })), "keys[0].pem: is not a key for RS256"),
        (
            key(json!({ "algorithm": "ES256", "pem": "x" })),
            "keys[0].pem: holds no PUBLIC KEY and no CERTIFICATE",
        ),
        (key(json!({ "algorithm": "ES256", "pem": P256.private })), "keys[0].pem: is a private"),
        (
            key(json!({ "algorithm": "ES384", "jwk": P256.jwk("ES256", "a") })),
            "keys[0].jwk: none of the allowed",
        ),
        (
            key(json!({ "algorithm": "HS256", "secret_base64url": "+/" })),
            "keys[0].secret_base64url: is not",
        ),
        (json!({ "jwks_json": "{}" }), "jwks_json: not a JSON Web Key Set"),
        (json!({ "jwks_json": r#"{"keys":[]}"# }), "jwks_json: no key of the set"),
        (json!({ "jwks": { "upstream": "a", "path": "x" } }), "jwks.path: must begin with /"),
        (with("algorithms", json!(["HS256"])), "algorithms: HS is for secrets"),
        (with("algorithms", json!([])), "algorithms: at least one"),
        (with("leeway", json!("301s")), "leeway: at most 300s"),
        (with("leeway", json!(60)), "leeway: invalid type"),
        (with("issuer", json!("")), "issuer: must not be empty"),
        (with("audience", json!([])), "audience: must not be empty"),
        (with("token", json!({ "header": null })), "token.header: a token has to come from"),
        (with("scopes", json!({ "all_of": ["a b"] })), "scopes: a scope is"),
        (with("audiences", json!("x")), "audiences: unknown field `audiences`"),
    ];
    let two = json!({ "keys": [{ "secret": SECRET }, { "algorithm": "ES256", "pem": "x" }], "realm": "\"" });
    let error = Gateway::<Jwt>::try_new(two.to_string()).err().expect("it is refused").to_string();
    let ways: Vec<_> = error.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    assert_eq!(ways, ["realm", "keys[0]", "keys[1].pem"], "{error}");
    for (config, expected) in cases {
        let error = Gateway::<Jwt>::try_new(config.to_string()).err();
        let error = error.unwrap_or_else(|| panic!("{config} is accepted")).to_string();
        assert!(error.starts_with(expected), "{config}: {error}");
    }
}
