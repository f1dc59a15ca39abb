//! Who may still connect: limits of a listener and of an address.

use std::collections::HashMap;
use std::net::IpAddr;

use parking_lot::Mutex;

use crate::config::ListenerRuntime;
use crate::sync::Arc;
use crate::util::Shrink;

/// Room that the counts keep, in entries.
const CAPACITY_KEPT: usize = 64;

/// Counts what the limits are about. Shared by all shards; touched at accept, at CONNECT and at
/// close, and only where a limit is set.
#[derive(Debug, Default)]
pub struct Admission {
    /// Lock: held for one count up or down, no other lock inside.
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Connections by listener.
    listeners: HashMap<u32, u32>,
    /// Connections whose CONNECT is not complete, by address.
    waiting: HashMap<IpAddr, u32>,
}

/// A connection's place in the counts; given back when dropped. It travels with the socket.
/// Where nothing is limited it holds nothing.
#[derive(Debug)]
pub(super) struct Ticket(Option<Box<Place>>);

#[derive(Debug)]
struct Place {
    admission: Arc<Admission>,
    listener: Option<u32>,
    waiting: Option<IpAddr>,
}

impl Admission {
    /// Lets a connection in, or not. `per_address` of `u32::MAX` is no limit.
    pub(super) fn admit(
        self: &Arc<Self>,
        listener: &ListenerRuntime,
        per_address: u32,
        address: IpAddr,
    ) -> Option<Ticket> {
        let limited = listener.max_connections != u32::MAX;
        if !limited && per_address == u32::MAX {
            return Some(Ticket(None));
        }
        let mut place = Place { admission: Arc::clone(self), listener: None, waiting: None };
        let mut counts = self.counts.lock();
        let connections = counts.listeners.get(&listener.id).copied().unwrap_or(0);
        let waiting = counts.waiting.get(&address).copied().unwrap_or(0);
        if (limited && connections >= listener.max_connections) || waiting >= per_address {
            return None;
        }
        if limited {
            counts.listeners.insert(listener.id, connections + 1);
            place.listener = Some(listener.id);
        }
        if per_address != u32::MAX {
            counts.waiting.insert(address, waiting + 1);
            place.waiting = Some(address);
        }
        Some(Ticket(Some(Box::new(place))))
    }
}

impl Ticket {
    /// CONNECT is through: the connection waits no more.
    pub(super) fn connected(&mut self) {
        if let Some(place) = &mut self.0 {
            place.connected();
        }
    }

    /// A proxy has told the Client's address: until CONNECT the connection counts as one of it.
    /// False when that address has its share.
    pub(super) fn count_under(
        &mut self,
        admission: &Arc<Admission>,
        per_address: u32,
        address: IpAddr,
    ) -> bool {
        if per_address == u32::MAX {
            return true;
        }
        let place = self.0.get_or_insert_with(|| {
            Box::new(Place { admission: Arc::clone(admission), listener: None, waiting: None })
        });
        place.connected();
        let mut counts = admission.counts.lock();
        let waiting = counts.waiting.entry(address).or_insert(0);
        if *waiting >= per_address {
            return false;
        }
        *waiting += 1;
        place.waiting = Some(address);
        true
    }
}

impl Place {
    fn connected(&mut self) {
        if let Some(address) = self.waiting.take() {
            less(&mut self.admission.counts.lock().waiting, &address);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connected();
        if let Some(listener) = self.listener {
            less(&mut self.admission.counts.lock().listeners, &listener);
        }
    }
}

fn less<K: Eq + std::hash::Hash>(counts: &mut HashMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
            counts.shrink(CAPACITY_KEPT);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::config::Config;
    use crate::config::table::Listener;

    fn listener(max_connections: i64) -> Arc<ListenerRuntime> {
        let mut config = Config::default();
        config.listeners.push(Listener { max_connections, ..Listener::default() });
        Arc::clone(&config.compile(1).listeners[0])
    }

    #[test]
    fn places_are_given_back() {
        let admission = Arc::new(Admission::default());
        let listener = listener(2);
        let address = IpAddr::from(Ipv4Addr::LOCALHOST);
        let first = admission.admit(&listener, u32::MAX, address).expect("room for one");
        let second = admission.admit(&listener, u32::MAX, address).expect("room for two");
        assert!(admission.admit(&listener, u32::MAX, address).is_none());
        drop(first);
        let third = admission.admit(&listener, u32::MAX, address);
        assert!(third.is_some());
        drop((second, third));
        assert!(admission.counts.lock().listeners.is_empty());
    }

    #[test]
    fn a_connection_counts_under_the_address_that_a_proxy_tells() {
        let admission = Arc::new(Admission::default());
        let proxy = IpAddr::from(Ipv4Addr::LOCALHOST);
        let client = IpAddr::from(Ipv4Addr::new(192, 0, 2, 1));
        let admit = || admission.admit(&listener(-1), u32::MAX, proxy).expect("no limit yet");
        let (mut first, mut second) = (admit(), admit());
        assert!(first.count_under(&admission, 1, client));
        assert!(!second.count_under(&admission, 1, client));
        first.connected();
        assert!(second.count_under(&admission, 1, client));
        drop(second);
        assert!(admission.counts.lock().waiting.is_empty());
    }

    #[test]
    fn an_address_has_few_places_before_connect_and_many_after() {
        let admission = Arc::new(Admission::default());
        let listener = listener(-1);
        let address = IpAddr::from(Ipv4Addr::LOCALHOST);
        let other = IpAddr::from(Ipv4Addr::new(127, 0, 0, 2));
        let mut first = admission.admit(&listener, 1, address).expect("room");
        assert!(admission.admit(&listener, 1, address).is_none());
        assert!(admission.admit(&listener, 1, other).is_some());
        first.connected();
        assert!(admission.admit(&listener, 1, address).is_some());
        assert!(admission.counts.lock().waiting.is_empty());
    }
}
