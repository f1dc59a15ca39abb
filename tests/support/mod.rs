//! What every test over a real socket shares: starting the broker, bytes written by hand, and a
//! client that says exactly those bytes and checks exactly the answer.
//!
//! Nothing here uses the project's own codec: the broker and the load generator share that one, so
//! it cannot prove itself.

// Each test target includes this module and uses its own part of it.
#![allow(dead_code)]
// A failing scenario says on the standard error where it was.
#![allow(clippy::print_stderr)]

pub mod broker;
pub mod bytes;
pub mod client;
pub mod files;
pub mod link;
pub mod parse;

use std::sync::atomic::{AtomicU32, Ordering};

/// The protocol versions, by the number that stands in CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// MQTT 3.1, protocol name `MQIsdp`.
    V31 = 3,
    /// MQTT 3.1.1.
    V311 = 4,
    /// MQTT 5.0.
    V5 = 5,
}

/// Every version.
pub const ALL: [Version; 3] = [Version::V31, Version::V311, Version::V5];
/// The versions without properties and reason codes.
pub const V3: [Version; 2] = [Version::V31, Version::V311];

/// A name no other scenario of this process uses, so that scenarios may share a broker. At most
/// 23 bytes when `stem` has at most 16, which MQTT 3.1 wants of a Client Identifier.
pub fn fresh(stem: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{stem}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Says what was being run if the scenario panics inside this scope.
pub struct Scope(pub String);

impl Drop for Scope {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("  in: {}", self.0);
        }
    }
}

/// Runs `scenario` once for each of `versions`, naming the version when it fails.
pub fn each_version(versions: &[Version], mut scenario: impl FnMut(Version)) {
    for &version in versions {
        let _scope = Scope(format!("{version:?}"));
        scenario(version);
    }
}

/// Lets time pass, for the few scenarios whose subject is time and which have no event to wait for.
pub fn let_pass(milliseconds: u64) {
    std::thread::sleep(std::time::Duration::from_millis(milliseconds));
}

/// Whether the broker was built with a sanitizer, whose own memory is then counted as its.
pub fn is_sanitized() -> bool {
    std::env::var_os("POND_SANITIZER").is_some()
}
