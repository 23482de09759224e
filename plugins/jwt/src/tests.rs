use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use tollgate_plugin::http::CallError;
use tollgate_plugin::telemetry::Level;
use tollgate_plugin::testing::{Exchange, Gateway, Request};
use tollgate_plugin::{Error, Response};

use crate::Jwt;

/// 64 bytes: long enough for all three digests.
const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const CHALLENGE: &str = r#"Bearer realm="tollgate", error="invalid_token", error_description="The access token is not valid""#;

static RSA: LazyLock<Pair> = LazyLock::new(|| {
    let pair = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048);
    Pair::new(&pair.expect("a key"))
});
static P256: LazyLock<Pair> = LazyLock::new(|| Pair::generate(&rcgen::PKCS_ECDSA_P256_SHA256));
static P384: LazyLock<Pair> = LazyLock::new(|| Pair::generate(&rcgen::PKCS_ECDSA_P384_SHA384));
static ED25519: LazyLock<Pair> = LazyLock::new(|| Pair::generate(&rcgen::PKCS_ED25519));

/// A key pair in PEM.
struct Pair {
    private: String,
    public: String,
}

impl Pair {
    fn generate(algorithm: &'static rcgen::SignatureAlgorithm) -> Self {
        Self::new(&rcgen::KeyPair::generate_for(algorithm).expect("a key"))
    }

    fn new(pair: &rcgen::KeyPair) -> Self {
        Self { private: pair.serialize_pem(), public: pair.public_key_pem() }
    }

    fn encoding(&self, algorithm: &str) -> EncodingKey {
        let pem = self.private.as_bytes();
        match &algorithm[..2] {
            "RS" | "PS" => EncodingKey::from_rsa_pem(pem),
            "ES" => EncodingKey::from_ec_pem(pem),
            _ => EncodingKey::from_ed_pem(pem),
        }
        .expect("a private key")
    }

    /// The public key as a JWK with this `kid`, and with `alg`.
    fn jwk(&self, algorithm: &str, kid: &str) -> Value {
        if algorithm == "EdDSA" {
            let body: String = self.public.lines().filter(|line| !line.contains('-')).collect();
            let der = BASE64_STANDARD.decode(body).expect("PEM");
            let x = BASE64_URL_SAFE_NO_PAD.encode(&der[der.len() - 32..]);
            return json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "alg": "EdDSA" });
        }
        let named = algorithm.parse().expect("an algorithm");
        let jwk = Jwk::from_encoding_key(&self.encoding(algorithm), named).expect("a JWK");
        let mut jwk = serde_json::to_value(jwk).expect("JSON");
        jwk["kid"] = kid.into();
        jwk["use"] = "sig".into();
        jwk
    }
}

/// The key pair of an algorithm.
fn pair(algorithm: &str) -> &'static Pair {
    match algorithm {
        "ES256" => &P256,
        "ES384" => &P384,
        "EdDSA" => &ED25519,
        _ => &RSA,
    }
}

/// 2026-01-01T00:00:00Z, where the test gateway's clock stands.
const NOW: u64 = 1_767_225_600;

fn claims() -> Value {
    json!({
        "sub": "ann", "iss": "https://idp.example", "aud": "orders", "exp": NOW + 600,
        "scope": "read write", "level": 7,
    })
}

fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims();
    claims[name] = value.into();
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

fn header(algorithm: &str, kid: Option<&str>) -> Header {
    let mut header = Header::new(algorithm.parse().expect("an algorithm"));
    header.kid = kid.map(str::to_owned);
    header
}

fn hs256(claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&header("HS256", None), claims, &key).expect("a token")
}

fn signed(algorithm: &str, kid: Option<&str>, claims: &Value) -> String {
    let key = pair(algorithm).encoding(algorithm);
    jsonwebtoken::encode(&header(algorithm, kid), claims, &key).expect("a token")
}

/// A token with this header, with a signature that fits the secret.
fn with_header(header: &str, claims: &str) -> String {
    let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", encode(header), encode(claims));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature =
        jsonwebtoken::crypto::sign(message.as_bytes(), &key, jsonwebtoken::Algorithm::HS256);
    format!("{message}.{}", signature.expect("a signature"))
}

fn gateway(more: Value) -> Gateway<Jwt> {
    let mut config = json!({ "keys": [{ "algorithm": "HS256", "secret": SECRET }] });
    let more = more.as_object().expect("an object").clone();
    config.as_object_mut().expect("an object").extend(more);
    Gateway::new(config.to_string())
}

fn send(gateway: &Gateway<Jwt>, token: &str) -> Exchange<Jwt> {
    gateway.request(Request::get("/").header("authorization", &format!("Bearer {token}")))
}

#[track_caller]
fn check_accepted(gateway: &Gateway<Jwt>, token: &str) {
    assert_eq!(send(gateway, token).status(), None);
}

#[track_caller]
fn check_refused(gateway: &Gateway<Jwt>, token: &str) {
    let exchange = send(gateway, token);
    assert_eq!(exchange.status(), Some(401));
    assert_eq!(exchange.answer_header("www-authenticate").as_deref(), Some(CHALLENGE));
    assert!(exchange.answer_text().contains("https://tollgate.dev/problems/unauthorized"));
}

/// An upstream that answers with what stands in the cell, and counts.
fn jwks_gateway(
    set: &Rc<RefCell<Result<Value, CallError>>>,
    more: Value,
) -> (Gateway<Jwt>, Rc<Cell<u32>>) {
    let calls = Rc::new(Cell::new(0));
    let mut config = json!({ "jwks": { "upstream": "idp", "path": "/jwks.json" } });
    let more = more.as_object().expect("an object").clone();
    config.as_object_mut().expect("an object").extend(more);
    let gateway = Gateway::new(config.to_string()).upstream({
        let (set, calls) = (Rc::clone(set), Rc::clone(&calls));
        move |call| {
            assert_eq!((call.upstream.as_str(), call.target.as_str()), ("idp", "/jwks.json"));
            calls.set(calls.get() + 1);
            set.borrow().clone().map(|set| Response::new(200).with_body(set.to_string()))
        }
    });
    (gateway, calls)
}

fn shared(set: Value) -> Rc<RefCell<Result<Value, CallError>>> {
    Rc::new(RefCell::new(Ok(set)))
}

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

#[test]
fn a_claim_that_no_header_can_have_fails_closed() {
    let gateway = gateway(json!({ "headers": { "x-user": "sub" } }));
    let token = format!("Bearer {}", hs256(&with("sub", "a\r\nx-admin: 1")));
    let request = Request::get("/").header("authorization", &token);
    let error: Error = gateway.try_request(request).err().expect("a failure");
    assert!(error.to_string().contains("x-user"), "{error}");
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
