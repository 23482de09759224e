//! What all tests of the plugin need.

mod algorithms;
mod claims;
mod configuration;
mod fetched;
mod passage;
mod remembered;
mod shape;
mod shared;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use tollgate_plugin::Response;
use tollgate_plugin::http::CallError;
use tollgate_plugin::telemetry::Level;
use tollgate_plugin::testing::{Exchange, Gateway, Request};

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
