//! The configuration, as the operator writes it.

use tollgate_plugin::Config;

use crate::key::Key;
use crate::rate::Rate;

/// Limits, each with its own count for each key.
#[derive(Config)]
pub(crate) struct RateLimit {
    /// The limits, in the order in which they are asked.
    #[schemars(length(min = 1))]
    pub(crate) limits: Vec<Limit>,
    /// How many bits of an IPv6 address make one client, 1 to 128.
    #[serde(default = "sixty_four")]
    #[schemars(range(min = 1, max = 128))]
    pub(crate) ipv6_prefix: u8,
    /// Tell clients what they have left, in `RateLimit` and `RateLimit-Policy`.
    #[serde(default = "yes")]
    pub(crate) headers: bool,
    /// Count and log, but refuse nobody.
    #[serde(default)]
    pub(crate) dry_run: bool,
    /// What happens to a request when the counts are out of reach.
    #[serde(default)]
    pub(crate) on_store_error: OnStoreError,
}

/// So much for each key in so much time.
#[derive(Config)]
pub(crate) struct Limit {
    /// What the limit is called in `RateLimit` headers and logs; by default the rate.
    pub(crate) name: Option<String>,
    /// Such as `100/min`; units are s, min, h and day.
    pub(crate) limit: Rate,
    /// How many at once, from 1; by default as many as the rate has in its time.
    #[schemars(range(min = 1))]
    pub(crate) burst: Option<u32>,
    /// What is counted by: the first that is there of several with `|` between them, each of one
    /// or more values with `+` between them.
    #[serde(default = "address")]
    #[schemars(extend("writeOnly" = false))]
    pub(crate) key: Key,
    /// What happens to a request that has no such key.
    #[serde(default)]
    pub(crate) missing: Missing,
    /// How many a request counts for, from 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub(crate) cost: u32,
}

/// What happens to a request that has nothing to count it by.
#[derive(Clone, Copy, Config, Default, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Missing {
    /// It is refused.
    #[default]
    Reject,
    /// This limit does not apply to it.
    Skip,
    /// All such requests count together.
    Shared,
}

/// What happens to a request when the counts are out of reach.
#[derive(Clone, Copy, Config, Default, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnStoreError {
    /// It goes on, uncounted.
    Allow,
    /// It is answered with 503.
    #[default]
    Deny,
}

impl RateLimit {
    /// What the types do not rule out, a line each.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.limits.is_empty() {
            faults.push("limits: at least one is needed".to_owned());
        }
        if !(1..=128).contains(&self.ipv6_prefix) {
            faults.push("ipv6_prefix: must be from 1 to 128".to_owned());
        }
        for (i, limit) in self.limits.iter().enumerate() {
            faults.extend(limit.faults().into_iter().map(|fault| format!("limits[{i}].{fault}")));
            let same = |other: &Limit| other.label() == limit.label() && other.key == limit.key;
            if self.limits[..i].iter().any(same) {
                faults.push(format!("limits[{i}]: the same limit stands above; name them apart"));
            }
        }
        faults
    }
}

impl Limit {
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let burst = self.burst.unwrap_or(self.limit.count);
        if burst == 0 {
            faults.push("burst: must be at least 1".to_owned());
        }
        if self.cost == 0 {
            faults.push("cost: must be at least 1".to_owned());
        }
        if burst > 0 && self.cost > burst {
            faults
                .push(format!("cost: no request could ever have {} at once of {burst}", self.cost));
        }
        let printable = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\' || c == ' ';
        let is_name = |name: &String| !name.is_empty() && name.chars().all(printable);
        if !self.name.as_ref().is_none_or(is_name) {
            faults.push("name: must be printable ASCII without quotes".to_owned());
        }
        faults
    }

    /// What the limit is called.
    pub(crate) fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.limit.text)
    }
}

fn sixty_four() -> u8 {
    64
}

fn yes() -> bool {
    true
}

fn one() -> u32 {
    1
}

fn address() -> Key {
    Key::address()
}
