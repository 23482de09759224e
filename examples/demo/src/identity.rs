//! The identity provider: a signing key made at start, its JWKS, and tokens for whoever asks.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::services::{Answer, Question};

/// What tokens say of their origin and purpose; `tollgate.yaml` asks for the same.
const ISSUER: &str = "http://127.0.0.1:9004";
const AUDIENCE: &str = "demo";
const KEY_ID: &str = "demo-1";

pub(crate) struct IdentityProvider {
    key: EcdsaKeyPair,
}

impl IdentityProvider {
    pub(crate) fn new() -> Result<Self> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| anyhow!("cannot make a signing key"))?;
        Ok(Self { key })
    }

    pub(crate) fn answer(&self, question: &Question) -> Answer {
        match (&question.method, question.path.as_str()) {
            (&Method::GET, "/.well-known/jwks.json") => Answer::json(&self.jwks()),
            (&Method::POST, "/token") => match self.token(&question.query) {
                Ok(token) => Answer::text(StatusCode::OK, token),
                Err(fault) => Answer::text(StatusCode::BAD_REQUEST, format!("{fault:#}\n")),
            },
            _ => Answer::text(
                StatusCode::NOT_FOUND,
                "there is GET /.well-known/jwks.json and POST /token?sub=NAME\n",
            ),
        }
    }

    fn jwks(&self) -> Value {
        // An uncompressed point: the byte 4, then x and y of 32 bytes each (SEC 1 §2.3.3).
        let point = self.key.public_key().as_ref();
        json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": KEY_ID,
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]),
            "y": URL_SAFE_NO_PAD.encode(&point[33..65]),
        }] })
    }

    fn token(&self, query: &HashMap<String, String>) -> Result<String> {
        let subject = query.get("sub").context("say whose token: POST /token?sub=alice")?;
        let lifetime: u64 = match query.get("expires_in") {
            Some(text) => text.parse().context("expires_in is a number of seconds")?,
            None => 3600,
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is wrong")?;
        let mut claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": subject,
            "iat": now.as_secs(), "exp": now.as_secs().saturating_add(lifetime),
        });
        if let Some(scope) = query.get("scope") {
            claims["scope"] = scope.as_str().into();
        }
        self.sign(&claims)
    }

    fn sign(&self, claims: &Value) -> Result<String> {
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": KEY_ID });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let signature = self
            .key
            .sign(&SystemRandom::new(), signed.as_bytes())
            .map_err(|_| anyhow!("cannot sign"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
