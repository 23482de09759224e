//! In the place of cryptography, where the test's build has none.

use crate::crypto::Algorithm;

pub(crate) enum Key {}

impl Key {
    pub(crate) fn from_jwk(_: &str) -> Result<Self, String> {
        no_crypto()
    }
    pub(crate) fn from_pem(_: &str) -> Result<Self, String> {
        no_crypto()
    }
    pub(crate) fn from_secret(_: &[u8]) -> Result<Self, String> {
        no_crypto()
    }
    pub(crate) fn verify(&self, _: Algorithm, _: &[u8], _: &[u8]) -> bool {
        match *self {}
    }
    pub(crate) fn sign(&self, _: Algorithm, _: &[u8]) -> Result<Vec<u8>, String> {
        match *self {}
    }
}

pub(crate) fn sha256(_: &[u8]) -> Vec<u8> {
    no_crypto()
}

pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    a == b
}

fn no_crypto() -> ! {
    panic!("native tests of cryptography need the feature `native-crypto` of `tollgate-plugin`")
}
