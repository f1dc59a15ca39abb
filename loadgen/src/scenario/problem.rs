//! What is wrong with a scenario, for the one who wrote it.

use std::fmt;

/// A problem with its place and its mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File, or the built-in scenario's name.
    pub file: String,
    /// Line, from 1; `None` for what `--set` brought or what is missing.
    pub line: Option<usize>,
    /// The option, with its section.
    pub option: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub mend: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line.map_or_else(String::new, |line| format!(":{line}"));
        write!(f, "{}{line}: {}: {}; {}", self.file, self.option, self.what, self.mend)
    }
}

/// The name among `known` that looks most like `word`, if one does.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let ranked = known.into_iter().map(|name| (distance(word, name), name)).min()?;
    let bound = (word.chars().count().max(ranked.1.chars().count()) / 3).max(1);
    (ranked.0 <= bound).then_some(ranked.1)
}

/// The mend for an unknown name: the nearest one, or all there are.
pub fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(name) => format!("did you mean '{name}'?"),
        None => {
            let names: Vec<_> = known.into_iter().collect();
            format!("there are {}", names.join(", "))
        }
    }
}

/// Levenshtein's distance, with an exchange of neighbours counted once.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<_>, Vec<_>) = (left.chars().collect(), right.chars().collect());
    let mut rows = vec![vec![0; right.len() + 1]; left.len() + 1];
    for (at, row) in rows.iter_mut().enumerate() {
        row[0] = at;
    }
    for (at, cell) in rows[0].iter_mut().enumerate() {
        *cell = at;
    }
    for i in 1..=left.len() {
        for j in 1..=right.len() {
            let change = usize::from(left[i - 1] != right[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            best = best.min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found() {
        let known = ["subscribe", "publish", "publish_qos", "rate"];
        assert_eq!(nearest("subscirbe", known), Some("subscribe"));
        assert_eq!(nearest("publsh", known), Some("publish"));
        assert_eq!(nearest("rat", known), Some("rate"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(suggest("colour", ["rate", "size"]), "there are rate, size");
    }
}
