//! Random bytes that nobody can guess, from the operating system.

use std::io;

/// Fills `bytes`.
///
/// # Errors
/// When the system has none to give.
pub fn fill(bytes: &mut [u8]) -> io::Result<()> {
    let provider = rustls::crypto::ring::default_provider();
    provider
        .secure_random
        .fill(bytes)
        .map_err(|_| io::Error::other("the operating system gives no random bytes"))
}
