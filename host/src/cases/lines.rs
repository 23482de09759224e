//! What the plugin logs while a case runs.

use std::{
    fmt::{self, Write as _},
    sync::Arc,
};

use parking_lot::Mutex;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    subscriber::DefaultGuard,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
    registry,
};

/// The lines so far, each `level: message name="value"`.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    /// Takes down what plugins log on this thread, in the place of the process's log, for as long
    /// as the guard is held.
    pub(super) fn capture() -> (Self, DefaultGuard) {
        let lines = Self::default();
        let subscriber = registry().with(lines.clone());
        (lines, tracing::subscriber::set_default(subscriber))
    }

    /// The lines since this was asked last.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock())
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if metadata.target() != "plugin" {
            return;
        }
        let mut line = Line::default();
        event.record(&mut line);
        let level = metadata.level().as_str().to_lowercase();
        let space = if line.fields.is_empty() { "" } else { " " };
        self.0.lock().push(format!("{level}: {}{space}{}", line.message, line.fields));
    }
}

/// The parts of a line that the plugin has a say in.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            "fields" => write!(self.fields, "{value:?}"),
            _ => Ok(()),
        };
    }
}
