//! What a message to an actor costs: a connection in a shard's slab, fed through its mailbox,
//! beside an actix actor fed through an actix mailbox.
//!
//! Both run on one thread, so this is the bookkeeping alone: no wake, no cache line between cores.

use std::hint::black_box;

use actix::{Actor, Context, Handler, Message};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pondhawk::reactor::{Mailbox, Marks};
use pondhawk::util::{GenSlab, Key};

/// Messages per iteration, spread over the actors.
const MESSAGES: u64 = 10_000;

#[derive(Default)]
struct Sum {
    total: u64,
}

impl Actor for Sum {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
struct Add(u64);

impl Handler<Add> for Sum {
    type Result = ();

    fn handle(&mut self, add: Add, _context: &mut Self::Context) {
        self.total = self.total.wrapping_add(add.0);
    }
}

#[derive(Message)]
#[rtype(result = "u64")]
struct Total;

impl Handler<Total> for Sum {
    type Result = u64;

    fn handle(&mut self, _total: Total, _context: &mut Self::Context) -> u64 {
        self.total
    }
}

fn shard(messages: u64, keys: &[Key], actors: &mut GenSlab<Sum>, mailbox: &Mailbox<(Key, u64)>) {
    let batch: Vec<_> = (0..messages).map(|n| (keys[n as usize % keys.len()], n)).collect();
    mailbox.push(batch, 0);
    for batch in mailbox.take() {
        let commands = batch.len();
        for (key, n) in batch {
            if let Some(actor) = actors.get_mut(key) {
                actor.total = actor.total.wrapping_add(n);
            }
        }
        black_box(mailbox.done(commands, 0));
    }
}

fn per_message(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("actor");
    group.throughput(Throughput::Elements(MESSAGES));
    for count in [1usize, 1000] {
        group.bench_with_input(BenchmarkId::new("shard", count), &count, |bencher, &count| {
            let mailbox = Mailbox::new("bench", Marks { commands: 1 << 20, bytes: 1 << 20 });
            let mut actors = GenSlab::new();
            let keys: Vec<Key> = (0..count).map(|_| actors.insert(Sum::default())).collect();
            bencher.iter(|| shard(MESSAGES, &keys, &mut actors, &mailbox));
        });
        group.bench_with_input(BenchmarkId::new("actix", count), &count, |bencher, &count| {
            let system = actix::System::new();
            let actors: Vec<_> =
                system.block_on(async { (0..count).map(|_| Sum::default().start()).collect() });
            bencher.iter(|| {
                system.block_on(async {
                    for n in 0..MESSAGES {
                        actors[n as usize % count].do_send(Add(n));
                    }
                    for actor in &actors {
                        black_box(actor.send(Total).await.expect("the actor lives"));
                    }
                });
            });
        });
    }
    group.finish();
}

criterion_group!(benches, per_message);
criterion_main!(benches);
