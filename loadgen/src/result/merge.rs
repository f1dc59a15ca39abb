//! Adding up what threads, processes and machines measured in one run.

/// Adds another part of the same run.
///
/// Adding is associative, so parts can be added in any grouping: first the threads of a process,
/// then the processes of a machine, then the machines. Counts and histograms are exact sums.
pub trait Merge {
    /// Adds `other` to `self`.
    fn merge(&mut self, other: Self);
}

/// Keeps what both have: the first's, unless it has none.
pub fn merge_options<T: Merge>(mine: &mut Option<T>, theirs: Option<T>) {
    match (mine, theirs) {
        (_, None) => {}
        (mine @ None, theirs) => *mine = theirs,
        (Some(mine), Some(theirs)) => mine.merge(theirs),
    }
}

/// Appends what is not there yet, up to `limit` in all.
pub fn append_new<T: PartialEq>(mine: &mut Vec<T>, theirs: Vec<T>, limit: usize) {
    for item in theirs {
        if mine.len() >= limit {
            return;
        }
        if !mine.contains(&item) {
            mine.push(item);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::result::latencies::{Latencies, LatencyKind};
    use crate::result::run::RunResult;
    use crate::result::sample;
    use crate::result::series::Slice;

    /// What one process may have measured: some latencies in each of some slices.
    fn part() -> impl Strategy<Value = RunResult> {
        let value = prop_oneof![1..100u64, 1..70_000_000u64];
        let slice = (0..6u32, vec((0..LatencyKind::ALL.len(), value), 0..20));
        (vec(slice, 0..4), 0..1_000u64, any::<bool>()).prop_map(|(slices, lost, broker)| {
            let mut result = sample::full();
            result.series.clear();
            result.latency = Latencies::default();
            result.counts.lost = lost;
            result.complaints = vec![format!("lost {lost}")];
            if !broker {
                result.broker_samples.clear();
            }
            for (index, values) in slices {
                let mut slice = Slice::new(index, 1.0, "run");
                slice.delivered = values.len() as u64;
                for (kind, value_us) in values {
                    let kind = LatencyKind::ALL[kind];
                    slice.latency.record_ns(kind, value_us * 1000);
                    result.latency.record_ns(kind, value_us * 1000);
                }
                super::super::series::add_slices(&mut result.series, vec![slice]);
            }
            result
        })
    }

    fn merged(mut first: RunResult, second: RunResult) -> RunResult {
        first.merge(second);
        first
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn parts_add_up_in_any_grouping(a in part(), b in part(), c in part()) {
            let left = merged(merged(a.clone(), b.clone()), c.clone());
            let right = merged(a, merged(b, c));
            prop_assert_eq!(left, right);
        }

        #[test]
        fn every_count_and_every_value_is_in_the_sum(a in part(), b in part()) {
            let sum = merged(a.clone(), b.clone());
            prop_assert_eq!(sum.counts.lost, a.counts.lost + b.counts.lost);
            let delivered = |result: &RunResult| -> u64 {
                result.series.iter().map(|slice| slice.delivered).sum()
            };
            prop_assert_eq!(delivered(&sum), delivered(&a) + delivered(&b));
            for kind in LatencyKind::ALL {
                let times = |result: &RunResult| {
                    result.latency.of(kind).map_or_else(Vec::new, |latency| latency.values())
                };
                let mut expected = std::collections::BTreeMap::new();
                for (value, count) in times(&a).into_iter().chain(times(&b)) {
                    *expected.entry(value).or_insert(0) += count;
                }
                prop_assert_eq!(times(&sum), expected.into_iter().collect::<Vec<_>>());
            }
        }

        #[test]
        fn a_part_that_went_through_a_file_adds_up_the_same(a in part(), b in part()) {
            let text = b.to_json();
            let read = crate::result::read::parse(&text).unwrap();
            prop_assert_eq!(merged(a.clone(), read), merged(a, b));
        }
    }
}
