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

/// The tokens that were used last, so many at most. Only valid ones come in: nobody else can push
/// them out.
pub(crate) struct Known(Option<RefCell<LruCache<Digest, Rc<Accepted>>>>);

impl Known {
    pub(crate) fn new(most: usize) -> Self {
        Self(NonZeroUsize::new(most).map(|most| RefCell::new(LruCache::new(most))))
    }

    /// What a token is known by; `None` where none is remembered.
    pub(crate) fn digest(&self, token: &str) -> Option<Digest> {
        self.0.as_ref().map(|_| crypto::sha256(token.as_bytes()))
    }

    /// A token whose key still is one. `set`: when the key set came that serves at present.
    pub(crate) fn get(&self, digest: &Digest, set: Option<Duration>) -> Option<Rc<Accepted>> {
        let mut known = self.0.as_ref()?.borrow_mut();
        let accepted = known.get(digest)?;
        let has_key = accepted.set.is_none() || accepted.set == set;
        has_key.then(|| Rc::clone(accepted))
    }

    pub(crate) fn keep(&self, digest: Digest, accepted: &Rc<Accepted>) {
        if let Some(known) = &self.0 {
            known.borrow_mut().put(digest, Rc::clone(accepted));
        }
    }
}
