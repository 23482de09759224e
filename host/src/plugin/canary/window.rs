//! Calls and errors of the latest while, in slots that are forgotten one by one.

use std::time::{Duration, Instant};

const SLOTS: usize = 10;

pub(super) struct Window {
    slot: Duration,
    began: Instant,
    /// How many slots have begun since `began`; the latest one is at this index.
    latest: u64,
    slots: [Slot; SLOTS],
}

#[derive(Clone, Copy, Default)]
struct Slot {
    calls: u64,
    errors: u64,
}

impl Window {
    pub(super) fn new(length: Duration, now: Instant) -> Self {
        let slot = (length / SLOTS as u32).max(Duration::from_millis(1));
        Self { slot, began: now, latest: 0, slots: [Slot::default(); SLOTS] }
    }

    /// Counts a call; gives calls and errors of the window.
    pub(super) fn count(&mut self, failed: bool, now: Instant) -> (u64, u64) {
        self.forget(now);
        let slot = &mut self.slots[index(self.latest)];
        slot.calls += 1;
        slot.errors += u64::from(failed);
        let sum = |of: fn(&Slot) -> u64| self.slots.iter().map(of).sum();
        (sum(|slot| slot.calls), sum(|slot| slot.errors))
    }

    fn forget(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.began).as_nanos() / self.slot.as_nanos();
        let current = u64::try_from(passed).unwrap_or(u64::MAX).max(self.latest);
        let gone = (current - self.latest).min(SLOTS as u64);
        for slot in 1..=gone {
            self.slots[index(self.latest + slot)] = Slot::default();
        }
        self.latest = current;
    }
}

fn index(slot: u64) -> usize {
    usize::try_from(slot % SLOTS as u64).unwrap_or_default()
}
