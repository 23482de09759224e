use std::thread;

use futures_util::FutureExt;
use prometheus::Opts;

use super::*;

fn limits(max_bytes: usize, max_entries: usize, max_value: usize) -> StoreLimits {
    StoreLimits { max_bytes, max_entries, max_value }
}

fn stores() -> Stores {
    let evictions = Opts::new("evictions", "Of a test.");
    let evictions = IntCounterVec::new(evictions, &["store"]).expect("a metric");
    Stores::new(evictions, Time::System)
}

fn store() -> Arc<dyn Store> {
    stores().open("one", &limits(1 << 20, 1000, 1000))
}

/// What a store in memory answers is there at once.
fn now<T>(answer: Answer<'_, T>) -> Result<T, StoreError> {
    answer.now_or_never().expect("it does not wait")
}

fn text(store: &dyn Store, key: &str) -> Option<String> {
    let value = now(store.get(key)).expect("a key that may be");
    value.map(|value| String::from_utf8_lossy(&value).into_owned())
}

#[test]
fn a_number_begins_at_0_and_is_decimal_text() {
    let store = store();
    assert_eq!(now(store.increment("n", 5, None)), Ok(5));
    assert_eq!(now(store.increment("n", -7, None)), Ok(-2));
    assert_eq!(text(&*store, "n").as_deref(), Some("-2"));
    now(store.set("n", Bytes::from_static(b"40"), None)).expect("room");
    assert_eq!(now(store.increment("n", 2, None)), Ok(42));
}

#[test]
fn what_is_no_number_is_not_added_to_and_stays() {
    let store = store();
    for value in [&b"ten"[..], b"", b"1.5", b" 1", b"\xff", b"9223372036854775808"] {
        now(store.set("n", Bytes::copy_from_slice(value), None)).expect("room");
        assert_eq!(now(store.increment("n", 1, None)), Err(StoreError::NotANumber), "{value:?}");
        assert_eq!(now(store.get("n")).expect("it is there").as_deref(), Some(value));
    }
    now(store.set("n", Bytes::from(i64::MAX.to_string()), None)).expect("room");
    assert_eq!(now(store.increment("n", 1, None)), Err(StoreError::Overflow));
    assert_eq!(text(&*store, "n"), Some(i64::MAX.to_string()));
}

#[test]
fn a_counters_time_is_that_of_its_beginning() {
    let memory = Memory::new(
        &limits(1 << 20, 9, 9),
        prometheus::IntCounter::new("n", "n").expect("a metric"),
        Time::System,
    );
    let hour = Some(Duration::from_secs(3600));
    now(memory.increment("n", 1, Some(Duration::ZERO))).expect("room");
    assert_eq!(now(memory.increment("n", 1, hour)), Ok(1), "the first had no time to live");
    now(memory.increment("n", 1, Some(Duration::ZERO))).expect("room");
    assert_eq!(text(&memory, "n").as_deref(), Some("2"));
}

#[test]
fn keys_and_values_that_are_too_large_are_refused() {
    let store = store();
    let too_large = |limit| Err(StoreError::TooLarge { limit });
    assert_eq!(now(store.set("k", Bytes::from(vec![0; 1001]), None)), too_large(1000));
    let key = "k".repeat(1025);
    assert_eq!(now(store.set(&key, Bytes::new(), None)), too_large(1024));
    assert_eq!(now(store.add(&key, Bytes::new(), None)).err(), too_large(1024).err());
    assert_eq!(now(store.increment(&key, 1, None)).err(), too_large(1024).err());
    assert_eq!(now(store.get(&key)).err(), too_large(1024).err());
    assert_eq!(now(store.set("k", Bytes::from(vec![0; 1000]), None)), Ok(()));
}

#[test]
fn a_value_that_the_whole_store_cannot_hold_is_too_large() {
    let store = stores().open("one", &limits(1000, 10, 1000));
    let limit = 1000 - crate::bounded::OVERHEAD as u64 - 1;
    let refused = now(store.set("k", Bytes::from(vec![0; 1000]), None));
    assert_eq!(refused, Err(StoreError::TooLarge { limit }));
}

#[test]
fn one_of_many_threads_adds_and_none_of_their_increments_is_lost() {
    let store = store();
    let added: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        now(store.increment("n", 1, None)).expect("room");
                    }
                    usize::from(now(store.add("lock", Bytes::new(), None)).expect("room"))
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert_eq!((added, text(&*store, "n").as_deref()), (1, Some("8000")));
}

#[test]
fn a_store_lives_as_long_as_somebody_holds_it() {
    let stores = stores();
    let limits = limits(1 << 20, 10, 10);
    let first = stores.open("one", &limits);
    now(first.set("k", Bytes::from_static(b"v"), None)).expect("room");
    let second = stores.open("one", &limits);
    drop(first);
    assert_eq!(text(&*second, "k").as_deref(), Some("v"));
    assert_eq!(text(&*stores.open("two", &limits), "k"), None);
    drop(second);
    assert_eq!(text(&*stores.open("one", &limits), "k"), None);
}

#[test]
fn new_limits_come_to_a_store_that_is_open_when_their_configuration_runs() {
    let stores = stores();
    let store = stores.open("one", &limits(1 << 20, 10, 10));
    for key in ["a", "b", "c"] {
        now(store.set(key, Bytes::new(), None)).expect("room");
    }
    let fewer = limits(1 << 20, 2, 10);
    stores.open("one", &fewer);
    assert_eq!(text(&*store, "a").as_deref(), Some(""));
    stores.resize(&BTreeMap::from([("one".to_owned(), fewer)]));
    let kept: Vec<_> = ["a", "b", "c"].into_iter().filter(|k| text(&*store, k).is_some()).collect();
    assert_eq!(kept, ["a", "c"], "b was used longest ago");
    assert_eq!(stores.evictions.with_label_values(&["one"]).get(), 1);
}
