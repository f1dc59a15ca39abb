//! Why a message was not delivered. No message is dropped without one of these.

macro_rules! drop_reasons {
    ($($variant:ident $name:literal $help:literal;)*) => {
        /// Why a message was not delivered to a session.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum DropReason {
            $(#[doc = $help] $variant,)*
        }

        impl DropReason {
            /// All reasons, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$variant),*];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The reason as exported and logged.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it means, one sentence without a full stop.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)* }
            }
        }
    };
}

drop_reasons! {
    QueueFull "queue_full" "The session's queue had reached its limit of messages";
    QueueBytesFull "queue_bytes_full" "The session's queue had reached its limit of bytes";
    QueueOldest "queue_oldest" "Dropped from the head of a full queue to make room for a newer one";
    Expired "expired" "The Message Expiry Interval passed while it waited";
    PayloadTooLarge "payload_too_large" "The payload was above message_size_limit";
    Oversize "oversize" "Larger than the client's Maximum Packet Size";
    NotAuthorised "not_authorised" "The client may not receive this topic";
    Qos0Backpressure "qos0_backpressure" "QoS 0 for a client that does not read fast enough";
    Qos0Offline "qos0_offline" "QoS 0 for a session whose client is away";
    SessionGone "session_gone" "The session ended while the message was on its way or queued";
    NoGroupMember "no_group_member" "A shared subscription had no member left to take it";
    MemoryPressure "memory_pressure" "The process is near its memory limit";
}

#[cfg(test)]
mod tests {
    use super::DropReason;

    #[test]
    fn numbers_index_the_list_and_names_differ() {
        for (index, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index);
            let same = DropReason::ALL.iter().filter(|other| other.name() == reason.name());
            assert_eq!(same.count(), 1, "{}", reason.name());
        }
    }
}
