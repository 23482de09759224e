//! `limits`: quotas by key.

use std::{num::NonZeroU32, time::Duration};

use wasmtime::Result;

use crate::{
    digest::Digest,
    plugin::{
        bindings::tollgate::plugin::limits::{Decision, Host, LimitError, Quota},
        limits::Rate,
        state::State,
    },
};

/// Longest key that is counted as it is, in bytes.
const MAX_KEY: usize = 128;

/// Longest name of a bucket, in bytes: the host keeps it.
const MAX_BUCKET: usize = 256;

impl Host for State {
    fn take(
        &mut self,
        bucket: String,
        key: String,
        quota: Quota,
        cost: u32,
    ) -> Result<Result<Decision, LimitError>> {
        if self.refuses_as_shadow() {
            return Ok(Err(LimitError::Unavailable("a shadow takes nothing".into())));
        }
        if bucket.len() > MAX_BUCKET {
            let reason = format!("a bucket's name has at most {MAX_BUCKET} bytes");
            return Ok(Err(LimitError::Unavailable(reason)));
        }
        let Some(rate) = rate(quota) else {
            return Ok(Err(LimitError::Unavailable("a quota and its window are above 0".into())));
        };
        // A client cannot fill the memory with a few long ones.
        let key = if key.len() <= MAX_KEY { key } else { Digest::of(key).into_hex() };
        let taken = self.buckets.take(&bucket, key, rate, cost);
        Ok(taken.map_err(|error| LimitError::Unavailable(error.to_string())).map(|decision| {
            Decision {
                allowed: decision.allowed,
                limit: quota.limit,
                remaining: decision.remaining,
                retry_after_ms: whole_millis(decision.retry_after),
                reset_after_ms: whole_millis(decision.reset_after),
            }
        }))
    }
}

fn rate(quota: Quota) -> Option<Rate> {
    let limit = NonZeroU32::new(quota.limit)?;
    let window = NonZeroU32::new(quota.window_ms)?;
    let burst = quota.burst.map_or(Some(limit), NonZeroU32::new)?;
    Some(Rate { limit, window: Duration::from_millis(window.get().into()), burst })
}

/// Rounded up: whoever waits this long has waited long enough.
fn whole_millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros().div_ceil(1000)).unwrap_or(u32::MAX)
}
