//! The known name nearest to a mistyped one.

/// The candidate that the fewest edits turn `given` into, if it is near enough to be meant.
///
/// An edit inserts, removes or replaces a character, or swaps two neighbours. Up to a third of
/// the name may differ.
pub(super) fn nearest<'a>(
    given: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let given = given.to_ascii_lowercase().replace('-', "_");
    let within = (given.len() / 3).max(1);
    candidates
        .into_iter()
        .map(|name| (distance(given.as_bytes(), name.replace('-', "_").as_bytes()), name))
        .filter(|&(edits, _)| edits <= within)
        .min_by_key(|&(edits, _)| edits)
        .map(|(_, name)| name)
}

/// Optimal string alignment distance.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["max_qos", "max_connections", "queue_full_policy"];

    #[test]
    fn a_slip_of_the_finger_finds_the_name() {
        assert_eq!(nearest("max_qso", NAMES), Some("max_qos"));
        assert_eq!(nearest("max_conections", NAMES), Some("max_connections"));
        assert_eq!(nearest("Queue-Full-Policy", NAMES), Some("queue_full_policy"));
    }

    #[test]
    fn a_different_word_finds_nothing() {
        assert_eq!(nearest("certfile", NAMES), None);
        assert_eq!(nearest("x", NAMES), None);
    }

    #[test]
    fn edits_are_counted() {
        assert_eq!(distance(b"abc", b"abc"), 0);
        assert_eq!(distance(b"abc", b"acb"), 1);
        assert_eq!(distance(b"", b"abc"), 3);
        assert_eq!(distance(b"kitten", b"sitting"), 3);
    }
}
