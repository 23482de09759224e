//! Whose time is over: clients that are too slow, those that have gone, and those that others wait for.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use super::{Connection, Order, Phase, SWEEP};
use crate::{clock::Coarse, config::Limits};

/// For a connection to do as it was told before it is closed all the same.
const GRACE: Duration = Duration::from_secs(5);

/// Where others wait: for how long a connection without a request stays all the same, and how many close
/// with each sweep.
const SPARED: Duration = Duration::from_secs(1);
pub(super) const MADE_ROOM: usize = 32;

/// For a client to say that it has heard of the connection's end: over HTTP/2 the gateway waits for
/// that, and one that is gone says nothing.
pub(super) const LAST_WORD: Duration = Duration::from_secs(2);

impl Connection {
    /// Whether it has been without a request for as long as its client needs to hear that the gateway
    /// stops.
    pub(super) fn has_nothing_to_do(&self) -> bool {
        let idle = matches!(self.phase(), Phase::Opening | Phase::Idle);
        idle && self.says_nothing() && self.waited() > LAST_WORD
    }

    /// Whether its client neither sends anything nor has to take up what was sent.
    fn says_nothing(&self) -> bool {
        let heard = Coarse::from_millis(self.heard.load(Relaxed));
        self.stalled.load(Relaxed) == 0 && heard.elapsed() > LAST_WORD
    }

    /// How to part from a client that does not ask for anything, if it does not.
    pub(super) fn could_go(&self) -> Option<Order> {
        let waited = self.waited();
        let is_silent = self.says_nothing() && waited > SPARED + LAST_WORD;
        match self.phase() {
            Phase::Idle | Phase::Opening if is_silent => Some(Order::Kill),
            Phase::Idle if waited > SPARED && self.orders() == Order::GoOn => Some(Order::Close),
            _ => None,
        }
    }

    /// Whether its exchange should have ended by its own time-out.
    fn is_beyond_its_exchange(&self) -> bool {
        let until = self.until.load(Relaxed);
        until != 0 && Coarse::from_millis(until).elapsed() > SWEEP
    }

    pub(super) fn overdue(&self, limits: &Limits) -> Option<Order> {
        let stalled = self.stalled.load(Relaxed);
        if stalled != 0 && Coarse::from_millis(stalled).elapsed() > limits.body_idle {
            return Some(Order::Kill);
        }
        // Its other streams cannot go on before the block ends.
        let block = self.block.load(Relaxed);
        if block != 0 && Coarse::from_millis(block).elapsed() > limits.header_timeout {
            return Some(Order::Kill);
        }
        let elapsed = self.waited();
        match self.phase() {
            Phase::Busy => self.is_beyond_its_exchange().then_some(Order::Kill),
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
