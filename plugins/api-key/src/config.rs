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
    pub(crate) cookie: Option<String>,
    /// The keys that open the route.
    #[schemars(length(min = 1))]
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
    /// The first thing that the types do not rule out.
    pub(crate) fn fault(&self) -> Option<String> {
        if self.header.is_none() && self.query.is_none() && self.cookie.is_none() {
            return Some("header: a key has to come from somewhere".to_owned());
        }
        if self.keys.is_empty() {
            return Some("keys: at least one is needed".to_owned());
        }
        for (i, entry) in self.keys.iter().enumerate() {
            if entry.consumer.is_empty() {
                return Some(format!("keys[{i}].consumer: must not be empty"));
            }
            if let Some(j) = self.keys[..i].iter().position(|other| other.sha256 == entry.sha256) {
                return Some(format!("keys[{i}].sha256: the same key as keys[{j}]"));
            }
        }
        for (name, source) in &self.headers {
            let known =
                |name: &str| self.keys.iter().any(|entry| entry.metadata.contains_key(name));
            if source != "consumer" && !source.strip_prefix("metadata.").is_some_and(known) {
                return Some(format!(
                    "headers.{name}: `{source}` is neither consumer nor metadata.NAME of any key"
                ));
            }
        }
        if !self.realm.chars().all(|c| (c.is_ascii_graphic() || c == ' ') && c != '"' && c != '\\')
        {
            return Some("realm: must be printable ASCII without quotes".to_owned());
        }
        None
    }
}

fn x_api_key() -> Option<HeaderName> {
    HeaderName::new("x-api-key").ok()
}

fn tollgate() -> String {
    "tollgate".to_owned()
}
