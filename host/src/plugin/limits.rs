//! Rate limits: GCRA by the `governor` crate, shared by all instances, workers and generations.

mod keys;

use std::{collections::HashMap, num::NonZeroU32, sync::Arc, time::Duration};

use governor::{Quota, RateLimiter, clock::Clock, middleware::StateInformationMiddleware};
use parking_lot::Mutex;
use prometheus::IntCounter;

use self::keys::Keys;
use super::{
    settings::Settings,
    time::{LimitClock, Time},
};

type Limiter = RateLimiter<String, Keys, LimitClock, StateInformationMiddleware>;

/// Keys that one bucket counts apart. A client that can choose keys must not fill the memory: new
/// keys beyond these share one count, until a sweep has made room.
const MAX_KEYS: usize = 1_000_000;

/// Longest that a whole burst may take to be there again, some 73 years: the crate counts in
/// nanoseconds, and a sum beyond its numbers would let everything pass. What a plugin asks for beyond
/// is a smaller burst.
const MAX_REFILL: Duration = Duration::from_nanos(u64::MAX / 8);

/// Buckets of one use; a plugin names them, so there must be an end.
const MAX_BUCKETS: usize = 256;

/// The limits of the process.
#[derive(Default)]
pub(crate) struct RateLimits {
    time: Time,
    buckets: Mutex<HashMap<BucketId, Arc<Bucket>>>,
}

/// A bucket of a use with a quota; another quota is another bucket.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct BucketId {
    scope: String,
    bucket: String,
    quota: Rate,
}

/// `limit` in each `window`, of which `burst` may come at once.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Rate {
    pub(super) limit: NonZeroU32,
    pub(super) window: Duration,
    pub(super) burst: NonZeroU32,
}

struct Bucket {
    limiter: Limiter,
    rate: Rate,
}

/// How one `take` ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Decision {
    pub(super) allowed: bool,
    pub(super) remaining: u32,
    pub(super) retry_after: Duration,
    pub(super) reset_after: Duration,
}

impl RateLimits {
    /// None yet, by this clock.
    pub(crate) fn by(time: Time) -> Self {
        Self { time, ..Self::default() }
    }

    /// Forgets what needs no remembering. It walks over every key: not for a worker.
    pub(crate) fn sweep(&self) {
        let buckets: Vec<_> = self.buckets.lock().values().map(Arc::clone).collect();
        buckets.iter().for_each(|bucket| bucket.sweep());
        drop(buckets);
        // Those that no instance holds and that count nothing.
        let is_used = |bucket: &Arc<Bucket>| Arc::strong_count(bucket) > 1 || !bucket.is_empty();
        self.buckets.lock().retain(|_, bucket| is_used(bucket));
    }

    fn bucket(&self, id: BucketId) -> Result<Arc<Bucket>, TooManyBuckets> {
        let mut buckets = self.buckets.lock();
        if let Some(bucket) = buckets.get(&id) {
            return Ok(Arc::clone(bucket));
        }
        if buckets.keys().filter(|other| other.scope == id.scope).count() >= MAX_BUCKETS {
            return Err(TooManyBuckets);
        }
        let bucket = Arc::new(Bucket::new(id.quota, LimitClock::new(&self.time)));
        buckets.insert(id, Arc::clone(&bucket));
        Ok(bucket)
    }
}

/// An instance's way to its use's buckets: found once, then held.
pub(super) struct Buckets {
    settings: Arc<Settings>,
    known: Vec<(String, Rate, Arc<Bucket>)>,
    /// Takes that were allowed, and that were not; looked up with the first bucket.
    counters: Option<(IntCounter, IntCounter)>,
}

impl Buckets {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self { settings, known: Vec::new(), counters: None }
    }

    /// Takes `cost` from `key`'s quota.
    ///
    /// # Errors
    ///
    /// The use has more buckets than it may.
    pub(super) fn take(
        &mut self,
        name: &str,
        key: String,
        rate: Rate,
        cost: u32,
    ) -> Result<Decision, TooManyBuckets> {
        let known = self.known.iter().position(|(n, r, _)| n == name && *r == rate);
        let index = match known {
            Some(index) => index,
            None => self.find(name, rate)?,
        };
        let decision = self.known[index].2.take(key, cost);
        if let Some((allowed, refused)) = &self.counters {
            if decision.allowed { allowed.inc() } else { refused.inc() }
        }
        Ok(decision)
    }

    fn find(&mut self, name: &str, quota: Rate) -> Result<usize, TooManyBuckets> {
        let scope = self.settings.scope.clone();
        let id = BucketId { scope, bucket: name.to_owned(), quota };
        let bucket = self.settings.rate_limits.bucket(id)?;
        let name_of_use = &self.settings.name;
        self.counters = self.settings.limit_decisions.as_ref().map(|decisions| {
            let count = |result| decisions.with_label_values(&[name_of_use.as_str(), result]);
            (count("allowed"), count("refused"))
        });
        self.known.push((name.to_owned(), quota, bucket));
        Ok(self.known.len() - 1)
    }
}

/// A plugin asked for more buckets than one use may have.
#[derive(Debug, thiserror::Error)]
#[error("a use may have at most {MAX_BUCKETS} buckets")]
pub(super) struct TooManyBuckets;

impl Bucket {
    fn new(rate: Rate, clock: LimitClock) -> Self {
        Self::for_keys(rate, MAX_KEYS, clock)
    }

    fn for_keys(rate: Rate, most: usize, clock: LimitClock) -> Self {
        let period = (rate.window / rate.limit.get()).max(Duration::from_nanos(1));
        let longest = MAX_REFILL.as_nanos() / period.as_nanos();
        let longest = u32::try_from(longest).ok().and_then(NonZeroU32::new);
        let rate = Rate { burst: longest.map_or(rate.burst, |most| most.min(rate.burst)), ..rate };
        let quota =
            Quota::with_period(period).expect("the period is not zero").allow_burst(rate.burst);
        let limiter = Limiter::new(quota, Keys::new(most), clock);
        Self { limiter, rate }
    }

    fn take(&self, key: String, cost: u32) -> Decision {
        let Some(cost) = NonZeroU32::new(cost) else {
            return self.allowed(self.rate.burst.get());
        };
        // No waiting helps, and its product with the period could be more than a number holds.
        if cost > self.rate.burst {
            return self.never();
        }
        match self.limiter.check_key_n(&key, cost) {
            Ok(Ok(state)) => self.allowed(state.remaining_burst_capacity()),
            Ok(Err(until)) => {
                let retry_after = until.wait_time_from(self.limiter.clock().now());
                Decision {
                    allowed: false,
                    remaining: 0,
                    retry_after,
                    reset_after: self.refill(self.rate.burst.get()).max(retry_after),
                }
            }
            Err(_) => self.never(),
        }
    }

    /// It costs more than the burst.
    fn never(&self) -> Decision {
        Decision {
            allowed: false,
            remaining: 0,
            retry_after: self.rate.window,
            reset_after: self.rate.window,
        }
    }

    fn allowed(&self, remaining: u32) -> Decision {
        let reset_after = self.refill(self.rate.burst.get().saturating_sub(remaining));
        Decision { allowed: true, remaining, retry_after: Duration::ZERO, reset_after }
    }

    /// How long it takes until `used` are there again.
    fn refill(&self, used: u32) -> Duration {
        (self.rate.window / self.rate.limit.get()).saturating_mul(used)
    }

    /// Forgets keys whose quota is whole again: to them it makes no difference.
    fn sweep(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }

    fn is_empty(&self) -> bool {
        self.limiter.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(limit: u32, burst: u32) -> Bucket {
        let number = |value| NonZeroU32::new(value).unwrap();
        // A window this long gives nothing back while the test runs.
        let window = Duration::from_secs(86_400);
        let rate = Rate { limit: number(limit), window, burst: number(burst) };
        Bucket::new(rate, LimitClock::new(&Time::System))
    }

    #[test]
    fn the_burst_passes_and_not_one_more() {
        let bucket = bucket(100, 3);
        let taken: Vec<_> = (0..4).map(|_| bucket.take("a".into(), 1)).collect();
        let remaining: Vec<_> = taken.iter().map(|d| (d.allowed, d.remaining)).collect();
        assert_eq!(remaining, [(true, 2), (true, 1), (true, 0), (false, 0)]);
        let wait = taken[3].retry_after;
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(864), "{wait:?}");
    }

    #[test]
    fn keys_are_counted_apart() {
        let bucket = bucket(1, 1);
        assert!(bucket.take("a".into(), 1).allowed);
        assert!(bucket.take("b".into(), 1).allowed);
        assert!(!bucket.take("a".into(), 1).allowed);
    }

    #[test]
    fn a_cost_above_the_burst_never_passes() {
        let bucket = bucket(100, 3);
        assert!(!bucket.take("a".into(), 4).allowed);
        assert!(bucket.take("a".into(), 3).allowed, "and takes nothing");
    }

    #[test]
    fn no_quota_is_so_large_that_it_lets_more_pass() {
        let number = |value| NonZeroU32::new(value).unwrap();
        // Once around in 64 bits, this cost weighs nothing.
        let (window, cost) = (Duration::from_millis(1 << 31), (1 << 27) + 1);
        let bucket = |burst| {
            let rate = Rate { limit: NonZeroU32::MIN, window, burst: number(burst) };
            Bucket::new(rate, LimitClock::new(&Time::System))
        };
        assert!(!bucket(1).take("a".into(), cost).allowed);
        let largest = bucket(u32::MAX);
        assert!(!largest.take("a".into(), cost).allowed);
        let taken = (0..10_000).take_while(|_| largest.take("a".into(), 1).allowed).count();
        assert_eq!(taken, 1073, "as many as come again in 73 years");
    }

    #[test]
    fn a_cost_of_nothing_always_passes() {
        let bucket = bucket(1, 1);
        assert!(bucket.take("a".into(), 1).allowed);
        assert!(bucket.take("a".into(), 0).allowed);
    }

    /// A day gives nothing back while the test runs, a nanosecond everything.
    fn rate(window: Duration) -> Rate {
        Rate { limit: NonZeroU32::MIN, window, burst: NonZeroU32::MIN }
    }

    #[test]
    fn new_keys_beyond_the_bound_share_one_count_and_known_ones_keep_theirs() {
        let bucket =
            Bucket::for_keys(rate(Duration::from_secs(86_400)), 3, LimitClock::new(&Time::System));
        let keys = ["a", "b", "c", "d", "e"];
        let allowed: Vec<_> = keys.map(|key| bucket.take(key.into(), 1).allowed).into();
        assert_eq!(allowed, [true, true, true, true, false], "e counts as d does");
        assert_eq!(bucket.limiter.len(), 4, "three and the shared one");
        assert!(!bucket.take("a".into(), 1).allowed, "a is still known");
    }

    #[test]
    fn a_sweep_makes_room_for_new_keys() {
        let bucket =
            Bucket::for_keys(rate(Duration::from_nanos(1)), 1, LimitClock::new(&Time::System));
        for key in ["a", "b", "c"] {
            bucket.take(key.into(), 1);
        }
        bucket.sweep();
        assert!(bucket.is_empty());
        bucket.take("d".into(), 1);
        bucket.take("e".into(), 1);
        assert_eq!(bucket.limiter.len(), 2);
    }

    #[test]
    fn a_sweep_forgets_buckets_that_nobody_holds_and_that_count_nothing() {
        let limits = RateLimits::default();
        let id = |bucket: &str, window| BucketId {
            scope: "use".into(),
            bucket: bucket.into(),
            quota: rate(window),
        };
        let (short, long) = (Duration::from_nanos(1), Duration::from_secs(86_400));
        let held = limits.bucket(id("held", short)).expect("room");
        let counting = limits.bucket(id("counting", long)).expect("room");
        counting.take("a".into(), 1);
        drop(counting);
        limits.bucket(id("idle", short)).expect("room").take("a".into(), 1);
        limits.sweep();
        let mut left: Vec<_> = limits.buckets.lock().keys().map(|id| id.bucket.clone()).collect();
        left.sort();
        assert_eq!(left, ["counting", "held"]);
        drop(held);
    }

    #[test]
    fn a_sweep_forgets_only_what_is_whole_again() {
        let bucket = bucket(100, 3);
        bucket.take("a".into(), 3);
        bucket.sweep();
        assert!(!bucket.take("a".into(), 1).allowed);
    }
}
