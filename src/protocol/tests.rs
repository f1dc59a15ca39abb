//! Behaviour of the codec as a whole.
