//! What Clients may do with topics: an access control list, as the model reads it and as the
//! broker does.

use std::collections::BTreeSet;

/// See the module's documentation. By default nobody is restricted.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    /// There is an access control list.
    pub restricted: bool,
    /// Clients and the topics of which they may not be sent messages.
    pub unreadable: BTreeSet<(usize, String)>,
    /// Clients and the topics that they may not publish to.
    pub unwritable: BTreeSet<(usize, String)>,
}

impl Rights {
    pub fn may_read(&self, client: usize, topic: &str) -> bool {
        !self.unreadable.contains(&(client, topic.to_owned()))
    }

    pub fn may_write(&self, client: usize, topic: &str) -> bool {
        !self.unwritable.contains(&(client, topic.to_owned()))
    }

    /// The User Name by which the list knows a Client, if it has to give one.
    pub fn username(&self, client: usize) -> Option<String> {
        self.restricted.then(|| format!("user-{client}"))
    }

    /// The access control file for Clients 0 to `clients` and these topics.
    pub fn file(&self, clients: usize, topics: &[&str]) -> String {
        let mut file = String::new();
        for client in 0..=clients {
            file += &format!("user user-{client}\n");
            let rights =
                |topic: &str| (self.may_read(client, topic), self.may_write(client, topic));
            if topics.iter().all(|topic| matches!(rights(topic), (true, true) | (false, false))) {
                // All but a few, said so.
                file += "topic readwrite #\n";
                let none = topics.iter().filter(|topic| rights(topic) == (false, false));
                none.for_each(|topic| file += &format!("topic deny {topic}\n"));
                continue;
            }
            for topic in topics {
                match rights(topic) {
                    (true, true) => file += &format!("topic {topic}\n"),
                    (true, false) => file += &format!("topic read {topic}\n"),
                    (false, true) => file += &format!("topic write {topic}\n"),
                    (false, false) => {}
                }
            }
        }
        file
    }
}
