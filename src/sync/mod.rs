//! The only place that names atomics, so that a race model can swap them.
