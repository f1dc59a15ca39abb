//! Log lines as messages.

use super::writer::Publish;
use crate::protocol::{Message, MessageInit, QoS};
use crate::shard::Handle;
use crate::sync::Arc;

/// Publishes lines by way of the shards, which takes one push into a mailbox: at QoS 2 and not
/// retained, as Mosquitto does.
pub fn publish_through(shards: Handle) -> Publish {
    Arc::new(move |topic, line| {
        shards.publish(vec![Message::new(MessageInit {
            topic,
            payload: line.as_bytes(),
            qos: QoS::ExactlyOnce,
            ..MessageInit::default()
        })]);
    })
}
