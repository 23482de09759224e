//! Exchanges that the gateway answers with a problem, and what the log tells of them.

use super::State;
use crate::{
    error::Error,
    plugin::Service,
    problem,
    telemetry::{LogWindow, MAX_FAILURES},
    upstream::Upstream,
};

impl State {
    /// Answers with a problem, whatever stood as the answer before.
    pub(crate) fn fail(&mut self, error: Error) {
        if !is_told(&error) {
            return self.fail_untold(error);
        }
        let (request_id, route) = (self.id(), self.route_name());
        tracing::warn!(request_id, route, error = %Chain(&error), "answered with a problem");
        self.answer_for(error);
    }

    /// As [`Self::fail`], where a component is behind it: of its failures only so many are told.
    pub(crate) fn fail_by(&mut self, service: &Service, error: Error) {
        match error {
            Error::Plugin { .. } if !service.may_tell_failure() => self.fail_untold(error),
            error => self.fail(error),
        }
    }

    /// As [`Self::fail`], where an upstream is behind it: of its failures only so many are told.
    pub(crate) fn fail_at(&mut self, upstream: &Upstream, error: Error) {
        if is_told(&error) && !upstream.may_tell_failure() {
            return self.fail_untold(error);
        }
        self.fail(error);
    }

    /// As [`Self::fail`], for what the log gets on demand only.
    pub(crate) fn fail_untold(&mut self, error: Error) {
        let (request_id, route) = (self.id(), self.route_name());
        tracing::debug!(request_id, route, error = %Chain(&error), "answered with a problem");
        self.answer_for(error);
    }

    /// The plugin whose failure the answer is.
    pub(super) fn failed_plugin(&self) -> Option<&str> {
        match self.error.as_ref()? {
            error @ Error::Plugin { plugin, .. } if error.is_of_hook() => Some(plugin),
            _ => None,
        }
    }

    fn answer_for(&mut self, error: Error) {
        self.response = Some(problem::response(&error, self.id()));
        self.error = Some(error);
    }
}

/// A client can say that its request has been round.
static LOOPS: LogWindow = LogWindow::new();

/// Whether the log tells of it by itself. What a client does wrong it can do often: its errors are in
/// the metrics and the access log. The chain has told of a plugin's failure.
fn is_told(error: &Error) -> bool {
    if matches!(error, Error::Loop { .. }) {
        return LOOPS.take_now(MAX_FAILURES);
    }
    !problem::status(error).is_client_error() && !error.is_of_hook()
}

/// An error with all its sources, on one line.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
