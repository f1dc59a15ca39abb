//! What the control plane asks of the data plane.

use std::sync::{Arc, mpsc};

use crate::config::ListenerRuntime;
use crate::metrics::Snapshot;
use crate::protocol::Message;
use crate::shard::{Handle, Settings};
use crate::transport::ListenSocket;
use crate::util::SetAside;

/// The shards, seen from the control plane. Every call returns at once.
pub trait DataPlane {
    /// Hands over a listening socket; `id` is the socket's own.
    fn listen(&self, id: u32, socket: ListenSocket, settings: Arc<ListenerRuntime>);
    /// Closes a listening socket.
    fn unlisten(&self, id: u32);
    /// Stops accepting and ends all connections in order.
    fn drain(&self);
    /// How many connections there are.
    fn connections(&self) -> usize;
    /// Writes to the log what the shards hold.
    fn describe(&self);
    /// Ends the shards' threads.
    fn stop(&self);
    /// Puts changed settings into force.
    fn apply(&self, settings: Arc<Settings>);
    /// The counters of all shards.
    fn snapshot(&self) -> Snapshot;
    /// Publishes messages of the broker itself.
    fn publish(&self, messages: Vec<Message>);
    /// Tells how scarce memory is, from 0 (plenty) to 3.
    fn pressure(&self, level: u8);
    /// Has each shard hand over the free memory that is set aside for its thread.
    fn hand_over(&self, to: &mpsc::Sender<SetAside>);
    /// Has each shard give the end of its thread's heap back to the system.
    fn give_back(&self);
}

impl DataPlane for Handle {
    fn listen(&self, id: u32, socket: ListenSocket, settings: Arc<ListenerRuntime>) {
        Handle::listen(self, id, socket, settings);
    }

    fn unlisten(&self, id: u32) {
        Handle::unlisten(self, id);
    }

    fn drain(&self) {
        Handle::drain(self);
    }

    fn connections(&self) -> usize {
        Handle::connections(self)
    }

    fn describe(&self) {
        Handle::describe(self);
    }

    fn stop(&self) {
        Handle::stop(self);
    }

    fn apply(&self, settings: Arc<Settings>) {
        Handle::apply(self, settings);
    }

    fn snapshot(&self) -> Snapshot {
        Handle::snapshot(self)
    }

    fn publish(&self, messages: Vec<Message>) {
        Handle::publish(self, messages);
    }

    fn pressure(&self, level: u8) {
        Handle::pressure(self, level);
    }

    fn give_back(&self) {
        Handle::give_back(self);
    }

    fn hand_over(&self, to: &mpsc::Sender<SetAside>) {
        Handle::hand_over(self, to);
    }
}
