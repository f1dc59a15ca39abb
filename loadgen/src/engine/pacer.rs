//! The schedule of an open loop.

/// Gives each batch of each publisher its due time.
///
/// Batches of all publishers are spread evenly: global batch `g` belongs to publisher `g %
/// publishers` and is due `g × batch / rate` seconds after the start. Due times are computed from
/// `g`, never by adding intervals, so they do not drift; a late batch keeps the time it was due.
#[derive(Debug)]
pub struct Pacer {
    start_ns: u64,
    publishers: u64,
    batch: u64,
    rate: u64,
    /// Publishers of this thread, ascending.
    locals: Box<[u32]>,
    cursor: u64,
}

impl Pacer {
    /// A schedule for the publishers `locals` out of `publishers`; `rate` is messages per second
    /// over all publishers, greater than 0.
    pub fn new(publishers: u64, batch: u64, rate: u64, locals: Vec<u32>) -> Self {
        Self { start_ns: 0, publishers, batch, rate, locals: locals.into(), cursor: 0 }
    }

    /// Begins anew at `start_ns`.
    pub fn start(&mut self, start_ns: u64) {
        self.start_ns = start_ns;
        self.cursor = 0;
    }

    /// When batch `index` of `publisher` is due.
    pub fn intended_ns(&self, publisher: u32, index: u64) -> u64 {
        let global = u128::from(index) * u128::from(self.publishers) + u128::from(publisher);
        let offset = global * u128::from(self.batch) * 1_000_000_000 / u128::from(self.rate);
        self.start_ns + offset as u64
    }

    /// When the next batch of this thread is due; `None` if it has no publisher.
    pub fn next_ns(&self) -> Option<u64> {
        let (publisher, index) = self.next()?;
        Some(self.intended_ns(publisher, index))
    }

    fn next(&self) -> Option<(u32, u64)> {
        let count = self.locals.len() as u64;
        let position = self.cursor.checked_rem(count)?;
        Some((self.locals[position as usize], self.cursor / count))
    }

    /// The next batch that is due by `now_ns`: its publisher and due time.
    pub fn pop_due(&mut self, now_ns: u64) -> Option<(u32, u64)> {
        let (publisher, index) = self.next()?;
        let intended_ns = self.intended_ns(publisher, index);
        (intended_ns <= now_ns).then(|| {
            self.cursor += 1;
            (publisher, intended_ns)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due_until(pacer: &mut Pacer, now_ns: u64) -> Vec<(u32, u64)> {
        std::iter::from_fn(|| pacer.pop_due(now_ns)).collect()
    }

    #[test]
    fn batches_are_spread_over_publishers() {
        let mut pacer = Pacer::new(4, 2, 1000, vec![0, 1, 2, 3]);
        pacer.start(1_000);
        let due = due_until(&mut pacer, 1_000 + 8_000_000);
        let times: Vec<_> = due.iter().map(|&(_, at)| (at - 1_000) / 1_000_000).collect();
        assert_eq!(times, [0, 2, 4, 6, 8], "2 messages each 2 ms are 1000 per second");
        assert_eq!(due.iter().map(|&(p, _)| p).collect::<Vec<_>>(), [0, 1, 2, 3, 0]);
    }

    #[test]
    fn threads_share_one_schedule() {
        let mut all = Pacer::new(3, 1, 700, vec![0, 1, 2]);
        let mut even = Pacer::new(3, 1, 700, vec![0, 2]);
        let mut odd = Pacer::new(3, 1, 700, vec![1]);
        let end = 100_000_000;
        let mut joined = due_until(&mut even, end);
        joined.extend(due_until(&mut odd, end));
        joined.sort_by_key(|&(_, at)| at);
        assert_eq!(joined, due_until(&mut all, end));
    }

    #[test]
    fn a_late_batch_keeps_its_time() {
        let mut pacer = Pacer::new(1, 1, 1_000_000, vec![0]);
        pacer.start(0);
        let due = due_until(&mut pacer, 5_000);
        assert_eq!(due, [(0, 0), (0, 1000), (0, 2000), (0, 3000), (0, 4000), (0, 5000)]);
    }

    #[test]
    fn the_schedule_does_not_drift() {
        let pacer = Pacer::new(7, 1, 3_000_007, vec![0]);
        let hour = pacer.intended_ns(0, 3_000_007 * 3600 / 7);
        let error = hour.abs_diff(3_600_000_000_000);
        assert!(error < 10_000, "{error} ns off after an hour");
    }

    #[test]
    fn no_publisher_is_never_due() {
        let mut pacer = Pacer::new(1, 1, 1, Vec::new());
        assert_eq!((pacer.next_ns(), pacer.pop_due(u64::MAX)), (None, None));
    }
}
