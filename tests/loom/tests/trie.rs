//! The routing trie, its own code on crossbeam's own collector: what readers see while a writer
//! changes it, and when what was taken out is freed.
//!
//! Freed memory is overwritten, so that a use of it is noticed: loom's atomics in it lead nowhere.
//! What is never freed is noticed, too, by the next run of a model.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};

use loom::model::Builder;
use loom::sync::atomic::AtomicBool;
use loom::thread;
use pondhawk_loom::epoch;
use pondhawk_loom::trie::{FilterId, Matches, Names, Router};

/// As in `models.rs`.
const PREEMPTIONS: usize = 3;

/// The whole router has so many more steps that a third takes a minute.
const ROUTER_PREEMPTIONS: usize = 2;

/// Steps of one run; taking turns with the collector takes more than loom expects.
const STEPS: usize = 20_000;

struct Overwriting;

// SAFETY: the system's allocator; memory is written to between its last use and its return only.
unsafe impl GlobalAlloc for Overwriting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        ALLOCATIONS.set(ALLOCATIONS.get() - 1);
        unsafe {
            memory.write_bytes(0xDB, layout.size());
            System.dealloc(memory, layout);
        }
    }
}

#[global_allocator]
static ALLOCATOR: Overwriting = Overwriting;

thread_local! {
    /// Allocations alive; a model runs on one thread of the system.
    static ALLOCATIONS: Cell<isize> = const { Cell::new(0) };
}

fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = STEPS;
    // The first run also makes what loom keeps for all of them.
    let (runs, expected) = (AtomicUsize::new(0), AtomicIsize::new(0));
    builder.check(move || {
        let alive = ALLOCATIONS.get();
        match runs.fetch_add(1, Ordering::Relaxed) {
            0 => {}
            1 => expected.store(alive, Ordering::Relaxed),
            _ => assert_eq!(alive, expected.load(Ordering::Relaxed), "the last run left memory"),
        }
        model();
    });
}

/// Has the collector move on, as later changes of the trie do, until `done`.
fn collect_until(done: impl Fn() -> bool) {
    while !done() {
        epoch::pin().flush();
        thread::yield_now();
    }
}

/// The filters that match, with their shards.
fn matched(router: &Router, topic: &str) -> Vec<(FilterId, Vec<u16>)> {
    let mut matches = Matches::default();
    router.matches(topic, &mut matches);
    matches.filters.iter().map(|found| (found.id, found.shards.iter().collect())).collect()
}

#[test]
fn loom_a_leaf_that_was_taken_out_is_freed_but_not_under_a_reader() {
    explore(PREEMPTIONS, || {
        let names = Arc::new(Names::new());
        names.insert(1, "a");
        let reader = {
            let names = Arc::clone(&names);
            thread::spawn(move || names.has(1, "a"))
        };
        names.remove(1, "a");
        collect_until(|| names.live.load(Ordering::SeqCst) == 0);
        reader.join().unwrap();
        assert!(!names.has(1, "a"));
    });
}

#[test]
fn loom_a_leaf_stays_in_sight_while_a_branch_comes_and_goes_above_it() {
    explore(PREEMPTIONS, || {
        let names = Arc::new(Names::new());
        names.insert(1, "stays");
        let reader = {
            let names = Arc::clone(&names);
            thread::spawn(move || assert!(names.has(1, "stays"), "out of sight"))
        };
        names.insert(2, "comes");
        names.remove(2, "comes");
        collect_until(|| names.live.load(Ordering::SeqCst) == 1);
        reader.join().unwrap();
    });
}

#[test]
fn loom_a_leaf_stays_in_sight_while_others_of_its_hash_come_and_go() {
    explore(PREEMPTIONS, || {
        let names = Arc::new(Names::new());
        for name in ["stays", "goes", "stays too"] {
            names.insert(1, name);
        }
        let reader = {
            let names = Arc::clone(&names);
            thread::spawn(move || assert!(names.has(1, "stays"), "out of sight"))
        };
        names.remove(1, "goes");
        names.insert(1, "comes");
        collect_until(|| names.live.load(Ordering::SeqCst) == 3);
        reader.join().unwrap();
    });
}

#[test]
fn loom_a_publish_sent_after_suback_is_matched() {
    explore(ROUTER_PREEMPTIONS, || {
        let router = Arc::new(Router::with_seed(2, 1));
        let suback = Arc::new(AtomicBool::new(false));
        let publisher = {
            let (router, suback) = (Arc::clone(&router), Arc::clone(&suback));
            thread::spawn(move || {
                // A PUBLISH before has filled the shard's cache, as `src/router/cache.rs` does.
                let stamp = router.stamp("a");
                let cached = matched(&router, "a");
                if suback.load(loom::sync::atomic::Ordering::Acquire) {
                    let is_fresh = router.stamp("a") == stamp;
                    let route = if is_fresh { cached } else { matched(&router, "a") };
                    assert_eq!(route.len(), 1, "a PUBLISH after SUBACK is not matched");
                    assert_eq!(route[0].1, [1]);
                }
            })
        };
        router.add("a", 1);
        suback.store(true, loom::sync::atomic::Ordering::Release);
        publisher.join().unwrap();
    });
}

#[test]
fn loom_a_filter_that_goes_and_comes_back_is_seen_whole_or_not_at_all() {
    explore(ROUTER_PREEMPTIONS, || {
        let router = Arc::new(Router::with_seed(2, 1));
        let old = router.add("a", 0);
        let reader = {
            let router = Arc::clone(&router);
            thread::spawn(move || matched(&router, "a"))
        };
        router.remove("a", 0);
        // Two epochs on, what was retired is freed.
        for _ in 0..2 {
            epoch::pin().flush();
        }
        let new = router.add("a", 1);
        match &*reader.join().unwrap() {
            [] => {}
            // The filter goes after its last shard has: between the two it matches nobody.
            [(id, shards)] if *id == old => assert_eq!(shards[..], [0]),
            [(id, shards)] => assert_eq!((*id, &shards[..]), (new, &[1][..])),
            more => panic!("one filter twice: {more:?}"),
        }
        assert_eq!(matched(&router, "a"), [(new, vec![1])]);
    });
}

#[test]
fn loom_a_group_that_was_found_outlives_its_end_and_is_freed_after() {
    explore(ROUTER_PREEMPTIONS, || {
        let router = Arc::new(Router::with_seed(2, 1));
        let group = Arc::downgrade(&router.group_join("a", "g", 1, true).1);
        let reader = {
            let router = Arc::clone(&router);
            thread::spawn(move || {
                let mut matches = Matches::default();
                router.matches("a", &mut matches);
                if let [group] = &matches.groups[..] {
                    assert_eq!((&*group.filter, &*group.name), ("a", "g"));
                    assert!(group.members(1) <= 1);
                }
            })
        };
        router.group_leave("a", "g", 1, true);
        collect_until(|| group.strong_count() == 0);
        reader.join().unwrap();
        assert_eq!(router.filter_count(), 0);
    });
}
