//! A use that keeps trapping is left alone: its hooks are refused, as if they had failed, until one
//! exchange that tries it again comes through. Shared by all workers.
//!
//! A hook that a guest ends by its own `err(text)` proves that the guest runs. Waiting for a free
//! instance and the exchange's own deadline say nothing of the guest. Neither counts.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::hook::HookError;
use crate::{config, exchange::Exchange};

/// The hooks of an exchange, in their order.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Stage {
    Request,
    RequestChunk,
    Response,
    ResponseChunk,
    Finish,
}

/// What is known of one use's traps.
pub(crate) struct Quarantine {
    plugin: String,
    settings: config::Quarantine,
    /// Whether hooks have to ask: all that they read while the use is sound.
    active: AtomicBool,
    record: Mutex<Record>,
}

#[derive(Default)]
struct Record {
    /// The latest traps, at most `settings.traps` of them.
    traps: VecDeque<Instant>,
    term: Option<Term>,
    /// When the last one ended, and how long its last wait was.
    last: Option<(Instant, Duration)>,
}

/// A quarantine that has begun.
struct Term {
    since: Instant,
    backoff: Duration,
    next_try: Instant,
    tries: u32,
    /// When the exchange that tries the use now began to.
    trying: Option<Instant>,
    /// Where the latest trap was: the use is sound again when an exchange has passed this hook.
    culprit: Stage,
}

/// An exchange's turn to try a use in quarantine, its bodies' views included. Dropped before it has come to anything, the turn
/// is the next exchange's.
pub(crate) struct Trial(Arc<Quarantine>);

/// A term as `/status` shows it.
pub(crate) struct TermStatus {
    pub(crate) lasts: Duration,
    pub(crate) tries: u32,
    /// Zero: the next exchange tries, or one does.
    pub(crate) next_try: Duration,
}

impl Quarantine {
    pub(super) fn new(plugin: &str, settings: config::Quarantine) -> Self {
        let plugin = plugin.to_owned();
        Self { plugin, settings, active: AtomicBool::new(false), record: Mutex::default() }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.active.load(Relaxed)
    }

    pub(crate) fn status(&self) -> Option<TermStatus> {
        let now = Instant::now();
        let record = self.record.lock();
        record.term.as_ref().map(|term| TermStatus {
            lasts: now - term.since,
            tries: term.tries,
            next_try: term.next_try.saturating_duration_since(now),
        })
    }

    /// Whether the exchange may have a hook of a use that is in quarantine.
    ///
    /// # Errors
    ///
    /// It may not; with the time after which it is worth another try.
    pub(super) fn admit(self: &Arc<Self>, exchange: &mut Exchange) -> Result<(), HookError> {
        if exchange.trials.iter().any(|trial| Arc::ptr_eq(&trial.0, self)) {
            return Ok(());
        }
        if self.begin_try(Instant::now())? {
            exchange.trials.push(Arc::new(Trial(Arc::clone(self))));
        }
        Ok(())
    }

    /// False: the quarantine has just ended.
    fn begin_try(&self, now: Instant) -> Result<bool, HookError> {
        let mut record = self.record.lock();
        let Some(term) = &mut record.term else { return Ok(false) };
        // An exchange that never ends must not keep its turn for ever.
        let patience = self.settings.max_retry;
        let is_tried = term.trying.is_some_and(|began| now - began < patience);
        if is_tried || now < term.next_try {
            let rest = term.next_try.saturating_duration_since(now);
            return Err(HookError::Quarantined { retry_after: rest });
        }
        term.trying = Some(now);
        term.tries += 1;
        let (plugin, tries) = (&self.plugin, term.tries);
        tracing::info!(plugin, tries, "a plugin in quarantine is tried");
        Ok(true)
    }

    /// Takes note of how a hook ended.
    pub(super) fn note(
        self: &Arc<Self>,
        exchange: &mut Exchange,
        stage: Stage,
        error: Option<&HookError>,
    ) {
        let trapped = error.is_some_and(HookError::is_trap);
        let trial = exchange.trials.iter().position(|trial| Arc::ptr_eq(&trial.0, self));
        let mut record = self.record.lock();
        match (trial, &mut record.term) {
            (None, None) if trapped => self.count(&mut record, stage, Instant::now()),
            (Some(_), Some(term)) if trapped => self.prolong(term, stage, Instant::now()),
            (Some(_), Some(term)) if is_proof(error) && stage >= term.culprit => {
                self.end(&mut record);
            }
            _ => return,
        }
        drop(record);
        if let Some(at) = trial {
            exchange.trials.swap_remove(at);
        }
    }

    fn count(&self, record: &mut Record, stage: Stage, now: Instant) {
        let config::Quarantine { traps, window, retry, max_retry } = self.settings;
        record.traps.retain(|trap| now - *trap < window);
        record.traps.push_back(now);
        if record.traps.len() < traps as usize {
            return;
        }
        record.traps.clear();
        // Who traps again soon after a good hour has not become sound.
        let again =
            record.last.filter(|(ended, _)| now.saturating_duration_since(*ended) < max_retry);
        let retry = again.map_or(retry, |(_, backoff)| (backoff * 2).min(max_retry));
        record.term = Some(Term {
            since: now,
            backoff: retry,
            next_try: now + retry,
            tries: 0,
            trying: None,
            culprit: stage,
        });
        self.active.store(true, Relaxed);
        let plugin = &self.plugin;
        tracing::error!(plugin, traps, ?window, ?retry, "a plugin goes into quarantine");
    }

    fn prolong(&self, term: &mut Term, stage: Stage, now: Instant) {
        term.backoff = (term.backoff * 2).min(self.settings.max_retry);
        term.next_try = now + term.backoff;
        term.trying = None;
        term.culprit = stage;
        let (plugin, retry) = (&self.plugin, term.backoff);
        tracing::warn!(plugin, ?retry, "a plugin stays in quarantine");
    }

    fn end(&self, record: &mut Record) {
        if let Some(term) = record.term.take() {
            self.active.store(false, Relaxed);
            record.last = Some((Instant::now(), term.backoff));
            let (plugin, lasted) = (&self.plugin, term.since.elapsed());
            tracing::info!(plugin, ?lasted, "a plugin leaves quarantine");
        }
    }
}

/// Whether the guest has run to an end of its own.
fn is_proof(error: Option<&HookError>) -> bool {
    matches!(error, None | Some(HookError::Failed(_)))
}

impl Drop for Trial {
    fn drop(&mut self) {
        if let Some(term) = &mut self.0.record.lock().term {
            term.trying = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quarantine() -> Quarantine {
        let seconds = Duration::from_secs;
        let settings = config::Quarantine {
            traps: 3,
            window: seconds(10),
            retry: seconds(1),
            max_retry: seconds(3),
        };
        Quarantine::new("p", settings)
    }

    fn trap(quarantine: &Quarantine, at: Instant) {
        quarantine.count(&mut quarantine.record.lock(), Stage::Request, at);
    }

    #[test]
    fn as_many_traps_in_the_window_begin_it() {
        let (quarantine, now) = (quarantine(), Instant::now());
        let seconds = |number| now + Duration::from_secs(number);
        for at in [0, 6, 12, 18] {
            trap(&quarantine, seconds(at));
            assert!(!quarantine.is_active(), "after {at} s");
        }
        trap(&quarantine, seconds(19));
        assert!(quarantine.is_active());
    }

    #[test]
    fn one_at_a_time_tries_and_the_time_between_doubles_to_its_limit() {
        let (quarantine, now) = (quarantine(), Instant::now());
        (0..3).for_each(|_| trap(&quarantine, now));
        let mut at = now;
        for wait in [1, 2, 3, 3] {
            at += Duration::from_secs(wait);
            let early = quarantine.begin_try(at - Duration::from_millis(1));
            assert!(matches!(early, Err(HookError::Quarantined { .. })), "before {wait} s");
            assert!(matches!(quarantine.begin_try(at), Ok(true)), "after {wait} s");
            assert!(quarantine.begin_try(at).is_err(), "a second one tries");
            let mut record = quarantine.record.lock();
            quarantine.prolong(record.term.as_mut().unwrap(), Stage::Request, at);
        }
    }

    #[test]
    fn who_traps_again_soon_after_waits_longer_than_before() {
        let (quarantine, now) = (quarantine(), Instant::now());
        for wait in [1, 2, 3, 3] {
            (0..3).for_each(|_| trap(&quarantine, now));
            let mut record = quarantine.record.lock();
            assert_eq!(record.term.as_ref().unwrap().backoff, Duration::from_secs(wait));
            quarantine.end(&mut record);
        }
        let much_later = now + Duration::from_secs(60);
        (0..3).for_each(|_| trap(&quarantine, much_later));
        let record = quarantine.record.lock();
        assert_eq!(record.term.as_ref().unwrap().backoff, Duration::from_secs(1));
    }

    #[test]
    fn a_try_that_came_to_nothing_is_the_next_exchanges() {
        let (quarantine, now) = (Arc::new(quarantine()), Instant::now());
        (0..3).for_each(|_| trap(&quarantine, now));
        let later = now + Duration::from_secs(1);
        assert!(matches!(quarantine.begin_try(later), Ok(true)));
        drop(Trial(Arc::clone(&quarantine)));
        assert!(matches!(quarantine.begin_try(later), Ok(true)));
    }

    #[test]
    fn what_the_plugin_says_itself_is_no_trap() {
        assert!(!HookError::Failed("no".into()).is_trap());
        assert!(!HookError::Busy.is_trap());
        assert!(!HookError::DeadlinePassed.is_trap());
        assert!(!HookError::Quarantined { retry_after: Duration::ZERO }.is_trap());
        assert!(HookError::StackOverflow.is_trap());
        assert!(HookError::TimedOut(Duration::ZERO).is_trap());
    }
}
