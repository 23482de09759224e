//! The configuration: what to do in which hook.

use std::collections::BTreeMap;

use tollgate_plugin::Config;

use crate::keep::{CacheStep, StoreStep, TellStep};

/// Steps for each hook. A hook without steps is not wanted.
#[derive(Config)]
pub(crate) struct Probe {
    /// What to do with the request.
    #[serde(default)]
    pub(crate) request: Vec<Step>,
    /// What to do with the response.
    #[serde(default)]
    pub(crate) response: Vec<Step>,
    /// Log how the exchange ended.
    #[serde(default)]
    pub(crate) finish: bool,
    /// Refuse this configuration for this reason.
    pub(crate) refuse: Option<String>,
}

/// One thing to do.
#[derive(Config)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Report a value: `method`, `header:NAME`, `attribute:NAME`, `body`, ...
    Show(String),
    /// Name and value.
    SetHeader(String, String),
    /// Name and value.
    AppendHeader(String, String),
    RemoveHeader(String),
    SetMethod(String),
    SetTarget(String),
    SetUpstream(String),
    SetStatus(u16),
    SetBody(String),
    /// Name and value.
    SetAttribute(String, String),
    /// Call an upstream and report the status or the error.
    Call(Call),
    /// Call all at once.
    CallAll(Vec<Call>),
    /// Answer.
    Respond(Reply),
    /// Answer with what the calls gave.
    RespondWith(Vec<Call>),
    /// Count one of a metric.
    Count(String),
    /// Use a store and report what came of it.
    Store(StoreStep),
    /// Use the cache and report what came of it.
    Cache(CacheStep),
    /// Count, observe or log.
    Tell(TellStep),
    /// Fail with this text.
    Fail(String),
}

/// A `GET` of the plugin's own.
#[derive(Config)]
pub(crate) struct Call {
    pub(crate) upstream: String,
    pub(crate) target: String,
}

/// An answer of the plugin's own.
#[derive(Config)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) body: String,
}
