//! The connection actor: a sans-IO machine, bytes in, effects out.
