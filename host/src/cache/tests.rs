use bytes::BytesMut;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use prometheus::{IntCounter, IntCounterVec, Opts};

use super::*;
use crate::body::BodyError;

/// A cache for `max_bytes`, of which one entry may have a half.
fn cache(max_bytes: usize) -> Arc<ResponseCache> {
    let counters = |name| IntCounterVec::new(Opts::new(name, "Of a test."), &["result"]);
    let requests = counters("requests").expect("a metric");
    let puts = counters("puts").expect("a metric");
    let evictions = IntCounter::new("evictions", "Of a test.").expect("a metric");
    let cache =
        Arc::new(ResponseCache::new(CacheMetrics::new(&requests, &puts, &evictions), Time::System));
    cache.resize(&CacheLimits { max_bytes, max_entry: max_bytes / 2 });
    cache
}

/// `text` in two frames.
fn pieces(text: &'static str) -> Body {
    let (read, rest) = text.split_at(text.len() / 2);
    Body::Begun { read: BytesMut::from(read), rest: Box::new(Body::full(rest)) }
}

fn put<'a>(key: &'a str, tags: &[&str]) -> Put<'a> {
    Put {
        scope: "use",
        key,
        metadata: format!("of {key}"),
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        ttl: Duration::from_secs(3600),
    }
}

/// The body after it was put, ready to be read.
fn putting(cache: &Arc<ResponseCache>, put: Put<'_>, body: Body) -> Body {
    let mut response = Response::new(body);
    cache.put(put, &mut response);
    response.into_body()
}

fn next(body: &mut Body) -> Option<Result<Bytes, BodyError>> {
    let frame = body.frame().now_or_never().expect("it is in memory");
    frame.map(|frame| frame.map(|frame| frame.into_data().expect("data")))
}

fn read_all(mut body: Body) -> String {
    let mut text = String::new();
    while let Some(Ok(data)) = next(&mut body) {
        text.push_str(std::str::from_utf8(&data).expect("text"));
    }
    text
}

/// The text of what is stored.
fn stored(cache: &ResponseCache, key: &str) -> Option<String> {
    cache.get("use", key).map(|stored| read_all(stored.response().into_body()))
}

fn unkept(cache: &ResponseCache) -> Vec<&'static str> {
    let pairs = Unkept::ALL.iter().zip(&cache.metrics.unkept);
    pairs.filter(|(_, count)| count.get() > 0).map(|(why, _)| why.as_str()).collect()
}

#[test]
fn a_response_is_there_when_its_body_has_ended_and_not_before() {
    let cache = cache(10_000);
    let mut response = Response::builder()
        .status(203)
        .header("content-length", "8")
        .header("x-a", "1")
        .body(pieces("one, two"))
        .expect("a response");
    cache.put(put("k", &[]), &mut response);
    let mut body = response.into_body();
    assert_eq!(next(&mut body).expect("a frame").expect("data"), "one,");
    assert!(cache.get("use", "k").is_none());
    assert_eq!(next(&mut body).expect("a frame").expect("data"), " two");

    let kept = cache.get("use", "k").expect("it is there");
    assert_eq!(kept.metadata, "of k");
    let response = kept.response();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-a"]),
        (203, &"1".parse().expect("a value"))
    );
    assert!(!response.headers().contains_key("content-length"), "the length is stated anew");
    assert_eq!(cache.metrics.kept.get(), 1);
    assert_eq!(cache.pending.load(Ordering::Relaxed), 0);
}

#[test]
fn a_body_can_be_put_often_but_not_without_end() {
    let cache = cache(100_000_000);
    let mut body = pieces("one, two");
    let keys: Vec<String> = (0..50_000).map(|key| key.to_string()).collect();
    for key in &keys {
        body = putting(&cache, put(key, &[]), body);
    }
    assert_eq!(read_all(body), "one, two");
    let there = keys.iter().take_while(|key| stored(&cache, key).is_some()).count();
    assert_eq!((there, cache.metrics.kept.get()), (16, 16));
    assert_eq!(unkept(&cache), ["no_room"]);
}

#[test]
fn every_response_of_an_entry_shares_its_bytes() {
    let cache = cache(10_000);
    read_all(putting(&cache, put("k", &[]), pieces("one, two")));
    let stored = cache.get("use", "k").expect("it is there");
    let place = |mut response: Response<Body>| {
        next(response.body_mut()).expect("a frame").expect("data").as_ptr()
    };
    assert_eq!(place(stored.response()), place(stored.response()));
}

#[test]
fn what_does_not_end_well_leaves_nothing_behind() {
    for rest in [Body::Broken(BodyError::UpstreamAborted), Body::Full("rest".into())] {
        let cache = cache(10_000);
        let body = Body::Begun { read: BytesMut::from("begun"), rest: Box::new(rest) };
        let mut body = putting(&cache, put("k", &["t"]), body);
        next(&mut body).expect("a frame").expect("data");
        drop(body);
        assert_eq!(stored(&cache, "k"), None);
        assert_eq!(unkept(&cache), ["unfinished"]);
        assert_eq!(cache.pending.load(Ordering::Relaxed), 0);
    }
}

#[test]
fn an_error_of_the_body_passes_and_is_not_kept() {
    let cache = cache(10_000);
    let broken = Box::new(Body::Broken(BodyError::UpstreamAborted));
    let body = Body::Begun { read: BytesMut::from("begun"), rest: broken };
    let mut body = putting(&cache, put("k", &[]), body);
    next(&mut body).expect("a frame").expect("data");
    assert!(next(&mut body).expect("a frame").is_err());
    assert_eq!((stored(&cache, "k"), unkept(&cache)), (None, vec!["unfinished"]));
}

#[test]
fn a_body_that_is_too_large_passes_and_is_not_kept() {
    let cache = cache(600);
    let text = "0123456789".repeat(30);
    let body = Body::full(text.clone());
    assert_eq!(read_all(putting(&cache, put("k", &[]), body)), text);
    assert_eq!((stored(&cache, "k"), unkept(&cache)), (None, vec!["too_large"]));
}

#[test]
fn a_body_of_another_length_than_stated_is_not_kept() {
    for length in ["7", "9", "eight"] {
        let cache = cache(10_000);
        let mut response = Response::new(pieces("one, two"));
        response.headers_mut().insert(CONTENT_LENGTH, length.parse().expect("a value"));
        cache.put(put("k", &[]), &mut response);
        assert_eq!(read_all(response.into_body()), "one, two");
        assert_eq!((stored(&cache, "k"), unkept(&cache)), (None, vec!["misfit"]), "{length}");
    }
}

#[test]
fn an_empty_body_has_ended_already() {
    let cache = cache(10_000);
    putting(&cache, put("k", &[]), Body::Empty);
    assert_eq!(stored(&cache, "k").as_deref(), Some(""));
}

#[tokio::test]
async fn a_body_that_is_read_and_replaced_is_kept_as_it_was() {
    let cache = cache(10_000);
    let mut body = putting(&cache, put("k", &[]), pieces("one, two"));
    assert_eq!(body.read(100).await.expect("it is there"), "one, two");
    drop(body);
    assert_eq!(stored(&cache, "k").as_deref(), Some("one, two"));
}

#[test]
fn a_body_that_is_replaced_unread_is_not_kept() {
    let cache = cache(10_000);
    let mut response = Response::new(pieces("one, two"));
    cache.put(put("k", &[]), &mut response);
    *response.body_mut() = Body::full("other");
    assert_eq!(read_all(response.into_body()), "other");
    assert_eq!((stored(&cache, "k"), unkept(&cache)), (None, vec!["unfinished"]));
}

#[test]
fn a_purge_also_ends_what_is_on_its_way() {
    let cache = cache(10_000);
    for what in [Purge::Tag("t"), Purge::Key("k"), Purge::All] {
        let mut body = putting(&cache, put("k", &["t"]), pieces("old"));
        next(&mut body).expect("a frame").expect("data");
        assert_eq!(cache.purge(Some("use"), what), 0);
        read_all(body);
        assert_eq!(stored(&cache, "k"), None, "{what:?}");
    }
    assert_eq!(unkept(&cache), ["purged"]);
    let body = putting(&cache, put("k", &["t"]), pieces("new"));
    assert_eq!(cache.purge(None, Purge::Tag("other")), 0);
    read_all(body);
    assert_eq!(stored(&cache, "k").as_deref(), Some("new"));
}

#[test]
fn a_tag_purges_all_that_have_it_and_nothing_of_another_scope() {
    let cache = cache(10_000);
    for (key, tags) in [("a", &["t"][..]), ("b", &["t", "u"]), ("c", &["u"])] {
        read_all(putting(&cache, put(key, tags), pieces("text")));
    }
    let other = Put { scope: "other", ..put("a", &["t"]) };
    read_all(putting(&cache, other, pieces("other")));
    assert!(cache.get("third", "a").is_none());

    assert_eq!(cache.purge(Some("use"), Purge::Tag("t")), 2);
    assert_eq!(cache.purge(Some("use"), Purge::Tag("t")), 0);
    assert_eq!((stored(&cache, "a"), stored(&cache, "c").as_deref()), (None, Some("text")));
    assert_eq!(cache.purge(None, Purge::Tag("t")), 1);
    assert_eq!(cache.purge(None, Purge::Key("c")), 1);
    let size = cache.size();
    assert_eq!((size.entries, size.bytes), (0, 0));
    assert_eq!(cache.entries.lock().tags(), 0, "the index is empty too");
}

#[test]
fn an_entry_is_gone_when_its_time_is_over() {
    let cache = cache(10_000);
    let short = Put { ttl: Duration::ZERO, ..put("k", &["t"]) };
    read_all(putting(&cache, short, pieces("text")));
    assert_eq!(stored(&cache, "k"), None);
    assert_eq!((cache.size().entries, cache.entries.lock().tags()), (0, 0));
}

#[test]
fn the_cache_never_holds_more_than_it_may() {
    let cache = cache(2000);
    for number in 0..100 {
        let key = number.to_string();
        read_all(putting(&cache, put(&key, &["t"]), Body::full(vec![b'x'; 200])));
        assert!(cache.size().bytes <= 2000);
    }
    assert!(stored(&cache, "99").is_some());
    let purged = cache.purge(None, Purge::Tag("t"));
    assert_eq!(purged as u64 + cache.metrics.evictions.get(), 100);
}

#[test]
fn bodies_on_their_way_hold_a_bounded_part_together() {
    let cache = cache(4000);
    let mut bodies = Vec::new();
    for number in 0..20 {
        let key = number.to_string();
        let rest = Box::new(Body::full(vec![b'x'; 200]));
        let begun = Body::Begun { read: BytesMut::from("begun"), rest };
        let mut body = putting(&cache, put(&key, &[]), begun);
        next(&mut body).expect("a frame").expect("data");
        bodies.push(body);
        assert!(cache.pending.load(Ordering::Relaxed) <= 1000);
    }
    assert_eq!(unkept(&cache), ["no_room"]);
    bodies.into_iter().map(read_all).for_each(|text| assert_eq!(text.len(), 200));
    assert!(cache.metrics.kept.get() >= 2, "those that had room are kept");
    assert_eq!(cache.pending.load(Ordering::Relaxed), 0);
}
