//! One core's thread and everything it owns.
