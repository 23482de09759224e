//! The configuration, as the operator writes it.

use std::collections::BTreeMap;

use tollgate_plugin::{Config, HeaderName};

use crate::digest::Digest;
use crate::expiry::Expiry;

/// Where keys come from, and whose they are.
#[derive(Config)]
pub(crate) struct ApiKey {
    /// The header with the key; null: none.
    #[serde(default = "x_api_key")]
    pub(crate) header: Option<HeaderName>,
    /// The query parameter with the key. Queries end up in logs and histories: off by default.
    pub(crate) query: Option<String>,
    /// The cookie with the key; off by default.
    #[schemars(extend("writeOnly" = false))]
    pub(crate) cookie: Option<String>,
    /// The keys that open the route.
    #[schemars(length(min = 1), extend("writeOnly" = false))]
    pub(crate) keys: Vec<Entry>,
    /// Headers for the upstream: name to `consumer` or `metadata.NAME`. What the client sent under
    /// such a name never gets through.
    #[serde(default)]
    pub(crate) headers: BTreeMap<HeaderName, String>,
    /// Leave the key in the request.
    #[serde(default)]
    pub(crate) forward: bool,
    /// The realm of the challenge.
    #[serde(default = "tollgate")]
    pub(crate) realm: String,
}

/// One key and whose it is.
#[derive(Config)]
pub(crate) struct Entry {
    /// The SHA-256 digest of the key: 64 hex digits.
    pub(crate) sha256: Digest,
    /// Whose key it is: `auth.consumer` and `auth.subject` for later plugins.
    pub(crate) consumer: String,
    /// What else is known about it: `auth.metadata.NAME` for later plugins.
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, String>,
    /// When it stops to open (RFC 3339): `2026-12-31T12:00:00Z`, or `2026-12-31` for the end of
    /// that day in UTC.
    pub(crate) expires: Option<Expiry>,
}

impl ApiKey {
    /// What the types do not rule out, a line each.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.header.is_none() && self.query.is_none() && self.cookie.is_none() {
            faults.push("header: a key has to come from somewhere".to_owned());
        }
        if self.keys.is_empty() {
            faults.push("keys: at least one is needed".to_owned());
        }
        for (i, entry) in self.keys.iter().enumerate() {
            if entry.consumer.is_empty() {
                faults.push(format!("keys[{i}].consumer: must not be empty"));
            }
            if let Some(j) = self.keys[..i].iter().position(|other| other.sha256 == entry.sha256) {
                faults.push(format!("keys[{i}].sha256: the same key as keys[{j}]"));
            }
        }
        faults.extend(self.headers.iter().filter_map(|(name, source)| {
            let fault = "is neither consumer nor metadata.NAME of any key";
            (!self.has(source)).then(|| format!("headers.{name}: `{source}` {fault}"))
        }));
        if !self.realm.chars().all(|c| (c.is_ascii_graphic() || c == ' ') && c != '"' && c != '\\')
        {
            faults.push("realm: must be printable ASCII without quotes".to_owned());
        }
        faults
    }

    /// Whether there is something to be had of `source` for any key.
    fn has(&self, source: &str) -> bool {
        let known = |name: &str| self.keys.iter().any(|entry| entry.metadata.contains_key(name));
        source == "consumer" || source.strip_prefix("metadata.").is_some_and(known)
    }
}

fn x_api_key() -> Option<HeaderName> {
    HeaderName::new("x-api-key").ok()
}

fn tollgate() -> String {
    "tollgate".to_owned()
}
