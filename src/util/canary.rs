//! Deliberate faults, for the simulator to show that it finds them (tests/sim/canaries.rs).
//!
//! Compiled with the feature `canary` alone, which nothing but that test asks for. Each place that
//! asks whether a canary sings stands behind the same feature, so no other build has any of it.

use std::cell::Cell;

/// What is broken while it sings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    /// A sleeping shard is not woken for its mail.
    LostWake,
    /// A packet identifier is given to a second message while the first is in flight.
    ReusedPacketId,
    /// A connection whose budget is spent is not looked at again.
    ForgottenRequeue,
    /// The routing trie changes and its version does not, so caches stay as they were.
    StaleMatchCache,
    /// SUBACK is sent although other shards do not see the subscription.
    EarlySuback,
    /// A second connection takes a session and the first one keeps it.
    DoubleTakeover,
    /// PUBREL is not sent again when a session is resumed.
    DroppedPubrel,
    /// What a member of a group leaves behind is not given to another.
    GroupMessageNotReturned,
    /// A repeated QoS 2 PUBLISH is routed again.
    SecondCopyAtQos2,
    /// A Will is published without its delay.
    HastyWill,
    /// Retained Messages go on coming after UNSUBACK.
    ReplayGoesOn,
    /// The limit in bytes of a queue is not looked at.
    NoByteLimit,
    /// Nor is that of the window.
    NoWindowBytes,
    /// Everybody is sent everything, whatever the access control list says.
    OpenAccess,
    /// Whoever asks for a method of authentication that is not there is let in.
    UnknownMethod,
    /// Every other message for a group on another shard makes a detour.
    GroupDetour,
    /// QoS 0 is sent to a Client that takes nothing, however much waits for it.
    NoOutputLimit,
    /// Memory of input that is handled is kept.
    KeptInput,
    /// A message passes those that wait in the queue where the window has room for it.
    QueuePassed,
}

impl Canary {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::LostWake,
        Self::ReusedPacketId,
        Self::ForgottenRequeue,
        Self::StaleMatchCache,
        Self::EarlySuback,
        Self::DoubleTakeover,
        Self::DroppedPubrel,
        Self::GroupMessageNotReturned,
        Self::SecondCopyAtQos2,
        Self::HastyWill,
        Self::ReplayGoesOn,
        Self::NoByteLimit,
        Self::NoWindowBytes,
        Self::OpenAccess,
        Self::UnknownMethod,
        Self::GroupDetour,
        Self::NoOutputLimit,
        Self::KeptInput,
        Self::QueuePassed,
    ];

    /// Whether this one sings on this thread.
    pub fn sings(self) -> bool {
        SINGING.get() == Some(self)
    }
}

thread_local! {
    static SINGING: Cell<Option<Canary>> = const { Cell::new(None) };
}

/// From here on this one sings on this thread, or none.
pub fn sing(canary: Option<Canary>) {
    SINGING.set(canary);
}
