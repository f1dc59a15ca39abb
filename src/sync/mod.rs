//! The only place that names atomics, so that a race model can swap them.

mod batch_stack;

pub use std::sync::Arc;
pub use std::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};

pub use batch_stack::{BatchQueue, Batches};
