//! Byte streams: accept, read, write, readiness.
