//! Documents that tell the truth: links that lead somewhere, locks that are written down.

use crate::Violation;
use crate::layers;
use crate::source::{Source, Tree};

/// Checks the documents against the tree.
pub fn check(tree: &Tree) -> Vec<Violation> {
    let mut found = layers::check_document(tree);
    found.extend(undocumented_locks(tree));
    for (path, text) in &tree.documents {
        found.extend(dead_links(path, text, &tree.files));
    }
    found
}

fn dead_links(path: &str, text: &str, files: &[String]) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = target.split(['#', ' ']).next().unwrap_or_default();
            if fenced || target.is_empty() || target.contains(':') {
                continue;
            }
            let resolved = resolve(path, target);
            let folder = format!("{resolved}/");
            if !files.iter().any(|file| *file == resolved || file.starts_with(&folder)) {
                let text = format!("`{target}` leads nowhere: mend the link");
                found.push(Violation::new(path, index + 1, text));
            }
        }
    }
    found
}

/// `target` as seen from the document at `path`, from the root.
fn resolve(path: &str, target: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Files that name a lock or an atomic and that docs/concurrency.md does not name. It may name a
/// file or a folder above it.
fn undocumented_locks(tree: &Tree) -> Vec<Violation> {
    let Some(text) = tree.document("docs/concurrency.md") else { return Vec::new() };
    let named: Vec<&str> = text.split('`').filter(|part| part.starts_with("src/")).collect();
    let mut found = Vec::new();
    for source in tree.sources.iter().filter(|source| source.path.starts_with("src/")) {
        let covered = named.iter().any(|name| {
            source.path.strip_prefix(name).is_some_and(|r| r.is_empty() || r.starts_with('/'))
        });
        if let Some((at, name)) = first_lock(source).filter(|_| !covered) {
            let text = format!("`{name}` that docs/concurrency.md does not name: add who, why");
            found.push(Violation::new(&source.path, source.line(at), text));
        }
    }
    found
}

fn first_lock(source: &Source) -> Option<(usize, &str)> {
    let code = source.product();
    let locks = ["Mutex", "RwLock", "Condvar"].into_iter();
    let lock = locks.filter_map(|name| Some((Source::tokens(code, name).next()?, name))).min();
    let atomic = code.match_indices("Atomic").find_map(|(at, _)| {
        let end = code[at..].find(|c: char| !c.is_alphanumeric())?;
        let kinds = ["Bool", "U8", "U16", "U32", "U64", "Usize", "I32", "I64", "Ptr"];
        let name = &code[at..at + end];
        kinds.contains(&&name["Atomic".len()..]).then_some((at, name))
    });
    // The facade itself re-exports them; whoever uses one names it too.
    lock.into_iter().chain(atomic).min().filter(|_| !source.path.starts_with("src/sync/mod.rs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(document: (&str, &str), source: (&str, &str)) -> Tree {
        Tree {
            sources: vec![Source::new(source.0.into(), source.1.into())],
            documents: vec![(document.0.into(), document.1.into())],
            files: vec![document.0.into(), source.0.into()],
        }
    }

    #[test]
    fn a_dead_link_is_found() {
        let text = "[a](../src/a.rs#x) [b](b.md) [c](https://x.org/c) [d](#d)\n[e](e.md)\n";
        let found = dead_links("docs/a.md", text, &["src/a.rs".into(), "docs/b.md".into()]);
        assert_eq!(found, [Violation::new("docs/a.md", 2, "`e.md` leads nowhere: mend the link")]);
    }

    #[test]
    fn a_lock_must_be_written_down() {
        let source = ("src/router/trie/a.rs", "//! D.\nstruct A(AtomicU64);\n");
        let found = check(&tree(("docs/concurrency.md", "`src/router/directory.rs`"), source));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].line == 2 && found[0].text.contains("`AtomicU64`"), "{found:?}");
        let found = check(&tree(("docs/concurrency.md", "in `src/router/trie`"), source));
        assert_eq!(found, []);
    }

    #[test]
    fn the_table_of_layers_is_the_documents() {
        let rows: Vec<&str> = layers::LAYERS.iter().map(|layer| layer.row).collect();
        let source = ("src/util/a.rs", "//! D.\n");
        let found = check(&tree(("docs/architecture.md", &rows.join("\n")), source));
        assert_eq!(found, []);
        let found = check(&tree(("docs/architecture.md", &rows[1..].join("\n")), source));
        assert_eq!(found.len(), 1);
    }
}
