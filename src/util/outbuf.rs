//! A connection's outgoing bytes, with large payloads by reference.
//!
//! Small frames are copied into one contiguous buffer; a large payload that many connections send
//! is held by reference and spliced in at its position. The socket sees one stream of bytes.

use std::collections::VecDeque;
use std::io::IoSlice;

use smallvec::SmallVec;

use super::pool::BufPool;

/// Slices gathered for one vectored write, without allocating up to 16.
pub type Slices<'a> = SmallVec<[IoSlice<'a>; 16]>;

/// Sent bytes that may stay in front of unsent ones before they are moved out of the way.
const SENT_MAX: usize = 4096;

/// Bytes waiting for the socket, in order.
///
/// `P` is a cheap owner of a payload, such as a reference-counted pointer to a message. Owns no
/// heap memory after [`OutBuf::reset`] or [`OutBuf::release`].
///
/// Invariants: `sent <= bytes.len()`; splice positions ascend and lie in `sent..=bytes.len()`.
#[derive(Debug)]
pub struct OutBuf<P> {
    bytes: Vec<u8>,
    /// How much of `bytes` has left.
    sent: usize,
    splices: Option<Box<Splices<P>>>,
}

#[derive(Debug)]
struct Splices<P> {
    queue: VecDeque<Splice<P>>,
    /// How much of the first splice's payload has left.
    sent: usize,
    /// Unsent payload bytes of all splices.
    pending: usize,
}

#[derive(Debug)]
struct Splice<P> {
    /// Index in `bytes` of the byte that follows the payload.
    at: usize,
    payload: P,
}

impl<P: AsRef<[u8]>> OutBuf<P> {
    /// An empty buffer without memory.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), sent: 0, splices: None }
    }

    /// The tail to append to. Append only: what is already in it belongs to earlier frames.
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// As [`OutBuf::bytes`], taking recycled memory from `pool` if there is none yet.
    pub fn bytes_from(&mut self, pool: &mut BufPool) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes = pool.get();
        }
        &mut self.bytes
    }

    /// Appends a payload by reference; what is appended later follows it.
    pub fn splice(&mut self, payload: P) {
        let len = payload.as_ref().len();
        if len == 0 {
            return;
        }
        let splices = self.splices.get_or_insert_with(|| {
            Box::new(Splices { queue: VecDeque::new(), sent: 0, pending: 0 })
        });
        splices.pending += len;
        splices.queue.push_back(Splice { at: self.bytes.len(), payload });
    }

    /// Unsent bytes, spliced ones included.
    pub fn pending(&self) -> usize {
        self.bytes.len() - self.sent + self.splices.as_ref().map_or(0, |splices| splices.pending)
    }

    /// Whether everything has left.
    pub fn is_empty(&self) -> bool {
        self.pending() == 0
    }

    /// Heap bytes this buffer owns itself, without the spliced payloads it shares.
    pub fn heap_bytes(&self) -> usize {
        let splices = self.splices.as_ref().map_or(0, |splices| {
            size_of::<Splices<P>>() + splices.queue.capacity() * size_of::<Splice<P>>()
        });
        self.bytes.capacity() + splices
    }

    /// The first unsent bytes as at most `max` slices, none of them empty.
    pub fn slices(&self, max: usize) -> Slices<'_> {
        let mut slices = Slices::new();
        let mut from = self.sent;
        if let Some(splices) = &self.splices {
            let mut skip = splices.sent;
            for splice in &splices.queue {
                push_slice(&mut slices, &self.bytes[from..splice.at], max);
                push_slice(&mut slices, &splice.payload.as_ref()[skip..], max);
                if slices.len() >= max {
                    return slices;
                }
                (from, skip) = (splice.at, 0);
            }
        }
        push_slice(&mut slices, &self.bytes[from..], max);
        slices
    }

    /// Records that the first `n` unsent bytes have left, and drops payloads that are done.
    ///
    /// # Panics
    /// If `n` is more than [`OutBuf::pending`].
    pub fn consume(&mut self, n: usize) {
        assert!(n <= self.pending(), "consumed {n} of {} bytes", self.pending());
        let left = self.consume_splices(n);
        self.sent += left;
        self.reclaim();
        debug_assert!(self.sent <= self.bytes.len());
    }

    /// Gives the memory back if everything has left; without effect otherwise.
    pub fn reset(&mut self, pool: &mut BufPool) {
        if self.is_empty() {
            self.release(pool);
        }
    }

    /// Gives the memory back and forgets what has not left; for a connection that ends.
    pub fn release(&mut self, pool: &mut BufPool) {
        pool.put(std::mem::take(&mut self.bytes));
        self.sent = 0;
        self.splices = None;
    }

    /// Consumes up to the end of the last splice that `n` reaches; returns what is left of `n`,
    /// all of which lies before the next splice.
    fn consume_splices(&mut self, mut n: usize) -> usize {
        let Some(splices) = self.splices.as_mut() else { return n };
        while let Some(splice) = splices.queue.front() {
            let before = splice.at - self.sent;
            if n <= before {
                return n;
            }
            n -= before;
            self.sent = splice.at;
            let unsent = splice.payload.as_ref().len() - splices.sent;
            let taken = n.min(unsent);
            n -= taken;
            splices.pending -= taken;
            if taken < unsent {
                splices.sent += taken;
                return n;
            }
            splices.sent = 0;
            splices.queue.pop_front();
        }
        n
    }

    /// Frees what has left: all at once when nothing else is there, or, so that a peer that never
    /// quite catches up does not make the buffer grow for ever, once it is the larger part.
    fn reclaim(&mut self) {
        if self.splices.as_ref().is_some_and(|splices| splices.queue.is_empty()) {
            self.splices = None;
        }
        if self.sent == self.bytes.len() && self.splices.is_none() {
            self.bytes.clear();
            self.sent = 0;
        } else if self.sent >= SENT_MAX && self.sent >= self.bytes.len() / 2 {
            self.bytes.drain(..self.sent);
            for splice in self.splices.iter_mut().flat_map(|splices| splices.queue.iter_mut()) {
                splice.at -= self.sent;
            }
            self.sent = 0;
        }
    }
}

impl<P: AsRef<[u8]>> Default for OutBuf<P> {
    fn default() -> Self {
        Self::new()
    }
}

fn push_slice<'a>(slices: &mut Slices<'a>, part: &'a [u8], max: usize) {
    if !part.is_empty() && slices.len() < max {
        slices.push(IoSlice::new(part));
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use proptest::prelude::*;

    use super::{BufPool, OutBuf, SENT_MAX};

    type Payload = Rc<[u8]>;

    fn flat(out: &OutBuf<Payload>) -> Vec<u8> {
        out.slices(usize::MAX).iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn an_idle_buffer_is_small_and_owns_nothing() {
        assert!(size_of::<OutBuf<Payload>>() <= 48);
        let mut pool = BufPool::new(1, 4096);
        let mut out: OutBuf<Payload> = OutBuf::new();
        out.bytes_from(&mut pool).extend_from_slice(b"frame");
        out.splice(Rc::from(&b"payload"[..]));
        out.consume(out.pending());
        out.reset(&mut pool);
        assert_eq!(out.heap_bytes(), 0);
        assert!(pool.bytes() >= 5);
    }

    #[test]
    fn a_payload_goes_where_it_was_spliced() {
        let mut out: OutBuf<Payload> = OutBuf::new();
        out.bytes().extend_from_slice(b"ab");
        out.splice(Rc::from(&b"CD"[..]));
        out.splice(Rc::from(&b""[..]));
        out.splice(Rc::from(&b"EF"[..]));
        out.bytes().extend_from_slice(b"gh");
        assert_eq!(flat(&out), b"abCDEFgh");
        assert_eq!(out.slices(2).len(), 2);
        out.consume(3);
        assert_eq!(flat(&out), b"DEFgh");
    }

    #[test]
    fn a_sent_payload_is_let_go_before_the_rest() {
        let payload: Payload = Rc::from(&b"CD"[..]);
        let mut out = OutBuf::new();
        out.splice(payload.clone());
        out.bytes().extend_from_slice(b"e");
        out.consume(2);
        assert_eq!(Rc::strong_count(&payload), 1);
        assert_eq!(flat(&out), b"e");
    }

    #[test]
    fn reset_keeps_unsent_bytes_and_release_does_not() {
        let mut pool = BufPool::new(1, 4096);
        let mut out: OutBuf<Payload> = OutBuf::new();
        out.bytes().extend_from_slice(b"ab");
        out.reset(&mut pool);
        assert_eq!(out.pending(), 2);
        out.release(&mut pool);
        assert_eq!((out.pending(), out.heap_bytes()), (0, 0));
    }

    #[test]
    fn a_peer_that_never_catches_up_does_not_make_it_grow() {
        let mut out: OutBuf<Payload> = OutBuf::new();
        out.bytes().extend_from_slice(&[0; 1000]);
        for _ in 0..10_000 {
            out.bytes().extend_from_slice(&[0; 100]);
            out.consume(100);
        }
        assert_eq!(out.pending(), 1000);
        assert!(out.heap_bytes() <= 4 * SENT_MAX);
    }

    #[test]
    #[should_panic(expected = "consumed 3 of 2 bytes")]
    fn consuming_more_than_there_is_panics() {
        let mut out: OutBuf<Payload> = OutBuf::new();
        out.bytes().extend_from_slice(b"ab");
        out.consume(3);
    }

    #[derive(Clone, Debug)]
    enum Op {
        Append(usize),
        Splice(usize),
        Consume(usize),
        Reset,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            (0..3000usize).prop_map(Op::Append),
            (0..3000usize).prop_map(Op::Splice),
            (0..5000usize).prop_map(Op::Consume),
            Just(Op::Reset),
        ]
    }

    proptest! {
        #[test]
        fn the_stream_is_the_one_appended(ops in prop::collection::vec(op(), 0..60)) {
            let mut pool = BufPool::new(2, 1 << 20);
            let mut out: OutBuf<Payload> = OutBuf::new();
            let mut model: Vec<u8> = Vec::new();
            let mut next = 0u8;
            let mut chunk = |len: usize| -> Vec<u8> {
                (0..len).map(|_| { next = next.wrapping_mul(5).wrapping_add(1); next }).collect()
            };
            for op in ops {
                match op {
                    Op::Append(len) => {
                        let bytes = chunk(len);
                        out.bytes_from(&mut pool).extend_from_slice(&bytes);
                        model.extend(bytes);
                    }
                    Op::Splice(len) => {
                        let bytes = chunk(len);
                        model.extend(&bytes);
                        out.splice(Rc::from(bytes));
                    }
                    Op::Consume(n) => {
                        let n = n.min(model.len());
                        out.consume(n);
                        model.drain(..n);
                    }
                    Op::Reset => out.reset(&mut pool),
                }
                prop_assert_eq!(out.pending(), model.len());
                prop_assert_eq!(&flat(&out), &model);
                let few = out.slices(3);
                prop_assert!(few.len() <= 3 && few.iter().all(|slice| !slice.is_empty()));
            }
        }
    }
}
