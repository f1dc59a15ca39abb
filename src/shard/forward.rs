//! Commands from other shards.

use super::Command;
use super::core::Core;
use crate::connection::Outgoing;

impl Core {
    /// Carries out a command that concerns the core alone; gives back the others.
    pub(super) fn handle_command(&mut self, command: Command) -> Option<Command> {
        match command {
            Command::Deliver { message, filters } => {
                self.deliver_filters(&mut Outgoing::kept(&message), &filters);
            }
            Command::DeliverGroup { message, group, tried } => {
                self.deliver_member(&group, &mut Outgoing::kept(&message), tried);
            }
            Command::ByOwner { message, hash, origin, commit, source } => {
                let mut outgoing = Outgoing::kept(&message);
                outgoing.source = source;
                self.publish_owned(&mut outgoing, hash, origin, commit);
            }
            Command::OwnerDone { hash, commit } => self.owner_done(hash, commit),
            Command::Announce(message) => self.announce(&message),
            Command::RetainedPull(pull) => self.answer_pull(*pull),
            Command::RetainedPage(page) => self.take_page(*page),
            other => return Some(other),
        }
        None
    }
}
