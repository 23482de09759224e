//! A body that is kept while it passes. It holds nothing back and asks for nothing: frames come at
//! the pace of whoever reads them.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header::CONTENT_LENGTH};
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::{
    MAX_KEY, MAX_TAG, MAX_TAGS, Put, ResponseCache, Stored, Unkept, head_size, kept_headers, scoped,
};
use crate::{
    body::{Body, BodyError},
    bounded::OVERHEAD,
};

/// A body, and what is kept of it so far.
pub(crate) struct TeeBody {
    body: Body,
    /// This put and those inside of `body`.
    puts: usize,
    /// `None` once it is decided whether the body is kept.
    tee: Option<Tee>,
}

/// A put whose body has not ended. Dropped before its end, it leaves nothing behind.
pub(super) struct Tee {
    cache: Arc<ResponseCache>,
    number: u64,
    head: Option<Head>,
    until: Option<Instant>,
    kept: Vec<u8>,
    /// Most bytes that the body may have.
    room: usize,
    /// Bytes that `kept` has reserved of what all bodies on their way may hold.
    reserved: usize,
    /// Why nothing comes of it.
    why: Unkept,
}

struct Head {
    key: Arc<str>,
    metadata: String,
    status: StatusCode,
    headers: HeaderMap,
    tags: Vec<Arc<str>>,
    since: Instant,
    /// What the response states.
    length: Option<u64>,
}

/// Checks what is put in, and takes a place among what is on its way.
pub(super) fn begin(
    cache: &Arc<ResponseCache>,
    put: Put<'_>,
    response: &Response<Body>,
    body: &Body,
) -> Result<Tee, Unkept> {
    use std::sync::atomic::Ordering::Relaxed;
    let (tags, since) = (put.tags, cache.time.instant());
    if response.status().is_informational() {
        return Err(Unkept::Misfit);
    }
    if body.puts() >= MAX_PUTS {
        return Err(Unkept::NoRoom);
    }
    let too_long = put.key.len() > MAX_KEY || tags.iter().any(|tag| tag.len() > MAX_TAG);
    if too_long || tags.len() > MAX_TAGS {
        return Err(Unkept::TooLarge);
    }
    let headers = kept_headers(response.headers());
    let key = scoped(put.scope, put.key);
    let tags: Vec<_> = tags.iter().map(|tag| scoped(put.scope, tag)).collect();
    let beside = key.len() + head_size(&headers, &put.metadata, &tags);
    let max_entry = cache.max_entry.load(Relaxed).min(cache.max_bytes.load(Relaxed));
    let room = max_entry.checked_sub(beside + OVERHEAD).ok_or(Unkept::TooLarge)?;
    if body.size_hint().lower() > room as u64 {
        return Err(Unkept::TooLarge);
    }
    let head = Head {
        key,
        metadata: put.metadata,
        status: response.status(),
        headers,
        tags,
        since,
        length: stated_length(response.headers()),
    };
    // The head is held from now on, so it counts from now on.
    cache.reserve(beside + OVERHEAD)?;
    let number = cache.entries.lock().begin(&head.key, &head.tags);
    Ok(Tee {
        cache: Arc::clone(cache),
        number,
        head: Some(head),
        until: since.checked_add(put.ttl),
        kept: Vec::new(),
        room,
        reserved: beside + OVERHEAD,
        why: Unkept::Unfinished,
    })
}

impl Tee {
    /// `body` with this over it; one that is at its end already is kept at once.
    pub(super) fn over(self, body: Body) -> Body {
        if body.is_end_stream() {
            self.end();
            return body;
        }
        let puts = body.puts() + 1;
        Body::Kept(Box::new(TeeBody { body, puts, tee: Some(self) }))
    }

    fn take(&mut self, data: &[u8], expected: Option<u64>) -> Result<(), Unkept> {
        let length = self.kept.len() + data.len();
        if length > self.room {
            return Err(Unkept::TooLarge);
        }
        if length > self.kept.capacity() {
            self.grow(length, expected)?;
        }
        self.kept.extend_from_slice(data);
        Ok(())
    }

    /// Makes room for `length` bytes: as many as are expected, else twice as many as before.
    fn grow(&mut self, length: usize, expected: Option<u64>) -> Result<(), Unkept> {
        let before = self.kept.capacity();
        let rest = expected.and_then(|rest| usize::try_from(rest).ok());
        let wanted = rest.map_or(2 * before, |rest| length.saturating_add(rest));
        let wanted = wanted.min(self.room).max(length);
        self.cache.reserve(wanted - before)?;
        self.reserved += wanted - before;
        self.kept.reserve_exact(wanted - self.kept.len());
        Ok(())
    }

    /// The body has ended well.
    fn end(mut self) {
        let Some(head) = self.head.take() else { return };
        if head.length.is_some_and(|length| length != self.kept.len() as u64) {
            self.why = Unkept::Misfit;
            return;
        }
        let mut body = std::mem::take(&mut self.kept);
        body.shrink_to_fit();
        let stored = Arc::new(Stored {
            metadata: head.metadata,
            status: head.status,
            headers: head.headers,
            body: Bytes::from(body),
            tags: head.tags,
            since: head.since,
            key: head.key,
        });
        let now = self.cache.time.instant();
        let inserted = {
            let mut entries = self.cache.entries.lock();
            entries.end(self.number).then(|| entries.insert(stored, self.until, now))
        };
        match inserted {
            Some((removed, evicted)) => {
                drop(removed);
                self.cache.metrics.kept.inc();
                self.cache.metrics.evictions.inc_by(evicted as u64);
                self.number = KEPT;
            }
            None => self.why = Unkept::Purged,
        }
    }
}

/// Puts of one body. Each is a body around the one before, and whoever reads goes through all of them
/// on one stack.
const MAX_PUTS: usize = 16;

/// The number of no put.
const KEPT: u64 = 0;

impl Drop for Tee {
    fn drop(&mut self) {
        self.cache.release(self.reserved);
        if self.number != KEPT {
            let wanted = self.cache.entries.lock().end(self.number);
            let purged = !wanted && self.why == Unkept::Unfinished;
            self.cache.unkept(if purged { Unkept::Purged } else { self.why });
        }
    }
}

impl TeeBody {
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if self.tee.is_some() {
            match &polled {
                Poll::Ready(Some(Ok(frame))) => self.keep(frame),
                Poll::Ready(Some(Err(_))) => self.tee = None,
                Poll::Ready(None) => self.end(),
                Poll::Pending => {}
            }
        }
        polled
    }

    fn keep(&mut self, frame: &Frame<Bytes>) {
        let Some(tee) = &mut self.tee else { return };
        let kept = match frame.data_ref() {
            Some(data) => tee.take(data, self.body.size_hint().exact()),
            // Trailers are no part of what is kept, and without them it would be another message.
            None => Err(Unkept::Misfit),
        };
        match kept {
            // Nobody asks a body that says it is at its end for more.
            Ok(()) if self.body.is_end_stream() => self.end(),
            Ok(()) => {}
            Err(why) => {
                tee.why = why;
                self.tee = None;
            }
        }
    }

    fn end(&mut self) {
        if let Some(tee) = self.tee.take() {
            tee.end();
        }
    }

    pub(crate) fn puts(&self) -> usize {
        self.puts
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What `content-length` says. One that is no number fits no body.
fn stated_length(headers: &HeaderMap) -> Option<u64> {
    let stated = headers.get(CONTENT_LENGTH)?;
    let number = stated.to_str().ok().and_then(|text| text.parse().ok());
    Some(number.unwrap_or(u64::MAX))
}
