//! Moving messages to another thread: the batch queue beside a channel that moves them one by one
//! and a channel that moves the same batches.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crossbeam::channel;
use pondhawk::sync::BatchQueue;

/// Producers besides the consumer.
const PRODUCERS: u64 = 2;
/// Messages per producer and measured iteration.
const MESSAGES: u64 = 4096;

/// Runs the producers beside the consumer; from before the first push to after the last take.
fn timed(iterations: u64, produce: impl Fn() + Sync, consume: impl Fn(u64)) -> Duration {
    let start = Instant::now();
    for _ in 0..iterations {
        thread::scope(|scope| {
            for _ in 0..PRODUCERS {
                scope.spawn(&produce);
            }
            consume(PRODUCERS * MESSAGES);
        });
    }
    start.elapsed()
}

fn batch(len: u64) -> Vec<u64> {
    (0..len).collect()
}

fn queue(iterations: u64, len: u64) -> Duration {
    let queue = BatchQueue::new();
    let produce = || {
        for _ in 0..MESSAGES / len {
            black_box(queue.push(batch(len)));
        }
    };
    timed(iterations, produce, |mut left| {
        while left > 0 {
            let taken = queue.take_all();
            if taken.is_empty() {
                thread::yield_now();
            }
            left -= taken.flatten().map(black_box).count() as u64;
        }
    })
}

fn channel_of_batches(iterations: u64, len: u64) -> Duration {
    let (sender, receiver) = channel::unbounded();
    let produce = || (0..MESSAGES / len).for_each(|_| sender.send(batch(len)).expect("open"));
    timed(iterations, produce, |mut left| {
        while left > 0 {
            let batch = receiver.recv().expect("open");
            left -= batch.into_iter().map(black_box).count() as u64;
        }
    })
}

fn channel_of_messages(iterations: u64) -> Duration {
    let (sender, receiver) = channel::unbounded();
    let produce = || (0..MESSAGES).for_each(|n| sender.send(n).expect("open"));
    timed(iterations, produce, |left| {
        for _ in 0..left {
            black_box(receiver.recv().expect("open"));
        }
    })
}

fn cross_thread(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mailbox");
    group.throughput(Throughput::Elements(PRODUCERS * MESSAGES));
    for len in [1, 8, 64] {
        group.bench_with_input(BenchmarkId::new("batch_queue", len), &len, |bencher, &len| {
            bencher.iter_custom(|iterations| queue(iterations, len));
        });
        group.bench_with_input(BenchmarkId::new("channel_batches", len), &len, |bencher, &len| {
            bencher.iter_custom(|iterations| channel_of_batches(iterations, len));
        });
    }
    group.bench_function("channel_messages", |bencher| bencher.iter_custom(channel_of_messages));
    group.finish();
}

criterion_group!(benches, cross_thread);
criterion_main!(benches);
