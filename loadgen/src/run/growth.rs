//! Memory as clients are added: what one more costs the broker, and what it costs us.

use crate::measure::{Memory, fit_line};
use crate::result::MemoryFit;

/// What the generator's own memory is counted for.
const OWN: &str = "client of the generator";

/// Least clients from which the generator's own memory for each says anything: below, the pages of
/// its buffers and histograms hide it.
const MIN_CLIENTS: u64 = 1000;

/// Memory as a count grows.
#[derive(Debug)]
pub struct Growth {
    each: &'static str,
    broker: Vec<(u64, Memory)>,
    own: Vec<(u64, u64)>,
}

impl Growth {
    /// Nothing yet of `each`.
    pub fn of(each: &'static str) -> Self {
        Self { each, broker: Vec::new(), own: Vec::new() }
    }

    /// What the generator took before its clients were made.
    pub fn begin(&mut self, own: Option<u64>) {
        self.own.extend(own.map(|bytes| (0, bytes)));
    }

    /// Adds what the broker and the generator take with `count` of them.
    pub fn add(&mut self, count: u64, broker: Option<Memory>, own: Option<u64>) {
        self.broker.extend(broker.map(|memory| (count, memory)));
        self.own.extend(own.map(|bytes| (count, bytes)));
    }

    /// Lines through the points; the first one, without any of them, is left out: there the broker
    /// has not yet taken what it needs anyway.
    pub fn fits(&self) -> Vec<MemoryFit> {
        let each = |memory: &str, bytes: fn(&Memory) -> u64| {
            let points: Vec<_> = self.broker.iter().map(|(n, m)| (*n, bytes(m))).collect();
            fit(self.each, memory, &points)
        };
        let enough = self.own.last().is_some_and(|(count, _)| *count >= MIN_CLIENTS);
        let own = enough.then(|| whole(&self.own)).flatten();
        [each("rss", |m| m.rss), each("rss_anon", |m| m.rss_anon), own]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// What the generator's memory has grown by, for each client: all seats are made at once.
fn whole(points: &[(u64, u64)]) -> Option<MemoryFit> {
    let (&(none, before), &(count, after)) = (points.first()?, points.last()?);
    (none == 0 && count > 0).then(|| MemoryFit {
        each: OWN.to_owned(),
        memory: "rss_anon".to_owned(),
        bytes: after.saturating_sub(before) as f64 / count as f64,
        error_bytes: None,
        r_squared: 1.0,
        points: vec![(none, before), (count, after)],
    })
}

fn fit(each: &str, memory: &str, points: &[(u64, u64)]) -> Option<MemoryFit> {
    let points: Vec<_> = points.iter().copied().filter(|(count, _)| *count > 0).collect();
    let plain: Vec<_> = points.iter().map(|&(n, bytes)| (n as f64, bytes as f64)).collect();
    let line = fit_line(&plain)?;
    Some(MemoryFit {
        each: each.to_owned(),
        memory: memory.to_owned(),
        bytes: line.slope,
        error_bytes: line.error,
        r_squared: line.r_squared,
        points,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_of_the_process_is_not_counted() {
        let mut growth = Growth::of("connection");
        growth.begin(Some(1000));
        growth.add(0, Some(Memory { rss: 500, ..Memory::default() }), None);
        for count in [1000, 2000, 3000] {
            let rss = 1_000_000 + count * 64;
            growth.add(
                count,
                Some(Memory { rss, rss_anon: rss / 2, pss: 0 }),
                Some(1000 + count * 3),
            );
        }
        let fits = growth.fits();
        let bytes: Vec<_> = fits.iter().map(|fit| fit.bytes.round() as u64).collect();
        assert_eq!(bytes, [64, 32, 3]);
        assert_eq!(fits[0].points.len(), 3);
    }
}
