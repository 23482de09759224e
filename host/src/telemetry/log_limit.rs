//! How much the log gets of what others can make happen as often as they like.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::clock::Coarse;

/// Failures of one plugin or upstream that are told in a second, each in a line. Whoever finds the
/// request that makes it fail could fill a disk otherwise.
pub(crate) const MAX_FAILURES: u32 = 10;

/// The present second (upper half) and the lines in it so far (lower half).
#[derive(Default)]
pub(crate) struct LogWindow(AtomicU64);

impl LogWindow {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Whether there may be another line in this second, of `most`; takes it if so.
    pub(crate) fn take_now(&self, most: u32) -> bool {
        self.take(Coarse::now().as_millis() / 1000, most)
    }

    fn take(&self, second: u64, most: u32) -> bool {
        let second = second << 32;
        let next = |window: u64| {
            let lines = if window & !u64::from(u32::MAX) == second { window - second } else { 0 };
            (lines < u64::from(most)).then(|| second + lines + 1)
        };
        self.0.fetch_update(Relaxed, Relaxed, next).is_ok()
    }
}

/// What is told of the failures of one plugin or upstream.
#[derive(Default)]
pub(crate) struct Failures {
    window: LogWindow,
    /// Since the latest line about such.
    left_out: AtomicU64,
}

impl Failures {
    /// Whether another failure may have a line now. Of those that may not, `tell` says within a
    /// second how many there were.
    pub(crate) fn may_tell(self: &Arc<Self>, tell: impl FnOnce(u64) + Send + 'static) -> bool {
        let may = self.window.take_now(MAX_FAILURES);
        if !may && self.left_out.fetch_add(1, Relaxed) == 0 {
            let failures = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                tell(failures.left_out.swap(0, Relaxed));
            });
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
