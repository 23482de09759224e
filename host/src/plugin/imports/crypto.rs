//! `crypto`: signatures and digests at native speed, keys held in the host.

mod key;

use aws_lc_rs::{constant_time, digest};
use wasmtime::{Result, component::Resource};

#[expect(unreachable_pub, reason = "generated bindings re-export it")]
pub use self::key::Key;
use crate::plugin::{
    bindings::tollgate::plugin::crypto::{Algorithm, Host, HostKey},
    state::State,
};

/// Keys that one instance may hold at a time.
const MAX_KEYS: usize = 1024;

impl Host for State {
    fn sha256(&mut self, data: Vec<u8>) -> Result<Vec<u8>> {
        Ok(digest::digest(&digest::SHA256, &data).as_ref().to_vec())
    }

    fn equal(&mut self, a: Vec<u8>, b: Vec<u8>) -> Result<bool> {
        Ok(constant_time::verify_slices_are_equal(&a, &b).is_ok())
    }
}

type New = Result<Result<Resource<Key>, String>>;

impl HostKey for State {
    fn from_jwk(&mut self, jwk: String) -> New {
        self.keep(Key::from_jwk(&jwk))
    }

    fn from_pem(&mut self, pem: String) -> New {
        self.keep(Key::from_pem(&pem))
    }

    fn from_secret(&mut self, secret: Vec<u8>) -> New {
        self.keep(Key::from_secret(secret))
    }

    fn verify(
        &mut self,
        key: Resource<Key>,
        algorithm: Algorithm,
        message: Vec<u8>,
        signature: Vec<u8>,
    ) -> Result<bool> {
        Ok(self.table.get_mut(&key)?.verify(algorithm, &message, &signature))
    }

    fn sign(
        &mut self,
        key: Resource<Key>,
        algorithm: Algorithm,
        message: Vec<u8>,
    ) -> Result<Result<Vec<u8>, String>> {
        Ok(self.table.get(&key)?.sign(algorithm, &message))
    }

    fn drop(&mut self, key: Resource<Key>) -> Result<()> {
        let key = self.table.delete(key)?;
        self.held.give_back(key.held());
        self.keys -= 1;
        Ok(())
    }
}

impl State {
    fn keep(&mut self, key: Result<Key, String>) -> New {
        if self.keys >= MAX_KEYS {
            return Ok(Err(format!("an instance holds at most {MAX_KEYS} keys")));
        }
        match key {
            Ok(key) if key.held() > self.held.room() => Ok(Err(self.held.refusal())),
            Ok(key) => {
                self.held.take(key.held());
                self.keys += 1;
                Ok(Ok(self.table.push(key)?))
            }
            Err(reason) => Ok(Err(reason)),
        }
    }
}
