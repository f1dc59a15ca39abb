//! Where in the files each option stands, for messages about what is only seen at the end.

use std::collections::HashMap;

use super::error::Mistake;

/// An option's place: the listener's index, or none for a global option, and our name.
pub(super) type Key = (Option<usize>, &'static str);

/// Where options, and the listeners themselves, stand.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(HashMap<Key, (String, usize)>);

/// The name under which a listener itself stands here.
pub(super) const LISTENER: &str = "listener";

impl Places {
    /// Notes that an option stands at a line of a file; false if it stood somewhere already.
    pub(super) fn note(&mut self, key: Key, file: &str, line: usize) -> bool {
        self.0.insert(key, (file.into(), line)).is_none()
    }

    /// Whether an option stands somewhere.
    pub(super) fn has(&self, key: (Option<usize>, &str)) -> bool {
        self.0.keys().any(|(listener, name)| (*listener, *name) == key)
    }

    /// Forgets a listener; those behind it move up.
    pub(super) fn remove_listener(&mut self, index: usize) {
        let places = std::mem::take(&mut self.0);
        let moved = places.into_iter().filter_map(|((listener, name), place)| match listener {
            Some(own) if own == index => None,
            Some(other) if other > index => Some(((Some(other - 1), name), place)),
            _ => Some(((listener, name), place)),
        });
        self.0 = moved.collect();
    }

    /// A mistake about an option, at its line, or at that of its listener.
    pub(super) fn mistake(&self, fault: Fault) -> Mistake {
        let Fault { listener, option, what, mend } = fault;
        let place = self.0.get(&(listener, option)).or_else(|| self.0.get(&(listener, LISTENER)));
        let (file, line) = place.cloned().unwrap_or_default();
        Mistake { file, line, option: option.into(), what, mend }
    }
}

/// What is wrong with an option in the light of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The listener's index; `None` for a global option.
    pub(super) listener: Option<usize>,
    /// Our name of it.
    pub(super) option: &'static str,
    /// As in [`Mistake`].
    pub(super) what: String,
    /// As in [`Mistake`].
    pub(super) mend: String,
}
