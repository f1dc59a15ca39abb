//! A shard's own subscriptions: from a filter or a group to the sessions.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;

use super::index::Index;
use super::members::{Members, ShareStrategy};
use super::subscribers::{Subscriber, Subscribers};
use super::trie::{FilterId, Group, GroupId, Router};
use crate::sync::Arc;
use crate::util::{Compact, Home, Sparse};

/// The subscriptions of the sessions that live on one shard.
///
/// Plain memory, touched by its shard alone. It tells the [`Router`] when the shard gains its first
/// or loses its last subscriber of a filter. Filters and groups are known by *slot*, a number that
/// a session keeps for each of its subscriptions, and that is given out again once the last
/// subscriber has gone. `K` names a session, generation included.
pub struct SubscriptionTable<K> {
    shard: u16,
    router: Arc<Router>,
    hasher: RandomState,
    filters: Sparse<Filter<K>>,
    by_name: Index,
    by_id: Index,
    groups: Sparse<SharedFilter<K>>,
    by_group_name: Index,
    by_group_id: Index,
    subscriptions: usize,
    memberships: usize,
    /// Bytes of names and lists.
    heap: usize,
}

struct Filter<K> {
    id: FilterId,
    name: Box<str>,
    subscribers: Subscribers<K>,
}

struct SharedFilter<K> {
    group: Arc<Group>,
    members: Members<K>,
}

/// What became of a request to subscribe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Subscribed {
    /// The filter's slot.
    pub slot: u32,
    /// Whether the session was subscribed already; its options were replaced then.
    pub existed: bool,
}

/// What became of a request to join a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Joined {
    /// The group's slot.
    pub slot: u32,
    /// Whether the session was a member already; its options were replaced then.
    pub existed: bool,
}

impl<K> Compact for SubscriptionTable<K> {
    fn compact(&mut self, home: Home) {
        self.filters.compact(home);
        self.groups.compact(home);
        let names = [&mut self.by_name, &mut self.by_group_name];
        let ids = [&mut self.by_id, &mut self.by_group_id];
        names.into_iter().chain(ids).for_each(|index| index.compact(home));
    }
}

impl<K: Copy + Eq + Hash> SubscriptionTable<K> {
    /// An empty table of `shard`.
    #[must_use]
    pub fn new(shard: u16, router: Arc<Router>) -> Self {
        Self {
            shard,
            router,
            hasher: RandomState::default(),
            filters: Sparse::new(),
            by_name: Index::default(),
            by_id: Index::default(),
            groups: Sparse::new(),
            by_group_name: Index::default(),
            by_group_id: Index::default(),
            subscriptions: 0,
            memberships: 0,
            heap: 0,
        }
    }

    /// Subscribes `session` to `filter`, or replaces its options [MQTT-3.8.4-3]. Every shard routes
    /// by it once this returns.
    pub fn subscribe(
        &mut self,
        session: K,
        filter: &str,
        options: u8,
        subscription_id: u32,
    ) -> Subscribed {
        let subscriber = Subscriber { session, options, subscription_id };
        let slot = self.find(filter).unwrap_or_else(|| self.add_filter(filter));
        let subscribers = &mut self.filters[slot].subscribers;
        if let Some(position) = subscribers.position(session, &self.hasher) {
            subscribers.replace(position, subscriber);
            return Subscribed { slot, existed: true };
        }
        self.heap -= subscribers.heap_bytes();
        subscribers.push(subscriber, &self.hasher);
        self.heap += subscribers.heap_bytes();
        self.subscriptions += 1;
        Subscribed { slot, existed: false }
    }

    /// Ends the subscription of `session` to `filter`; the slot that it had, or `None` if there was
    /// none.
    pub fn unsubscribe(&mut self, session: K, filter: &str) -> Option<u32> {
        let slot = self.find(filter)?;
        self.unsubscribe_slot(session, slot).then_some(slot)
    }

    /// Ends the subscription of `session` in `slot`; whether there was one.
    pub fn unsubscribe_slot(&mut self, session: K, slot: u32) -> bool {
        let Some(filter) = self.filters.get_mut(slot) else { return false };
        let subscribers = &mut filter.subscribers;
        let Some(position) = subscribers.position(session, &self.hasher) else { return false };
        self.heap -= subscribers.heap_bytes();
        subscribers.swap(position, subscribers.len() - 1, &self.hasher);
        subscribers.pop(&self.hasher);
        self.heap += subscribers.heap_bytes();
        self.subscriptions -= 1;
        if subscribers.len() == 0 {
            self.drop_filter(slot);
        }
        true
    }

    /// The subscribers of `slot`, in no order; none if the slot is free.
    #[inline]
    #[must_use]
    pub fn subscribers(&self, slot: u32) -> &[Subscriber<K>] {
        self.filters.get(slot).map_or(&[], |filter| filter.subscribers.as_slice())
    }

    /// The subscription of `session` in `slot`.
    #[must_use]
    pub fn subscriber(&self, session: K, slot: u32) -> Option<&Subscriber<K>> {
        let subscribers = &self.filters.get(slot)?.subscribers;
        let position = subscribers.position(session, &self.hasher)?;
        Some(&subscribers.as_slice()[position])
    }

    /// The slot of a filter that a match named. `None`: the last subscriber has gone meanwhile.
    #[inline]
    #[must_use]
    pub fn slot_of(&self, id: FilterId) -> Option<u32> {
        let is = |slot: u32| self.filters[slot].id == id;
        self.by_id.find(self.hasher.hash_one(id.0), is)
    }

    /// The slot of `filter`.
    #[must_use]
    pub fn find(&self, filter: &str) -> Option<u32> {
        let is = |slot: u32| *self.filters[slot].name == *filter;
        self.by_name.find(self.hasher.hash_one(filter), is)
    }

    /// The filter of `slot`; empty if the slot is free.
    #[must_use]
    pub fn name(&self, slot: u32) -> &str {
        self.filters.get(slot).map_or("", |filter| &filter.name)
    }

    /// Makes `session` a member of `group` of `filter`, connected or not. Every shard counts it
    /// once this returns. If it is a member already, its options are replaced and no more: whether
    /// it is connected is for [`set_online`](Self::set_online) to say.
    pub fn join(
        &mut self,
        session: K,
        filter: &str,
        group: &str,
        options: u8,
        subscription_id: u32,
        online: bool,
    ) -> Joined {
        let member = Subscriber { session, options, subscription_id };
        let found = self.find_group(filter, group);
        if let Some(slot) = found {
            let members = &mut self.groups[slot].members;
            if let Some(position) = members.position(session, &self.hasher) {
                members.replace(position, member);
                return Joined { slot, existed: true };
            }
        }
        let (_, shared) = self.router.group_join(filter, group, self.shard, online);
        let slot = found.unwrap_or_else(|| self.add_group(shared));
        let members = &mut self.groups[slot].members;
        self.heap -= members.heap_bytes();
        members.push(member, online, &self.hasher);
        self.heap += members.heap_bytes();
        self.memberships += 1;
        Joined { slot, existed: false }
    }

    /// Takes `session` out of `group` of `filter`; the slot of the group, or `None` if it was no
    /// member.
    pub fn leave(&mut self, session: K, filter: &str, group: &str) -> Option<u32> {
        let slot = self.find_group(filter, group)?;
        self.leave_slot(session, slot).then_some(slot)
    }

    /// Takes `session` out of the group in `slot`; whether it was a member.
    pub fn leave_slot(&mut self, session: K, slot: u32) -> bool {
        let Some(shared) = self.groups.get_mut(slot) else { return false };
        let members = &mut shared.members;
        let Some(position) = members.position(session, &self.hasher) else { return false };
        self.heap -= members.heap_bytes();
        let online = members.remove(position, &self.hasher);
        self.heap += members.heap_bytes();
        self.memberships -= 1;
        let group = Arc::clone(&shared.group);
        if members.as_slice().is_empty() {
            self.drop_group(slot);
        }
        self.router.group_leave(&group.filter, &group.name, self.shard, online);
        true
    }

    /// Records that a member has a connection, or has none any more.
    pub fn set_online(&mut self, session: K, slot: u32, online: bool) {
        let Some(shared) = self.groups.get_mut(slot) else { return };
        let Some(position) = shared.members.position(session, &self.hasher) else { return };
        if shared.members.set_online(position, online, &self.hasher) {
            shared.group.set_online(self.shard, if online { 1 } else { -1 });
        }
    }

    /// The slot of a group that a match named. `None`: its last member here has gone meanwhile.
    #[inline]
    #[must_use]
    pub fn group_of(&self, id: GroupId) -> Option<u32> {
        let is = |slot: u32| self.groups[slot].group.id == id;
        self.by_group_id.find(self.hasher.hash_one(id.0), is)
    }

    /// The slot of `group` of `filter`.
    #[must_use]
    pub fn find_group(&self, filter: &str, group: &str) -> Option<u32> {
        let is = |slot: u32| {
            let shared = &self.groups[slot].group;
            *shared.filter == *filter && *shared.name == *group
        };
        self.by_group_name.find(self.hasher.hash_one((filter, group)), is)
    }

    /// The group in `slot`.
    #[must_use]
    pub fn group(&self, slot: u32) -> Option<&Arc<Group>> {
        self.groups.get(slot).map(|shared| &shared.group)
    }

    /// The members of the group in `slot` that live here, the connected ones first; none if the
    /// slot is free.
    #[must_use]
    pub fn members(&self, slot: u32) -> &[Subscriber<K>] {
        self.groups.get(slot).map_or(&[], |shared| shared.members.as_slice())
    }

    /// Picks the member of the group in `slot` that gets a message.
    ///
    /// `hash` is for [`ShareStrategy::Hash`]. `load` tells how much a session has queued, or
    /// `None`, if it cannot take the message; the other members are tried then. `None`: nobody can.
    pub fn pick(
        &mut self,
        slot: u32,
        strategy: ShareStrategy,
        hash: u64,
        load: impl FnMut(K) -> Option<usize>,
    ) -> Option<Subscriber<K>> {
        self.groups.get_mut(slot)?.members.pick(strategy, hash, load)
    }

    /// How many different filters have ordinary subscribers here.
    #[must_use]
    pub fn filter_count(&self) -> usize {
        self.filters.len()
    }

    /// How many ordinary subscriptions there are.
    #[must_use]
    pub fn subscription_count(&self) -> usize {
        self.subscriptions
    }

    /// How many groups have members here.
    #[must_use]
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// How many members the groups have here.
    #[must_use]
    pub fn member_count(&self) -> usize {
        self.memberships
    }

    /// Bytes held, without the allocator's own and without what the router holds.
    #[must_use]
    pub fn footprint(&self) -> usize {
        let indexes = [&self.by_name, &self.by_id, &self.by_group_name, &self.by_group_id];
        let slots = self.filters.capacity() * size_of::<Filter<K>>()
            + self.groups.capacity() * size_of::<SharedFilter<K>>();
        size_of::<Self>() + slots + indexes.map(Index::bytes).iter().sum::<usize>() + self.heap
    }

    fn add_filter(&mut self, name: &str) -> u32 {
        let id = self.router.add(name, self.shard);
        let filter = Filter { id, name: name.into(), subscribers: Subscribers::new() };
        let slot = self.filters.insert(filter);
        self.by_name.insert(self.hasher.hash_one(name), slot);
        self.by_id.insert(self.hasher.hash_one(id.0), slot);
        self.heap += name.len();
        slot
    }

    fn drop_filter(&mut self, slot: u32) {
        let Some(Filter { id, name, .. }) = self.filters.take(slot) else { return };
        self.by_name.remove(self.hasher.hash_one(&*name), slot);
        self.by_id.remove(self.hasher.hash_one(id.0), slot);
        self.heap -= name.len();
        self.router.remove(&name, self.shard);
    }

    fn add_group(&mut self, group: Arc<Group>) -> u32 {
        let by_name = self.hasher.hash_one((&*group.filter, &*group.name));
        let by_id = self.hasher.hash_one(group.id.0);
        let slot = self.groups.insert(SharedFilter { group, members: Members::new() });
        self.by_group_name.insert(by_name, slot);
        self.by_group_id.insert(by_id, slot);
        slot
    }

    fn drop_group(&mut self, slot: u32) {
        let Some(SharedFilter { group, .. }) = self.groups.take(slot) else { return };
        let by_name = self.hasher.hash_one((&*group.filter, &*group.name));
        self.by_group_name.remove(by_name, slot);
        self.by_group_id.remove(self.hasher.hash_one(group.id.0), slot);
    }
}

impl<K> std::fmt::Debug for SubscriptionTable<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SubscriptionTable")
            .field("shard", &self.shard)
            .field("subscriptions", &self.subscriptions)
            .field("memberships", &self.memberships)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
