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
