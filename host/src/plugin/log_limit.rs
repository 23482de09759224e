//! How much the log gets of a use: so many lines a second of what it logs, of all its instances
//! together, and so many of its failures.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use super::usage::Settings;
use crate::{clock::Coarse, telemetry::Dropped};

/// Failures of a use that are told in a second, each in a line. Whoever finds the request that makes a
/// plugin fail could fill a disk otherwise.
const MAX_FAILURES: u32 = 10;

/// The present second (upper half) and the lines in it so far (lower half).
#[derive(Default)]
pub(super) struct LogWindow(AtomicU64);

impl LogWindow {
    /// Whether there may be another line in `second`; takes it if so.
    fn take(&self, second: u64, most: u32) -> bool {
        let second = second << 32;
        let next = |window: u64| {
            let lines = if window & !u64::from(u32::MAX) == second { window - second } else { 0 };
            (lines < u64::from(most)).then(|| second + lines + 1)
        };
        self.0.fetch_update(Relaxed, Relaxed, next).is_ok()
    }
}

/// What of a use's failures is told.
#[derive(Default)]
pub(super) struct Failures {
    window: LogWindow,
    /// Since the latest line about such.
    left_out: AtomicU64,
}

impl Settings {
    /// Whether another failure may have a line now. Of those that may not, a line within a second
    /// says how many there were.
    pub(super) fn may_tell_failure(self: &Arc<Self>) -> bool {
        let second = Coarse::now().as_millis() / 1000;
        let may = self.failures.window.take(second, MAX_FAILURES);
        if !may && self.failures.left_out.fetch_add(1, Relaxed) == 0 {
            tokio::spawn(Arc::clone(self).tell_left_out());
        }
        may
    }

    async fn tell_left_out(self: Arc<Self>) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let left_out = self.failures.left_out.swap(0, Relaxed);
        tracing::warn!(plugin = self.name, left_out, "more failures of a plugin, not told");
    }

    /// Whether the use may log another line now; one that it may not is counted.
    pub(super) fn may_log(&self) -> bool {
        let second = Coarse::now().as_millis() / 1000;
        let may = self.log_window.take(second, self.limits.log_lines);
        if !may && let Some(series) = &self.series {
            series.note_dropped(Dropped::LogLines);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_has_its_lines() {
        let window = LogWindow::default();
        let lines = |second| (0..9).filter(|_| window.take(second, 3)).count();
        assert_eq!((lines(0), lines(1), lines(1), lines(70_000)), (3, 3, 0, 3));
    }
}
