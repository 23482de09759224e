//! How much a use may log: so many lines a second, of all its instances together.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::usage::Settings;
use crate::{clock::Coarse, telemetry::Dropped};

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

impl Settings {
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
