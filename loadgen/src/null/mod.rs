//! The null broker: what the sockets of a broker cost, and nothing else.
//!
//! It receives, sends and polls as a good broker does: one receive for each readable event into a
//! shared buffer, output gathered per destination, one send for each destination and turn,
//! readiness edge-triggered and registered once. MQTT happens only at the beginning: it answers
//! CONNECT, SUBSCRIBE and PINGREQ, and looks at the first PUBLISH of a connection. From then on
//! that publisher's frames, which must all have the length of the first, are copied to the
//! subscribers of that topic unread. A PUBACK is the packet identifier at its known place.
//!
//! So its CPU time per delivered message is the floor for any broker that uses the same system
//! calls. It has no limits and no queues, and must not face a network. QoS 2 is four packets
//! without a memory: whatever is acknowledged is answered. A sink does the same and relays nothing.

mod node;
mod peers;
mod relay;
mod serve;

pub use serve::run;
