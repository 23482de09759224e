//! Open admin connections, of which there are never many: where one too many comes, the oldest that
//! asks for nothing gives way. Else whoever opens some and is silent would keep a probe out, and a
//! process that does not answer its probe is killed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use tokio::task::AbortHandle;

/// Operators and scrapers, not the public.
const MAX_CONNECTIONS: usize = 64;

/// The connections, the oldest first.
#[derive(Default)]
pub(super) struct Connections(Vec<Open>);

struct Open {
    activity: Activity,
    task: AbortHandle,
}

/// Whether a connection has a request that is being answered.
#[derive(Clone, Default)]
pub(super) struct Activity(Arc<AtomicBool>);

/// A request at work; ends on drop.
pub(super) struct Answering<'a>(&'a AtomicBool);

impl Connections {
    /// Whether there is room for one more, made where it has to be.
    pub(super) fn make_room(&mut self) -> bool {
        self.0.retain(|open| !open.task.is_finished());
        if self.0.len() < MAX_CONNECTIONS {
            return true;
        }
        let silent = self.0.iter().position(|open| !open.activity.0.load(Relaxed));
        let Some(silent) = silent else { return false };
        self.0.remove(silent).task.abort();
        true
    }

    pub(super) fn add(&mut self, activity: Activity, task: AbortHandle) {
        self.0.push(Open { activity, task });
    }
}

impl Activity {
    pub(super) fn begin(&self) -> Answering<'_> {
        self.0.store(true, Relaxed);
        Answering(&self.0)
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}
