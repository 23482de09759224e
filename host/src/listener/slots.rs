//! Connection slots of all listeners and workers: as many as connections may be open.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use prometheus::{IntCounter, IntGauge};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::TOLD;
use crate::{telemetry::LogWindow, waiting::Waiting};

/// Shared by all workers.
pub(crate) struct Slots {
    free: Arc<Semaphore>,
    /// Clients that wait for one.
    waiting: AtomicUsize,
    /// Clients that have waited.
    delayed: IntCounter,
}

/// To have a connection open.
pub(super) type Permit = OwnedSemaphorePermit;

/// One open connection's; given back and counted on drop.
#[derive(Debug)]
pub(crate) struct Slot {
    _permit: Permit,
    open: IntGauge,
}

impl Slot {
    pub(super) fn new(permit: Permit, open: IntGauge) -> Self {
        open.inc();
        Self { _permit: permit, open }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.open.dec();
    }
}

impl Slots {
    pub(crate) fn new(connections: usize, delayed: IntCounter) -> Self {
        Self { free: Arc::new(Semaphore::new(connections)), waiting: AtomicUsize::new(0), delayed }
    }

    pub(super) fn try_take(&self) -> Option<Permit> {
        Arc::clone(&self.free).try_acquire_owned().ok()
    }

    /// The next that is free. Cancel safe.
    pub(super) async fn take(&self) -> Permit {
        if let Some(free) = self.try_take() {
            return free;
        }
        self.delayed.inc();
        tell_of_full();
        let _waiting = Waiting::begin(&self.waiting);
        Arc::clone(&self.free).acquire_owned().await.expect("never closed")
    }

    /// Whether a client waits until a connection closes.
    pub(crate) fn are_wanted(&self) -> bool {
        self.waiting.load(Relaxed) > 0
    }
}

fn tell_of_full() {
    static WINDOW: LogWindow = LogWindow::new();
    if WINDOW.take_now(TOLD) {
        tracing::warn!(
            "as many connections are open as may be: a client waits for one to close, and those that \
             have no request are closed first"
        );
    }
}
