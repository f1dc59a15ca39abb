//! What a session's queue costs per message, beside the standard deque it is built on.

use std::collections::VecDeque;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pondhawk::util::{Limits, Ring};

const LIMITS: Limits = Limits { messages: 100_000, bytes: 64 << 20 };

fn fill_and_drain(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ring");
    for depth in [1u64, 16, 1000] {
        group.throughput(Throughput::Elements(depth));
        group.bench_with_input(BenchmarkId::new("ring", depth), &depth, |bencher, &depth| {
            let mut ring = Ring::new(LIMITS);
            bencher.iter(|| {
                for item in 0..depth {
                    ring.push_back(black_box(item), 64).expect("within the limits");
                }
                while let Some(item) = ring.pop_front() {
                    black_box(item);
                }
            });
        });
        group.bench_with_input(BenchmarkId::new("deque", depth), &depth, |bencher, &depth| {
            let mut deque = VecDeque::new();
            bencher.iter(|| {
                for item in 0..depth {
                    deque.push_back(black_box(item));
                }
                while let Some(item) = deque.pop_front() {
                    black_box(item);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, fill_and_drain);
criterion_main!(benches);
