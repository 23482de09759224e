//! A key set that is fetched: when, how often, and what serves while it cannot be.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use tollgate_plugin::http::Call;
use tollgate_plugin::{clock, log, telemetry};

use crate::algorithm::Algorithm;
use crate::config;
use crate::keys::{self, Key};
use crate::shared::{Ask, Shared};

/// At most so often, whatever `kid` a client makes up and however long the upstream is out. A
/// shorter `refresh` goes before it.
const PAUSE: Duration = Duration::from_secs(30);
/// At most so often while there is no set at all.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Far above any key set; what is larger is not one.
const MAX_BYTES: usize = 256 * 1024;
/// Between two looks at what another instance is fetching: at first, and after a while. Each look
/// costs CPU time of the hook.
const FIRST_LOOK: Duration = Duration::from_millis(5);
const LAST_LOOK: Duration = Duration::from_millis(100);

/// A key set that an upstream has.
pub(crate) struct Jwks {
    config: config::Jwks,
    allowed: Vec<Algorithm>,
    keys: RefCell<Vec<Key>>,
    /// When the keys came, since 1970.
    fetched: Cell<Option<Duration>>,
    /// When the latest set came that was looked at, of use or not.
    seen: Cell<Option<Duration>>,
    /// When this instance last asked for them.
    asked: Cell<Option<Duration>>,
    /// What all instances know, where the use was granted a store.
    shared: Shared,
}

/// No set that is fresh enough.
pub(crate) struct Unavailable;

impl Jwks {
    pub(crate) fn new(config: config::Jwks, allowed: Vec<Algorithm>) -> Self {
        let shared = Shared::new(&config);
        Self {
            config,
            allowed,
            keys: RefCell::default(),
            fetched: Cell::default(),
            seen: Cell::default(),
            asked: Cell::default(),
            shared,
        }
    }

    /// When the set came that serves at `now`, unless another one is due.
    pub(crate) fn current(&self, now: Duration) -> Option<Duration> {
        let fetched = self.fetched.get()?;
        let is_fresh = now.saturating_sub(fetched) < self.config.refresh.get();
        is_fresh.then_some(fetched)
    }

    /// Looks at the keys, those of a new set if it is due or if the set knows no `kid` like this.
    /// Gives what was seen, and when the set came.
    ///
    /// # Errors
    ///
    /// There is no set, or only one that is too old.
    pub(crate) fn with_keys<T>(
        &self,
        kid: Option<&str>,
        look: impl FnOnce(&[Key]) -> T,
    ) -> Result<(T, Option<Duration>), Unavailable> {
        if self.is_due() || self.lacks(kid) {
            self.renew(kid);
        }
        if !self.is_usable() {
            return Err(Unavailable);
        }
        Ok((look(&self.keys.borrow()), self.fetched.get()))
    }

    fn age(&self) -> Option<Duration> {
        self.fetched.get().map(|fetched| clock::now().saturating_sub(fetched))
    }

    fn is_due(&self) -> bool {
        self.age().is_none_or(|age| age >= self.config.refresh.get())
    }

    fn is_usable(&self) -> bool {
        let limit = self.config.refresh.get().saturating_add(self.config.stale_for.get());
        self.age().is_some_and(|age| age < limit)
    }

    fn lacks(&self, kid: Option<&str>) -> bool {
        kid.is_some_and(|kid| !self.keys.borrow().iter().any(|key| key.is_called(kid)))
    }

    /// How long after a fetch there is none, whoever asks.
    fn pause(&self) -> Duration {
        if self.fetched.get().is_some() {
            PAUSE.min(self.config.refresh.get())
        } else {
            FIRST_PAUSE
        }
    }

    /// Brings a newer set, if there is one or it is time to ask for one. Of all instances that
    /// share a store one asks; the others go on with the set that they have, and wait only where
    /// that does not serve.
    fn renew(&self, kid: Option<&str>) {
        let (began, timeout) = (clock::now(), self.config.timeout.get());
        let mut look = FIRST_LOOK;
        loop {
            let wants_any = look == FIRST_LOOK && !self.is_usable();
            match self.shared.ask(self.seen.get(), self.pause(), timeout, wants_any) {
                Ask::Alone => return self.renew_alone(),
                Ask::Yours => return self.fetch(),
                Ask::Nothing => return,
                Ask::Other(fetched, set) => {
                    self.take_over(fetched, &set);
                    if !self.is_due() && !self.lacks(kid) {
                        return;
                    }
                }
                Ask::Others => {
                    let waited = clock::now().saturating_sub(began);
                    let serves = self.is_usable() && !self.lacks(kid);
                    if serves || waited >= timeout {
                        return;
                    }
                    clock::sleep(look);
                    look = LAST_LOOK.min(look * 2);
                }
            }
        }
    }

    /// Without a store each instance keeps its own time.
    fn renew_alone(&self) {
        let (now, asked) = (clock::now(), self.asked.get());
        // The pause also ends where the clock was set back.
        if asked.is_none_or(|asked| asked > now || now - asked >= self.pause()) {
            self.fetch();
        }
    }

    /// Asks the upstream. A set that cannot be had or read leaves the last one in place.
    fn fetch(&self) {
        let now = clock::now();
        self.asked.set(Some(now));
        match self.call() {
            Ok((set, keys)) => {
                telemetry::count("jwks_fetches", &[], 1);
                self.keep(now, keys);
                self.shared.publish(now, &set, self.lifetime());
            }
            Err(why) => {
                telemetry::count("jwks_failures", &[], 1);
                log!(Warn, "the key set could not be fetched: {why}"; "upstream" => &self.config.upstream);
            }
        }
        self.shared.asked(self.seen.get(), self.pause());
    }

    fn lifetime(&self) -> Duration {
        self.config.refresh.get().saturating_add(self.config.stale_for.get())
    }

    /// A set that another instance has fetched. It may be for other algorithms than ours.
    fn take_over(&self, fetched: Duration, set: &[u8]) {
        self.seen.set(Some(fetched));
        match self.read(set) {
            Ok(keys) => self.keep(fetched, keys),
            Err(why) => log!(Warn, "the key set of another instance is of no use: {why}"),
        }
    }

    fn keep(&self, fetched: Duration, keys: Vec<Key>) {
        self.keys.replace(keys);
        self.fetched.set(Some(fetched));
        self.seen.set(Some(fetched));
    }

    fn call(&self) -> Result<(Vec<u8>, Vec<Key>), String> {
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
        let keys = self.read(&body)?;
        Ok((body, keys))
    }

    fn read(&self, set: &[u8]) -> Result<Vec<Key>, String> {
        let keys = keys::set(set, &self.allowed)?;
        if keys.is_empty() {
            return Err("no key of it fits the allowed algorithms".to_owned());
        }
        Ok(keys)
    }
}
