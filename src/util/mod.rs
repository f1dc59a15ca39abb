//! Small data structures: clock values, generational slab, ring, timer wheel, buffers.
