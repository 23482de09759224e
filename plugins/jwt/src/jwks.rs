//! A key set that is fetched: when, how often, and what serves while it cannot be.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use tollgate_plugin::http::Call;
use tollgate_plugin::{clock, log, telemetry};

use crate::algorithm::Algorithm;
use crate::config;
use crate::keys::{self, Key};

/// At most so often, whatever `kid` a client makes up and however long the upstream is out.
const PAUSE: Duration = Duration::from_secs(30);
/// At most so often while there is no set at all.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Far above any key set; what is larger is not one.
const MAX_BYTES: usize = 256 * 1024;

/// A key set that an upstream has.
pub(crate) struct Jwks {
    config: config::Jwks,
    allowed: Vec<Algorithm>,
    keys: RefCell<Vec<Key>>,
    /// When the keys came, since 1970.
    fetched: Cell<Option<Duration>>,
    /// When they were last asked for.
    asked: Cell<Option<Duration>>,
}

/// No set that is fresh enough.
pub(crate) struct Unavailable;

impl Jwks {
    pub(crate) fn new(config: config::Jwks, allowed: Vec<Algorithm>) -> Self {
        Self {
            config,
            allowed,
            keys: RefCell::default(),
            fetched: Cell::default(),
            asked: Cell::default(),
        }
    }

    /// Looks at the keys, those of a new set if it is due or if the set knows no `kid` like this.
    ///
    /// # Errors
    ///
    /// There is no set, or only one that is too old.
    pub(crate) fn with_keys<T>(
        &self,
        kid: Option<&str>,
        look: impl FnOnce(&[Key]) -> T,
    ) -> Result<T, Unavailable> {
        let now = clock::now();
        let age = self.fetched.get().map(|fetched| now.saturating_sub(fetched));
        let refresh = self.config.refresh.get();
        let due = age.is_none_or(|age| age >= refresh);
        let unknown = |kid: &str| !self.keys.borrow().iter().any(|key| key.is_called(kid));
        if due || kid.is_some_and(unknown) {
            let pause = if age.is_some() { PAUSE } else { FIRST_PAUSE };
            let paused = self.asked.get().is_some_and(|asked| now.saturating_sub(asked) < pause);
            // The pause also ends where the clock was set back.
            if !paused || self.asked.get().is_some_and(|asked| asked > now) {
                self.asked.set(Some(now));
                self.fetch(now);
            }
        }
        let age = self.fetched.get().map(|fetched| now.saturating_sub(fetched));
        match age {
            Some(age) if age < refresh.saturating_add(self.config.stale_for.get()) => {
                Ok(look(&self.keys.borrow()))
            }
            _ => Err(Unavailable),
        }
    }

    /// Asks the upstream. A set that cannot be had or read leaves the last one in place.
    fn fetch(&self, now: Duration) {
        match self.ask() {
            Ok(keys) => {
                telemetry::count("jwks_fetches", &[], 1);
                self.keys.replace(keys);
                self.fetched.set(Some(now));
            }
            Err(why) => {
                telemetry::count("jwks_failures", &[], 1);
                log!(Warn, "the key set could not be fetched: {why}"; "upstream" => &self.config.upstream);
            }
        }
    }

    fn ask(&self) -> Result<Vec<Key>, String> {
        let call = Call::get(&self.config.upstream, &self.config.path)
            .header("accept", "application/jwk-set+json, application/json")
            .timeout(self.config.timeout.get());
        let response = call.send().map_err(|error| error.to_string())?;
        if response.status() != 200 {
            return Err(format!("the status is {}", response.status()));
        }
        let body = response.body().map_err(|error| error.to_string())?;
        if body.len() > MAX_BYTES {
            return Err(format!("it is larger than {MAX_BYTES} bytes"));
        }
        let keys = keys::set(&body, &self.allowed)?;
        if keys.is_empty() {
            return Err("no key of it fits the allowed algorithms".to_owned());
        }
        Ok(keys)
    }
}
