//! Taking over a changed configuration while running.

use std::sync::Arc;

use super::listeners::ListenerRuntime;
use super::options::Reload;
use super::runtime::Runtime;
use super::schema::Config;
use super::table::{global, of_listeners};

/// What differs between the running configuration and a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Options that now have their new value.
    pub applied: Vec<&'static str>,
    /// Options that keep their old value until a restart.
    pub need_restart: Vec<&'static str>,
}

impl Config {
    /// Takes over from `next` every option that may change while running.
    pub fn adopt(&mut self, next: &Config) -> Changes {
        let mut changes = Changes::default();
        for option in global() {
            match option.reload {
                _ if option.same(self, next) => {}
                Reload::Applied => {
                    (option.copy)(self, next);
                    changes.applied.push(option.name);
                }
                Reload::Restart => changes.need_restart.push(option.name),
            }
        }
        changes.applied.extend(self.changed_listeners(next));
        self.listeners.clone_from(&next.listeners);
        self.local_only = next.local_only;
        changes
    }

    fn changed_listeners(&self, next: &Config) -> Vec<&'static str> {
        let mut changed = Vec::new();
        if self.listeners.len() != next.listeners.len() || self.local_only != next.local_only {
            changed.push("listener");
        }
        let pairs = || self.listeners.iter().zip(&next.listeners);
        let differ = of_listeners().filter(|o| pairs().any(|(a, b)| !o.same(a, b)));
        changed.extend(differ.map(|option| option.name));
        changed
    }
}

impl Runtime {
    /// Gives each listener that stays the number it has in `running`, and each new one a number of
    /// its own from `next_id` on. Listeners without a change stay the same object. Returns the new
    /// ones, whose sockets have to be opened.
    pub fn renumber(&mut self, running: &Runtime, next_id: &mut u32) -> Vec<Arc<ListenerRuntime>> {
        let mut stay: Vec<&Arc<ListenerRuntime>> = running.listeners.iter().collect();
        let mut new = Vec::new();
        for listener in &mut self.listeners {
            let mut numbered = (**listener).clone();
            match stay.iter().position(|other| other.same_socket(&numbered)) {
                Some(at) => {
                    let other = stay.remove(at);
                    numbered.id = other.id;
                    let same = **other == numbered;
                    *listener = if same { Arc::clone(other) } else { Arc::new(numbered) };
                }
                None => {
                    numbered.id = *next_id;
                    *next_id += 1;
                    *listener = Arc::new(numbered);
                    new.push(Arc::clone(listener));
                }
            }
        }
        new
    }
}

impl ListenerRuntime {
    /// Whether the sockets of both are the same.
    fn same_socket(&self, other: &Self) -> bool {
        self.bind == other.bind
            && self.port == other.port
            && self.bind_interface == other.bind_interface
            && self.socket_domain == other.socket_domain
            && self.unix_socket_mode == other.unix_socket_mode
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::table::Listener;

    fn running() -> Config {
        Config { listeners: vec![Listener::default()], ..Config::default() }
    }

    #[test]
    fn what_may_change_is_taken_over_and_the_rest_is_named() {
        let mut config = running();
        let mut next = config.clone();
        next.queues.max_queued_messages = 5;
        next.process.shards = Some(3);
        next.listeners[0].max_qos = 1;
        let changes = config.adopt(&next);
        assert_eq!(changes.applied, ["max_queued_messages", "max_qos"]);
        assert_eq!(changes.need_restart, ["shards"]);
        assert_eq!(config.queues.max_queued_messages, 5);
        assert_eq!(config.process.shards, None);
        assert_eq!(config.listeners[0].max_qos, 1);
    }

    #[test]
    fn no_difference_changes_nothing() {
        let mut config = running();
        assert_eq!(config.adopt(&running()), Changes::default());
    }

    #[test]
    fn a_listener_more_is_taken_over() {
        let mut config = running();
        let mut next = running();
        next.listeners.push(Listener { port: 1884, ..Listener::default() });
        assert_eq!(config.adopt(&next).applied, ["listener"]);
        assert_eq!(config.listeners.len(), 2);
    }

    fn compiled(ports: &[i64]) -> Runtime {
        let listener = |port: &i64| Listener { port: *port, ..Listener::default() };
        Config { listeners: ports.iter().map(listener).collect(), ..Config::default() }.compile(1)
    }

    #[test]
    fn listeners_keep_their_numbers_and_new_ones_get_new_numbers() {
        let running = compiled(&[1883, 1884]);
        let mut next = compiled(&[1885, 1884]);
        let mut next_id = 2;
        let new = next.renumber(&running, &mut next_id);
        let ids: Vec<_> = next.listeners.iter().map(|listener| listener.id).collect();
        assert_eq!((ids, next_id), (vec![2, 1], 3));
        assert!(Arc::ptr_eq(&next.listeners[1], &running.listeners[1]), "it has not changed");
        assert_eq!(new.iter().map(|listener| listener.port).collect::<Vec<_>>(), [1885]);
    }

    #[test]
    fn several_listeners_on_ports_that_the_system_picks_are_told_apart() {
        let running = compiled(&[0, 0]);
        let mut next = compiled(&[0, 0, 0]);
        let new = next.renumber(&running, &mut 2);
        assert_eq!(next.listeners.iter().map(|l| l.id).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(new.len(), 1);
    }

    /// Every option is walked: each one marked as applied really is copied.
    #[test]
    fn every_global_option_copies_its_own_value() {
        let sample = super::super::file::tests::samples();
        let next = super::super::file::tests::parse("t", &sample).expect("samples are valid");
        let mut config = running();
        for option in global() {
            assert!(!option.same(&config, &next), "{} has no sample of its own", option.name);
            (option.copy)(&mut config, &next);
            assert!(option.same(&config, &next), "{}", option.name);
        }
    }
}
