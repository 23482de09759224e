//! Rate limits, by the clock of the test.

use std::time::SystemTime;

use super::world;
use crate::limits::{Decision, LimitError, Quota};

pub(crate) fn take(
    bucket: &str,
    key: &str,
    quota: Quota,
    cost: u32,
) -> Result<Decision, LimitError> {
    world(|world| {
        if world.limits_down {
            return Err(LimitError("the test says so".to_owned()));
        }
        let now = millis_since_epoch(world.now);
        let each = f64::from(quota.window_ms) / f64::from(quota.limit);
        let most = quota.burst.unwrap_or(quota.limit);
        let room = each * f64::from(most);
        let full_at = world.limits.entry((bucket.to_owned(), key.to_owned())).or_insert(now);
        let used = (*full_at - now).max(0.0);
        let after = used + each * f64::from(cost);
        let allowed = after <= room + 1e-6;
        let used = if allowed { after } else { used };
        if allowed {
            *full_at = now + after;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a test's quotas are small and these are not negative"
        )]
        let whole = |value: f64| value as u32;
        Ok(Decision {
            allowed,
            limit: quota.limit,
            remaining: whole((room - used) / each + 1e-6),
            retry_after_ms: if allowed { 0 } else { whole((after - room).ceil()) },
            reset_after_ms: whole(used.ceil()),
        })
    })
}

fn millis_since_epoch(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1000.0
}
