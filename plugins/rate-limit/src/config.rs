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
    /// The first thing that the types do not rule out.
    pub(crate) fn fault(&self) -> Option<String> {
        if self.limits.is_empty() {
            return Some("limits: at least one is needed".to_owned());
        }
        if !(1..=128).contains(&self.ipv6_prefix) {
            return Some("ipv6_prefix: must be from 1 to 128".to_owned());
        }
        for (i, limit) in self.limits.iter().enumerate() {
            let burst = limit.burst.unwrap_or(limit.limit.count);
            if burst == 0 {
                return Some(format!("limits[{i}].burst: must be at least 1"));
            }
            if limit.cost == 0 {
                return Some(format!("limits[{i}].cost: must be at least 1"));
            }
            if limit.cost > burst {
                return Some(format!(
                    "limits[{i}].cost: no request could ever have {} at once of {burst}",
                    limit.cost
                ));
            }
            let printable = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\' || c == ' ';
            if limit
                .name
                .as_ref()
                .is_some_and(|name| name.is_empty() || !name.chars().all(printable))
            {
                return Some(format!("limits[{i}].name: must be printable ASCII without quotes"));
            }
            let same = |other: &Limit| other.label() == limit.label() && other.key == limit.key;
            if self.limits[..i].iter().any(same) {
                return Some(format!("limits[{i}]: the same limit stands above; name them apart"));
            }
        }
        None
    }
}

impl Limit {
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
