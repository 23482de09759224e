//! The keys that tokens are verified with, each bound to its algorithms.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use tollgate_plugin::crypto;

use crate::algorithm::{Algorithm, Kind};
use crate::config;
use crate::jwk::{self, Jwk};

/// A key and what it may be used for.
pub(crate) struct Key {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    key: crypto::Key,
}

impl Key {
    /// Whether it may verify a token with this algorithm and `kid`.
    pub(crate) fn fits(&self, algorithm: Algorithm, kid: Option<&str>) -> bool {
        self.algorithms.contains(&algorithm)
            && match (kid, self.kid.as_deref()) {
                (Some(kid), Some(own)) => kid == own,
                _ => true,
            }
    }

    /// Whether the token's `kid` is this key's.
    pub(crate) fn is_called(&self, kid: &str) -> bool {
        self.kid.as_deref() == Some(kid)
    }

    pub(crate) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify(algorithm.into(), message, signature)
    }
}

/// The keys that stand in the configuration; what cannot be used is added to `faults`.
pub(crate) fn configured(config: &config::Jwt, faults: &mut Vec<String>) -> Vec<Key> {
    let mut keys = Vec::new();
    for (i, key) in config.keys.iter().enumerate() {
        match inline(key) {
            Ok(key) => keys.push(key),
            Err(why) => faults.push(format!("keys[{i}]{why}")),
        }
    }
    if let Some(json) = &config.jwks_json {
        match set(json.as_bytes(), &config.algorithms) {
            Ok(set) if set.is_empty() => {
                faults.push("jwks_json: no key of the set fits the allowed algorithms".to_owned())
            }
            Ok(set) => keys.extend(set),
            Err(why) => faults.push(format!("jwks_json: {why}")),
        }
    }
    keys
}

/// The keys of a set that may be used with one of `allowed`.
///
/// Secrets are passed over: a set is public, or on its way to becoming so.
pub(crate) fn set(json: &[u8], allowed: &[Algorithm]) -> Result<Vec<Key>, String> {
    let public = |jwk: &Jwk| jwk.kty != "oct";
    let read = |jwk: Jwk| {
        let algorithms = jwk.algorithms(allowed).ok()?;
        Some(Key { algorithms, key: public_key(&jwk).ok()?, kid: jwk.kid })
    };
    Ok(jwk::set(json)?.into_iter().filter(public).filter_map(read).collect())
}

/// The fault begins with the way to it from the key: `.pem: ..`, or `: ..` for the key itself.
fn inline(config: &config::Key) -> Result<Key, String> {
    let given = [
        config.secret.is_some(),
        config.secret_base64url.is_some(),
        config.pem.is_some(),
        config.jwk.is_some(),
    ];
    if given.into_iter().filter(|&given| given).count() != 1 {
        return Err(": must have one of secret, secret_base64url, pem and jwk".to_owned());
    }
    let own = config.jwk.as_ref().and_then(Jwk::own_algorithm);
    let algorithm = config.algorithm.or(own).ok_or(": `algorithm` is missing")?;
    let kid = config.kid.clone().or_else(|| config.jwk.as_ref().and_then(|jwk| jwk.kid.clone()));
    let key = if let Some(secret) = &config.secret {
        secret_key(secret.as_bytes(), algorithm).map_err(|why| format!(".secret: {why}"))?
    } else if let Some(secret) = &config.secret_base64url {
        let secret = base64url(secret).ok_or(".secret_base64url: is not base64url")?;
        secret_key(&secret, algorithm).map_err(|why| format!(".secret_base64url: {why}"))?
    } else if let Some(pem) = &config.pem {
        pem_key(pem, algorithm).map_err(|why| format!(".pem: {why}"))?
    } else if let Some(jwk) = &config.jwk {
        jwk.algorithms(&[algorithm]).map_err(|why| format!(".jwk: {why}"))?;
        if jwk.is_private() {
            return Err(".jwk: is a private key; the public one is enough".to_owned());
        }
        match &jwk.k {
            Some(secret) if jwk.kty == "oct" => {
                let secret = base64url(secret).ok_or(".jwk.k: is not base64url")?;
                secret_key(&secret, algorithm).map_err(|why| format!(".jwk.k: {why}"))?
            }
            _ => public_key(jwk).map_err(|why| format!(".jwk: {why}"))?,
        }
    } else {
        unreachable!("one of the four is given")
    };
    Ok(Key { kid, algorithms: vec![algorithm], key })
}

fn secret_key(secret: &[u8], algorithm: Algorithm) -> Result<crypto::Key, String> {
    if !algorithm.is_hmac() {
        return Err(format!("{} does not use a secret", algorithm.name()));
    }
    if secret.len() < algorithm.min_secret() {
        return Err(format!(
            "for {} it has at least {} bytes (RFC 7518 section 3.2); this has {}",
            algorithm.name(),
            algorithm.min_secret(),
            secret.len()
        ));
    }
    crypto::Key::from_secret(secret).map_err(|error| error.to_string())
}

fn public_key(jwk: &Jwk) -> Result<crypto::Key, String> {
    let json = serde_json::to_string(jwk).map_err(|error| error.to_string())?;
    crypto::Key::from_jwk(&json).map_err(|error| error.to_string())
}

/// A public key in PEM. Used as a secret it would be one that everybody knows.
fn pem_key(pem: &str, algorithm: Algorithm) -> Result<crypto::Key, String> {
    if algorithm.is_hmac() {
        return Err(format!("{} uses a secret, never a public key", algorithm.name()));
    }
    if pem.contains("PRIVATE KEY") {
        return Err("is a private key; the public one is enough".to_owned());
    }
    let is_there = |what: &str| pem.contains(&format!("-----BEGIN {what}-----"));
    if !is_there("PUBLIC KEY") && !is_there("CERTIFICATE") {
        return Err("holds no PUBLIC KEY and no CERTIFICATE".to_owned());
    }
    if let Some(kind) = pem_kind(pem)
        && kind != algorithm.kind()
    {
        return Err(format!("is not a key for {}", algorithm.name()));
    }
    crypto::Key::from_pem(pem).map_err(|error| error.to_string())
}

/// The kind of a `SubjectPublicKeyInfo`, by the object identifier at its head.
fn pem_kind(pem: &str) -> Option<Kind> {
    let body = pem.trim().strip_prefix("-----BEGIN PUBLIC KEY-----")?.split("-----").next()?;
    let body: String = body.split_ascii_whitespace().collect();
    let der = BASE64_STANDARD.decode(body).ok()?;
    let head = der.get(..32)?;
    let holds = |id: &[u8]| head.windows(id.len()).any(|window| window == id);
    let kinds: [(&[u8], Kind); 4] = [
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01], Kind::Rsa),
        (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], Kind::P256),
        (&[0x2b, 0x81, 0x04, 0x00, 0x22], Kind::P384),
        (&[0x06, 0x03, 0x2b, 0x65, 0x70], Kind::Ed25519),
    ];
    kinds.into_iter().find(|(id, _)| holds(id)).map(|(_, kind)| kind)
}

fn base64url(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}
