//! Keys, tokens and the server's certificate, new in each call, below `target/bench/keys`.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Error, Result, anyhow};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};
use aws_lc_rs::{error::Unspecified, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

pub(crate) const SUBJECT: &str = "user-1234567890";
/// 32 bytes in plain letters, because HAProxy has it in its configuration.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// How a token is signed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Hs256,
    Rs256,
    Es256,
}

/// One token for each algorithm; the keys are in files.
pub(crate) struct Tokens {
    tokens: [String; 3],
}

impl Algorithm {
    pub(crate) const ALL: [Self; 3] = [Self::Hs256, Self::Rs256, Self::Es256];

    /// As tokens name it.
    pub(crate) fn upper(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }

    /// As rows and files name it.
    pub(crate) fn lower(self) -> &'static str {
        match self {
            Self::Hs256 => "hs256",
            Self::Rs256 => "rs256",
            Self::Es256 => "es256",
        }
    }
}

impl Tokens {
    pub(crate) fn make(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        write_certificate(folder)?;
        Ok(Self { tokens: [hs256(folder)?, rs256(folder)?, es256(folder)?] })
    }

    pub(crate) fn of(&self, algorithm: Algorithm) -> &str {
        &self.tokens[algorithm as usize]
    }
}

fn hs256(folder: &Path) -> Result<String> {
    let jwk = json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode(SECRET) });
    write(folder, "hs256.secret", SECRET)?;
    write_jwks(folder, Algorithm::Hs256, jwk)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    token(Algorithm::Hs256, |text| Ok(hmac::sign(&key, text).as_ref().to_vec()))
}

fn rs256(folder: &Path) -> Result<String> {
    let key = RsaKeyPair::generate(KeySize::Rsa2048).map_err(refused)?;
    write_public_key(folder, Algorithm::Rs256, &key.public_key().as_der().map_err(refused)?)?;
    // RSAPublicKey (RFC 8017 A.1.1) of 2048 bits: 9 bytes of heads, n, 2 bytes of head, e.
    let sequence = key.public_key().as_ref();
    let (n, e) = (&sequence[9..265], &sequence[267..]);
    let encode = |bytes| URL_SAFE_NO_PAD.encode(bytes);
    write_jwks(folder, Algorithm::Rs256, json!({ "kty": "RSA", "n": encode(n), "e": encode(e) }))?;
    token(Algorithm::Rs256, |text| {
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature)?;
        Ok(signature)
    })
}

fn es256(folder: &Path) -> Result<String> {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(refused)?;
    let der = AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()).map_err(refused)?;
    write_public_key(folder, Algorithm::Es256, &der)?;
    // An uncompressed point: the byte 4, x, y (SEC 1 §2.3.3).
    let point = key.public_key().as_ref();
    let encode = |bytes| URL_SAFE_NO_PAD.encode(bytes);
    let (x, y) = (encode(&point[1..33]), encode(&point[33..65]));
    write_jwks(folder, Algorithm::Es256, json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y }))?;
    token(Algorithm::Es256, |text| Ok(key.sign(&SystemRandom::new(), text)?.as_ref().to_vec()))
}

fn token(
    algorithm: Algorithm,
    sign: impl Fn(&[u8]) -> Result<Vec<u8>, Unspecified>,
) -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is wrong")?;
    let header = json!({ "alg": algorithm.upper(), "typ": "JWT", "kid": algorithm.lower() });
    let claims = json!({
        "iss": "https://issuer.example.com", "sub": SUBJECT, "aud": "api-gateway",
        "iat": now.as_secs(), "exp": now.as_secs() + 7 * 86_400,
        "jti": "6f1ed002-ab55-4f11-8d9a-4a3f9f1f7a42",
        "scope": "read:items write:items", "tenant": "acme",
    });
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&header), encode(&claims));
    let signature = sign(signed.as_bytes()).map_err(refused)?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn write_jwks(folder: &Path, algorithm: Algorithm, mut jwk: Value) -> Result<()> {
    jwk["alg"] = algorithm.upper().into();
    jwk["kid"] = algorithm.lower().into();
    let name = format!("{}.jwks", algorithm.lower());
    write(folder, &name, &json!({ "keys": [jwk] }).to_string())
}

fn write_public_key(folder: &Path, algorithm: Algorithm, der: &PublicKeyX509Der<'_>) -> Result<()> {
    let base64 = STANDARD.encode(der.as_ref());
    let lines: Vec<&str> = (0..base64.len())
        .step_by(64)
        .map(|start| &base64[start..base64.len().min(start + 64)])
        .collect();
    let pem =
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"));
    write(folder, &format!("{}.pub", algorithm.lower()), &pem)
}

fn write_certificate(folder: &Path) -> Result<()> {
    let made = rcgen::generate_simple_self_signed(["localhost".into(), "127.0.0.1".into()])
        .context("cannot make a certificate")?;
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    write(folder, "server.pem", &certificate)?;
    write(folder, "server.key", &key)?;
    // HAProxy wants both in one file.
    write(folder, "server-with-key.pem", &format!("{certificate}{key}"))
}

fn write(folder: &Path, name: &str, text: &str) -> Result<()> {
    let path = folder.join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn refused(_: Unspecified) -> Error {
    anyhow!("the cryptographic library refuses to make a key or a signature")
}
