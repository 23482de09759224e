//! The configuration, as the operator writes it.

use std::collections::BTreeMap;

use tollgate_plugin::{Config, HeaderName, Template};

/// What happens to the headers of requests and of responses.
#[derive(Config)]
pub(crate) struct Headers {
    /// To the request, before the upstream sees it.
    #[serde(default)]
    pub(crate) request: Changes,
    /// To the response, before the client sees it.
    #[serde(default)]
    pub(crate) response: Changes,
}

/// Changes in the order in which they are made: remove, rename, set, append.
#[derive(Config, Default)]
pub(crate) struct Changes {
    /// Headers to take out.
    #[serde(default)]
    pub(crate) remove: Vec<HeaderName>,
    /// Old name to new name. The lines of the old one take the place of those of the new one.
    #[serde(default)]
    pub(crate) rename: BTreeMap<HeaderName, HeaderName>,
    /// Name to value, in place of what stands there. If the value is missing, nothing will stand
    /// there: what a client sent never passes for what the gateway sets.
    #[serde(default)]
    pub(crate) set: BTreeMap<HeaderName, Template>,
    /// Name to value, as one more line. If the value is missing, no line is added.
    #[serde(default)]
    pub(crate) append: BTreeMap<HeaderName, Template>,
}

impl Changes {
    /// Whether nothing is to be done.
    pub(crate) fn is_empty(&self) -> bool {
        self.remove.is_empty()
            && self.rename.is_empty()
            && self.set.is_empty()
            && self.append.is_empty()
    }

    /// Values that no header can have, for what templates cannot change; a line each.
    pub(crate) fn faults(&self) -> Vec<String> {
        let values = self.set.iter().map(|entry| ("set", entry));
        let values = values.chain(self.append.iter().map(|entry| ("append", entry)));
        let control = |c: char| c.is_control() && c != '\t';
        let bad = values.filter(|(_, (_, value))| value.texts().any(|text| text.contains(control)));
        bad.map(|(key, (name, _))| {
            format!("{key}.{name}: a header value has no control characters")
        })
        .collect()
    }
}
