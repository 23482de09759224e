//! Signals: SIGTERM and SIGINT drain, a second one ends at once, SIGHUP reloads.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::reload::Triggers;

/// The signals that the process listens for; missed by none once it is made.
pub(super) struct Signals {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
    hangup: Option<Signal>,
}

/// A second signal to stop has come.
pub(super) struct ToldAgain;

impl Signals {
    /// Needs a runtime.
    pub(super) fn listen() -> Self {
        Self {
            terminate: listen(SignalKind::terminate()),
            interrupt: listen(SignalKind::interrupt()),
            hangup: listen(SignalKind::hangup()),
        }
    }

    /// Returns at the first signal to stop; reloads at each SIGHUP.
    pub(super) async fn until_told_to_stop(&mut self, triggers: &Triggers) {
        loop {
            tokio::select! {
                () = wait(&mut self.terminate) => return,
                () = wait(&mut self.interrupt) => return,
                () = wait(&mut self.hangup) => triggers.reload("SIGHUP"),
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
    ) -> Result<(), ToldAgain> {
        let told = async {
            tokio::select! {
                () = wait(&mut self.terminate) => {}
                () = wait(&mut self.interrupt) => {}
            }
        };
        tokio::select! {
            () = end => Ok(()),
            () = told => {
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
