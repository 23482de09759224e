//! How much the log gets of a use: so many lines a second of what it logs, of all its instances
//! together, and so many of its failures.

use std::sync::Arc;

use super::settings::Settings;
use crate::telemetry::{Dropped, MAX_FAILURES};

impl Settings {
    /// Whether another failure may have a line now.
    pub(super) fn may_tell_failure(self: &Arc<Self>) -> bool {
        let settings = Arc::clone(self);
        self.failures.may_tell(move |left_out| {
            tracing::warn!(plugin = settings.name, left_out, "more failures of a plugin, not told");
        })
    }

    /// Whether the use may log another line now; one that it may not is counted.
    pub(super) fn may_log(&self) -> bool {
        let may = self.log_window.take_now(self.limits.log_lines);
        if !may {
            self.drops_line();
        }
        may
    }

    /// Whether the message of a panic may have a line now: it is a line as others are, and a failure.
    pub(super) fn may_log_panic(&self) -> bool {
        let may = self.panics.take_now(MAX_FAILURES);
        if !may {
            self.drops_line();
        }
        may && self.may_log()
    }

    fn drops_line(&self) {
        if let Some(series) = &self.series {
            series.note_dropped(Dropped::LogLines);
        }
    }
}
