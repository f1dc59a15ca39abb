//! Who may import whom: the table of docs/architecture.md as data, against the paths in the code.

use crate::Violation;
use crate::source::{Source, Tree, block_end};

/// One row of the table of layers.
pub struct Layer {
    /// The row as docs/architecture.md has it.
    pub row: &'static str,
    modules: &'static [&'static str],
    /// Paths below `crate::` that its modules may use beside their own.
    may: &'static [&'static str],
}

/// The layers from the bottom up.
pub const LAYERS: [Layer; 9] = [
    Layer {
        row: "| 0 | `util`, `sync` | std, small leaf crates | project imports |",
        modules: &["util", "sync"],
        may: &[],
    },
    Layer {
        row: "| 1 | `protocol`, `metrics` | 0 | sockets, clocks, locks |",
        modules: &["protocol", "metrics"],
        may: &["util", "sync"],
    },
    Layer {
        row: "| 2 | `session`, `router`, `auth`, `config` | 0–1, not each other | mio, actix, \
              `Instant::now` |",
        modules: &["session", "router", "auth", "config"],
        may: &["util", "sync", "protocol", "metrics"],
    },
    Layer {
        row: "| 3 | `connection` | 0–2; the rest only through its `Host` trait | mio, actix, \
              logging |",
        modules: &["connection"],
        may: &["util", "sync", "protocol", "metrics", "session", "router", "auth", "config"],
    },
    Layer {
        row: "| 4 | `transport`, `reactor` | 0–1, `config`'s plain runtime structs | MQTT packets, \
              actix |",
        modules: &["transport", "reactor"],
        may: &["util", "sync", "metrics", "config"],
    },
    Layer {
        row: "| 5 | `shard` | 0–4 | actix, blocking calls |",
        modules: &["shard"],
        may: &[
            "util",
            "sync",
            "protocol",
            "metrics",
            "session",
            "router",
            "auth",
            "config",
            "connection",
            "transport",
            "reactor",
        ],
    },
    Layer {
        row: "| 6 | `control` | 0–3, `transport`'s listening sockets and layers, `shard::Handle`, \
              `shard::Settings`, `shard::Ask` | a \
              session, connection or trie directly |",
        modules: &["control"],
        may: &[
            "util",
            "sync",
            "protocol",
            "metrics",
            "auth",
            "config",
            "transport::ListenSocket",
            "transport::ListenAddress",
            "transport::NO_ADDRESS",
            "transport::KeyLog",
            "transport::Layers",
            "transport::Transports",
            "shard::Ask",
            "shard::Page",
            "shard::Handle",
            "shard::Settings",
        ],
    },
    Layer {
        row: "| 7 | `cli`, `main` | all | logic |",
        modules: &["cli", "main", "lib"],
        may: &[
            "util",
            "sync",
            "protocol",
            "metrics",
            "session",
            "router",
            "auth",
            "config",
            "connection",
            "transport",
            "reactor",
            "shard",
            "control",
            "cli",
        ],
    },
    Layer {
        row: "| – | `loadgen` (own crate) | `protocol`, `util`, with default features off | \
              `shard`, `connection` |",
        modules: &["loadgen"],
        may: &["protocol", "util"],
    },
];

/// The module a file of `src/` belongs to, `loadgen` for that crate's, `None` for others.
pub fn module(path: &str) -> Option<&str> {
    if path.starts_with("loadgen/src/") {
        return Some("loadgen");
    }
    let first = path.strip_prefix("src/")?.split('/').next()?;
    Some(first.strip_suffix(".rs").unwrap_or(first))
}

/// The number of a module's layer; loadgen has the last.
pub fn number(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.modules.contains(&module))
}

/// Checks the project's own paths that a file names.
pub fn check(source: &Source) -> Vec<Violation> {
    let Some(module) = module(&source.path) else { return Vec::new() };
    let Some(layer) = number(module).map(|number| &LAYERS[number]) else {
        let text = format!("module `{module}` has no layer: add it to tests/tidy/layers.rs");
        return vec![Violation::new(&source.path, 1, text)];
    };
    // Within `loadgen` the word `crate` means itself.
    let root = if module == "loadgen" || module == "main" { "pondhawk::" } else { "crate::" };
    let mut found = climbs(source);
    for at in Source::tokens(&source.code, root) {
        for path in expand(&source.code[at + root.len()..]) {
            let within = |allowed: &str| {
                path == allowed || path.strip_prefix(allowed).is_some_and(|r| r.starts_with("::"))
            };
            if !within(module) && !layer.may.iter().any(|allowed| within(allowed)) {
                let text = format!(
                    "`{module}` may not use `{path}`: see \"Layers\" in docs/architecture.md; \
                     move the code or pass what it needs in"
                );
                found.push(Violation::new(&source.path, source.line(at), text));
            }
        }
    }
    found
}

/// Paths that reach the crate's root through `super`, past the check above.
fn climbs(source: &Source) -> Vec<Violation> {
    let Some(inner) = source.path.strip_prefix("src/") else { return Vec::new() };
    let depth = inner.split('/').count() - usize::from(inner.ends_with("/mod.rs"));
    let code = source.product();
    let modules: Vec<_> =
        Source::tokens(code, "mod").filter_map(|at| Some(at..block_end(code, at)?)).collect();
    let root = Source::tokens(code, "super::").filter(|&at| {
        let depth = depth + modules.iter().filter(|inline| inline.contains(&at)).count();
        inner.contains('/') && code[at..].starts_with(&"super::".repeat(depth))
    });
    let text = "names the crate's root through `super`: write `crate::`";
    root.map(|at| Violation::new(&source.path, source.line(at), text)).collect()
}

/// The paths of the tree of names at the start of `code`: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn expand(code: &str) -> Vec<String> {
    let mut prefixes: Vec<String> = Vec::new();
    let mut path = String::new();
    let mut paths = Vec::new();
    let mut rest = code;
    loop {
        let name = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        path.push_str(&rest[..name]);
        rest = &rest[name..];
        if let Some(after) = rest.strip_prefix("::") {
            path.push_str("::");
            rest = after;
            continue;
        }
        if let Some(after) = rest.strip_prefix('{') {
            prefixes.push(std::mem::take(&mut path));
            path.clone_from(prefixes.last().expect("just pushed"));
            rest = after.trim_start();
            continue;
        }
        if prefixes.last() != Some(&path) {
            paths.push(path.trim_end_matches("::").to_owned());
        }
        let Some(prefix) = prefixes.last() else { return paths };
        path.clone_from(prefix);
        // Past a rename, a glob or blanks, to the next name or the group's end.
        let stop = rest.find([',', '}']).unwrap_or(rest.len());
        if rest[stop..].starts_with('}') {
            path = prefixes.pop().expect("inside a group");
            // The group stood for the path: what follows must not count it once more.
            rest = rest[stop + 1..].trim_start();
            if prefixes.is_empty() {
                return paths;
            }
            path.clone_from(prefixes.last().expect("not empty"));
            continue;
        }
        rest = rest.get(stop + 1..).unwrap_or("").trim_start();
        if rest.is_empty() {
            return paths;
        }
    }
}

/// Checks that docs/architecture.md has the table above.
pub fn check_document(tree: &Tree) -> Vec<Violation> {
    let path = "docs/architecture.md";
    let Some(text) = tree.document(path) else { return Vec::new() };
    let missing = LAYERS.iter().filter(|layer| !text.contains(layer.row));
    let told = |layer: &Layer| {
        format!("has no row `{}`: it and tests/tidy/layers.rs must agree", layer.row)
    };
    missing.map(|layer| Violation::new(path, 1, told(layer))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{assert_found, found_in};

    #[test]
    fn a_tree_of_names_is_expanded() {
        assert_eq!(expand("a::b::C;"), ["a::b::C"]);
        assert_eq!(expand("{a, b::{C, D as E}, f::*};"), ["a", "b::C", "b::D", "f"]);
        assert_eq!(expand("{\n    a::{B},\n    c,\n};"), ["a::B", "c"]);
        assert_eq!(expand("a::f(x, y)"), ["a::f"]);
    }

    #[test]
    fn an_import_upward_is_found() {
        let text = "//! Doc.\nuse crate::protocol::QoS;\nuse crate::shard::Handle;\n";
        assert_found("src/session/ring.rs", text, 3, "`session` may not use `shard::Handle`");
        assert_found("src/router/a.rs", "//! Doc.\nuse crate::{util, auth};\n", 2, "`auth`");
        assert_found("src/util/a.rs", "//! Doc.\nfn a() { crate::sync::b() }\n", 2, "`sync::b`");
    }

    #[test]
    fn a_row_may_allow_one_path_of_a_module() {
        assert!(found_in("src/control/a.rs", "//! D.\nuse crate::shard::Handle;\n").is_empty());
        let text = "//! Doc.\nuse crate::shard::{Handle, Engine};\n";
        assert_found("src/control/a.rs", text, 2, "`shard::Engine`");
    }

    #[test]
    fn loadgen_uses_the_codec_only() {
        let text = "//! Doc.\nuse crate::plan;\nuse pondhawk::{protocol::QoS, shard::Handle};\n";
        assert_found("loadgen/src/a.rs", text, 3, "`loadgen` may not use `shard::Handle`");
    }

    #[test]
    fn the_root_is_not_reached_through_super() {
        assert_found("src/session/a.rs", "//! D.\nuse super::super::auth;\n", 2, "write `crate::`");
        assert_found("src/session/mod.rs", "//! D.\nuse super::auth;\n", 2, "write `crate::`");
        assert!(found_in("src/session/b/a.rs", "//! D.\nuse super::super::c;\n").is_empty());
        let text = "//! D.\nmod b {\n    use super::super::c;\n}\n";
        assert!(found_in("src/session/a.rs", text).is_empty());
        assert_found("src/session/mod.rs", text, 3, "write `crate::`");
    }

    #[test]
    fn a_module_without_a_layer_is_found() {
        assert_found("src/newcomer/mod.rs", "//! Doc.\n", 1, "has no layer");
    }
}
