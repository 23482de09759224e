//! How far the trouble of one plugin goes.

use std::time::Duration;

use super::{Source, pointer::Pointer};

/// Who shares an instance of a use.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Isolation {
    /// An instance serves one exchange after the other.
    #[default]
    Shared,
    /// Every hook has a fresh instance.
    Request,
}

impl Isolation {
    /// As the configuration writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Request => "request",
        }
    }
}

/// When a use that keeps trapping is left alone, and for how long.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Quarantine {
    /// As many traps within `window` begin it. Default 10.
    pub traps: u32,
    /// Default 10 s.
    pub window: Duration,
    /// Until one exchange tries the use again. Default 1 s.
    pub retry: Duration,
    /// What `retry` grows to, twice as long after each try that fails. Default 1 min.
    pub max_retry: Duration,
}

impl Default for Quarantine {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { traps: 10, window: seconds(10), retry: seconds(1), max_retry: seconds(60) }
    }
}

/// Another version of a use's component, for a part of the clients.
#[derive(Clone, Debug, PartialEq)]
pub struct Canary {
    pub component: Source,
    /// `None`: as the use's.
    pub config: Option<serde_json::Value>,
    /// The share of the clients, 0.0 to 1.0.
    pub share: f64,
    pub abort_on: AbortOn,
    /// Whether it only runs beside the use and decides nothing.
    pub shadow: bool,
    /// Where it stands in the file.
    pub at: Pointer,
}

/// When a canary is given up.
#[derive(Clone, Debug, PartialEq)]
pub struct AbortOn {
    /// More failed hooks than this share of all, 0.0 to 1.0. Default 0.01.
    pub errors: f64,
    /// Default 1 min.
    pub window: Duration,
    /// Fewer hooks in the window prove nothing. Default 20.
    pub min_calls: u64,
}

impl Default for AbortOn {
    fn default() -> Self {
        Self { errors: 0.01, window: Duration::from_secs(60), min_calls: 20 }
    }
}
