//! The time, which tests can set.

use std::time::{Duration, UNIX_EPOCH};

use crate::sys;

/// The time since 1970-01-01T00:00:00Z. In tests it stands still until the test moves it.
#[must_use]
pub fn now() -> Duration {
    sys::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Waits, as a call does: the gateway serves others meanwhile, and it is no CPU time. In tests the
/// time moves on at once.
pub fn sleep(time: Duration) {
    sys::sleep(time);
}
