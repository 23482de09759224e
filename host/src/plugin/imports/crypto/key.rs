//! One key: what it may verify and sign is fixed by its kind, whatever a token claims.

use aws_lc_rs::{
    constant_time, digest, hmac,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, ParsedPublicKey, RsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls::pki_types::{
    CertificateDer, PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer, pem::PemObject,
};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::message::{Intake, MAX_WHOLE, Message, PIECE};
use crate::plugin::bindings::tollgate::plugin::crypto::Algorithm;

/// Shortest secret, in bytes: 128 bits (RFC 7518 §3.2 wants the digest's length; many issuers
/// give less).
const MIN_SECRET: usize = 16;

/// Longest secret, in bytes: each signature digests it anew.
const MAX_SECRET: usize = PIECE;

/// A key of a plugin's.
#[expect(unreachable_pub, reason = "generated bindings re-export it")]
pub struct Key(Kind);

enum Kind {
    Secret(Zeroizing<Vec<u8>>),
    Rsa(Public),
    /// Bits of the curve.
    Ec(u16, Public),
    Ed25519(Public),
    RsaPair(Box<RsaKeyPair>),
    EcPair(u16, Box<EcdsaKeyPair>),
    Ed25519Pair(Box<Ed25519KeyPair>),
}

/// A public key, parsed once for each algorithm that it is used with.
struct Public {
    bytes: Vec<u8>,
    parsed: Vec<(Algorithm, ParsedPublicKey)>,
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
    pub(super) fn from_secret(secret: Vec<u8>) -> Result<Self, String> {
        if secret.len() < MIN_SECRET {
            return Err(format!("a secret has at least {MIN_SECRET} bytes"));
        }
        if secret.len() > MAX_SECRET {
            return Err(format!("a secret has at most {MAX_SECRET} bytes"));
        }
        Ok(Self(Kind::Secret(Zeroizing::new(secret))))
    }

    /// A JWK (RFC 7517): `oct`, `RSA`, `EC` with P-256 or P-384, `OKP` with Ed25519. Private parts
    /// are not read.
    pub(super) fn from_jwk(jwk: &str) -> Result<Self, String> {
        let jwk: Jwk = serde_json::from_str(jwk).map_err(|error| format!("not a JWK: {error}"))?;
        match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("oct", _) => Self::from_secret(member(jwk.k, "k")?),
            ("RSA", _) => {
                let components = signature::RsaPublicKeyComponents {
                    n: member(jwk.n, "n")?,
                    e: member(jwk.e, "e")?,
                };
                // The verification refuses other sizes too, but only once a token comes.
                if !(256..=1024).contains(&components.n.len()) {
                    return Err("not an RSA key of 2048 to 8192 bits".into());
                }
                let key = components
                    .to_parsed_public_key(&signature::RSA_PKCS1_2048_8192_SHA256)
                    .map_err(|_| "not an RSA key of 2048 to 8192 bits".to_owned())?;
                Self::rsa(key.as_ref().to_vec())
            }
            ("EC", Some("P-256")) => Self::ec(256, point(jwk, 32)?),
            ("EC", Some("P-384")) => Self::ec(384, point(jwk, 48)?),
            ("OKP", Some("Ed25519")) => Self::ed25519(member(jwk.x, "x")?),
            (kty, crv) => Err(format!("keys of type {kty} {} are not known", crv.unwrap_or(""))),
        }
    }

    /// A public key (`PUBLIC KEY`), a certificate, or a private key (`PRIVATE KEY`, PKCS #8).
    pub(super) fn from_pem(pem: &str) -> Result<Self, String> {
        let pem = pem.as_bytes();
        if let Ok(key) = SubjectPublicKeyInfoDer::from_pem_slice(pem) {
            return Self::from_spki(&key);
        }
        if let Ok(key) = PrivatePkcs8KeyDer::from_pem_slice(pem) {
            return Self::from_pkcs8(key.secret_pkcs8_der());
        }
        if let Ok(certificate) = CertificateDer::from_pem_slice(pem) {
            let (_, parsed) = x509_parser::parse_x509_certificate(&certificate)
                .map_err(|error| format!("not a certificate: {error}"))?;
            return Self::from_spki(parsed.public_key().raw);
        }
        Err("no PUBLIC KEY, PRIVATE KEY (PKCS #8) or CERTIFICATE in the PEM text".into())
    }

    /// The kind is found by trying: each algorithm takes only keys of its own.
    fn from_spki(spki: &[u8]) -> Result<Self, String> {
        Self::rsa(spki.to_vec())
            .or_else(|_| Self::ec(256, spki.to_vec()))
            .or_else(|_| Self::ec(384, spki.to_vec()))
            .or_else(|_| Self::ed25519(spki.to_vec()))
            .map_err(|_| "neither RSA, P-256, P-384 nor Ed25519".into())
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, String> {
        let p256 = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let p384 = &signature::ECDSA_P384_SHA384_FIXED_SIGNING;
        if let Ok(pair) = RsaKeyPair::from_pkcs8(der) {
            return Ok(Self(Kind::RsaPair(Box::new(pair))));
        }
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(p256, der) {
            return Ok(Self(Kind::EcPair(256, Box::new(pair))));
        }
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(p384, der) {
            return Ok(Self(Kind::EcPair(384, Box::new(pair))));
        }
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)
            .map_err(|_| "neither RSA, P-256, P-384 nor Ed25519".to_owned())?;
        Ok(Self(Kind::Ed25519Pair(Box::new(pair))))
    }

    fn rsa(bytes: Vec<u8>) -> Result<Self, String> {
        Public::new(bytes, Algorithm::Rs256).map(|key| Self(Kind::Rsa(key)))
    }

    fn ec(bits: u16, bytes: Vec<u8>) -> Result<Self, String> {
        let algorithm = if bits == 256 { Algorithm::Es256 } else { Algorithm::Es384 };
        Public::new(bytes, algorithm).map(|key| Self(Kind::Ec(bits, key)))
    }

    fn ed25519(bytes: Vec<u8>) -> Result<Self, String> {
        Public::new(bytes, Algorithm::Eddsa).map(|key| Self(Kind::Ed25519(key)))
    }

    /// Bytes that it takes and that have no bound of their own.
    pub(super) fn held(&self) -> usize {
        match &self.0 {
            Kind::Secret(secret) => secret.len(),
            Kind::Rsa(_)
            | Kind::Ec(..)
            | Kind::Ed25519(_)
            | Kind::RsaPair(_)
            | Kind::EcPair(..)
            | Kind::Ed25519Pair(_) => 0,
        }
    }

    /// How a message is taken in for a signature of this key's; `None`: the key is not one that the
    /// algorithm is for.
    pub(super) fn intake(&self, algorithm: Algorithm) -> Option<Intake> {
        use Algorithm::{Eddsa, Es256, Es384, Hs256, Hs384, Hs512};
        Some(match (&self.0, algorithm) {
            (Kind::Secret(secret), Hs256 | Hs384 | Hs512) => {
                Intake::tag(&hmac_key(algorithm, secret))
            }
            (Kind::Rsa(_) | Kind::RsaPair(_), _) => Intake::digest(rsa_digest(algorithm)?),
            (Kind::Ec(256, _) | Kind::EcPair(256, _), Es256) => Intake::digest(&digest::SHA256),
            (Kind::Ec(384, _) | Kind::EcPair(384, _), Es384) => Intake::digest(&digest::SHA384),
            (Kind::Ed25519(_) | Kind::Ed25519Pair(_), Eddsa) => Intake::Whole,
            _ => return None,
        })
    }

    /// Whether `signature` is this key's over what [`Self::intake`] for the same algorithm took in.
    pub(super) fn verify(
        &mut self,
        algorithm: Algorithm,
        message: &Message<'_>,
        signature: &[u8],
    ) -> bool {
        match &mut self.0 {
            Kind::Secret(_) => is_tag(message, signature),
            Kind::Rsa(key) | Kind::Ec(_, key) | Kind::Ed25519(key) => {
                key.verify(algorithm, message, signature)
            }
            Kind::RsaPair(pair) => {
                verify_with(pair.public_key().as_ref(), algorithm, message, signature)
            }
            Kind::EcPair(_, pair) => {
                verify_with(pair.public_key().as_ref(), algorithm, message, signature)
            }
            Kind::Ed25519Pair(pair) => {
                verify_with(pair.public_key().as_ref(), algorithm, message, signature)
            }
        }
    }

    /// Signs what [`Self::intake`] for the same algorithm took in.
    pub(super) fn sign(
        &self,
        algorithm: Algorithm,
        message: &Message<'_>,
    ) -> Result<Vec<u8>, String> {
        let failed = |_| "the key could not sign".to_owned();
        match (&self.0, message) {
            (Kind::Secret(_), Message::Tag(tag)) => Ok(tag.as_ref().to_vec()),
            (Kind::RsaPair(pair), Message::Digest(digest)) => {
                let padding = rsa_signing(algorithm).ok_or_else(|| wrong_kind(algorithm))?;
                let mut signed = vec![0; pair.public_modulus_len()];
                pair.sign_digest(padding, digest, &mut signed).map_err(failed)?;
                Ok(signed)
            }
            (Kind::EcPair(_, pair), Message::Digest(digest)) => {
                Ok(pair.sign_digest(digest).map_err(failed)?.as_ref().to_vec())
            }
            (Kind::Ed25519Pair(_), Message::Whole(message)) if message.len() > MAX_WHOLE => {
                Err(format!("EdDSA signs at most {MAX_WHOLE} bytes"))
            }
            (Kind::Ed25519Pair(pair), Message::Whole(message)) => {
                Ok(pair.sign(message).as_ref().to_vec())
            }
            _ => Err(wrong_kind(algorithm)),
        }
    }
}

pub(super) fn wrong_kind(algorithm: Algorithm) -> String {
    format!("the key is not one that signs with {algorithm:?}")
}

impl Public {
    /// # Errors
    ///
    /// `bytes` are no key for `algorithm`.
    fn new(bytes: Vec<u8>, algorithm: Algorithm) -> Result<Self, String> {
        let mut key = Self { bytes, parsed: Vec::new() };
        key.parsed(algorithm).ok_or("not a key of this kind")?;
        Ok(key)
    }

    fn verify(&mut self, algorithm: Algorithm, message: &Message<'_>, signature: &[u8]) -> bool {
        self.parsed(algorithm).is_some_and(|key| is_signature(key, message, signature))
    }

    fn parsed(&mut self, algorithm: Algorithm) -> Option<&ParsedPublicKey> {
        let known = self.parsed.iter().position(|(known, _)| *known == algorithm);
        let index = match known {
            Some(index) => index,
            None => {
                let key = ParsedPublicKey::new(verification(algorithm)?, &self.bytes).ok()?;
                self.parsed.push((algorithm, key));
                self.parsed.len() - 1
            }
        };
        Some(&self.parsed[index].1)
    }
}

fn verify_with(
    public: &[u8],
    algorithm: Algorithm,
    message: &Message<'_>,
    signature: &[u8],
) -> bool {
    verification(algorithm)
        .and_then(|algorithm| ParsedPublicKey::new(algorithm, public).ok())
        .is_some_and(|key| is_signature(&key, message, signature))
}

fn is_signature(key: &ParsedPublicKey, message: &Message<'_>, signature: &[u8]) -> bool {
    match message {
        Message::Digest(digest) => key.verify_digest_sig(digest, signature).is_ok(),
        Message::Whole(message) => {
            message.len() <= MAX_WHOLE && key.verify_sig(message, signature).is_ok()
        }
        Message::Tag(_) => false,
    }
}

fn is_tag(message: &Message<'_>, signature: &[u8]) -> bool {
    let Message::Tag(tag) = message else { return false };
    constant_time::verify_slices_are_equal(tag.as_ref(), signature).is_ok()
}

fn verification(algorithm: Algorithm) -> Option<&'static dyn signature::VerificationAlgorithm> {
    Some(match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
        Algorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
        Algorithm::Eddsa => &signature::ED25519,
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => return None,
    })
}

fn rsa_digest(algorithm: Algorithm) -> Option<&'static digest::Algorithm> {
    match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 => Some(&digest::SHA256),
        Algorithm::Rs384 | Algorithm::Ps384 => Some(&digest::SHA384),
        Algorithm::Rs512 | Algorithm::Ps512 => Some(&digest::SHA512),
        _ => None,
    }
}

fn rsa_signing(algorithm: Algorithm) -> Option<&'static dyn signature::RsaEncoding> {
    Some(match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_SHA512,
        _ => return None,
    })
}

fn hmac_key(algorithm: Algorithm, secret: &[u8]) -> hmac::Key {
    let digest = match algorithm {
        Algorithm::Hs384 => hmac::HMAC_SHA384,
        Algorithm::Hs512 => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    };
    hmac::Key::new(digest, secret)
}

fn member(value: Option<String>, name: &str) -> Result<Vec<u8>, String> {
    let value = value.ok_or_else(|| format!("the JWK has no `{name}`"))?;
    URL_SAFE_NO_PAD.decode(value).map_err(|_| format!("`{name}` of the JWK is not base64url"))
}

/// An uncompressed point (SEC 1 §2.3.3); coordinates have their full length (RFC 7518 §6.2.1.2).
fn point(jwk: Jwk, length: usize) -> Result<Vec<u8>, String> {
    let (x, y) = (member(jwk.x, "x")?, member(jwk.y, "y")?);
    if x.len() != length || y.len() != length {
        return Err(format!("coordinates of this curve have {length} bytes"));
    }
    Ok([&[4], x.as_slice(), &y].concat())
}

#[cfg(test)]
mod tests;
