//! Plugins as chains list them: what they are told, what they may reach and use up.

use std::time::Duration;

use super::{
    containment::{Canary, Isolation, Quarantine},
    pointer::Pointer,
    registries::Source,
};
use crate::registry::Reference;

/// One plugin with one configuration: what a route's chain lists.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// The name in logs, metrics and messages: the name of the `plugins` entry, else the
    /// component's.
    pub name: String,
    /// Whose rate limits it has: those of its `plugins` entry, or its own where it stands in a
    /// route only.
    pub scope: String,
    pub component: Source,
    /// Where the component is named in the file.
    pub component_at: Pointer,
    /// As the plugin's `configure` gets it.
    pub config: serde_json::Value,
    pub grants: Grants,
    pub on_error: OnError,
    pub isolation: Isolation,
    /// `None`: never.
    pub quarantine: Option<Quarantine>,
    pub canary: Option<Canary>,
    pub limits: UseLimits,
    /// Where the use stands in the file.
    pub at: Pointer,
    /// Where its `config` stands in the file; the use itself where it has none.
    pub config_at: Pointer,
}

impl Use {
    /// Artifacts in registries that it and its canary name, with the place of each.
    pub fn references(&self) -> impl Iterator<Item = (&Reference, Pointer)> {
        let own = (&self.component, self.component_at.clone());
        let canary = self.canary.as_ref();
        let canary = canary.map(|canary| (&canary.component, canary.at.key("component")));
        [own].into_iter().chain(canary).filter_map(|(source, at)| Some((source.reference()?, at)))
    }

    /// Where the file has what it tells its plugin, and its canary.
    pub(crate) fn config_places(&self) -> impl Iterator<Item = Pointer> {
        // Without one of its own it has that of its entry, if any.
        let own = (self.config_at != self.at).then(|| self.config_at.clone());
        own.into_iter().chain(self.canary.as_ref().map(|canary| canary.at.key("config")))
    }

    /// What tells it from other uses, whatever the place in the file.
    pub fn identity(&self) -> String {
        let mut nowhere = Self {
            at: Pointer::default(),
            component_at: Pointer::default(),
            config_at: Pointer::default(),
            ..self.clone()
        };
        if let Some(canary) = &mut nowhere.canary {
            canary.at = Pointer::default();
        }
        format!("{nowhere:?}")
    }
}

/// What a use may reach; nothing unless named.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Grants {
    pub upstreams: Vec<String>,
    /// Names of [`Config::stores`](super::Config::stores).
    pub stores: Vec<String>,
    pub request_body: bool,
    pub response_body: bool,
    pub cache: bool,
}

/// What becomes of an exchange whose plugin failed.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum OnError {
    /// It ends with 503.
    #[default]
    Reject,
    /// It goes on as if the plugin were not there.
    Skip,
}

impl OnError {
    /// As the configuration writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Skip => "skip",
        }
    }
}

/// The most memory that one instance can be granted, in bytes: address space is reserved for it.
pub const MAX_PLUGIN_MEMORY: usize = 1 << 30;

/// The most elements that one table of an instance can be granted.
pub const MAX_PLUGIN_TABLE: usize = 1_000_000;

/// The most attributes that one exchange can be granted, and their bytes together: each exchange
/// holds them until its end.
pub const MAX_ATTRIBUTES: usize = 1024;
pub const MAX_ATTRIBUTE_BYTES: usize = 1 << 20;

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UseLimits {
    /// CPU time of one hook; waiting does not count. Default 10 ms.
    pub cpu: Duration,
    /// One hook as a whole, waiting included; the exchange may have less time. Default 60 s.
    pub timeout: Duration,
    /// Linear memory of one instance, in bytes. Default 64 MiB.
    pub memory: usize,
    /// Elements of one table of an instance. Default 100,000.
    pub table: usize,
    /// Largest body that `body()` reads, in bytes. Default 10 MiB.
    pub max_body: u64,
    /// Instances in one worker. Default 64.
    pub max_instances: usize,
    /// Outbound calls that the use makes in one exchange. Default 16.
    pub calls: u32,
    /// Attributes of an exchange that this use may bring it to. Default 64.
    pub attributes: usize,
    /// Bytes of these, names and values together. Default 8 KiB.
    pub attribute_bytes: usize,
    /// Log lines in a second, of all instances together. Default 100.
    pub log_lines: u32,
    /// Series that it makes by counting and observing. Default 200.
    pub series: usize,
}
