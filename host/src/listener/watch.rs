//! What each connection of a worker is doing, and for how long: a sweep every so often finds
//! those that are over their time. So no request pays for a timer.

mod due;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use self::due::{LAST_WORD, MADE_ROOM};
use super::framing::Block;
use crate::{clock::Coarse, config::Limits, exchange::Bound};

/// How often connections are looked at; time-outs are this coarse.
pub(crate) const SWEEP: Duration = Duration::from_millis(250);

/// The connections of one worker.
#[derive(Default)]
pub(crate) struct Watch {
    connections: Mutex<Connections>,
}

#[derive(Default)]
struct Connections {
    slots: Vec<Option<Arc<Connection>>>,
    free: Vec<usize>,
    /// Since when every connection is told to close.
    draining: Option<Coarse>,
}

/// The state of one connection, shared by its I/O, its exchanges and the sweep.
#[derive(Default)]
pub(crate) struct Connection {
    phase: AtomicU8,
    /// When the phase began, in milliseconds of the coarse clock.
    since: AtomicU64,
    /// When a client of HTTP/2 last sent anything: who takes up what an exchange has left sends frames.
    heard: AtomicU64,
    /// When a write began to wait; 0: none does.
    stalled: AtomicU64,
    /// When the block of fields that is open in HTTP/2 began; 0: none is.
    block: AtomicU64,
    /// Until when the running exchange may take, where it is the only one and bounded; else 0.
    until: AtomicU64,
    exchanges: AtomicU32,
    /// The request body of the latest exchange was given up before its end.
    left_body: AtomicBool,
    order: AtomicU8,
    waker: Mutex<Option<Waker>>,
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
enum Phase {
    /// Its first request head, and the TLS handshake before.
    Opening,
    /// The next request.
    Idle,
    /// The rest of a request head.
    Head,
    /// Exchanges run.
    Busy,
}

/// What a connection is told to do.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub(super) enum Order {
    GoOn,
    /// Finish what runs, then close.
    Close,
    /// Tell the client that it was too slow, then close.
    TimeOut,
    /// Close at once.
    Kill,
}

/// A place in the [`Watch`]; given back on drop.
pub(super) struct Place {
    watch: Arc<Watch>,
    index: usize,
    pub(super) connection: Arc<Connection>,
}

/// One exchange at work; ends on drop of the last that is held for it: its response's, and its
/// request body's, which may still come when the response has gone out.
pub(crate) struct Active(Arc<Connection>);

impl Watch {
    pub(super) fn enter(self: &Arc<Self>) -> Place {
        let connection = Arc::new(Connection::default());
        connection.begin(Phase::Opening);
        let mut connections = self.connections.lock();
        if connections.draining.is_some() {
            connection.order.store(Order::Close as u8, Relaxed);
        }
        let index = connections.free.pop().unwrap_or(connections.slots.len());
        if index == connections.slots.len() {
            connections.slots.push(None);
        }
        connections.slots[index] = Some(Arc::clone(&connection));
        Place { watch: Arc::clone(self), index, connection }
    }

    /// Orders whoever is over time to close.
    pub(crate) fn sweep(&self, limits: &Limits) {
        let connections = self.connections.lock();
        let told = connections.draining.is_some_and(|since| since.elapsed() > LAST_WORD);
        for connection in connections.slots.iter().flatten() {
            let order = if told && connection.has_nothing_to_do() {
                Some(Order::Kill)
            } else {
                connection.overdue(limits)
            };
            if let Some(order) = order {
                connection.order(order);
            }
        }
    }

    /// Closes some of the connections that have been without a request the longest: other clients wait.
    pub(crate) fn make_room(&self) {
        let connections = self.connections.lock();
        let connections = connections.slots.iter().flatten();
        let mut idle: Vec<_> = connections.filter_map(|it| Some((it, it.could_go()?))).collect();
        idle.sort_unstable_by_key(|(connection, _)| connection.since.load(Relaxed));
        let some = idle.len().min(MADE_ROOM);
        idle[..some].iter().for_each(|(connection, order)| connection.order(*order));
    }

    /// Every connection, also those to come, closes once it has nothing to do.
    pub(super) fn drain(&self) {
        let mut connections = self.connections.lock();
        connections.draining = Some(Coarse::now());
        for connection in connections.slots.iter().flatten() {
            connection.order(Order::Close);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut connections = self.watch.connections.lock();
        connections.slots[self.index] = None;
        connections.free.push(self.index);
    }
}

impl Connection {
    fn begin(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
        self.since.store(Coarse::now().as_millis(), Relaxed);
    }

    fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::Opening,
            1 => Phase::Idle,
            2 => Phase::Head,
            _ => Phase::Busy,
        }
    }

    /// A request head is complete.
    pub(super) fn begin_exchange(self: &Arc<Self>) -> Active {
        self.exchanges.fetch_add(1, Relaxed);
        self.left_body.store(false, Relaxed);
        self.phase.store(Phase::Busy as u8, Relaxed);
        Active(Arc::clone(self))
    }

    /// Whether the client may still send what nobody reads.
    pub(super) fn has_left_body(&self) -> bool {
        self.left_body.load(Relaxed)
    }

    /// Whether no exchange runs: what is written then is the HTTP library's own.
    pub(super) fn is_between_exchanges(&self) -> bool {
        self.phase() != Phase::Busy
    }

    /// Bytes of HTTP/1.1 have come.
    pub(super) fn has_read(&self) {
        if self.phase() == Phase::Idle {
            self.begin(Phase::Head);
        }
    }

    /// Bytes of HTTP/2 have come, which need not be a request's.
    pub(super) fn has_read_frames(&self, block: Block) {
        self.heard.store(Coarse::now().as_millis(), Relaxed);
        match block {
            Block::Shut if self.block.load(Relaxed) == 0 => {}
            Block::Shut => self.block.store(0, Relaxed),
            Block::Open => {}
            Block::Begun => self.block.store(Coarse::now().as_millis().max(1), Relaxed),
        }
    }

    /// For how long the phase has lasted.
    pub(super) fn waited(&self) -> Duration {
        Coarse::from_millis(self.since.load(Relaxed)).elapsed()
    }

    pub(super) fn waits_to_write(&self) {
        if self.stalled.load(Relaxed) == 0 {
            self.stalled.store(Coarse::now().as_millis().max(1), Relaxed);
        }
    }

    pub(super) fn has_written(&self) {
        if self.stalled.load(Relaxed) != 0 {
            self.stalled.store(0, Relaxed);
        }
    }

    pub(super) fn orders(&self) -> Order {
        match self.order.load(Relaxed) {
            0 => Order::GoOn,
            1 => Order::Close,
            2 => Order::TimeOut,
            _ => Order::Kill,
        }
    }

    /// Ends when it is to close at once.
    pub(super) async fn killed(&self) {
        std::future::poll_fn(|cx| {
            self.register(cx.waker());
            if self.orders() == Order::Kill { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Who is to be woken by an order.
    pub(super) fn register(&self, waker: &Waker) {
        let mut registered = self.waker.lock();
        if !registered.as_ref().is_some_and(|registered| registered.will_wake(waker)) {
            *registered = Some(waker.clone());
        }
    }

    fn order(&self, order: Order) {
        if self.orders() < order {
            self.order.store(order as u8, Relaxed);
        }
        if let Some(waker) = &*self.waker.lock() {
            waker.wake_by_ref();
        }
    }
}

impl Active {
    /// Nobody reads the request's body any more, and its end has not come.
    pub(crate) fn leaves_body(&self) {
        self.0.left_body.store(true, Relaxed);
    }

    /// The response is there, and has until `bound` to go out. While its client reads nothing the
    /// HTTP library does not ask its body for more, so that the sweep has to look at it.
    pub(super) fn has_response(&self, bound: Option<Bound>) {
        let Some(bound) = bound else { return };
        let left = bound.at.saturating_duration_since(Instant::now());
        let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        self.0.until.store(Coarse::now().as_millis().saturating_add(left), Relaxed);
    }
}

impl Clone for Active {
    fn clone(&self) -> Self {
        self.0.begin_exchange()
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        if self.0.exchanges.fetch_sub(1, Relaxed) == 1 {
            self.0.until.store(0, Relaxed);
            self.0.begin(Phase::Idle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_used_again() {
        let watch = Arc::new(Watch::default());
        let (first, second) = (watch.enter(), watch.enter());
        drop(first);
        let third = watch.enter();
        assert_eq!((second.index, third.index), (1, 0));
    }

    #[test]
    fn who_comes_during_a_drain_is_told_to_close() {
        let watch = Arc::new(Watch::default());
        let before = watch.enter();
        watch.drain();
        assert_eq!(before.connection.orders(), Order::Close);
        assert_eq!(watch.enter().connection.orders(), Order::Close);
    }

    #[test]
    fn a_connection_is_idle_only_once_its_last_exchange_has_ended() {
        let watch = Arc::new(Watch::default());
        let place = watch.enter();
        let (first, second) =
            (place.connection.begin_exchange(), place.connection.begin_exchange());
        drop(first);
        assert_eq!(place.connection.phase(), Phase::Busy);
        drop(second);
        assert_eq!(place.connection.phase(), Phase::Idle);
        place.connection.has_read();
        assert_eq!(place.connection.phase(), Phase::Head);
    }
}
