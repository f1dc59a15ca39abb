//! Moments, spans, and how long a message may be under way between shards.

/// The number of an event in this run; a moment.
pub type Moment = u64;

/// When something held: intervals of moments, the last one perhaps still open.
#[derive(Clone, Debug, Default)]
pub struct Spans(Vec<(Moment, Option<Moment>)>);

impl Spans {
    pub fn begin(&mut self, at: Moment) {
        if !self.is_open() {
            self.0.push((at, None));
        }
    }

    pub fn end(&mut self, at: Moment) {
        if let Some((_, end @ None)) = self.0.last_mut() {
            *end = Some(at);
        }
    }

    pub fn is_open(&self) -> bool {
        self.0.last().is_some_and(|(_, end)| end.is_none())
    }

    /// Whether it has begun or ended at that moment or later.
    pub fn changed(&self, since: Moment) -> bool {
        self.0.iter().any(|(begin, end)| *begin >= since || end.is_some_and(|end| end >= since))
    }

    /// Whether it held at any moment of `from..=to`.
    pub fn overlap(&self, from: Moment, to: Moment) -> bool {
        self.0.iter().any(|(begin, end)| *begin <= to && end.is_none_or(|end| end >= from))
    }
}

/// The turns that the shards have had.
#[derive(Debug)]
pub struct Turns {
    /// Beginning and end of each turn, by shard, and whether it emptied the mailbox.
    turns: Vec<Vec<(Moment, Moment, bool)>>,
}

impl Turns {
    pub fn new(shards: usize) -> Self {
        Self { turns: vec![Vec::new(); shards] }
    }

    pub fn had(&mut self, shard: usize, begin: Moment, end: Moment, emptied: bool) {
        self.turns[shard].push((begin, end, emptied));
    }

    /// When mail that `shard` had at `at` was in the other shards' mailboxes.
    fn posted(&self, shard: usize, at: Moment) -> Option<Moment> {
        let turns = &self.turns[shard];
        let next = turns.partition_point(|(_, end, _)| *end < at);
        turns.get(next).map(|(_, end, _)| *end)
    }

    /// When every shard has handled what was in its mailbox at `at`.
    fn hop(&self, at: Moment) -> Option<Moment> {
        let first = |turns: &Vec<(Moment, Moment, bool)>| {
            let next = turns.partition_point(|(begin, ..)| *begin <= at);
            turns[next..].iter().find(|(.., emptied)| *emptied).map(|(_, end, _)| *end)
        };
        self.turns.iter().map(first).try_fold(at, |latest, end| end.map(|end| latest.max(end)))
    }

    /// By when a message that `shard` handled at `at` has surely reached every shard after so
    /// many hops; `Moment::MAX` if that lies ahead.
    pub fn settled(&self, shard: usize, at: Moment, hops: usize) -> Moment {
        if self.turns.len() == 1 {
            return at;
        }
        let hop = |at: Option<Moment>, _| at.and_then(|at| self.hop(at));
        (0..hops).fold(self.posted(shard, at), hop).unwrap_or(Moment::MAX)
    }
}
