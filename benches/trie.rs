//! The routing trie: what a match costs by the number of filters, and what the first and the
//! millionth child of one parent cost. Prints bytes a filter first.

#![allow(missing_docs, clippy::print_stdout)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use pondhawk::router::{Matches, Router, TopicCache};

const SIZES: [usize; 3] = [1_000, 100_000, 1_000_000];

/// A fleet: 100 regions, ten values a device, as many devices as it takes.
fn topic(n: usize) -> String {
    format!("fleet/{:02}/device-{:06}/value-{}", n % 100, n / 1000, n / 100 % 10)
}

/// `filters` exact filters, and 25 that have wildcards.
fn fleet(filters: usize) -> Router {
    let router = Router::new(8);
    for n in 0..filters {
        router.add(&topic(n), (n % 8) as u16);
    }
    for n in 0..8 {
        router.add(&format!("fleet/{n:02}/#"), n);
        router.add(&format!("fleet/+/+/value-{n}"), n);
        router.add(&format!("+/{n:02}/+/value-9"), n);
    }
    router.add("#", 0);
    router
}

/// A cheap walk over all numbers below `count` in no order.
fn scattered(step: &mut usize, count: usize) -> usize {
    *step = step.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*step >> 33) % count
}

fn matching(c: &mut Criterion) {
    let mut group = c.benchmark_group("match");
    for size in SIZES {
        let empty = Router::new(8).footprint();
        let router = fleet(size);
        let bytes = (router.footprint() - empty) / router.filter_count();
        println!("fleet of {} filters: {bytes} bytes a filter", router.filter_count());
        let topics: Vec<String> = {
            let mut step = 1;
            (0..8192).map(|_| topic(scattered(&mut step, size))).collect()
        };
        let mut matches = Matches::default();
        let mut next = topics.iter().cycle();
        group.bench_function(BenchmarkId::new("random topic", size), |b| {
            b.iter(|| {
                router.matches(black_box(next.next().expect("cycles")), &mut matches);
                matches.filters.len()
            });
        });
        group.bench_function(BenchmarkId::new("one topic", size), |b| {
            b.iter(|| {
                router.matches(black_box(&topics[0]), &mut matches);
                matches.filters.len()
            });
        });
    }
    group.finish();
}

fn cached(c: &mut Criterion) {
    let router = fleet(100_000);
    let mut cache: TopicCache<Box<Matches>> = TopicCache::new(4096);
    let mut step = 1;
    let topics: Vec<String> = (0..1024).map(|_| topic(scattered(&mut step, 100_000))).collect();
    for topic in topics.iter().chain(&topics) {
        let (hash, stamp) = (cache.hash(topic), router.stamp(topic));
        let mut matches = Box::<Matches>::default();
        router.matches(topic, &mut matches);
        cache.insert(hash, topic, stamp, matches);
    }
    let mut next = topics.iter().cycle();
    c.bench_function("cache/hash, stamp and hit, 1024 topics", |b| {
        b.iter(|| {
            let topic = black_box(next.next().expect("cycles"));
            let (hash, stamp) = (cache.hash(topic), router.stamp(topic));
            cache.get(hash, topic, stamp).map(|matches| matches.filters.len())
        });
    });
    c.bench_function("cache/hash, stamp and hit, one topic", |b| {
        b.iter(|| {
            let topic = black_box(&topics[0]);
            let (hash, stamp) = (cache.hash(topic), router.stamp(topic));
            cache.get(hash, topic, stamp).map(|matches| matches.filters.len())
        });
    });
}

fn child(n: usize) -> String {
    format!("parent/{n:08}")
}

/// One parent with a million children, with the time that it took to get them.
fn million() -> Router {
    let router = Router::new(8);
    let (empty, mut done, mut slowest) = (router.footprint(), 0, Duration::ZERO);
    for size in SIZES {
        let (from, began) = (done, Instant::now());
        while done < size {
            let one = Instant::now();
            router.add(&child(done), 0);
            slowest = slowest.max(one.elapsed());
            done += 1;
        }
        let each = began.elapsed() / (size - from) as u32;
        println!("children {from} to {size}: {each:?} each, slowest so far {slowest:?}");
    }
    println!("a million siblings: {} bytes a filter", (router.footprint() - empty) / done);
    router
}

fn siblings(c: &mut Criterion) {
    let mut group = c.benchmark_group("siblings");
    for size in [1, 1_000, 1_000_000] {
        let router = if size == 1_000_000 { million() } else { Router::new(8) };
        for n in 0..size {
            router.add(&child(n), 0);
        }
        let (mut step, mut matches) = (1, Matches::default());
        let topics: Vec<String> = (0..8192).map(|_| child(scattered(&mut step, size))).collect();
        let mut next = topics.iter().cycle();
        group.bench_function(BenchmarkId::new("look up among", size), |b| {
            b.iter(|| {
                router.matches(black_box(next.next().expect("cycles")), &mut matches);
                matches.filters.len()
            });
        });
        group.bench_function(BenchmarkId::new("come and go among", size), |b| {
            b.iter(|| {
                router.add("parent/new", 1);
                router.remove("parent/new", 1);
            });
        });
    }
    group.finish();
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = benches;
    config = short();
    targets = matching, cached, siblings
}
criterion_main!(benches);
