//! Routing: who gets a message.
