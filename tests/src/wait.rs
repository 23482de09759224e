//! Waiting for what is to happen, and never for time to pass.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};

/// For anything that a test waits for; reached only when the test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at something that cannot say by itself that it has changed.
const LOOK: Duration = Duration::from_millis(5);

/// Looks until `look` finds something.
///
/// # Panics
///
/// `what` did not happen within [`PATIENCE`].
pub async fn until<T, F>(what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let found = async {
        loop {
            looks.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    within(what, found).await
}

/// The output of what must not take for ever.
///
/// # Panics
///
/// It did not end within [`PATIENCE`].
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("in vain waited for: {what}"))
}
