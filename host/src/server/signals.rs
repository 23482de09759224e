//! Signals: SIGTERM and SIGINT drain, a second one ends at once, SIGHUP reloads.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::reload::Triggers;

/// Returns at the first signal to stop.
pub(super) async fn until_told_to_stop(triggers: &Triggers) {
    let mut stop = Stop::new();
    let mut hangup = listen(SignalKind::hangup());
    loop {
        tokio::select! {
            () = stop.wait() => return,
            () = wait(&mut hangup) => triggers.reload("SIGHUP"),
        }
    }
}

/// Waits for `drained`, or for a signal that says not to.
pub(super) async fn or_told_again(drained: impl Future<Output = ()>) {
    let mut stop = Stop::new();
    tokio::select! {
        () = drained => tracing::info!("all connections are closed"),
        () = stop.wait() => tracing::warn!("told again to stop: closing what is open"),
    }
}

struct Stop {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
}

impl Stop {
    fn new() -> Self {
        Self {
            terminate: listen(SignalKind::terminate()),
            interrupt: listen(SignalKind::interrupt()),
        }
    }

    async fn wait(&mut self) {
        tokio::select! {
            () = wait(&mut self.terminate) => {}
            () = wait(&mut self.interrupt) => {}
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
