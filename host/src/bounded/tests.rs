use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// A map of values that are their keys, which have one letter.
fn map(entries: usize) -> Bounded<String> {
    Bounded::new(Bounds { bytes: entries * (OVERHEAD + 1), entries: 1000 })
}

fn put(map: &mut Bounded<String>, key: &str, until: Option<Instant>, now: Instant) -> Vec<String> {
    let removed = map.insert(key.into(), key.into(), 0, until, now);
    removed.iter().map(|removed| format!("{} {:?}", removed.value, removed.why)).collect()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn what_was_used_longest_ago_makes_room() {
    let (mut map, now) = (map(3), Instant::now());
    for key in ["a", "b", "c"] {
        assert!(put(&mut map, key, None, now).is_empty());
    }
    assert!(map.get("a", now).is_some());
    assert_eq!(put(&mut map, "d", None, now), ["b Evicted"]);
    assert_eq!(put(&mut map, "e", None, now), ["c Evicted"]);
    assert!(map.get("a", now).is_some());
}

#[test]
fn what_has_expired_makes_room_before_what_was_used_longest_ago() {
    let (mut map, now) = (map(3), Instant::now());
    put(&mut map, "a", None, now);
    put(&mut map, "b", Some(now + seconds(2)), now);
    put(&mut map, "c", Some(now + seconds(1)), now);
    let later = now + seconds(2);
    assert_eq!(put(&mut map, "d", None, later), ["c Expired"]);
    assert_eq!(put(&mut map, "e", None, later), ["b Expired"]);
    assert_eq!(put(&mut map, "f", None, later), ["a Evicted"]);
}

#[test]
fn an_entry_lives_until_its_moment_and_not_in_it() {
    let (mut map, now) = (map(3), Instant::now());
    put(&mut map, "a", Some(now + seconds(1)), now);
    assert!(map.get("a", now + Duration::from_millis(999)).is_some());
    assert!(map.get("a", now + seconds(1)).is_none());
    assert_eq!(map.remove_expired(10, now + seconds(1)).len(), 1);
    assert_eq!((map.len(), map.bytes()), (0, 0));
}

#[test]
fn a_new_value_takes_the_old_ones_place_and_time() {
    let (mut map, now) = (map(1), Instant::now());
    put(&mut map, "a", Some(now + seconds(1)), now);
    assert_eq!(put(&mut map, "a", None, now), ["a Replaced"]);
    assert!(map.remove_expired(10, now + seconds(9)).is_empty());
    assert!(map.get("a", now + seconds(9)).is_some());
}

#[test]
fn what_is_larger_than_all_is_not_taken_up_and_evicts_nothing_else() {
    let (mut map, now) = (map(2), Instant::now());
    put(&mut map, "a", None, now);
    let removed = map.insert("b".into(), "b".into(), 2 * (OVERHEAD + 1), None, now);
    assert!(removed.is_empty());
    assert!(map.get("a", now).is_some() && map.get("b", now).is_none());
}

#[test]
fn smaller_bounds_hold_at_once() {
    let (mut map, now) = (map(3), Instant::now());
    for key in ["a", "b", "c"] {
        put(&mut map, key, None, now);
    }
    let bounds = Bounds { bytes: usize::MAX, entries: 1 };
    assert_eq!(map.resize(bounds, now).len(), 2);
    assert!(map.get("c", now).is_some());
}

proptest! {
    /// Whatever is done, the bounds hold and the sums are right.
    #[test]
    fn the_bounds_always_hold(
        steps in proptest::collection::vec((0..3u8, 0..20u8, 0..400usize, 0..50u64), 0..200)
    ) {
        let bounds = Bounds { bytes: 2000, entries: 8 };
        let mut map = Bounded::new(bounds);
        let mut now = Instant::now();
        for (step, key, size, millis) in steps {
            let key = key.to_string();
            now += Duration::from_millis(millis);
            match step {
                0 => drop(map.insert(key.into(), size, size, None, now)),
                1 => {
                    let until = now + Duration::from_millis(millis);
                    drop(map.insert(key.into(), size, size, Some(until), now));
                }
                _ => drop(map.remove(&key)),
            }
            let cost = |(key, slot): (&Arc<str>, &Slot<usize>)| key.len() + slot.value + OVERHEAD;
            prop_assert_eq!(map.bytes(), map.slots.iter().map(cost).sum::<usize>());
            prop_assert!(map.bytes() <= bounds.bytes && map.len() <= bounds.entries);
            prop_assert!(map.expiries.len() <= map.len());
        }
    }
}
