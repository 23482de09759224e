//! Signals: SIGTERM, SIGINT and SIGQUIT drain, a second one ends at once; SIGHUP reloads, and so does
//! SIGUSR1, with which log rotation tells other servers.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::reload::Triggers;

/// The signals that the process listens for; missed by none once it is made.
pub(super) struct Signals {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
    quit: Option<Signal>,
    hangup: Option<Signal>,
    user: Option<Signal>,
}

/// A second signal to stop has come.
pub(super) struct ToldAgain;

impl Signals {
    /// Needs a runtime.
    pub(super) fn listen() -> Self {
        Self {
            terminate: listen(SignalKind::terminate()),
            interrupt: listen(SignalKind::interrupt()),
            quit: listen(SignalKind::quit()),
            hangup: listen(SignalKind::hangup()),
            user: listen(SignalKind::user_defined1()),
        }
    }

    /// Returns at the next signal to stop; reloads at each that asks for that.
    pub(super) async fn until_told_to_stop(&mut self, triggers: &Triggers) {
        loop {
            tokio::select! {
                () = wait(&mut self.terminate) => return,
                () = wait(&mut self.interrupt) => return,
                () = wait(&mut self.quit) => return,
                () = wait(&mut self.hangup) => triggers.reload("SIGHUP"),
                () = wait(&mut self.user) => triggers.reload("SIGUSR1"),
            }
        }
    }

    /// Waits for `end`.
    ///
    /// # Errors
    ///
    /// A signal said not to.
    pub(super) async fn or_told_again(
        &mut self,
        end: impl Future<Output = ()>,
        triggers: &Triggers,
    ) -> Result<(), ToldAgain> {
        tokio::select! {
            () = end => Ok(()),
            () = self.until_told_to_stop(triggers) => {
                tracing::warn!("told again to stop: closing what is open");
                Err(ToldAgain)
            }
        }
    }
}

fn listen(kind: SignalKind) -> Option<Signal> {
    signal(kind)
        .inspect_err(|error| tracing::error!(?kind, %error, "a signal cannot be listened for"))
        .ok()
}

async fn wait(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
