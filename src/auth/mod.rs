//! Decisions about who may connect; pure.
