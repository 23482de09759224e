//! One thread per core: each worker has its own runtime, listening sockets, upstream connections
//! and plugin instances, so that the request path takes no lock that another thread holds.

use std::cell::Cell;

use parking_lot::{Mutex, MutexGuard};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

thread_local! {
    /// Which shard of a [`PerWorker`] belongs to this thread.
    static SHARD: Cell<usize> = const { Cell::new(0) };

    /// What goes on after its connection: tunnels, `on-finish` hooks.
    static AFTER: TaskTracker = TaskTracker::new();

    /// The time to drain is over on this thread.
    static CUTS: Cell<bool> = const { Cell::new(false) };
}

/// Makes this thread the owner of shard `index`.
///
/// Shard 0 is for threads that are no workers (admin, reload); workers have 1 and up.
pub(crate) fn enter(index: usize) {
    SHARD.set(index);
}

/// Runs `task` on this worker, which waits for it when it drains.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    AFTER.with(|after| after.spawn(task))
}

/// Waits for what [`spawn`] started, until the drain is `over`.
pub(crate) async fn finish(over: impl Future<Output = ()>) {
    let after = AFTER.with(TaskTracker::clone);
    after.close();
    tokio::select! {
        biased;
        () = after.wait() => {}
        () = over => {
            begin_to_cut();
            tracing::warn!(open = after.len(), "closing tunnels that did not finish in time");
        }
    }
}

/// The drain's time is over: what this worker still serves ends by the gateway, not by its client.
pub(crate) fn begin_to_cut() {
    CUTS.set(true);
}

pub(crate) fn cuts() -> bool {
    CUTS.get()
}

/// A value for each worker. The lock of a worker's own value is free but while a scrape or a
/// sweep reads it.
pub(crate) struct PerWorker<T> {
    shards: Box<[Padded<T>]>,
}

/// Keeps two workers' values off one cache line.
#[repr(align(128))]
struct Padded<T>(Mutex<T>);

impl<T> PerWorker<T> {
    /// For `workers` workers and the threads that are none.
    pub(crate) fn new(workers: usize, make: impl FnMut() -> T) -> Self {
        let mut make = make;
        Self { shards: (0..=workers).map(|_| Padded(Mutex::new(make()))).collect() }
    }

    /// This thread's value. Never hold it over an `await`.
    pub(crate) fn own(&self) -> MutexGuard<'_, T> {
        self.shards[SHARD.get()].0.lock()
    }

    /// The value of one of them; as [`Self::each`] counts.
    pub(crate) fn at(&self, index: usize) -> MutexGuard<'_, T> {
        self.shards[index].0.lock()
    }

    /// Every worker's value, each locked in turn.
    pub(crate) fn each(&self) -> impl Iterator<Item = MutexGuard<'_, T>> {
        self.shards.iter().map(|shard| shard.0.lock())
    }
}
