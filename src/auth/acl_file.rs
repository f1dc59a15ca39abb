//! The access control file, in Mosquitto's format.
//!
//! ```text
//! # Clients without a name, until the first "user" line
//! topic read public/#
//! user ann
//! topic readwrite ann/#
//! topic deny ann/secret
//! # For everybody
//! pattern write sensor/%u/data
//! ```

use super::acl::AclBuilder;
use super::{Acl, FileError, FileWarning, Grants};
use crate::protocol::check_topic_filter;

/// Reads an access control file.
///
/// # Errors
/// The first line that is wrong, and why.
pub fn parse_acl_file(text: &[u8]) -> Result<(Acl, Vec<FileWarning>), FileError> {
    let mut reader = Reader::default();
    for (number, bytes) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let line = std::str::from_utf8(bytes)
            .map_err(|_| FileError::new(number, "it is not UTF-8: write it anew"))?;
        reader.line(number, line).map_err(|what| FileError::new(number, what))?;
    }
    Ok((reader.acl.finish(), reader.warnings))
}

#[derive(Default)]
struct Reader<'a> {
    acl: AclBuilder,
    user: Option<&'a str>,
    warnings: Vec<FileWarning>,
}

impl<'a> Reader<'a> {
    fn line(&mut self, number: usize, line: &'a str) -> Result<(), String> {
        let line = line.trim_end();
        if line.starts_with('#') || line.trim_start_matches(' ').is_empty() {
            return Ok(());
        }
        let line = line.trim_start_matches(' ');
        let (keyword, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match keyword {
            "user" if rest.is_empty() => Err("the user name is missing".into()),
            "user" => {
                self.user = Some(rest);
                Ok(())
            }
            "topic" => {
                let (filter, grants) = rule(rest)?;
                self.acl.topic(self.user, filter, grants);
                Ok(())
            }
            "pattern" => {
                let (filter, grants) = rule(rest)?;
                self.look_at_pattern(number, filter);
                self.acl.pattern(filter, grants);
                Ok(())
            }
            other => Err(format!("{other:?} is none of user, topic and pattern")),
        }
    }

    /// `%u` and `%c` count as whole levels only.
    fn look_at_pattern(&mut self, number: usize, filter: &str) {
        let mut whole = false;
        for level in filter.split('/') {
            whole |= matches!(level, "%u" | "%c");
            if !matches!(level, "%u" | "%c") && (level.contains("%u") || level.contains("%c")) {
                let what = format!(
                    "%u and %c are replaced only where they are a whole level, so {level:?} is \
                     taken as it stands"
                );
                self.warnings.push(FileWarning::new(number, what));
                return;
            }
        }
        if !whole {
            let what = "a pattern without %u and %c holds for every Client alike";
            self.warnings.push(FileWarning::new(number, what));
        }
    }
}

/// `[access] filter`. A filter with spaces in it needs the access in front.
fn rule(text: &str) -> Result<(&str, Grants), String> {
    let (filter, grants) = match text.split_once(' ') {
        None => (text, Grants::BOTH),
        Some((access, filter)) => (filter.trim(), grants(access)?),
    };
    if filter.is_empty() {
        return Err("the topic is missing".into());
    }
    check_topic_filter(filter).map_err(|error| format!("{filter:?}: {}", error.what))?;
    Ok((filter, grants))
}

fn grants(access: &str) -> Result<Grants, String> {
    match access {
        "read" => Ok(Grants::READ),
        "write" => Ok(Grants::WRITE),
        "readwrite" => Ok(Grants::BOTH),
        "deny" => Ok(Grants::DENY),
        other => Err(format!(
            "{other:?} is none of read, write, readwrite and deny; a topic with a space in it \
             needs one of them in front"
        )),
    }
}
