//! Taking over a changed configuration while running.

use super::options::Reload;
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
        changes.need_restart.extend(self.changed_listeners(next));
        changes
    }

    fn changed_listeners(&self, next: &Config) -> Vec<&'static str> {
        if self.listeners.len() != next.listeners.len() || self.local_only != next.local_only {
            return vec!["listener"];
        }
        let pairs = || self.listeners.iter().zip(&next.listeners);
        let changed = of_listeners().filter(|o| pairs().any(|(a, b)| !o.same(a, b)));
        changed.map(|option| option.name).collect()
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
        assert_eq!(changes.applied, ["max_queued_messages"]);
        assert_eq!(changes.need_restart, ["shards", "max_qos"]);
        assert_eq!(config.queues.max_queued_messages, 5);
        assert_eq!(config.process.shards, None);
        assert_eq!(config.listeners[0].max_qos, 2);
    }

    #[test]
    fn no_difference_changes_nothing() {
        let mut config = running();
        assert_eq!(config.adopt(&running()), Changes::default());
    }

    #[test]
    fn a_listener_more_needs_a_restart() {
        let mut config = running();
        let mut next = running();
        next.listeners.push(Listener { port: 1884, ..Listener::default() });
        assert_eq!(config.adopt(&next).need_restart, ["listener"]);
        assert_eq!(config.listeners.len(), 1);
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
