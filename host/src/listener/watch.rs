//! What each connection of a worker is doing, and for how long: a sweep every so often finds
//! those that are over their time. So no request pays for a timer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::Waker,
    time::Duration,
};

use parking_lot::Mutex;

use crate::{clock::Coarse, config::Limits};

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
    draining: bool,
}

/// The state of one connection, shared by its I/O, its exchanges and the sweep.
#[derive(Default)]
pub(crate) struct Connection {
    phase: AtomicU8,
    /// When the phase began, in milliseconds of the coarse clock.
    since: AtomicU64,
    /// When a write began to wait; 0: none does.
    stalled: AtomicU64,
    exchanges: AtomicU32,
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

/// One exchange at work; ends on drop.
pub(super) struct Active(Arc<Connection>);

impl Watch {
    pub(super) fn enter(self: &Arc<Self>) -> Place {
        let connection = Arc::new(Connection::default());
        connection.begin(Phase::Opening);
        let mut connections = self.connections.lock();
        if connections.draining {
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
        for connection in self.connections.lock().slots.iter().flatten() {
            if let Some(order) = connection.overdue(limits) {
                connection.order(order);
            }
        }
    }

    /// Every connection, also those to come, closes once it has nothing to do.
    pub(super) fn drain(&self) {
        let mut connections = self.connections.lock();
        connections.draining = true;
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
        self.phase.store(Phase::Busy as u8, Relaxed);
        Active(Arc::clone(self))
    }

    /// Whether no exchange runs: what is written then is the HTTP library's own.
    pub(super) fn is_between_exchanges(&self) -> bool {
        self.phase() != Phase::Busy
    }

    /// Bytes have come. `multiplexed`: they need not be a request's (HTTP/2 has frames of its own).
    pub(super) fn has_read(&self, multiplexed: bool) {
        if !multiplexed && self.phase() == Phase::Idle {
            self.begin(Phase::Head);
        }
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

    fn overdue(&self, limits: &Limits) -> Option<Order> {
        let stalled = self.stalled.load(Relaxed);
        if stalled != 0 && Coarse::from_millis(stalled).elapsed() > limits.body_idle {
            return Some(Order::Kill);
        }
        let elapsed = Coarse::from_millis(self.since.load(Relaxed)).elapsed();
        match self.phase() {
            Phase::Opening | Phase::Head if elapsed > limits.header_timeout + GRACE => {
                Some(Order::Kill)
            }
            Phase::Opening | Phase::Head if elapsed > limits.header_timeout => Some(Order::TimeOut),
            Phase::Idle if elapsed > limits.keepalive_idle + GRACE => Some(Order::Kill),
            Phase::Idle if elapsed > limits.keepalive_idle => Some(Order::Close),
            _ => None,
        }
    }
}

/// For a connection to do as it was told before it is closed all the same.
const GRACE: Duration = Duration::from_secs(5);

impl Drop for Active {
    fn drop(&mut self) {
        if self.0.exchanges.fetch_sub(1, Relaxed) == 1 {
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
        place.connection.has_read(false);
        assert_eq!(place.connection.phase(), Phase::Head);
    }
}
