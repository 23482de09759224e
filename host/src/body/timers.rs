//! Timers of bodies, made only once something has to wait.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

/// Fires when nothing moved for `limit`. The timer exists only once something had to wait, so a
/// body that comes with its head costs none.
pub(crate) struct Idle {
    pub(crate) limit: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    moved: bool,
}

impl Idle {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, sleep: None, moved: true }
    }

    pub(crate) fn moved(&mut self) {
        self.moved = true;
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.limit;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(limit)));
        if std::mem::take(&mut self.moved) {
            sleep.as_mut().reset(Instant::now() + limit);
        }
        sleep.as_mut().poll(cx)
    }
}

/// Fires at a time, and costs nothing until something has to wait.
pub(crate) struct Deadline {
    at: Instant,
    pub(crate) limit: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    pub(crate) fn new(at: std::time::Instant, limit: Duration) -> Self {
        Self { at: at.into(), limit, sleep: None }
    }

    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.at
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let at = self.at;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        sleep.as_mut().poll(cx)
    }
}
