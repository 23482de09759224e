//! Rate limits.

use super::bindings::tollgate::plugin::limits;
use crate::limits::{Decision, LimitError, Quota};

pub(crate) fn take(
    bucket: &str,
    key: &str,
    quota: Quota,
    cost: u32,
) -> Result<Decision, LimitError> {
    let quota =
        limits::Quota { limit: quota.limit, window_ms: quota.window_ms, burst: quota.burst };
    match limits::take(bucket, key, quota, cost) {
        Ok(decision) => Ok(Decision {
            allowed: decision.allowed,
            limit: decision.limit,
            remaining: decision.remaining,
            retry_after_ms: decision.retry_after_ms,
            reset_after_ms: decision.reset_after_ms,
        }),
        Err(limits::LimitError::Unavailable(why)) => Err(LimitError(why)),
    }
}
