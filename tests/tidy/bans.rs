//! Names that may not appear, and where they may.

use crate::Violation;
use crate::layers;
use crate::source::Source;

/// A name, the modules that may say it, and what to do instead.
struct Ban {
    name: &'static str,
    allowed: &'static [&'static str],
    instead: &'static str,
}

const WITH_LOGS: &[&str] = &["shard", "control", "cli", "main", "loadgen"];
const WITH_SOCKETS: &[&str] =
    &["transport", "reactor", "shard", "control", "cli", "main", "loadgen"];
const WITH_CLOCK: &[&str] = &["reactor", "shard", "control", "cli", "main", "loadgen"];
const CLOCK: &str = "the reactor reads the clock once a turn: take `now` as a parameter";
const SOCKET: &str = "sockets belong to `transport` and above: take bytes";
const ATOMIC: &str = "take it from `crate::sync`, so that a race model can put its own there";
const WITH_FILES: &[&str] = &["config", "transport", "control", "cli", "loadgen"];
const FILES: &str = "files are read by `config` at start and by the control plane";
const PRINT: &str = "a library does not print: return it, or log it from layer 5 up";

const BANS: [Ban; 20] = [
    Ban { name: "mio", allowed: &["transport", "reactor", "shard", "loadgen"], instead: SOCKET },
    Ban { name: "TcpStream", allowed: WITH_SOCKETS, instead: SOCKET },
    Ban { name: "TcpListener", allowed: WITH_SOCKETS, instead: SOCKET },
    Ban { name: "UnixStream", allowed: WITH_SOCKETS, instead: SOCKET },
    Ban { name: "UdpSocket", allowed: WITH_SOCKETS, instead: SOCKET },
    Ban { name: "actix", allowed: &["control", "cli", "main"], instead: "only `control` knows it" },
    Ban { name: "actix_rt", allowed: &["control", "cli", "main"], instead: "see `actix`" },
    Ban { name: "tokio", allowed: &["control"], instead: "only `control` waits" },
    Ban { name: "Instant::now", allowed: WITH_CLOCK, instead: CLOCK },
    Ban { name: "SystemTime::now", allowed: WITH_CLOCK, instead: CLOCK },
    Ban { name: "std::sync::atomic", allowed: &["sync", "loadgen"], instead: ATOMIC },
    Ban { name: "core::sync::atomic", allowed: &["sync", "loadgen"], instead: ATOMIC },
    Ban { name: "tracing", allowed: WITH_LOGS, instead: "return what happened; `shard` logs it" },
    Ban { name: "todo!", allowed: &[], instead: "write it, or leave it out" },
    Ban { name: "unimplemented!", allowed: &[], instead: "write it, or leave it out" },
    Ban { name: "dbg!", allowed: &[], instead: "take it out" },
    Ban { name: "static mut", allowed: &[], instead: "pass the state in" },
    Ban { name: "println!", allowed: &["cli", "main", "loadgen"], instead: PRINT },
    Ban { name: "eprintln!", allowed: &["cli", "main", "loadgen"], instead: PRINT },
    Ban { name: "std::fs", allowed: WITH_FILES, instead: FILES },
];

/// Words of unfinished work, in comments.
const UNFINISHED: [&str; 4] = ["TODO", "FIXME", "XXX", "HACK"];

/// Files and folders that may hold `unsafe`, each with a reason at its top.
const UNSAFE: [&str; 6] = [
    "src/control/trim.rs",
    "src/protocol/message.rs",
    "src/router/trie/children.rs",
    "src/router/trie/link.rs",
    "src/sync/batch_stack.rs",
    "src/util/heap_end.rs",
];

fn may_be_unsafe(path: &str) -> bool {
    UNSAFE.iter().any(|allowed| path.starts_with(allowed))
}

/// Checks one file.
pub fn check(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut report = |at: usize, text: String| {
        found.push(Violation::new(&source.path, source.line(at), text));
    };
    for word in UNFINISHED {
        for at in Source::tokens(&source.comments, word) {
            report(at, format!("`{word}`: finish it, or say why it is as it is"));
        }
    }
    let module = layers::module(&source.path).unwrap_or("");
    for ban in BANS.iter().filter(|ban| !ban.allowed.contains(&module)) {
        for at in Source::tokens(source.product(), ban.name) {
            report(at, format!("`{}` may not stand in `{module}`: {}", ban.name, ban.instead));
        }
    }
    for at in Source::tokens(&source.code, "unsafe") {
        if source.is_in_crate() && !may_be_unsafe(&source.path) {
            report(at, "`unsafe`: do without, or add the file to UNSAFE in tests/tidy".into());
        }
    }
    found
}

/// Checks that the lists above name nothing that is gone.
pub fn check_lists(sources: &[Source]) -> Vec<Violation> {
    let used = |entry: &&str| {
        let mut files = sources.iter().filter(|source| source.path.starts_with(*entry));
        files.any(|source| Source::tokens(&source.code, "unsafe").next().is_some())
    };
    let stale = UNSAFE.iter().filter(|entry| !used(entry));
    let text = "holds no `unsafe` any more: take it out of UNSAFE in tests/tidy/bans.rs";
    stale.map(|entry| Violation::new(entry, 1, text)).collect()
}

#[cfg(test)]
mod tests {
    use crate::{assert_found, found_in};

    #[test]
    fn a_name_is_banned_outside_its_modules() {
        let text = "//! Doc.\nuse mio::Token;\n";
        assert_found("src/session/a.rs", text, 2, "`mio` may not stand in `session`");
        assert!(found_in("src/reactor/a.rs", text).is_empty());
        assert_found("src/router/a.rs", "//! D.\nlet t = Instant::now();\n", 2, "a parameter");
        assert_found("src/shard/a.rs", "//! D.\nuse actix::Actor;\n", 2, "`actix`");
        let text = "//! Doc.\nuse std::sync::atomic::AtomicU8;\n";
        assert_found("src/control/a.rs", text, 2, "`crate::sync`");
    }

    #[test]
    fn tests_comments_and_longer_names_are_not_banned() {
        let text = "//! mio\nfn mio_like() {}\n#[cfg(test)]\nmod tests {\n    use mio::Poll;\n}\n";
        assert!(found_in("src/session/a.rs", text).is_empty());
    }

    #[test]
    fn unfinished_work_is_found() {
        assert_found("tests/a.rs", "//! Doc.\n// TODO: more\n", 2, "`TODO`");
        assert_found("src/util/a.rs", "//! Doc.\nfn a() {\n    todo!()\n}\n", 3, "`todo!`");
    }

    #[test]
    fn unsafe_is_found_in_tests_of_the_product_too() {
        let text = "//! D.\n#[cfg(test)]\nmod tests {\n    unsafe fn a() {}\n}\n";
        assert_found("src/util/a.rs", text, 4, "`unsafe`");
    }
}
