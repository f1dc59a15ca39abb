//! Sizes and forms: line width, length of functions and files, documentation of modules.

use crate::Violation;
use crate::source::{Source, block_end};

const COLUMNS_MAX: usize = 100;
const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 100;
/// For product code; a test may tell a longer story.
const FUNCTION_LINES_AIM: usize = 70;
const FACE_LINES_MAX: usize = 150;

/// Functions over the aim, with the length they may have. This list only gets shorter.
const LONG_FUNCTIONS: [(&str, &str, usize); 0] = [];

/// Files over the limit, with the lines of code they may have. This list only gets shorter.
const LONG_FILES: [(&str, usize); 0] = [];

/// Checks one file.
pub fn check(source: &Source) -> Vec<Violation> {
    let mut found = columns(source);
    found.extend(functions(source));
    found.extend(file_length(source));
    found.extend(module_doc(source));
    found.extend(face(source));
    found.extend(bare_matches(source));
    found
}

fn columns(source: &Source) -> Vec<Violation> {
    let long = source.text.lines().enumerate().filter_map(|(index, line)| {
        let width = line.chars().count();
        // An address cannot be broken.
        let excused = width <= COLUMNS_MAX || line.contains("https://");
        (!excused).then(|| {
            let text = format!("{width} columns: at most {COLUMNS_MAX}; break the line");
            Violation::new(&source.path, index + 1, text)
        })
    });
    long.collect()
}

struct Function<'a> {
    name: &'a str,
    at: usize,
    lines: usize,
}

fn list_functions(source: &Source) -> Vec<Function<'_>> {
    let list = Source::tokens(&source.code, "fn").filter_map(|at| {
        let rest = source.code[at + 2..].strip_prefix(' ')?;
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
        // A pointer type, `fn (…)`, has no name.
        let name = rest.get(..end).filter(|name| !name.is_empty())?;
        let close = block_end(&source.code, at)?;
        let lines = source.code[at..close].matches('\n').count() + 1;
        Some(Function { name, at, lines })
    });
    list.collect()
}

fn functions(source: &Source) -> Vec<Violation> {
    let long = list_functions(source).into_iter().filter_map(|function| {
        let Function { name, at, lines } = function;
        let listed = LONG_FUNCTIONS.iter().find(|(p, n, _)| *p == source.path && *n == name);
        let in_test = at >= source.product().len();
        let usual = if in_test { FUNCTION_LINES_MAX } else { FUNCTION_LINES_AIM };
        let limit = listed.map_or(usual, |(_, _, limit)| *limit).min(FUNCTION_LINES_MAX);
        (lines > limit).then(|| {
            let text = format!("`{name}` has {lines} lines: at most {limit}; split it by steps");
            Violation::new(&source.path, source.line(at), text)
        })
    });
    long.collect()
}

/// Lines of code outside the test module; blank lines and comments do not count.
fn code_lines(source: &Source) -> usize {
    let code = &source.code[..source.tests_from];
    code.lines().filter(|line| !line.trim().is_empty()).count()
}

fn file_length(source: &Source) -> Option<Violation> {
    let lines = code_lines(source);
    let listed = LONG_FILES.iter().find(|(path, _)| *path == source.path);
    let limit = listed.map_or(FILE_LINES_MAX, |(_, limit)| *limit);
    (lines > limit).then(|| {
        let text = format!("{lines} lines of code: at most {limit}; one idea a file");
        Violation::new(&source.path, 1, text)
    })
}

fn module_doc(source: &Source) -> Option<Violation> {
    let first = source.text.lines().find(|line| {
        // Attributes of the whole file may come first.
        !line.trim().is_empty() && !line.starts_with("#![")
    });
    let text = "no `//!` at the top: say what the file holds and what it must not do";
    let documented = first.is_some_and(|line| line.starts_with("//!"));
    (!documented).then(|| Violation::new(&source.path, 1, text))
}

/// `mod.rs` and `lib.rs` are a module's face: documentation, declarations, re-exports.
fn face(source: &Source) -> Vec<Violation> {
    let name = source.path.rsplit('/').next().unwrap_or_default();
    if !["mod.rs", "lib.rs"].contains(&name) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let lines = source.product().lines().count();
    if lines > FACE_LINES_MAX {
        let text = format!("{lines} lines: at most {FACE_LINES_MAX} in a module's face");
        found.push(Violation::new(&source.path, 1, text));
    }
    for item in ["fn", "impl", "struct", "enum", "trait", "macro_rules!"] {
        for at in Source::tokens(source.product(), item) {
            let text = format!("`{item}` in a module's face: give it a file and re-export it");
            found.push(Violation::new(&source.path, source.line(at), text));
        }
    }
    found
}

/// A `matches!` whose answer nobody reads was meant to be an assertion.
fn bare_matches(source: &Source) -> Vec<Violation> {
    let bare = Source::tokens(&source.code, "matches!").filter(|&at| {
        let before = source.code[..at].trim_end().chars().next_back();
        let starts = before.is_none_or(|c| matches!(c, ';' | '{' | '}'));
        let rest = &source.code[at + "matches!".len()..];
        starts && argument_end(rest).is_some_and(|end| rest[end + 1..].starts_with(';'))
    });
    let text = "the answer of `matches!` is thrown away: `assert!(matches!(…))`?";
    bare.map(|at| Violation::new(&source.path, source.line(at), text)).collect()
}

/// Where the parenthesis that opens `code` closes.
fn argument_end(code: &str) -> Option<usize> {
    let mut depth = 0;
    code.bytes().position(|byte| {
        depth += i32::from(byte == b'(') - i32::from(byte == b')');
        byte == b')' && depth == 0
    })
}

/// Checks that the lists above name nothing that is gone or has got shorter.
pub fn check_lists(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, name, limit) in LONG_FUNCTIONS {
        let source = sources.iter().find(|source| source.path == path);
        let lengths = source.map(list_functions).unwrap_or_default();
        let lines = lengths.iter().find(|function| function.name == name).map_or(0, |f| f.lines);
        if lines < limit {
            let text = format!("`{name}` has {lines} lines now: mend LONG_FUNCTIONS");
            found.push(Violation::new(path, 1, text));
        }
    }
    for (path, limit) in LONG_FILES {
        let source = sources.iter().find(|source| source.path == path);
        let lines = source.map_or(0, code_lines);
        if lines < limit {
            let text = format!("{lines} lines of code now: mend LONG_FILES");
            found.push(Violation::new(path, 1, text));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::{assert_found, found_in};

    #[test]
    fn a_wide_line_is_found() {
        let text = format!("//! Doc.\n// {}\n", "é".repeat(97));
        assert!(found_in("src/util/a.rs", &text).is_empty());
        let text = format!("//! Doc.\n// {}\n", "é".repeat(98));
        assert_found("src/util/a.rs", &text, 2, "101 columns");
    }

    #[test]
    fn a_long_function_is_found() {
        let of =
            |lines: usize| format!("//! Doc.\nfn a() {{\n{}}}\n", "    b();\n".repeat(lines - 2));
        assert!(found_in("src/util/a.rs", &of(70)).is_empty());
        assert_found("src/util/a.rs", &of(71), 2, "`a` has 71 lines");
        assert!(found_in("src/util/tests.rs", &of(100)).is_empty());
        assert_found("src/util/tests.rs", &of(101), 2, "`a` has 101 lines");
    }

    #[test]
    fn a_long_file_is_found_whatever_its_tests() {
        let code = "const A: u8 = 0;\n".repeat(600);
        let tests = "#[cfg(test)]\nmod tests {\n    const B: u8 = 0;\n}\n";
        assert!(found_in("src/util/a.rs", &format!("//! Doc.\n{code}{tests}")).is_empty());
        assert_found("src/util/a.rs", &format!("//! Doc.\n{code}{code}"), 1, "1200 lines of code");
    }

    #[test]
    fn a_file_says_what_it_holds() {
        assert_found("src/util/a.rs", "\nuse std::fmt;\n", 1, "`//!`");
        assert!(found_in("src/util/a.rs", "#![allow(missing_docs)]\n//! Doc.\n").is_empty());
    }

    #[test]
    fn a_face_has_no_code() {
        assert_found("src/util/mod.rs", "//! D.\nmod a;\npub fn b() {}\n", 3, "`fn`");
        assert!(found_in("src/util/a.rs", "//! D.\nmod a;\npub fn b() {}\n").is_empty());
        let text = "//! D.\nmod a;\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
        assert!(found_in("src/util/mod.rs", text).is_empty());
    }

    #[test]
    fn a_matches_nobody_reads_is_found() {
        let text = "//! D.\nfn a() {\n    b();\n    matches!(c(), Some(_));\n}\n";
        assert_found("tests/a.rs", text, 4, "thrown away");
        assert!(
            found_in("tests/a.rs", "//! D.\nfn a() -> bool {\n    matches!(b, c)\n}\n").is_empty()
        );
    }
}
