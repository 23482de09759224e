//! What the instances of a use know of its key set together, in a store.
//!
//! Under one key stands the set with the time when it came. Under another stands whether somebody
//! is asking for it, or when the last who asked got one; it expires when it may be asked for again.

use std::cell::Cell;
use std::time::Duration;

use tollgate_plugin::store::{Store, StoreError};
use tollgate_plugin::{crypto, log};

use crate::config;

const ASKING: &[u8] = b"asking";

/// Beyond the time-out of the call: who asks and is cut short must not hold up the others for long.
const SPARE: Duration = Duration::from_secs(1);

pub(crate) struct Shared {
    store: Store,
    set: String,
    state: String,
    /// Said once that there is no store to be had.
    is_missed: Cell<bool>,
    is_named: bool,
}

/// What to do about a set that is due.
pub(crate) enum Ask {
    /// There is no store.
    Alone,
    /// Nobody else asks: whoever gets this has to.
    Yours,
    /// Somebody is asking.
    Others,
    /// There is another, which came at this time.
    Other(Duration, Vec<u8>),
    /// It is too early to ask again.
    Nothing,
}

impl Shared {
    pub(crate) fn new(config: &config::Jwks) -> Self {
        let store = config.store.as_deref().map_or_else(Store::granted, Store::named);
        // A path can be longer than a key may be.
        let place = format!("{} {}", config.upstream, config.path);
        let place: String =
            crypto::sha256(place.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            store,
            set: format!("jwks/{place}/set"),
            state: format!("jwks/{place}/state"),
            is_missed: Cell::new(false),
            is_named: config.store.is_some(),
        }
    }

    /// Looks whether there is another set than that of `known`, and if not, who may ask for one.
    /// `wants_any`: look also while somebody is asking, for who has none and does not wait yet.
    pub(crate) fn ask(
        &self,
        known: Option<Duration>,
        pause: Duration,
        timeout: Duration,
        wants_any: bool,
    ) -> Ask {
        self.try_ask(known, pause, timeout, wants_any).unwrap_or_else(|error| {
            if !self.is_missed.replace(true) && (self.is_named || error != StoreError::NotGranted) {
                log!(Warn, "each instance fetches the key set by itself: {error}");
            }
            Ask::Alone
        })
    }

    fn try_ask(
        &self,
        known: Option<Duration>,
        pause: Duration,
        timeout: Duration,
        wants_any: bool,
    ) -> Result<Ask, StoreError> {
        match self.store.get(&self.state)?.as_deref() {
            // What is there serves until the answer comes; it is looked at once, since it is large.
            Some(ASKING) if wants_any => {
                return Ok(self.other(known)?.unwrap_or(Ask::Others));
            }
            Some(ASKING) => return Ok(Ask::Others),
            Some(state) => {
                let last = number(state).map(Duration::from_millis);
                if last.is_none() || last == known.map(whole) {
                    return Ok(Ask::Nothing);
                }
                if let Some(other) = self.other(known)? {
                    return Ok(other);
                }
                // It had to make room; without it nobody needs to wait until it is due.
                self.store.delete(&self.state)?;
            }
            None => {
                if let Some(other) = self.other(known)? {
                    return Ok(other);
                }
            }
        }
        let longest = pause.max(timeout.saturating_add(SPARE));
        Ok(if self.store.add(&self.state, ASKING, Some(longest))? {
            Ask::Yours
        } else {
            Ask::Others
        })
    }

    fn other(&self, known: Option<Duration>) -> Result<Option<Ask>, StoreError> {
        let Some(stored) = self.store.get(&self.set)? else { return Ok(None) };
        let other = stored.split_first_chunk().and_then(|(time, set)| {
            let time = Duration::from_millis(u64::from_be_bytes(*time));
            (known.map(whole) != Some(time)).then(|| Ask::Other(time, set.to_vec()))
        });
        Ok(other)
    }

    /// Shows a set to the other instances, for as long as it may serve.
    pub(crate) fn publish(&self, fetched: Duration, set: &[u8], lifetime: Duration) {
        let mut stored = millis(fetched).to_be_bytes().to_vec();
        stored.extend_from_slice(set);
        if let Err(error) = self.store.set(&self.set, &stored, Some(lifetime))
            && error != StoreError::NotGranted
        {
            log!(Warn, "the key set cannot be shared: {error}");
        }
    }

    /// Notes that the question is over, and when the latest set came that there is. Nobody asks
    /// again before `pause` is.
    pub(crate) fn asked(&self, latest: Option<Duration>, pause: Duration) {
        let latest = latest.map_or_else(String::new, |latest| millis(latest).to_string());
        // Where it fails, the others ask when this question's own time is over.
        let _ = self.store.set(&self.state, latest.as_bytes(), Some(pause));
    }
}

/// As it is written.
fn whole(time: Duration) -> Duration {
    Duration::from_millis(millis(time))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn number(state: &[u8]) -> Option<u64> {
    std::str::from_utf8(state).ok()?.parse().ok()
}
