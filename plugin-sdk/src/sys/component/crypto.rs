//! Keys, signatures, digests.

use super::bindings::tollgate::plugin::crypto;
use crate::crypto::Algorithm;

pub(crate) struct Key(crypto::Key);

impl Key {
    pub(crate) fn from_jwk(jwk: &str) -> Result<Self, String> {
        crypto::Key::from_jwk(jwk).map(Self)
    }
    pub(crate) fn from_pem(pem: &str) -> Result<Self, String> {
        crypto::Key::from_pem(pem).map(Self)
    }
    pub(crate) fn from_secret(secret: &[u8]) -> Result<Self, String> {
        crypto::Key::from_secret(secret).map(Self)
    }
    pub(crate) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify(algorithm.into(), message, signature)
    }
    pub(crate) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, String> {
        self.0.sign(algorithm.into(), message)
    }
}

impl From<Algorithm> for crypto::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Hs256 => Self::Hs256,
            Algorithm::Hs384 => Self::Hs384,
            Algorithm::Hs512 => Self::Hs512,
            Algorithm::Rs256 => Self::Rs256,
            Algorithm::Rs384 => Self::Rs384,
            Algorithm::Rs512 => Self::Rs512,
            Algorithm::Ps256 => Self::Ps256,
            Algorithm::Ps384 => Self::Ps384,
            Algorithm::Ps512 => Self::Ps512,
            Algorithm::Es256 => Self::Es256,
            Algorithm::Es384 => Self::Es384,
            Algorithm::EdDsa => Self::Eddsa,
        }
    }
}

pub(crate) fn sha256(data: &[u8]) -> Vec<u8> {
    crypto::sha256(data)
}

pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    crypto::equal(a, b)
}
