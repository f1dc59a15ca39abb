//! Options, their table and the compiled runtime configuration.
