//! The control plane: actix actors, everything that may wait.
