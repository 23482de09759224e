//! Signatures and digests, at the gateway's native speed and in constant time.

use crate::error::Error;
use crate::sys;

/// A signature algorithm by its JOSE name (RFC 7518, RFC 8037).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSA, PKCS #1 v1.5, SHA-256.
    Rs256,
    /// RSA, PKCS #1 v1.5, SHA-384.
    Rs384,
    /// RSA, PKCS #1 v1.5, SHA-512.
    Rs512,
    /// RSA, PSS, SHA-256.
    Ps256,
    /// RSA, PSS, SHA-384.
    Ps384,
    /// RSA, PSS, SHA-512.
    Ps512,
    /// ECDSA, P-256, SHA-256.
    Es256,
    /// ECDSA, P-384, SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

/// A key in the gateway's memory. Make it once: reading it costs more than using it.
pub struct Key {
    sys: sys::Key,
}

impl Key {
    /// Reads a JSON Web Key (RFC 7517).
    ///
    /// # Errors
    ///
    /// Not a key of a known type.
    pub fn from_jwk(jwk: &str) -> Result<Self, Error> {
        sys::Key::from_jwk(jwk).map(|sys| Self { sys }).map_err(Error::new)
    }

    /// Reads a key from PEM.
    ///
    /// # Errors
    ///
    /// Not a key of a known type.
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        sys::Key::from_pem(pem).map(|sys| Self { sys }).map_err(Error::new)
    }

    /// Takes the bytes of a shared secret: 16 to 1,048,576 of them.
    ///
    /// # Errors
    ///
    /// Too short to be one, or too long.
    pub fn from_secret(secret: &[u8]) -> Result<Self, Error> {
        sys::Key::from_secret(secret).map(|sys| Self { sys }).map_err(Error::new)
    }

    /// Whether `signature` is this key's over `message`; never with an algorithm of another kind
    /// of key, and with [`Algorithm::EdDsa`] only over up to 4 MiB.
    #[must_use]
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.sys.verify(algorithm, message, signature)
    }

    /// Signs `message`.
    ///
    /// # Errors
    ///
    /// A public key, or one of another kind than the algorithm's; with [`Algorithm::EdDsa`], more than
    /// 4 MiB.
    pub fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.sys.sign(algorithm, message).map_err(Error::new)
    }
}

/// The SHA-256 digest.
#[must_use]
pub fn sha256(data: &[u8]) -> [u8; 32] {
    sys::sha256(data).try_into().expect("a SHA-256 digest has 32 bytes")
}

/// Compares in a time that does not tell where the two differ.
#[must_use]
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    sys::equal(a, b)
}
