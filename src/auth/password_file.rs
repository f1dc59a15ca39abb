//! The password file: one `user:hash` a line.

use super::{Credential, FileError, FileWarning, Users};

/// What a line of a file holds.
enum Line<'a> {
    Nothing,
    Skipped(&'static str),
    User(&'a str, Credential),
}

/// Reads a password file. Lines without a colon are skipped with a warning, as Mosquitto skips
/// them; any other fault refuses the whole file.
///
/// # Errors
/// The first line that is wrong, and why.
pub fn parse_password_file(text: &[u8]) -> Result<(Users, Vec<FileWarning>), FileError> {
    let mut users = Users::default();
    let mut warnings = Vec::new();
    let mut decoy: Option<Credential> = None;
    for (line, bytes) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| FileError::new(line, "it is not UTF-8: write it anew"))?;
        match parse_line(text).map_err(|what| FileError::new(line, what))? {
            Line::Nothing => {}
            Line::Skipped(what) => warnings.push(FileWarning::new(line, what)),
            Line::User(name, credential) => {
                if decoy.as_ref().is_none_or(|dearest| dearest.cost() < credential.cost()) {
                    decoy = Some(credential.decoy());
                }
                if !users.add(name, credential) {
                    let what = format!("user {name:?} is there twice: delete one of the lines");
                    return Err(FileError::new(line, what));
                }
            }
        }
    }
    if let Some(decoy) = decoy {
        users.set_decoy(decoy);
    }
    Ok((users, warnings))
}

fn parse_line(text: &str) -> Result<Line<'_>, String> {
    if text.starts_with('#') || text.trim().is_empty() {
        return Ok(Line::Nothing);
    }
    let Some((name, encoded)) = text.split_once(':') else {
        return Ok(Line::Skipped("skipped, since it has no colon: user:hash is expected"));
    };
    let (name, encoded) = (name.trim(), encoded.trim());
    if name.is_empty() {
        return Err("the user name is empty".into());
    }
    if name.len() > usize::from(u16::MAX) {
        return Err("the user name is longer than 65535 bytes".into());
    }
    if encoded.is_empty() {
        return Err(format!("user {name:?} has no hash: make one with `pondhawk passwd`"));
    }
    let credential = Credential::parse(encoded).map_err(|what| {
        format!("user {name:?} cannot be read: {what}; make it anew with `pondhawk passwd`")
    })?;
    Ok(Line::User(name, credential))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Scheme;

    fn entry(name: &str, scheme: Scheme) -> String {
        format!("{name}:{}\n", Credential::make(scheme, b"pw", &[0; 64]).encoded())
    }

    #[test]
    fn users_comments_and_blanks_are_read() {
        let text = format!(
            "# made by hand\n\n  \r\n{} ann :{}\r\n",
            entry("bob", Scheme::Pbkdf2(2)),
            Credential::make(Scheme::Sha512, b"x", &[0; 64]).encoded()
        );
        let (users, warnings) = parse_password_file(text.as_bytes()).expect("is good");
        assert_eq!((users.len(), warnings.len()), (2, 0));
        assert!(users.find("ann").expect("ann").verify(b"x"));
        assert!(users.find("bob").expect("bob").verify(b"pw"));
        assert!(users.find("nobody").is_none());
        let decoy = users.decoy().expect("there are users").encoded();
        assert!(decoy.starts_with("$7$2$"), "the dearer one: {decoy}");
    }

    #[test]
    fn an_empty_file_has_nobody() {
        for text in ["", "\n\n", "# only comments\n"] {
            let (users, warnings) = parse_password_file(text.as_bytes()).expect("is good");
            assert!(users.is_empty() && warnings.is_empty() && users.decoy().is_none());
        }
    }

    #[test]
    fn c17_a_line_of_garbage_is_reported_and_never_a_login() {
        let text = format!("garbage\n{}\t\n", entry("bob", Scheme::Sha512));
        let (users, warnings) = parse_password_file(text.as_bytes()).expect("is read");
        assert_eq!(users.len(), 1);
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].line, 1);
        assert!(users.find("garbage").is_none());
    }

    #[test]
    fn c17_a_wrong_line_refuses_the_whole_file_by_its_number() {
        let good = entry("bob", Scheme::Sha512);
        for (bad, why) in [
            (entry("bob", Scheme::Sha512), "twice"),
            ("ann:\n".into(), "no hash"),
            (":$6$a$b\n".into(), "empty"),
            ("ann:plain\n".into(), "none of"),
            (format!("{}:x\n", "n".repeat(65_536)), "65535"),
        ] {
            let text = format!("{good}# a comment\n{bad}");
            let error = parse_password_file(text.as_bytes()).expect_err(&bad);
            assert_eq!(error.line, 3, "{error:?}");
            assert!(error.what.contains(why), "{error:?}");
        }
        let error = parse_password_file(b"a:\xFF\n").expect_err("not UTF-8");
        assert_eq!(error.line, 1);
    }
}
