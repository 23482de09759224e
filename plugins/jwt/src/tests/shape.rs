//! Texts that are no tokens, and tokens that have been changed.

use super::*;

#[test]
fn a_changed_payload_header_or_signature_is_refused() {
    let gateway = gateway(json!({}));
    let token = hs256(&claims());
    let parts: Vec<&str> = token.split('.').collect();
    let other = hs256(&with("sub", "root"));
    let other: Vec<&str> = other.split('.').collect();
    check_refused(&gateway, &format!("{}.{}.{}", parts[0], other[1], parts[2]));
    check_refused(&gateway, &format!("{}.{}.{}", parts[0], parts[1], other[2]));
    check_refused(&gateway, &format!("{}.{}.", parts[0], parts[1]));
    check_refused(&gateway, &format!("{}.{}.{}", parts[0], parts[1], &parts[2][..40]));
    let header = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"jwt"}"#);
    check_refused(&gateway, &format!("{header}.{}.{}", parts[1], parts[2]));
    let key = EncodingKey::from_secret(&[7; 64]);
    let foreign = jsonwebtoken::encode(&header_of_hs256(), &claims(), &key).expect("a token");
    check_refused(&gateway, &foreign);
}

fn header_of_hs256() -> Header {
    header("HS256", None)
}

#[test]
fn texts_that_are_no_tokens_are_refused() {
    let gateway = gateway(json!({}));
    let token = hs256(&claims());
    for text in [
        ".",
        "..",
        "...",
        "a.b.c",
        "!!.!!.!!",
        "a",
        "e30.e30.e30",
        &format!("{token}."),
        &format!("{token}="),
        &format!(".{token}"),
        &format!("{token} {token}"),
        "ü.ü.ü",
    ] {
        check_refused(&gateway, text);
    }
    for (header, claims) in [
        ("", "{}"),
        ("[]", "{}"),
        ("{}", "{}"),
        (r#"{"alg":7}"#, "{}"),
        (r#"{"alg":"HS256""#, "{}"),
        (r#"{"alg":"HS256"}"#, ""),
        (r#"{"alg":"HS256"}"#, "[]"),
        (r#"{"alg":"HS256"}"#, "7"),
        (r#"{"alg":"HS256"}"#, r#"{"exp":9999999999"#),
        (r#"{"alg":"HS256"}"#, r#"{"exp":9999999999} {}"#),
    ] {
        check_refused(&gateway, &with_header(header, claims));
    }
}

#[test]
fn a_member_that_stands_there_twice_is_refused() {
    let gateway = gateway(json!({}));
    let exp = format!(r#"{{"exp":{}}}"#, NOW + 600);
    check_accepted(&gateway, &with_header(r#"{"alg":"HS256"}"#, &exp));
    check_refused(&gateway, &with_header(r#"{"alg":"HS256","alg":"HS256"}"#, &exp));
    let twice = format!(r#"{{"exp":{0},"sub":"ann","s\u0075b":"root"}}"#, NOW + 600);
    check_refused(&gateway, &with_header(r#"{"alg":"HS256"}"#, &twice));
}

#[test]
fn crit_is_refused_whatever_it_says() {
    let gateway = gateway(json!({}));
    let claims = claims().to_string();
    for header in [
        r#"{"alg":"HS256","crit":["b64"],"b64":true}"#,
        r#"{"alg":"HS256","crit":["x"]}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        r#"{"alg":"HS256","crit":null}"#,
    ] {
        check_refused(&gateway, &with_header(header, &claims));
    }
}

#[test]
fn keys_in_the_token_are_never_followed() {
    let keys = json!([{ "algorithm": "ES256", "pem": P256.public }]);
    let gateway = Gateway::<Jwt>::new(json!({ "keys": keys }).to_string())
        .upstream(|_| panic!("nothing is fetched"));
    let pair = Pair::generate(&rcgen::PKCS_ECDSA_P256_SHA256);
    let mut header = header("ES256", None);
    header.jwk = serde_json::from_value(pair.jwk("ES256", "x")).expect("a JWK");
    header.jku = Some("https://evil.example/jwks".to_owned());
    header.x5u = Some("https://evil.example/x5u".to_owned());
    let token = jsonwebtoken::encode(&header, &claims(), &pair.encoding("ES256")).expect("a token");
    check_refused(&gateway, &token);
}

#[test]
fn a_token_above_8_kib_is_refused_and_one_below_is_not() {
    let gateway = gateway(json!({}));
    check_accepted(&gateway, &hs256(&with("pad", "x".repeat(5500))));
    check_refused(&gateway, &hs256(&with("pad", "x".repeat(6200))));
}
