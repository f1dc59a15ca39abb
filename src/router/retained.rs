//! One shard's Retained Messages.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::Bound;

/// What the store keeps: cheap to clone, and with the same topic for life.
pub trait RetainedItem: Clone {
    /// The Topic Name.
    fn topic(&self) -> &str;
    /// Bytes that the item occupies.
    fn footprint(&self) -> usize;
    /// When it expires, in milliseconds of the monotonic clock; `None`: never.
    fn expires_at_ms(&self) -> Option<u64>;
}

/// How far a sliced walk got.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ScanState {
    /// To the end.
    Done,
    /// Past this topic, whether it is still in the store or not: pass it to the next call.
    More(Box<str>),
}

/// Retained Messages by topic, in an order that makes whatever is below a level contiguous.
///
/// Walks are sliced: each call looks at a bounded number of items and returns where it stopped.
/// The cursor is a Topic Name, so the store may change between calls in any way: what is there
/// throughout is found exactly once, and what comes, goes or is replaced meanwhile is found as it
/// is when the walk passes.
#[derive(Debug)]
pub struct RetainedStore<M> {
    items: BTreeSet<ByTopic<M>>,
    bytes: usize,
    /// How many items expire at all.
    mortal: usize,
}

impl<M> Default for RetainedStore<M> {
    fn default() -> Self {
        Self { items: BTreeSet::new(), bytes: 0, mortal: 0 }
    }
}

impl<M: RetainedItem> RetainedStore<M> {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps `item` in place of the one with the same topic, which is returned.
    pub fn set(&mut self, item: M) -> Option<M> {
        self.bytes += item.footprint();
        self.mortal += usize::from(item.expires_at_ms().is_some());
        let old = self.items.replace(ByTopic(item))?.0;
        self.forget(&old);
        Some(old)
    }

    /// Takes out the item of `topic`.
    pub fn remove(&mut self, topic: &str) -> Option<M> {
        let old = self.items.take(&Name(topic) as &dyn Named)?.0;
        self.forget(&old);
        Some(old)
    }

    /// The item of `topic`.
    #[must_use]
    pub fn get(&self, topic: &str) -> Option<&M> {
        self.items.get(&Name(topic) as &dyn Named).map(|item| &item.0)
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The footprints of all items together.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many items expire at all.
    #[must_use]
    pub fn mortal(&self) -> usize {
        self.mortal
    }

    /// Adds to `out` the items that match `filter`, from behind `after` on (`None`: from the
    /// start), in the order of the store; expired ones too, until [`expire`](Self::expire) finds
    /// them.
    ///
    /// Stops when it has found `limit_items` or looked at `limit_examined` (at least one of each).
    /// It looks at matches, and at about two items wherever a level of the filter tells it to jump:
    /// subtrees that cannot match are passed over at once.
    pub fn scan(
        &self,
        filter: &str,
        after: Option<&str>,
        limit_items: usize,
        limit_examined: usize,
        out: &mut Vec<M>,
    ) -> ScanState {
        let pattern = Pattern { filter };
        let Some(start) = pattern.start() else {
            let unseen = after.is_none_or(|after| in_order(after, filter).is_lt());
            out.extend(self.get(filter).filter(|_| unseen).cloned());
            return ScanState::Done;
        };
        let mut items = match after {
            Some(after) if in_order(after, start).is_ge() => self.from(Bound::Excluded(after)),
            _ => self.from(Bound::Included(start)),
        };
        let (mut found, mut examined) = (0, 0);
        while let Some(item) = items.next() {
            let topic = item.topic();
            examined += 1;
            let verdict = pattern.judge(topic);
            if let Verdict::Match = verdict {
                out.push(item.clone());
                found += 1;
            }
            let enough = found >= limit_items.max(1) || examined >= limit_examined.max(1);
            match verdict {
                Verdict::End => return ScanState::Done,
                // What a jump passes over need not be looked at by the next call either.
                Verdict::Jump(to) if enough => {
                    return ScanState::More(self.last_before(&to).unwrap_or(topic).into());
                }
                Verdict::Jump(to) => items = self.from(Bound::Included(&to)),
                Verdict::Match | Verdict::Next if enough => return ScanState::More(topic.into()),
                Verdict::Match | Verdict::Next => {}
            }
        }
        ScanState::Done
    }

    /// Moves to `removed` the items that have expired at `now_ms`, looking at up to
    /// `limit_examined` (at least one) from behind `after` on.
    pub fn expire(
        &mut self,
        now_ms: u64,
        after: Option<&str>,
        limit_examined: usize,
        removed: &mut Vec<M>,
    ) -> ScanState {
        if self.mortal == 0 {
            return ScanState::Done;
        }
        let first = removed.len();
        let mut items = self.from(after.map_or(Bound::Unbounded, Bound::Excluded));
        let mut last = None;
        for item in items.by_ref().take(limit_examined.max(1)) {
            if item.expires_at_ms().is_some_and(|at| at <= now_ms) {
                removed.push(item.clone());
            }
            last = Some(item.topic());
        }
        let state = match (last, items.next()) {
            (Some(last), Some(_)) => ScanState::More(last.into()),
            _ => ScanState::Done,
        };
        drop(items);
        for item in &removed[first..] {
            self.remove(item.topic());
        }
        state
    }

    fn from<'s>(&'s self, start: Bound<&str>) -> impl Iterator<Item = &'s M> + use<'s, M> {
        let name;
        let start: Bound<&dyn Named> = match start {
            Bound::Included(topic) => {
                name = Name(topic);
                Bound::Included(&name)
            }
            Bound::Excluded(topic) => {
                name = Name(topic);
                Bound::Excluded(&name)
            }
            Bound::Unbounded => Bound::Unbounded,
        };
        self.items.range::<dyn Named, _>((start, Bound::Unbounded)).map(|item| &item.0)
    }

    fn last_before(&self, topic: &str) -> Option<&str> {
        let end: Bound<&dyn Named> = Bound::Excluded(&Name(topic));
        let mut before = self.items.range::<dyn Named, _>((Bound::Unbounded, end));
        before.next_back().map(|item| item.0.topic())
    }

    fn forget(&mut self, old: &M) {
        self.bytes -= old.footprint();
        self.mortal -= usize::from(old.expires_at_ms().is_some());
    }
}

/// What a topic means to a scan that has come to it.
enum Verdict {
    Match,
    /// No match; the next one may be.
    Next,
    /// No match, and nothing before this key is.
    Jump(String),
    /// No match, and nothing behind it is.
    End,
}

/// A filter with wildcards, held against topics in the store's order.
struct Pattern<'f> {
    filter: &'f str,
}

impl<'f> Pattern<'f> {
    /// The least topic that can match; `None` for a filter without wildcards.
    fn start(&self) -> Option<&'f str> {
        let wildcard = self.filter.find(['+', '#'])?;
        Some(self.filter[..wildcard].trim_end_matches('/'))
    }

    fn judge(&self, topic: &str) -> Verdict {
        // [MQTT-4.7.2-1]; `%` is the byte after `$`.
        if topic.starts_with('$') && self.filter.starts_with(['+', '#']) {
            return Verdict::Jump("%".into());
        }
        let mut rest = Some(topic);
        // The end of the level that the last `+` matched.
        let mut last_plus = None;
        for wanted in self.filter.split('/') {
            if wanted == "#" {
                return Verdict::Match;
            }
            let Some(below) = rest else { return Verdict::Next };
            let at = topic.len() - below.len();
            let level = below.split('/').next().unwrap_or_default();
            let end = at + level.len();
            rest = topic.get(end + 1..);
            if wanted == "+" {
                last_plus = Some(end);
                continue;
            }
            match level.cmp(wanted) {
                Ordering::Equal => {}
                Ordering::Less => return Verdict::Jump([&topic[..at], wanted].concat()),
                Ordering::Greater => {
                    return last_plus.map_or(Verdict::End, |end| behind(&topic[..end]));
                }
            }
        }
        match rest {
            None => Verdict::Match,
            Some(below) => behind(&topic[..topic.len() - below.len() - 1]),
        }
    }
}

/// A jump behind `topic` and all that is below it.
fn behind(topic: &str) -> Verdict {
    // `/` sorts below NUL here, so this is above `topic/...`, and not above any other longer text.
    Verdict::Jump([topic, "\0"].concat())
}

/// The order of the store: by bytes, with `/` below all others, so that a level ends before it goes
/// on and what is below a topic follows it at once.
fn in_order(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    match a.iter().zip(b).position(|(a, b)| a != b) {
        None => a.len().cmp(&b.len()),
        Some(at) if a[at] == b'/' => Ordering::Less,
        Some(at) if b[at] == b'/' => Ordering::Greater,
        Some(at) => a[at].cmp(&b[at]),
    }
}

/// An item, ordered by its topic, which is stored in the item alone.
#[derive(Debug)]
struct ByTopic<M>(M);

/// A topic to look for.
struct Name<'t>(&'t str);

/// What items and names are compared as: a set finds by a borrowed form of what it holds, and a
/// trait object is a form that both have.
trait Named {
    fn name(&self) -> &str;
}

impl<M: RetainedItem> Named for ByTopic<M> {
    fn name(&self) -> &str {
        self.0.topic()
    }
}

impl Named for Name<'_> {
    fn name(&self) -> &str {
        self.0
    }
}

impl<'n, M: RetainedItem + 'n> Borrow<dyn Named + 'n> for ByTopic<M> {
    fn borrow(&self) -> &(dyn Named + 'n) {
        self
    }
}

impl Ord for dyn Named + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        in_order(self.name(), other.name())
    }
}

impl PartialOrd for dyn Named + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for dyn Named + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for dyn Named + '_ {}

impl<M: RetainedItem> Ord for ByTopic<M> {
    fn cmp(&self, other: &Self) -> Ordering {
        in_order(self.0.topic(), other.0.topic())
    }
}

impl<M: RetainedItem> PartialOrd for ByTopic<M> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<M: RetainedItem> PartialEq for ByTopic<M> {
    fn eq(&self, other: &Self) -> bool {
        self.0.topic() == other.0.topic()
    }
}

impl<M: RetainedItem> Eq for ByTopic<M> {}

#[cfg(test)]
mod tests;
