//! Real cryptography for native tests, by the library that the gateway uses.

use aws_lc_rs::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use aws_lc_rs::{constant_time, digest, hmac, rsa};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;

use crate::crypto::Algorithm;

/// How many bytes a secret has, as the gateway wants it.
const SECRET: std::ops::RangeInclusive<usize> = 16..=1 << 20;

/// Longest message that the gateway verifies by EdDSA, in bytes.
const MAX_EDDSA: usize = 4 << 20;

pub(crate) enum Key {
    Secret(Vec<u8>),
    /// Modulus and exponent.
    Rsa(Vec<u8>, Vec<u8>),
    /// SubjectPublicKeyInfo of an RSA key.
    RsaInfo(Vec<u8>),
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    k: Option<String>,
}

impl Key {
    pub(crate) fn from_jwk(jwk: &str) -> Result<Self, String> {
        let jwk: Jwk = serde_json::from_str(jwk).map_err(|error| error.to_string())?;
        let bytes = |member: &Option<String>| {
            let text = member.as_deref().ok_or("a member is missing")?;
            BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| "a member is not base64url")
        };
        let point = || Ok::<_, String>([vec![4], bytes(&jwk.x)?, bytes(&jwk.y)?].concat());
        Ok(match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("oct", _) => Self::from_secret(&bytes(&jwk.k)?)?,
            ("RSA", _) => Self::Rsa(bytes(&jwk.n)?, bytes(&jwk.e)?),
            ("EC", Some("P-256")) => Self::P256(point()?),
            ("EC", Some("P-384")) => Self::P384(point()?),
            ("OKP", Some("Ed25519")) => Self::Ed25519(bytes(&jwk.x)?),
            _ => return Err("not a known type of key".to_owned()),
        })
    }

    pub(crate) fn from_pem(pem: &str) -> Result<Self, String> {
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        if !pem.contains("BEGIN PUBLIC KEY") {
            return Err("not a public key in PEM".to_owned());
        }
        let der = BASE64_STANDARD.decode(body.trim()).map_err(|error| error.to_string())?;
        let holds = |id: &[u8]| der.windows(id.len()).take(40).any(|window| window == id);
        Ok(if holds(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01]) {
            Self::RsaInfo(der)
        } else if holds(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]) {
            Self::P256(der)
        } else if holds(&[0x2b, 0x81, 0x04, 0x00, 0x22]) {
            Self::P384(der)
        } else if holds(&[0x2b, 0x65, 0x70]) {
            Self::Ed25519(der[der.len().saturating_sub(32)..].to_vec())
        } else {
            return Err("not a known type of key".to_owned());
        })
    }

    pub(crate) fn from_secret(secret: &[u8]) -> Result<Self, String> {
        if !SECRET.contains(&secret.len()) {
            return Err(format!("a secret has {} to {} bytes", SECRET.start(), SECRET.end()));
        }
        Ok(Self::Secret(secret.to_vec()))
    }

    pub(crate) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        use Algorithm::{
            EdDsa, Es256, Es384, Hs256, Hs384, Hs512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512,
        };
        if let Self::Secret(secret) = self {
            return hash(algorithm).is_some_and(|hash| {
                hmac::verify(&hmac::Key::new(hash, secret), message, signature).is_ok()
            });
        }
        let parameters: &'static signature::RsaParameters = match algorithm {
            Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
            Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
            Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
            Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
            Es256 | Es384 | EdDsa => {
                let verify = |algorithm: &'static dyn signature::VerificationAlgorithm, key| {
                    UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
                };
                return match (algorithm, self) {
                    (Es256, Self::P256(key)) => verify(&signature::ECDSA_P256_SHA256_FIXED, key),
                    (Es384, Self::P384(key)) => verify(&signature::ECDSA_P384_SHA384_FIXED, key),
                    (EdDsa, Self::Ed25519(_)) if message.len() > MAX_EDDSA => false,
                    (EdDsa, Self::Ed25519(key)) => verify(&signature::ED25519, key),
                    _ => false,
                };
            }
            Hs256 | Hs384 | Hs512 => return false,
        };
        match self {
            Self::Rsa(n, e) => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }
            Self::RsaInfo(der) => rsa::PublicKey::from_der(der).is_ok_and(|key| {
                UnparsedPublicKey::new(parameters, key.as_ref()).verify(message, signature).is_ok()
            }),
            _ => false,
        }
    }

    pub(crate) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, String> {
        match (self, hash(algorithm)) {
            (Self::Secret(secret), Some(hash)) => {
                Ok(hmac::sign(&hmac::Key::new(hash, secret), message).as_ref().to_vec())
            }
            _ => Err("the stand-in signs with secrets only".to_owned()),
        }
    }
}

fn hash(algorithm: Algorithm) -> Option<hmac::Algorithm> {
    match algorithm {
        Algorithm::Hs256 => Some(hmac::HMAC_SHA256),
        Algorithm::Hs384 => Some(hmac::HMAC_SHA384),
        Algorithm::Hs512 => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}

pub(crate) fn sha256(data: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, data).as_ref().to_vec()
}

pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}
