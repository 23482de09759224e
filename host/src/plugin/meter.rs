//! CPU time of one hook. Nothing is measured while a hook is short, as almost all are: the first
//! epoch that ends while the guest runs starts the metering. Time spent waiting never counts.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use wasmtime::UpdateDeadline;

use crate::clock::Coarse;

/// What one instance's current hook has used.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// The coarse clock when the guest last began to run, in milliseconds.
    entered: AtomicU64,
    /// Whether an epoch has ended while the guest ran.
    measuring: AtomicBool,
    /// Whether a hook is counted, whose limit the configuration has.
    in_hook: AtomicBool,
    /// Nanoseconds used up to `mark`.
    used: AtomicU64,
    /// The thread's CPU clock when the guest last began to run, in nanoseconds.
    mark: AtomicU64,
}

/// The hook has used up its CPU time.
#[derive(Debug, thiserror::Error)]
#[error("it used more than {limit:?} of CPU{}", if *is_setup { "" } else { " (`limits.cpu`)" })]
pub(super) struct CpuExceeded {
    limit: Duration,
    is_setup: bool,
}

impl Meter {
    pub(super) fn reset(&self) {
        self.measuring.store(false, Ordering::Relaxed);
        self.in_hook.store(true, Ordering::Relaxed);
        self.used.store(0, Ordering::Relaxed);
    }

    /// At the end of each epoch inside the guest: starts the metering, later lets others on this
    /// worker run, or ends the hook.
    pub(super) fn at_epoch(&self, limit: Duration) -> wasmtime::Result<UpdateDeadline> {
        // It may have come to that while it waited, or by what the gateway did for it.
        if Duration::from_nanos(self.used.load(Ordering::Relaxed)) >= limit {
            return Err(self.exceeded(limit));
        }
        // The epoch has ended while the guest waited: it has only begun to run.
        if self.entered.load(Ordering::Relaxed) == Coarse::now().as_millis() {
            return Ok(UpdateDeadline::Continue(1));
        }
        let now = thread_cpu();
        let since = now.saturating_sub(self.mark.swap(now, Ordering::Relaxed));
        if !self.measuring.swap(true, Ordering::Relaxed) {
            return Ok(UpdateDeadline::Continue(1));
        }
        let used = self.used.fetch_add(since, Ordering::Relaxed) + since;
        if Duration::from_nanos(used) >= limit {
            return Err(self.exceeded(limit));
        }
        // The runtime's own yield lets sockets be looked at too; a plain wake-up would only let
        // the tasks run that are ready now, for dozens of epochs.
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    }

    /// Does what may take long in the host: the guest is not looked at in there, so that it counts at
    /// once.
    ///
    /// # Errors
    ///
    /// The hook has used up its CPU time.
    pub(super) fn charge<T>(
        &self,
        limit: Duration,
        work: impl FnOnce() -> T,
    ) -> wasmtime::Result<T> {
        let done = self.count(work);
        let used = self.used.load(Ordering::Relaxed);
        if Duration::from_nanos(used) >= limit {
            return Err(self.exceeded(limit));
        }
        Ok(done)
    }

    /// Does what the guest has asked for, maybe in another task; it counts at once.
    pub(super) fn count<T>(&self, work: impl FnOnce() -> T) -> T {
        let begun = thread_cpu();
        let done = work();
        let spent = thread_cpu().saturating_sub(begun);
        // Where it is the guest's own task, the end of the epoch would count it once more.
        self.mark.fetch_add(spent, Ordering::Relaxed);
        self.used.fetch_add(spent, Ordering::Relaxed);
        done
    }

    fn exceeded(&self, limit: Duration) -> wasmtime::Error {
        let is_setup = !self.in_hook.load(Ordering::Relaxed);
        wasmtime::Error::new(CpuExceeded { limit, is_setup })
    }

    /// The guest goes on after a wait: what the thread did meanwhile was not the guest's.
    fn resume(&self) {
        self.entered.store(Coarse::now().as_millis(), Ordering::Relaxed);
        if self.measuring.load(Ordering::Relaxed) {
            self.mark.store(thread_cpu(), Ordering::Relaxed);
        }
    }

    /// The guest waits from now on.
    fn suspend(&self) {
        if self.measuring.load(Ordering::Relaxed) {
            let since = thread_cpu().saturating_sub(self.mark.load(Ordering::Relaxed));
            self.used.fetch_add(since, Ordering::Relaxed);
        }
    }
}

/// A call whose CPU time `meter` counts.
pub(super) struct Metered<F> {
    pub(super) call: F,
    pub(super) meter: Arc<Meter>,
}

impl<F: Future + Unpin> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.meter.resume();
        let polled = Pin::new(&mut self.call).poll(cx);
        if polled.is_pending() {
            self.meter.suspend();
        }
        polled
    }
}

/// Nanoseconds of CPU that this thread has used.
#[expect(unsafe_code, reason = "the C library's clock has no safe wrapper in use here")]
fn thread_cpu() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid, writable timespec for the length of the call.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    if failed != 0 {
        return 0;
    }
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    seconds.unwrap_or(0) * 1_000_000_000 + nanos.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy(time: Duration) {
        let until = thread_cpu() + u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        while thread_cpu() < until {}
    }

    #[test]
    fn what_is_done_in_the_host_counts_until_the_next_hook() {
        let (meter, limit) = (Meter::default(), Duration::from_millis(20));
        let charge = |millis| meter.charge(limit, || busy(Duration::from_millis(millis)));
        assert!(charge(1).is_ok());
        assert!(charge(1).is_ok());
        assert!(charge(20).expect_err("too long").is::<CpuExceeded>());
        assert!(charge(0).is_err());
        meter.reset();
        assert!(charge(1).is_ok());
    }
}
