//! JSON Web Tokens and the keys that sign them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use serde_json::{Value, json};

/// A secret that is long enough for HS256.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A key that signs, and what the world may know of it.
pub struct Signer {
    pub algorithm: Algorithm,
    pub kid: String,
    key: EncodingKey,
    /// PEM of the public key; empty for a secret.
    pub public_pem: String,
}

impl Signer {
    /// HS256 with [`SECRET`].
    #[must_use]
    pub fn hs256(kid: &str) -> Self {
        Self::hmac(kid, SECRET.as_bytes())
    }

    /// HS256 with any bytes, such as somebody's public key.
    #[must_use]
    pub fn hmac(kid: &str, secret: &[u8]) -> Self {
        let key = EncodingKey::from_secret(secret);
        Self { algorithm: Algorithm::HS256, kid: kid.to_owned(), key, public_pem: String::new() }
    }

    /// A new key for ES256.
    #[must_use]
    pub fn es256(kid: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap();
        let public_pem = pair.public_key_pem();
        Self { algorithm: Algorithm::ES256, kid: kid.to_owned(), key, public_pem }
    }

    /// A new key for RS256.
    #[must_use]
    pub fn rs256(kid: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap();
        let public_pem = pair.public_key_pem();
        Self { algorithm: Algorithm::RS256, kid: kid.to_owned(), key, public_pem }
    }

    /// A token with these claims.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.kid.clone());
        encode(&header, claims, &self.key).expect("the key signs")
    }

    /// The public key as a JSON Web Key.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.key, self.algorithm).expect("a public key");
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }
}

/// Claims that hold for an hour, with more or other ones.
#[must_use]
pub fn claims(more: &Value) -> Value {
    let mut claims = json!({ "sub": "ann", "aud": "orders", "exp": in_seconds(3600) });
    for (name, value) in more.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims
}

/// A moment in seconds since the epoch, so many from now.
#[must_use]
pub fn in_seconds(seconds: i64) -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap() + seconds
}

/// A token with any header and a signature of any bytes.
#[must_use]
pub fn forged(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let (header, claims) = (header.to_string(), claims.to_string());
    format!("{}.{}.{}", part(header.as_bytes()), part(claims.as_bytes()), part(signature))
}
