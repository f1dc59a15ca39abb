//! Source files, with code and comments told apart.

use std::fs;
use std::path::Path;

/// Folders that hold nothing of ours.
const FOREIGN: [&str; 5] = ["target", ".git", ".deps", "node_modules", "__pycache__"];

/// Every file the rules speak of.
pub struct Tree {
    pub sources: Vec<Source>,
    /// Path and text of each Markdown file.
    pub documents: Vec<(String, String)>,
    /// Path of every file, from the root.
    pub files: Vec<String>,
}

impl Tree {
    /// Reads the repository at `root`.
    pub fn read(root: &Path) -> Tree {
        let mut tree = Tree { sources: Vec::new(), documents: Vec::new(), files: Vec::new() };
        walk(root, root, &mut tree.files);
        tree.files.sort();
        for path in &tree.files {
            let read = || fs::read_to_string(root.join(path)).expect(path);
            if path.ends_with(".rs") {
                tree.sources.push(Source::new(path.clone(), read()));
            } else if path.ends_with(".md") {
                tree.documents.push((path.clone(), read()));
            }
        }
        tree
    }

    /// The text of a document, if the repository has it.
    pub fn document(&self, path: &str) -> Option<&str> {
        self.documents.iter().find(|(name, _)| name == path).map(|(_, text)| text.as_str())
    }
}

fn walk(root: &Path, directory: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(directory).expect("read a folder") {
        let entry = entry.expect("read a folder's entry");
        let path = entry.path();
        if FOREIGN.contains(&entry.file_name().to_string_lossy().as_ref()) {
            continue;
        }
        if entry.file_type().expect("a file's type").is_dir() {
            walk(root, &path, files);
        } else {
            let path = path.strip_prefix(root).expect("below the root");
            files.push(path.to_str().expect("a path in UTF-8").into());
        }
    }
}

/// A Rust file in three views of the same length, so that a place in one is a place in all.
pub struct Source {
    pub path: String,
    pub text: String,
    /// Comments, and the insides of strings and character literals, are spaces.
    pub code: String,
    /// All but comments is spaces.
    pub comments: String,
    /// Where the test module begins in `code`, or its length.
    pub tests_from: usize,
}

impl Source {
    /// Takes the file apart.
    pub fn new(path: String, text: String) -> Source {
        let (code, comments) = split(&text);
        let tests_from = code.find("#[cfg(test)]\nmod ").unwrap_or(code.len());
        Source { path, text, code, comments, tests_from }
    }

    /// The line of a place, from 1.
    pub fn line(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }

    /// The code that is part of a library or a binary: nothing in a file of tests.
    pub fn product(&self) -> &str {
        let tests = |part: &str| part == "tests" || part == "tests.rs";
        let is_test = !self.is_in_crate() || self.path.split('/').any(tests);
        if is_test { "" } else { &self.code[..self.tests_from] }
    }

    /// Whether it lies in a crate's source folder, tests beside the code included.
    pub fn is_in_crate(&self) -> bool {
        self.path.starts_with("src/") || self.path.starts_with("loadgen/src/")
    }

    /// Places where `word` stands in `code` as a token of its own.
    pub fn tokens<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        let part = |c: char| c.is_alphanumeric() || c == '_';
        code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
            let before = code[..at].chars().next_back();
            let after = code[at + word.len()..].chars().next();
            let starts = !word.starts_with(part) || !before.is_some_and(part);
            let ends = !word.ends_with(part) || !after.is_some_and(part);
            starts && ends
        })
    }
}

/// The end of the block whose `{` is at or after `at`; `None` where a `;` comes first.
pub fn block_end(code: &str, at: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut nested = 0usize;
    for (offset, byte) in code[at..].bytes().enumerate() {
        match byte {
            b'(' | b'[' => nested += 1,
            b')' | b']' => nested = nested.saturating_sub(1),
            b'{' => depth += 1,
            b'}' if depth == 1 => return Some(at + offset),
            b'}' => depth = depth.saturating_sub(1),
            b';' if depth == 0 && nested == 0 => return None,
            _ => {}
        }
    }
    None
}

/// What the scanner is inside of.
#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Code,
    Line,
    Block(u32),
    Text,
    Raw(usize),
}

/// Splits `text` into code and comments. Literals keep their quotes.
fn split(text: &str) -> (String, String) {
    let mut code = vec![b' '; text.len()];
    let mut comments = code.clone();
    let bytes = text.as_bytes();
    let mut inside = Inside::Code;
    let mut at = 0;
    while at < bytes.len() {
        let (next, length) = step(bytes, at, inside);
        for i in at..(at + length).min(bytes.len()) {
            let comment = |state| matches!(state, Inside::Line | Inside::Block(_));
            if bytes[i] == b'\n' {
                code[i] = b'\n';
                comments[i] = b'\n';
            } else if comment(inside) || comment(next) {
                comments[i] = bytes[i];
            } else if inside == Inside::Code || next == Inside::Code {
                code[i] = bytes[i];
            }
        }
        if inside == Inside::Code && next == Inside::Code && length > 1 {
            // A character literal: only its quotes stay.
            code[at + 1..at + length - 1].fill(b' ');
        }
        inside = next;
        at += length;
    }
    // A character of several bytes is copied whole or not at all.
    let utf8 = |bytes| String::from_utf8(bytes).expect("the views are UTF-8");
    (utf8(code), utf8(comments))
}

/// The state after the token at `at`, and the token's length.
fn step(bytes: &[u8], at: usize, inside: Inside) -> (Inside, usize) {
    let rest = &bytes[at..];
    match inside {
        Inside::Code => step_code(bytes, at),
        Inside::Line if rest[0] == b'\n' => (Inside::Code, 1),
        Inside::Block(depth) if rest.starts_with(b"/*") => (Inside::Block(depth + 1), 2),
        Inside::Block(1) if rest.starts_with(b"*/") => (Inside::Code, 2),
        Inside::Block(depth) if rest.starts_with(b"*/") => (Inside::Block(depth - 1), 2),
        Inside::Text if rest[0] == b'\\' => (Inside::Text, 2),
        Inside::Text if rest[0] == b'"' => (Inside::Code, 1),
        Inside::Raw(hashes) if rest[0] == b'"' && count_hashes(&rest[1..]) >= hashes => {
            (Inside::Code, 1 + hashes)
        }
        state => (state, 1),
    }
}

fn step_code(bytes: &[u8], at: usize) -> (Inside, usize) {
    let rest = &bytes[at..];
    let in_name = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    match rest[0] {
        b'/' if rest.starts_with(b"//") => (Inside::Line, 2),
        b'/' if rest.starts_with(b"/*") => (Inside::Block(1), 2),
        b'"' => (Inside::Text, 1),
        b'r' if !in_name || bytes[at - 1] == b'b' => {
            let hashes = count_hashes(&rest[1..]);
            let raw = rest.get(1 + hashes) == Some(&b'"');
            if raw { (Inside::Raw(hashes), 2 + hashes) } else { (Inside::Code, 1) }
        }
        b'\'' => (Inside::Code, character_length(rest)),
        _ => (Inside::Code, 1),
    }
}

fn count_hashes(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| **byte == b'#').count()
}

/// The length of the character literal at the start of `rest`; 1 for the tick of a lifetime.
fn character_length(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        let close = rest.iter().skip(3).position(|byte| *byte == b'\'');
        return close.map_or(1, |at| at + 4);
    }
    // At most four bytes of UTF-8 between the quotes; a lifetime's tick has no second one.
    let text = std::str::from_utf8(&rest[1..rest.len().min(9)]);
    let text = text.unwrap_or_else(|error| {
        let valid = error.valid_up_to();
        std::str::from_utf8(&rest[1..1 + valid]).expect("checked")
    });
    let mut chars = text.chars();
    let width = chars.next().map_or(1, char::len_utf8);
    if chars.next() == Some('\'') { width + 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        Source::new("src/x.rs".into(), text.into()).code
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        assert_eq!(code("a // b\nc"), "a     \nc");
        assert_eq!(code("a /* b /* c */ d */ e"), "a                   e");
        assert_eq!(code(r#"a("b \" c") d"#), r#"a("      ") d"#);
        assert_eq!(code("a(r#\"b \" c\"#) d"), "a(r#\"     \"#) d");
        assert_eq!(code("'{' 'a \"x\""), "' ' 'a \" \"");
        assert_eq!(code(r"'\'' '\u{7B}' b"), "'  ' '      ' b");
    }

    #[test]
    fn views_keep_places_whatever_the_bytes() {
        let text = "let é = 'é'; // ü\nfn b() { \"ß\" }";
        let source = Source::new("src/x.rs".into(), text.into());
        assert_eq!(source.code.len(), text.len());
        assert_eq!(source.line(source.code.find("fn b").unwrap()), 2);
        assert_eq!(source.comments.trim(), "// ü");
    }

    #[test]
    fn a_block_ends_at_its_own_brace() {
        let text = "fn a(b: [u8; 2]) { { } } }";
        assert_eq!(block_end(text, 0), Some(23));
        assert_eq!(block_end("fn a(b: [u8; 2]); {}", 0), None);
    }
}
