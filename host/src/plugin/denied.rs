//! What a plugin asks for without a grant: each time is counted, and the log says who wants what.

use super::{settings::Settings, state::State};

/// What it would take.
#[derive(Clone, Copy)]
pub(super) enum Lack<'a> {
    /// Of this name.
    Upstream(&'a str),
    Store(&'a str),
    RequestBody,
    ResponseBody,
}

/// Bytes of a name in the log: a guest says what it likes.
const MAX_NAME: usize = 100;

impl Lack<'_> {
    /// The key of `grants`, and the label in metrics.
    fn grant(self) -> &'static str {
        match self {
            Self::Upstream(_) => "upstreams",
            Self::Store(_) => "stores",
            Self::RequestBody => "request_body",
            Self::ResponseBody => "response_body",
        }
    }

    fn name(&self) -> Option<&str> {
        match self {
            Self::Upstream(name) | Self::Store(name) => {
                Some(&name[..name.floor_char_boundary(MAX_NAME)])
            }
            Self::RequestBody | Self::ResponseBody => None,
        }
    }
}

impl State {
    /// The guest was refused something.
    pub(super) fn denied(&self, lack: Lack<'_>) {
        let (route, request_id) = self.whose();
        self.settings.denied(lack, route, request_id);
    }
}

impl Settings {
    /// An instance of this use was refused something.
    pub(super) fn denied(&self, lack: Lack<'_>, route: &str, request_id: &str) {
        let (plugin, grant) = (self.name.as_str(), lack.grant());
        if let Some(counters) = &self.calls_denied {
            counters.with_label_values(&[plugin, grant]).inc();
        }
        if self.latest_denial.is_another_second() {
            let wanted = lack.name();
            tracing::warn!(request_id, route, plugin, grant, wanted, "a plugin lacks a grant");
        }
    }
}
