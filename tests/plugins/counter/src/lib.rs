//! Counts the hooks that its instance has had, and says so in each response: what an instance
//! remembers is what one client could learn of another.

use std::cell::Cell;

use tollgate_plugin::{Config, Error, Plugin, Request, Response, Verdict, crypto::Key, plugin};

/// What the instance has beside its count.
#[derive(Config)]
struct Counter {
    /// Hold a key of the host from the start.
    #[serde(default)]
    hold_key: bool,
    /// A text that comes back in each response.
    #[serde(default)]
    text: String,
}

struct Instance {
    hooks: Cell<u32>,
    config: Counter,
    key: Option<Key>,
}

#[plugin]
impl Plugin for Instance {
    type Config = Counter;

    fn new(config: Counter) -> Result<Self, Error> {
        let secret = b"an agreed secret of 32 bytes ....";
        let key = config.hold_key.then(|| Key::from_secret(secret)).transpose()?;
        Ok(Self { hooks: Cell::new(0), config, key })
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict, Error> {
        request.set_attribute("hooks", &self.count());
        Ok(Verdict::Next)
    }

    fn on_response(&self, request: &mut Request, response: &mut Response) -> Result<(), Error> {
        let on_request = request.attribute("hooks").unwrap_or_default();
        let counts = format!("{on_request} {} {}", self.count(), self.config.text);
        response.set_header("x-hooks", counts.trim_end())?;
        if self.key.is_some() {
            response.set_header("x-key", "held")?;
        }
        Ok(())
    }
}

impl Instance {
    /// Of this hook, from 1.
    fn count(&self) -> String {
        self.hooks.set(self.hooks.get() + 1);
        self.hooks.get().to_string()
    }
}
