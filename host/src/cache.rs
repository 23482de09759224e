//! Whole responses that plugins keep: put while they stream to a client, there for others once
//! their bodies have ended well. What may be kept, and for how long it is fresh, is the plugins'.

mod entries;
mod tee;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{
    HeaderMap, Response, StatusCode,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use parking_lot::Mutex;

use self::entries::Entries;
pub(crate) use self::tee::TeeBody;
use crate::{
    body::Body, bounded::Bounds, config::CacheLimits, plugin::Time, telemetry::CacheMetrics,
};

/// Longest key, in bytes.
const MAX_KEY: usize = 4096;

/// Tags of one entry, and the length of one in bytes.
const MAX_TAGS: usize = 64;
const MAX_TAG: usize = 256;

/// What bodies on their way in may hold together: this part of `max_bytes`, beside what is stored.
/// Clients that take up their responses slowly must not fill the memory.
const PENDING_PART: usize = 4;

/// Tagged entries that one hold of the lock takes out.
const BATCH: usize = 256;

/// The cache of the process.
pub(crate) struct ResponseCache {
    entries: Mutex<Entries>,
    /// Bytes that bodies on their way in hold.
    pending: AtomicUsize,
    max_bytes: AtomicUsize,
    max_entry: AtomicUsize,
    metrics: CacheMetrics,
    time: Time,
}

/// A response that is kept.
pub(crate) struct Stored {
    pub(crate) metadata: String,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    tags: Vec<Arc<str>>,
    /// When it was put, not when its body ended: its age counts from its head.
    since: Instant,
    key: Arc<str>,
}

/// Marks a response that came from the cache.
#[derive(Clone, Copy)]
pub(crate) struct FromCache;

/// What a plugin puts in.
pub(crate) struct Put<'a> {
    /// Whose entries it is among; no other scope sees it.
    pub(crate) scope: &'a str,
    pub(crate) key: &'a str,
    pub(crate) metadata: String,
    pub(crate) tags: Vec<String>,
    pub(crate) ttl: Duration,
}

/// Which entries are to go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purge<'a> {
    Key(&'a str),
    Tag(&'a str),
    All,
}

impl fmt::Display for Purge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "key {key}"),
            Self::Tag(tag) => write!(f, "tag {tag}"),
            Self::All => f.write_str("all"),
        }
    }
}

/// How much the cache holds.
pub(crate) struct Size {
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
}

/// Why a response that was put is not kept; the label in metrics.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unkept {
    /// Longer than an entry may be, or with a longer key, more tags or the like.
    TooLarge,
    /// Other bodies on their way in hold all that such may, or this one has been put too often.
    NoRoom,
    /// The body broke off, was replaced, or its client left.
    Unfinished,
    /// It ended before or after the length that its head states, or with trailers.
    Misfit,
    /// It was purged before its body had ended.
    Purged,
}

impl Unkept {
    pub(crate) const ALL: [Self; 5] =
        [Self::TooLarge, Self::NoRoom, Self::Unfinished, Self::Misfit, Self::Purged];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NoRoom => "no_room",
            Self::Unfinished => "unfinished",
            Self::Misfit => "misfit",
            Self::Purged => "purged",
        }
    }
}

impl ResponseCache {
    /// Empty; by this clock responses are kept and grow old.
    pub(crate) fn new(metrics: CacheMetrics, time: Time) -> Self {
        let limits = CacheLimits::default();
        Self {
            entries: Mutex::new(Entries::new(bounds(&limits))),
            pending: AtomicUsize::new(0),
            max_bytes: limits.max_bytes.into(),
            max_entry: limits.max_entry.into(),
            metrics,
            time,
        }
    }

    /// The entry under `key`, as far as `scope` has one.
    pub(crate) fn get(&self, scope: &str, key: &str) -> Option<Arc<Stored>> {
        let found = self.entries.lock().get(&scoped(scope, key), self.time.instant());
        let result = if found.is_some() { &self.metrics.hits } else { &self.metrics.misses };
        result.inc();
        found
    }

    /// Begins to keep `response`: its head as it stands now, and its body as it comes from now on.
    /// What becomes of the response later, a body that is set in place of this one included, is
    /// not kept.
    pub(crate) fn put(self: &Arc<Self>, put: Put<'_>, response: &mut Response<Body>) {
        let body = std::mem::replace(response.body_mut(), Body::Empty);
        *response.body_mut() = match tee::begin(self, put, response, &body) {
            Ok(tee) => tee.over(body),
            Err(why) => {
                self.unkept(why);
                body
            }
        };
    }

    /// Takes out an entry, and ends what is on its way under its key.
    pub(crate) fn delete(&self, scope: &str, key: &str) -> bool {
        self.entries.lock().delete(&scoped(scope, key))
    }

    /// Takes out entries and gives how many; what is on its way with the tag ends too. Of one
    /// scope, or of all.
    pub(crate) fn purge(&self, scope: Option<&str>, what: Purge<'_>) -> usize {
        let keys = self.entries.lock().select(scope, what);
        // Others may look in between: each entry that they still see is gone when this returns.
        let batches = keys.chunks(BATCH).map(|keys| self.entries.lock().remove(keys));
        batches.map(|removed| removed.len()).sum()
    }

    /// Forgets what has expired. Not for a worker: there may be much.
    pub(crate) fn sweep(&self) {
        while self.entries.lock().remove_expired(BATCH, self.time.instant()).len() == BATCH {}
    }

    pub(crate) fn resize(&self, limits: &CacheLimits) {
        self.max_bytes.store(limits.max_bytes, Ordering::Relaxed);
        self.max_entry.store(limits.max_entry, Ordering::Relaxed);
        let (removed, evicted) = self.entries.lock().resize(bounds(limits), self.time.instant());
        drop(removed);
        self.metrics.evictions.inc_by(evicted as u64);
    }

    pub(crate) fn age(&self, stored: &Stored) -> Duration {
        self.time.instant().saturating_duration_since(stored.since)
    }

    pub(crate) fn size(&self) -> Size {
        let entries = self.entries.lock();
        Size { entries: entries.len(), bytes: entries.bytes() }
    }

    /// Counts a put of a response that never has a body.
    pub(crate) fn refuse_bodyless(&self) {
        self.unkept(Unkept::Misfit);
    }

    fn unkept(&self, why: Unkept) {
        self.metrics.unkept[why as usize].inc();
    }

    /// Takes `bytes` of what bodies on their way in may hold.
    fn reserve(&self, bytes: usize) -> Result<(), Unkept> {
        let most = self.max_bytes.load(Ordering::Relaxed) / PENDING_PART;
        let take = |pending: usize| pending.checked_add(bytes).filter(|sum| *sum <= most);
        let order = Ordering::Relaxed;
        self.pending.fetch_update(order, order, take).map_or(Err(Unkept::NoRoom), |_| Ok(()))
    }

    fn release(&self, bytes: usize) {
        self.pending.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Stored {
    /// The response once more; its body shares the kept bytes.
    pub(crate) fn response(&self) -> Response<Body> {
        let mut response = Response::new(Body::full(self.body.clone()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response.extensions_mut().insert(FromCache);
        response
    }

    /// What it takes beside its key, in bytes.
    fn size(&self) -> usize {
        self.body.len() + head_size(&self.headers, &self.metadata, &self.tags)
    }
}

/// What stands in the table of fields beside names and values, for each.
const FIELD: usize = 32;

fn head_size<T: AsRef<str>>(headers: &HeaderMap, metadata: &str, tags: &[T]) -> usize {
    let fields = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + FIELD);
    // A tag stands in the entry and in the index, there with the entry's key.
    let tags = tags.iter().map(|tag| 2 * tag.as_ref().len() + FIELD);
    fields.sum::<usize>() + tags.sum::<usize>() + metadata.len()
}

/// The head as it is kept: the length is that of the body, and stated anew each time.
fn kept_headers(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    headers.remove(CONTENT_LENGTH);
    headers.remove(TRANSFER_ENCODING);
    headers
}

/// Scopes are names and hold no line break, so that no key of one is a key of another.
fn scoped(scope: &str, name: &str) -> Arc<str> {
    format!("{scope}\n{name}").into()
}

fn bounds(limits: &CacheLimits) -> Bounds {
    Bounds { bytes: limits.max_bytes, entries: usize::MAX }
}

#[cfg(test)]
mod tests;
