//! One shard's members of a group, and which of them gets a message.

use std::hash::Hash;

use foldhash::fast::RandomState;

use super::subscribers::{Subscriber, Subscribers};

/// How a member of a group is picked. Members that are connected always come before those that are
/// not, and a member that takes no more is passed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ShareStrategy {
    /// Each in turn.
    #[default]
    RoundRobin,
    /// The same one as long as it is there.
    Sticky,
    /// The one that the caller's hash (of a Client Identifier or a Topic Name) falls on. Which one
    /// that is changes when members come or go.
    Hash,
    /// The one with the least to do; looks at every member.
    LeastQueued,
}

/// The members of one group that live on this shard.
pub(super) struct Members<K> {
    /// The connected ones first.
    all: Subscribers<K>,
    online: usize,
    cursor: usize,
    stuck_to: Option<K>,
}

impl<K: Copy + Eq + Hash> Members<K> {
    pub(super) fn new() -> Self {
        Self { all: Subscribers::new(), online: 0, cursor: 0, stuck_to: None }
    }

    pub(super) fn as_slice(&self) -> &[Subscriber<K>] {
        self.all.as_slice()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.all.heap_bytes()
    }

    pub(super) fn position(&self, session: K, hasher: &RandomState) -> Option<usize> {
        self.all.position(session, hasher)
    }

    /// Replaces the subscription of the member at `position`.
    pub(super) fn replace(&mut self, position: usize, member: Subscriber<K>) {
        self.all.replace(position, member);
    }

    /// Adds a session that is no member.
    pub(super) fn push(&mut self, member: Subscriber<K>, online: bool, hasher: &RandomState) {
        self.all.push(member, hasher);
        if online {
            self.set_online(self.all.len() - 1, true, hasher);
        }
    }

    /// Takes out the member at `position`; whether it was online.
    pub(super) fn remove(&mut self, position: usize, hasher: &RandomState) -> bool {
        let online = position < self.online;
        let session = self.all.as_slice()[position].session;
        let position = if online {
            self.set_online(position, false, hasher);
            self.online
        } else {
            position
        };
        self.all.swap(position, self.all.len() - 1, hasher);
        self.all.pop(hasher);
        if self.stuck_to == Some(session) {
            self.stuck_to = None;
        }
        online
    }

    /// Moves the member at `position` to those that are online, or to the others; whether it was
    /// not there already.
    pub(super) fn set_online(
        &mut self,
        position: usize,
        online: bool,
        hasher: &RandomState,
    ) -> bool {
        if online == (position < self.online) {
            return false;
        }
        if online {
            self.all.swap(position, self.online, hasher);
            self.online += 1;
        } else {
            self.online -= 1;
            self.all.swap(position, self.online, hasher);
        }
        true
    }

    /// Picks a member. `load` tells how much a member has to do, or that it takes no more (`None`).
    pub(super) fn pick(
        &mut self,
        strategy: ShareStrategy,
        hash: u64,
        mut load: impl FnMut(K) -> Option<usize>,
    ) -> Option<Subscriber<K>> {
        let (online, all) = (self.online, self.all.len());
        self.pick_among(0, online, strategy, hash, &mut load)
            .or_else(|| self.pick_among(online, all, strategy, hash, &mut load))
    }

    fn pick_among(
        &mut self,
        from: usize,
        to: usize,
        strategy: ShareStrategy,
        hash: u64,
        load: &mut impl FnMut(K) -> Option<usize>,
    ) -> Option<Subscriber<K>> {
        let some = self.all.as_slice().get(from..to).filter(|some| !some.is_empty())?;
        let start = match strategy {
            ShareStrategy::Hash => (hash % some.len() as u64) as usize,
            _ => self.cursor % some.len(),
        };
        let mut turns = (start..some.len()).chain(0..start);
        let at = match strategy {
            ShareStrategy::RoundRobin | ShareStrategy::Hash => {
                turns.find(|&at| load(some[at].session).is_some())?
            }
            ShareStrategy::Sticky => {
                let stuck = self.stuck_to;
                let kept = some.iter().position(|member| Some(member.session) == stuck);
                kept.filter(|&at| load(some[at].session).is_some())
                    .or_else(|| turns.find(|&at| load(some[at].session).is_some()))?
            }
            ShareStrategy::LeastQueued => {
                let loads = turns.filter_map(|at| Some((load(some[at].session)?, at)));
                // The first of equals, so that equals take turns.
                loads.min_by_key(|&(load, _)| load)?.1
            }
        };
        let picked = some[at];
        match strategy {
            ShareStrategy::RoundRobin | ShareStrategy::LeastQueued => self.cursor = at + 1,
            ShareStrategy::Sticky => self.stuck_to = Some(picked.session),
            ShareStrategy::Hash => {}
        }
        Some(picked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(count: u32, online: u32, hasher: &RandomState) -> Members<u32> {
        let mut members = Members::new();
        for session in 0..count {
            let member = Subscriber { session, options: 0, subscription_id: 0 };
            members.push(member, session < online, hasher);
        }
        members
    }

    fn picks(
        members: &mut Members<u32>,
        strategy: ShareStrategy,
        count: u64,
        load: impl Fn(u32) -> Option<usize>,
    ) -> Vec<u32> {
        (0..count)
            .filter_map(|hash| members.pick(strategy, hash, &load).map(|member| member.session))
            .collect()
    }

    #[test]
    fn round_robin_takes_turns_and_passes_over_the_full() {
        let hasher = RandomState::default();
        let mut members = members(4, 3, &hasher);
        let strategy = ShareStrategy::RoundRobin;
        assert_eq!(picks(&mut members, strategy, 6, |_| Some(0)), [0, 1, 2, 0, 1, 2]);
        let not_1 = |session| (session != 1).then_some(0);
        assert_eq!(picks(&mut members, strategy, 4, not_1), [0, 2, 0, 2]);
        let only_3 = |session| (session == 3).then_some(0);
        assert_eq!(picks(&mut members, strategy, 2, only_3), [3, 3]);
        assert_eq!(picks(&mut members, strategy, 2, |_| None), [] as [u32; 0]);
    }

    #[test]
    fn sticky_stays_until_the_member_goes_offline() {
        let hasher = RandomState::default();
        let mut members = members(3, 2, &hasher);
        let first = picks(&mut members, ShareStrategy::Sticky, 3, |_| Some(0));
        assert_eq!(first, [0, 0, 0]);
        let position = members.position(0, &hasher).unwrap();
        assert!(members.set_online(position, false, &hasher));
        assert_eq!(picks(&mut members, ShareStrategy::Sticky, 2, |_| Some(0)), [1, 1]);
        let position = members.position(1, &hasher).unwrap();
        assert!(members.remove(position, &hasher));
        let offline = picks(&mut members, ShareStrategy::Sticky, 3, |_| Some(0));
        assert!(offline.iter().all(|&session| session == offline[0]), "{offline:?}");
    }

    #[test]
    fn hash_and_least_queued_follow_what_they_are_told() {
        let hasher = RandomState::default();
        let mut members = members(3, 3, &hasher);
        assert_eq!(picks(&mut members, ShareStrategy::Hash, 4, |_| Some(0)), [0, 1, 2, 0]);
        let load = |session: u32| Some([5, 1, 1][session as usize]);
        assert_eq!(picks(&mut members, ShareStrategy::LeastQueued, 4, load), [1, 2, 1, 2]);
    }

    #[test]
    fn online_members_stay_in_front() {
        let hasher = RandomState::default();
        let mut members = members(50, 0, &hasher);
        for session in (0..50).step_by(3) {
            let position = members.position(session, &hasher).unwrap();
            assert!(members.set_online(position, true, &hasher));
            assert!(!members.set_online(
                members.position(session, &hasher).unwrap(),
                true,
                &hasher
            ));
        }
        for session in [0, 1, 2, 49, 48] {
            let position = members.position(session, &hasher).unwrap();
            assert_eq!(members.remove(position, &hasher), session % 3 == 0);
        }
        assert_eq!(members.online, 15);
        let front = &members.as_slice()[..15];
        assert!(front.iter().all(|member| member.session % 3 == 0));
    }
}
