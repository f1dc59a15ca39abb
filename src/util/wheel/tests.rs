//! Goal: no timer fires early, none more than a tick late, none is lost or doubled.
//! Method: compare with a sorted map under random inserts and clocks, jumps included.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{LEVELS, SLOT_CAPACITY_KEPT, TICK_MS, Wheel};

fn due(wheel: &mut Wheel<u64>, now_ms: u64) -> Vec<u64> {
    let mut expired = Vec::new();
    wheel.advance(now_ms, &mut expired);
    expired
}

#[test]
fn fires_at_the_deadline_rounded_up_to_a_tick() {
    let mut wheel = Wheel::new(0);
    wheel.insert(100, 1);
    assert_eq!(due(&mut wheel, 100), [] as [u64; 0]);
    assert_eq!(due(&mut wheel, 127), [] as [u64; 0]);
    assert_eq!(wheel.next_deadline(127), Some(128));
    assert_eq!(due(&mut wheel, 128), [1]);
    assert_eq!((wheel.len(), wheel.next_deadline(128)), (0, None));
}

#[test]
fn a_deadline_in_the_past_fires_at_the_next_advance() {
    let mut wheel = Wheel::new(1_000_000);
    wheel.insert(3, 1);
    assert_eq!(wheel.next_deadline(1_000_000), Some(1_000_000));
    assert_eq!(due(&mut wheel, 1_000_000), [1]);
}

#[test]
fn a_jump_of_centuries_takes_everything_and_keeps_the_rest() {
    let mut wheel = Wheel::new(5);
    for power in 0..64 {
        wheel.insert(1 << power, power);
    }
    wheel.insert(u64::MAX, 64);
    let now = (1 << 62) + TICK_MS;
    assert_eq!(due(&mut wheel, now).len(), 63);
    assert_eq!(wheel.len(), 2);
    wheel.insert(now + 1000, 99);
    assert_eq!(due(&mut wheel, now + 1000 + TICK_MS), [99]);
    assert_eq!(due(&mut wheel, u64::MAX), [63]);
    // The last tick begins before the last deadline, so this one never comes out: not early.
    assert_eq!(wheel.len(), 1);
}

#[test]
fn a_clock_that_goes_back_does_nothing() {
    let mut wheel = Wheel::new(10_000);
    wheel.insert(10_500, 1);
    due(&mut wheel, 10_400);
    assert_eq!(due(&mut wheel, 0), [] as [u64; 0]);
    assert_eq!(due(&mut wheel, 10_600), [1]);
}

#[test]
fn a_budget_bounds_the_work_of_each_call() {
    let mut wheel = Wheel::new(0);
    for key in 0..1000 {
        wheel.insert(60_000, key);
    }
    let mut expired = Vec::new();
    let mut calls = 0;
    while wheel.advance_budget(60_100, 10, &mut expired) {
        calls += 1;
        assert!(expired.len() <= 10 * calls);
        let rest = (!wheel.is_empty()).then_some(60_100);
        assert_eq!(wheel.next_deadline(60_100), rest, "the rest is due at once");
        assert!(calls < 1000, "no progress");
    }
    expired.sort_unstable();
    assert!(expired.iter().copied().eq(0..1000));
    assert!(calls >= 100);
}

#[test]
fn an_entry_that_arrives_between_two_budgeted_calls_is_not_lost() {
    let mut wheel = Wheel::new(0);
    for key in 0..20 {
        wheel.insert(10_000, key);
    }
    let mut expired = Vec::new();
    assert!(wheel.advance_budget(10_100, 5, &mut expired));
    wheel.insert(9_000, 100);
    wheel.insert(10_050, 101);
    wheel.insert(10_200, 102);
    wheel.advance(10_150, &mut expired);
    expired.sort_unstable();
    assert!(expired.iter().copied().eq((0..20).chain([100, 101])));
    assert_eq!(due(&mut wheel, 10_264), [102]);
}

#[test]
fn emptied_slots_give_their_memory_back() {
    assert_eq!(LEVELS, 10);
    let mut wheel = Wheel::new(0);
    for key in 0..100_000 {
        wheel.insert(key * 3, key);
    }
    due(&mut wheel, 300_100);
    assert!(wheel.is_empty());
    assert!(wheel.slots.iter().all(|slot| slot.capacity() <= SLOT_CAPACITY_KEPT));
}

#[test]
fn entries_that_nobody_waits_for_are_purged_a_part_at_a_time() {
    let mut wheel = Wheel::new(0);
    for key in 0..100_000 {
        wheel.insert(3_600_000 + key % 1_000 * 5_000, key);
    }
    let at = |key: u64| Wheel::<u64>::rounded(3_600_000 + key % 1_000 * 5_000);
    let mut calls = 1;
    while !wheel.purge(1_000, |key, at_ms| {
        assert_eq!(at_ms, at(key));
        key % 100 == 7
    }) {
        calls += 1;
        // Others come while it goes on.
        wheel.insert(3_600_000 + 107 * 5_000, 107);
        assert!(due(&mut wheel, calls * 64).is_empty());
    }
    assert!((100..=150).contains(&calls), "{calls}");
    assert_eq!(wheel.len() as u64, 1_000 + calls - 1);
    let slots = wheel.slots.iter().map(Vec::capacity).sum::<usize>();
    assert!(slots < 8 * wheel.len(), "{slots}");
    let left = due(&mut wheel, u64::MAX >> 8);
    assert!(left.iter().all(|key| key % 100 == 7), "one came that was purged");
    assert_eq!((left.len() as u64, wheel.is_empty()), (1_000 + calls - 1, true));
}

#[test]
fn a_deadline_that_was_moved_is_purged_at_its_old_place() {
    let mut wheel = Wheel::new(0);
    wheel.insert(10_000, 1);
    wheel.insert(5_000, 1);
    assert!(wheel.purge(10, |_, at_ms| at_ms == Wheel::<u64>::rounded(5_000)));
    assert_eq!(due(&mut wheel, 5_064), [1]);
    assert_eq!(wheel.next_deadline(5_064), None);
}

#[derive(Clone, Debug)]
enum Op {
    Insert { after_ms: u64 },
    Advance { by_ms: u64, budget: usize },
}

fn span() -> impl Strategy<Value = u64> {
    prop_oneof![0..200u64, 0..100_000u64, 0..10_000_000u64, any::<u64>().prop_map(|n| n >> 4)]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => span().prop_map(|after_ms| Op::Insert { after_ms }),
        2 => (span(), prop_oneof![1..8usize, Just(usize::MAX)])
            .prop_map(|(by_ms, budget)| Op::Advance { by_ms, budget }),
    ]
}

/// Takes what a correct wheel must have expired at `now` out of the model.
fn model_due(model: &mut BTreeMap<(u64, u64), ()>, now_ms: u64) -> Vec<u64> {
    let floor = now_ms / TICK_MS * TICK_MS;
    let later = model.split_off(&(floor + 1, 0));
    std::mem::replace(model, later).into_keys().map(|(_, key)| key).collect()
}

proptest! {
    #[test]
    fn agrees_with_a_sorted_map(start in any::<u64>().prop_map(|n| n >> 8),
                                ops in prop::collection::vec(op(), 1..80)) {
        let mut now = start;
        let mut wheel = Wheel::new(now);
        let mut model = BTreeMap::new();
        for (n, op) in ops.into_iter().enumerate() {
            match op {
                Op::Insert { after_ms } => {
                    let deadline = now.saturating_add(after_ms);
                    wheel.insert(deadline, n as u64);
                    model.insert((deadline, n as u64), ());
                }
                Op::Advance { by_ms, budget } => {
                    now = now.saturating_add(by_ms).min(u64::MAX / 2);
                    let mut expired = Vec::new();
                    while wheel.advance_budget(now, budget, &mut expired) {}
                    expired.sort_unstable();
                    let mut expected = model_due(&mut model, now);
                    expected.sort_unstable();
                    prop_assert_eq!(expired, expected);
                }
            }
            prop_assert_eq!(wheel.len(), model.len());
            let next = wheel.next_deadline(now);
            prop_assert_eq!(next.is_some(), !model.is_empty());
            if let (Some(next), Some(((earliest, _), ()))) = (next, model.first_key_value()) {
                prop_assert!(next >= now);
                prop_assert!(next <= earliest.next_multiple_of(TICK_MS).max(now));
            }
        }
    }

    #[test]
    fn sleeping_until_the_next_deadline_is_never_late(
        deadlines in prop::collection::vec(0..10_000_000u64, 1..50),
    ) {
        let mut wheel = Wheel::new(0);
        for &deadline in &deadlines {
            wheel.insert(deadline, deadline);
        }
        let mut now = 0;
        let mut wakes = 0;
        while let Some(next) = wheel.next_deadline(now) {
            now = next;
            wakes += 1;
            prop_assert!(wakes <= deadlines.len() * LEVELS, "the wheel asks for useless wakes");
            for deadline in due(&mut wheel, now) {
                prop_assert!(deadline <= now && now < deadline + TICK_MS);
            }
        }
        prop_assert!(wheel.is_empty());
    }
}
