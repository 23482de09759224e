//! Lets a request through if it carries a known API key.

mod config;
mod digest;
mod expiry;
#[cfg(test)]
mod tests;

use tollgate_plugin::{Error, Plugin, Refused, Request, Verdict, clock, crypto, log, plugin};

use crate::config::{ApiKey, Entry};
use crate::digest::Digest;

/// Far above any key that somebody gives out.
const MAX_KEY: usize = 1024;

#[plugin(schema = "config.schema.json")]
impl Plugin for ApiKey {
    type Config = Self;

    fn new(config: Self) -> Result<Self, Error> {
        Error::if_any(&config.faults())?;
        Ok(config)
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict, Error> {
        let entry = match self.entry(request) {
            Ok(entry) => entry,
            Err(why) => {
                log!(Debug, "refused: {why}");
                return Ok(Verdict::unauthorized(&format!(r#"ApiKey realm="{}""#, self.realm)));
            }
        };
        if !self.forward {
            self.strip(request)?;
        }
        request.set_attribute("auth.consumer", &entry.consumer);
        request.set_attribute("auth.subject", &entry.consumer);
        for (name, value) in &entry.metadata {
            request.set_attribute(&format!("auth.metadata.{name}"), value);
        }
        for (name, source) in &self.headers {
            let value = match source.strip_prefix("metadata.") {
                Some(name) => entry.metadata.get(name),
                None => Some(&entry.consumer),
            };
            request.own_header(name, value.map(String::as_str))?;
        }
        Ok(Verdict::Next)
    }
}

impl ApiKey {
    /// Whose key the request carries, or why it opens nothing.
    fn entry(&self, request: &Request) -> Result<&Entry, &'static str> {
        let key = self.key(request)?;
        if key.len() > MAX_KEY {
            return Err("the key is too long");
        }
        let digest = Digest(crypto::sha256(key.as_bytes()));
        let place = digest.find(self.keys.iter().map(|entry| &entry.sha256));
        let entry = &self.keys[place.ok_or("the key is not known")?];
        if entry.expires.is_some_and(|expires| expires.is_past(clock::now())) {
            return Err("the key has expired");
        }
        Ok(entry)
    }

    /// The one key of the request. Of two keys it would be open which one counts, here and for
    /// whoever reads the request next.
    fn key(&self, request: &Request) -> Result<String, &'static str> {
        let mut keys = Vec::new();
        if let Some(name) = &self.header {
            keys.extend(request.header_lines(name.as_str()));
        }
        if let Some(name) = &self.query {
            keys.extend(request.query_values(name));
        }
        if let Some(name) = &self.cookie {
            keys.extend(request.cookies(name));
        }
        match keys.len() {
            0 => Err("there is no key"),
            1 => Ok(keys.remove(0)),
            _ => Err("there are several keys"),
        }
    }

    /// Takes the key out of what the upstream will see.
    fn strip(&self, request: &mut Request) -> Result<(), Refused> {
        if let Some(name) = &self.header {
            request.own_header(name, None)?;
        }
        if let Some(name) = &self.query {
            request.remove_query(name)?;
        }
        if let Some(name) = &self.cookie {
            request.remove_cookie(name)?;
        }
        Ok(())
    }
}
