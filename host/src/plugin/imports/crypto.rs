//! `crypto`: signatures and digests at native speed, keys held in the host.

mod key;
mod message;

use std::time::Duration;

use aws_lc_rs::{constant_time, digest};
use wasmtime::{Result, component::Resource};

#[expect(unreachable_pub, reason = "generated bindings re-export it")]
pub use self::key::Key;
use self::message::in_pieces;
use crate::plugin::{
    bindings::tollgate::plugin::crypto::{Algorithm, Host, HostKey},
    meter::Meter,
    state::State,
};

/// Keys that one instance may hold at a time.
const MAX_KEYS: usize = 1024;

/// Bytes that take some ten microseconds; to measure that would take its part of them.
const SHORT: usize = 64 << 10;

impl Host for State {
    fn sha256(&mut self, data: Vec<u8>) -> Result<Vec<u8>> {
        let mut digest = digest::Context::new(&digest::SHA256);
        in_pieces(&data, |length, work| self.charged(length, work), |piece| digest.update(piece))?;
        Ok(digest.finish().as_ref().to_vec())
    }

    fn equal(&mut self, a: Vec<u8>, b: Vec<u8>) -> Result<bool> {
        self.charged(a.len(), || constant_time::verify_slices_are_equal(&a, &b).is_ok())
    }
}

type New = Result<Result<Resource<Key>, String>>;

impl HostKey for State {
    fn from_jwk(&mut self, jwk: String) -> New {
        let key = self.charged(jwk.len(), || Key::from_jwk(&jwk))?;
        self.keep(key)
    }

    fn from_pem(&mut self, pem: String) -> New {
        let key = self.charged(pem.len(), || Key::from_pem(&pem))?;
        self.keep(key)
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
        let limit = self.cpu_limit();
        let key = self.table.get_mut(&key)?;
        let meter = &self.meter;
        let Some(intake) = charged(meter, limit, key.held(), || key.intake(algorithm))? else {
            return Ok(false);
        };
        let message = intake.take(&message, |length, work| charged(meter, limit, length, work))?;
        charged(meter, limit, message.left(), || key.verify(algorithm, &message, &signature))
    }

    fn sign(
        &mut self,
        key: Resource<Key>,
        algorithm: Algorithm,
        message: Vec<u8>,
    ) -> Result<Result<Vec<u8>, String>> {
        let key = self.table.get(&key)?;
        let Some(intake) = self.charged(key.held(), || key.intake(algorithm))? else {
            return Ok(Err(key::wrong_kind(algorithm)));
        };
        let message = intake.take(&message, |length, work| self.charged(length, work))?;
        self.charged(message.left(), || key.sign(algorithm, &message))
    }

    fn drop(&mut self, key: Resource<Key>) -> Result<()> {
        let key = self.table.delete(key)?;
        self.held.give_back(key.held());
        self.keys -= 1;
        Ok(())
    }
}

impl State {
    fn charged<T>(&self, length: usize, work: impl FnOnce() -> T) -> Result<T> {
        charged(&self.meter, self.cpu_limit(), length, work)
    }

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

/// Does what takes the longer the more bytes it is about, on the hook's CPU time.
fn charged<T>(
    meter: &Meter,
    limit: Duration,
    length: usize,
    work: impl FnOnce() -> T,
) -> Result<T> {
    if length <= SHORT { Ok(work()) } else { meter.charge(limit, work) }
}
