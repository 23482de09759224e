//! Limits that a plugin is told of instead of being ended: each is counted, and the log says which
//! use reached which limit.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{bindings::tollgate::plugin::types::Refused, settings::Settings, state::State};
use crate::clock::Coarse;

/// A limit that ends no hook.
#[derive(Clone, Copy)]
pub(super) enum Limit {
    /// `too-large`.
    Body,
    /// `invalid`.
    Calls,
    /// The attribute is not set.
    Attributes,
    /// `too-large`, for a key or value.
    Store,
}

/// The second of a use's latest line; what a client can bring about must not fill the log.
#[derive(Default)]
pub(super) struct LatestLine(AtomicU64);

impl LatestLine {
    /// Whether there may be a line, which this then is.
    pub(super) fn is_another_second(&self) -> bool {
        // From 1, so that the first second counts too.
        let second = Coarse::now().as_millis() / 1000 + 1;
        self.0.swap(second, Relaxed) != second
    }
}

impl Limit {
    /// The label in metrics.
    fn name(self) -> &'static str {
        match self {
            Self::Body => "max_body",
            Self::Calls => "calls",
            Self::Attributes => "attributes",
            Self::Store => "store",
        }
    }
}

impl State {
    /// The guest has reached `limit`.
    pub(super) fn reached(&self, limit: Limit) {
        let (route, request_id) = self.whose();
        self.settings.reached(limit, route, request_id);
    }
}

impl State {
    /// Refuses a body that the guest could not read either: the host holds it until it is sent.
    pub(super) fn check_body(&self, body: &[u8]) -> Result<(), Refused> {
        let limit = self.settings.limits.max_body;
        if body.len() as u64 <= limit {
            return Ok(());
        }
        self.reached(Limit::Body);
        let reason = format!("a body has at most {limit} bytes (`limits.max_body`)");
        Err(Refused::Invalid(reason))
    }
}

impl Settings {
    /// An instance of this use has reached `limit`.
    pub(super) fn reached(&self, limit: Limit, route: &str, request_id: &str) {
        if let Some(counters) = &self.limits_reached {
            counters.with_label_values(&[self.name.as_str(), limit.name()]).inc();
        }
        if self.latest_line.is_another_second() {
            let (plugin, limit) = (&self.name, limit.name());
            tracing::warn!(request_id, route, plugin, limit, "a plugin has reached a limit");
        }
    }
}
