//! A Client's state that outlives connections.
