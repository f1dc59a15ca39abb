//! The mutation of inputs, and what is done with one that fails.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes that sit at the edges of something.
const EDGES: [u8; 12] = [0, 1, 2, 3, 4, 0x7F, 0x80, 0x81, 0xC0, 0xFE, 0xFF, b'/'];

/// xorshift64*; the same seed gives the same inputs.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound.max(1)
    }
}

fn setting(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is a number, not {value:?}")))
}

/// Runs `entry` on the corpus of `target` and on inputs made from it: `inputs` of them, each at
/// most `longest` bytes, or for POND_FUZZ_SECONDS.
pub fn run(target: &str, inputs: u64, longest: usize, entry: fn(&[u8])) {
    let corpus = corpus(target);
    assert!(!corpus.is_empty(), "no corpus for {target}");
    for (path, bytes) in &corpus {
        let failed = fails(entry, bytes);
        assert!(failed.is_none(), "{}: {}", path.display(), failed.unwrap_or_default());
    }
    let seed = setting("POND_FUZZ_SEED").unwrap_or(1);
    let inputs = setting("POND_FUZZ_INPUTS").unwrap_or(inputs);
    let until =
        setting("POND_FUZZ_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    // Zero is the one state that xorshift never leaves.
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut pool: Vec<Vec<u8>> = corpus.into_iter().map(|(_, bytes)| bytes).collect();
    let committed = pool.len();
    let mut done = 0;
    while until.map_or(done < inputs, |until| Instant::now() < until) {
        let input = mutated(&mut random, &pool, longest);
        if let Some(message) = fails(entry, &input) {
            report(target, seed, done, entry, input, &message);
        }
        // Without a measure of what is new, a few children live for a while beside the corpus.
        if random.below(8) == 0 {
            if pool.len() < committed + 256 {
                pool.push(input);
            } else {
                let at = committed + random.below(256);
                pool[at] = input;
            }
        }
        done += 1;
    }
    println(&format!("{target}: {done} inputs from seed {seed}, {committed} in the corpus"));
}

#[allow(clippy::print_stdout)]
fn println(line: &str) {
    println!("{line}");
}

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a folder's entry").path())
        .collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).expect("a corpus file"))).collect()
}

/// What the entry panicked with, if it did.
fn fails(entry: fn(&[u8]), input: &[u8]) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(|| entry(input))).err()?;
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).into()));
    Some(text.unwrap_or_else(|| "a panic without words".into()))
}

fn report(target: &str, seed: u64, at: u64, entry: fn(&[u8]), input: Vec<u8>, message: &str) -> ! {
    let small = smaller(entry, input);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/fuzz");
    fs::create_dir_all(&folder).expect("a folder for failing inputs");
    let path = folder.join(format!("{target}-{seed}-{at}"));
    fs::write(&path, &small).expect("write the failing input");
    panic!("{target}, seed {seed}, input {at}: {message}\n{}: {small:02x?}", path.display());
}

/// Takes pieces out for as long as it still fails.
fn smaller(entry: fn(&[u8]), mut input: Vec<u8>) -> Vec<u8> {
    let mut piece = input.len() / 2;
    while piece > 0 {
        let mut at = 0;
        while at + piece <= input.len() {
            let without = [&input[..at], &input[at + piece..]].concat();
            if fails(entry, &without).is_some() {
                input = without;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    input
}

fn mutated(random: &mut Random, pool: &[Vec<u8>], longest: usize) -> Vec<u8> {
    if random.below(4) == 0 {
        // Noise of any length: what chooses among operations by single bytes gets far with it.
        return (0..random.below(longest)).map(|_| random.next() as u8).collect();
    }
    let mut input = pool[random.below(pool.len())].clone();
    for _ in 0..1 + random.below(6) {
        mutate(random, pool, &mut input);
    }
    input.truncate(longest);
    input
}

fn mutate(random: &mut Random, pool: &[Vec<u8>], input: &mut Vec<u8>) {
    let at = random.below(input.len() + 1);
    let end = (at + 1 + random.below(16)).min(input.len());
    match random.below(9) {
        0 => input.insert(at, random.next() as u8),
        1 => input.insert(at, EDGES[random.below(EDGES.len())]),
        2 => drop(input.drain(at.min(end)..end)),
        3 => {
            let piece = input[at.min(end)..end].to_vec();
            input.splice(at..at, piece);
        }
        4 => {
            let other = &pool[random.below(pool.len())];
            let from = random.below(other.len() + 1);
            let to = (from + 1 + random.below(64)).min(other.len());
            input.splice(at..at, other[from.min(to)..to].iter().copied());
        }
        5 => {
            let other = &pool[random.below(pool.len())];
            let from = random.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        kind => {
            let edge = EDGES[random.below(EDGES.len())];
            let Some(byte) = input.get_mut(at) else { return };
            match kind {
                6 => *byte ^= 1 << random.below(8),
                7 => *byte = edge,
                _ => *byte = byte.wrapping_add(random.below(5) as u8).wrapping_sub(2),
            }
        }
    }
}
