//! Tokens that were valid when they were last seen. Clients send the same one many times, and to
//! verify a signature costs more than all the rest.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::time::Duration;

use lru::LruCache;
use tollgate_plugin::crypto;

use crate::accepted::Accepted;

/// Of the whole token: it is a secret, of which there need not be another copy.
pub(crate) type Digest = [u8; 32];

/// What all remembered tokens say, in bytes: an instance's memory has a limit, and one that is over it
/// is lost with everything that it knows.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The tokens that were used last, so many at most. Only valid ones come in: nobody else can push
/// them out.
pub(crate) struct Known(Option<RefCell<Latest>>);

struct Latest {
    tokens: LruCache<Digest, Rc<Accepted>>,
    bytes: usize,
}

impl Known {
    pub(crate) fn new(most: usize) -> Self {
        let latest = |most| Latest { tokens: LruCache::new(most), bytes: 0 };
        Self(NonZeroUsize::new(most).map(|most| RefCell::new(latest(most))))
    }

    /// What a token is known by; `None` where none is remembered.
    pub(crate) fn digest(&self, token: &str) -> Option<Digest> {
        self.0.as_ref().map(|_| crypto::sha256(token.as_bytes()))
    }

    /// A token whose key still is one. `set`: when the key set came that serves at present.
    pub(crate) fn get(&self, digest: &Digest, set: Option<Duration>) -> Option<Rc<Accepted>> {
        let mut known = self.0.as_ref()?.borrow_mut();
        let accepted = known.tokens.get(digest)?;
        let has_key = accepted.set.is_none() || accepted.set == set;
        has_key.then(|| Rc::clone(accepted))
    }

    pub(crate) fn keep(&self, digest: Digest, accepted: &Rc<Accepted>) {
        if let Some(known) = &self.0 {
            known.borrow_mut().keep(digest, Rc::clone(accepted));
        }
    }
}

impl Latest {
    fn keep(&mut self, digest: Digest, accepted: Rc<Accepted>) {
        self.bytes += accepted.size();
        // Of the same token, or of the one that was used least recently.
        if let Some((_, old)) = self.tokens.push(digest, accepted) {
            self.bytes -= old.size();
        }
        while self.bytes > MAX_BYTES
            && let Some((_, old)) = self.tokens.pop_lru()
        {
            self.bytes -= old.size();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::accepted::Times;
    use crate::token::Claims;

    #[test]
    fn what_is_remembered_is_bounded_in_number_and_in_bytes() {
        for (most, claim, left) in [(3, 10, 3), (10_000, 64 * 1024, 63)] {
            let config = json!({ "claims": ["big"] }).to_string();
            let config = serde_json::from_str(&config).expect("a configuration");
            let known = Known::new(most);
            for number in 0..100_u8 {
                let payload = json!({ "sub": "ann", "big": "x".repeat(claim) }).to_string();
                let claims = Claims::parse(payload.as_bytes()).ok().expect("claims");
                let times = Times::of(&claims).ok().expect("times");
                let accepted = Accepted::of(&claims, times, None, &config).ok().expect("valid");
                known.keep([number; 32], &Rc::new(accepted));
            }
            let kept = |number: u8| known.get(&[number; 32], None).is_some();
            assert_eq!((0..100).filter(|&number| kept(number)).count(), left);
            assert!(kept(99));
        }
    }
}
