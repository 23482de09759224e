//! Bytes of one HTTP/2 stream on their way out. The HTTP library takes a piece as soon as there is
//! any window, and holds what does not fit; only the pieces themselves know when they have gone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::{Buf, Bytes};
use parking_lot::Mutex;
use tokio::time::sleep;

use crate::clock::Coarse;

/// Bytes that the library may be left with when a body ends. With more than this the body ends only
/// once they have gone: a stream that has ended cannot be reset any more.
const TAIL: usize = 16 * 1024;

/// What the other side of a stream takes up.
#[derive(Debug, Default)]
pub(crate) struct Outlet {
    /// The latest poll waits for more of the body, and not for the other side.
    waits_for_body: AtomicBool,
    /// When bytes were last taken up or made ready, by the coarse clock.
    moved: AtomicU64,
    /// Bytes that were made ready and have not gone.
    held: AtomicUsize,
    /// Who waits until none are held.
    waker: Mutex<Option<Waker>>,
}

/// Bytes that the HTTP library gets.
pub(crate) struct Piece {
    bytes: Bytes,
    /// `None`: HTTP/1.1, where the socket says what is taken up.
    outlet: Option<Arc<Outlet>>,
}

impl Outlet {
    /// The next piece.
    pub(crate) fn piece(self: &Arc<Self>, bytes: Bytes) -> Piece {
        self.held.fetch_add(bytes.len(), Relaxed);
        self.moved();
        Piece { bytes, outlet: Some(Arc::clone(self)) }
    }

    /// The other side took up bytes, or it is only now that there are some for it.
    pub(crate) fn moved(&self) {
        self.moved.store(Coarse::now().as_millis(), Relaxed);
    }

    /// For how long nothing was taken up.
    pub(crate) fn waited(&self) -> Duration {
        Coarse::from_millis(self.moved.load(Relaxed)).elapsed()
    }

    pub(crate) fn wait_for_body(&self, waits: bool) {
        self.waits_for_body.store(waits, Relaxed);
    }

    pub(crate) fn waits_for_body(&self) -> bool {
        self.waits_for_body.load(Relaxed)
    }

    /// Whether so much is held that the body must not end yet.
    pub(crate) fn has_tail(&self) -> bool {
        self.held.load(Relaxed) > TAIL
    }

    /// Waits until all bytes have gone.
    pub(crate) fn poll_empty(&self, cx: &mut Context<'_>) -> Poll<()> {
        // Registered first: the bytes may go meanwhile.
        *self.waker.lock() = Some(cx.waker().clone());
        if self.held.load(Relaxed) == 0 { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Ends once the other side has taken up nothing for `idle`, though there is something for it.
    pub(crate) async fn stalled(&self, idle: Duration) {
        loop {
            let waited = if self.waits_for_body() { Duration::ZERO } else { self.waited() };
            if waited >= idle {
                return;
            }
            // The coarse clock lags by a tick; one more look after it has moved.
            sleep((idle - waited).max(Duration::from_millis(5))).await;
        }
    }

    fn went(&self, count: usize) {
        self.moved();
        if self.held.fetch_sub(count, Relaxed) == count
            && let Some(waker) = self.waker.lock().take()
        {
            waker.wake();
        }
    }
}

impl Piece {
    /// For HTTP/1.1.
    pub(crate) fn unwatched(bytes: Bytes) -> Self {
        Self { bytes, outlet: None }
    }

    fn went(&self, count: usize) {
        if let Some(outlet) = self.outlet.as_ref().filter(|_| count > 0) {
            outlet.went(count);
        }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.went(self.bytes.len());
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.went(count);
    }

    fn copy_to_bytes(&mut self, count: usize) -> Bytes {
        let bytes = self.bytes.copy_to_bytes(count);
        self.went(count);
        bytes
    }
}
