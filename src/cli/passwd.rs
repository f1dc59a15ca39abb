//! `pondhawk passwd`: makes and changes password files, with the options of `mosquitto_passwd`.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::passwd_file::{self, Lines};
use crate::auth::{Credential, PBKDF2_ITERATIONS, Scheme};
use crate::control::random;

/// The longest user name and password in bytes: what a CONNECT can carry.
const LONGEST: usize = 65_535;

/// What is wrong, in one sentence with its full stop.
pub(super) type Failure = String;

/// Runs on the words after `passwd`. Exits with 0, or with 1 after an error.
pub fn main(words: impl Iterator<Item = OsString>) -> ExitCode {
    let words = std::iter::once("pondhawk passwd".into()).chain(words);
    let matches = match command().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(text) => {
            // Nobody is left to tell if this cannot be printed.
            let _ = text.print();
            return if text.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    match run(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            // As above.
            let _ = writeln!(io::stderr(), "Error: {what}");
            ExitCode::FAILURE
        }
    }
}

/// What the words after `passwd` may be.
pub(super) fn command() -> Command {
    let flag = |name: &'static str, short, help| {
        Arg::new(name).short(short).action(ArgAction::SetTrue).help(help)
    };
    Command::new("pondhawk passwd")
        .about("Make and change password files, as mosquitto_passwd does")
        .override_usage(
            "pondhawk passwd [-H HASH] [-I ITERATIONS] [-c | -D] FILE USER\n       \
             pondhawk passwd [-H HASH] [-I ITERATIONS] [-c] -b FILE USER PASSWORD\n       \
             pondhawk passwd [-H HASH] [-I ITERATIONS] -U FILE",
        )
        .arg(
            Arg::new("hash")
                .short('H')
                .value_name("HASH")
                .value_parser(["argon2id", "sha512-pbkdf2", "sha512"])
                .default_value("sha512-pbkdf2")
                .help("How passwords are hashed; every version of Mosquitto 2 reads the default"),
        )
        .arg(
            Arg::new("iterations")
                .short('I')
                .value_name("ITERATIONS")
                .value_parser(value_parser!(u32).range(1..))
                .help(format!("Iterations of sha512-pbkdf2 [default: {PBKDF2_ITERATIONS}]")),
        )
        .arg(
            flag(
                "create",
                'c',
                "Make a new file, in place of one of that name; FILE may be -, \
                 for standard output",
            )
            .conflicts_with_all(["delete", "upgrade"]),
        )
        .arg(
            flag("delete", 'D', "Delete the user")
                .conflicts_with_all(["create", "upgrade", "batch"]),
        )
        .arg(
            flag(
                "upgrade",
                'U',
                "Hash the passwords of a file that has them in plain text; \
                 a file that was hashed already is spoilt by that",
            )
            .conflicts_with_all(["create", "delete", "batch"]),
        )
        .arg(flag("batch", 'b', "Take the password from the command line, where others can see it"))
        .args(names())
}

/// What stands behind the flags.
fn names() -> [Arg; 3] {
    [
        Arg::new("file")
            .value_name("FILE")
            .required(true)
            .value_parser(value_parser!(PathBuf))
            .help("The password file"),
        Arg::new("user")
            .value_name("USER")
            .required_unless_present("upgrade")
            .conflicts_with("upgrade")
            .help("The user name"),
        Arg::new("password")
            .value_name("PASSWORD")
            .required_if_eq("batch", "true")
            .allow_hyphen_values(true)
            .requires("batch")
            .help("The password, with -b"),
    ]
}

fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let file = matches.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    let scheme = scheme(matches);
    if matches.get_flag("upgrade") {
        let mut lines = Lines::read(&file)?;
        lines.hash_all(|password| make(scheme, password))?;
        return passwd_file::replace(&file, &lines);
    }
    let user = matches.get_one::<String>("user").map(String::as_str).unwrap_or_default();
    check_user(user)?;
    if matches.get_flag("delete") {
        let mut lines = Lines::read(&file)?;
        if !lines.delete(user) {
            return Err(format!("user {user:?} is not in {}.", file.display()));
        }
        return passwd_file::replace(&file, &lines);
    }
    let create = matches.get_flag("create");
    let mut lines = if create { Lines::default() } else { Lines::read(&file)? };
    let password = match matches.get_one::<String>("password") {
        Some(password) => password.clone(),
        None => ask_twice()?,
    };
    lines.set(user, make(scheme, password.as_bytes())?.encoded());
    if create && file.as_os_str() == "-" {
        return io::stdout().write_all(lines.text().as_bytes()).map_err(|e| format!("{e}."));
    }
    passwd_file::replace(&file, &lines)
}

fn scheme(matches: &ArgMatches) -> Scheme {
    let iterations = matches.get_one("iterations").copied().unwrap_or(PBKDF2_ITERATIONS);
    match matches.get_one::<String>("hash").map(String::as_str) {
        Some("argon2id") => Scheme::Argon2id,
        Some("sha512") => Scheme::Sha512,
        _ => Scheme::Pbkdf2(iterations),
    }
}

fn make(scheme: Scheme, password: &[u8]) -> Result<Credential, Failure> {
    if password.len() > LONGEST {
        return Err(format!("a password may have at most {LONGEST} bytes."));
    }
    let mut salt = vec![0; scheme.salt_len()];
    random::fill(&mut salt).map_err(|error| format!("{error}."))?;
    Ok(Credential::make(scheme, password, &salt))
}

/// A name with a colon or a line's end in it would be read as something else.
fn check_user(user: &str) -> Result<(), Failure> {
    match user {
        "" => Err("the user name is empty.".into()),
        _ if user.contains(':') => Err("the user name must not contain the ':' character.".into()),
        _ if user.chars().any(char::is_control) => {
            Err("the user name must not contain control characters.".into())
        }
        _ if user.trim() != user || user.starts_with('#') => {
            Err("the user name must not begin or end with a blank, nor begin with '#'.".into())
        }
        _ if user.len() > LONGEST => Err(format!("a user name may have at most {LONGEST} bytes.")),
        _ => Ok(()),
    }
}

/// Without echo from a terminal, else from standard input, a line each.
fn ask_twice() -> Result<String, Failure> {
    let first = ask("Password: ")?;
    if first.is_empty() {
        return Err("the password is empty.".into());
    }
    if ask("Reenter password: ")? != first {
        return Err("the passwords do not match.".into());
    }
    Ok(first)
}

fn ask(prompt: &str) -> Result<String, Failure> {
    let failed = |error: &dyn Display| format!("the password cannot be read: {error}.");
    if io::stdin().is_terminal() {
        return rpassword::prompt_password(prompt).map_err(|error| failed(&error));
    }
    let mut line = String::new();
    match io::stdin().lock().read_line(&mut line) {
        Ok(0) => Err(failed(&"standard input has ended")),
        Ok(_) => Ok(line.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) => Err(failed(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn what_excludes_each_other_is_refused() {
        for (words, good) in [
            (&["-c", "f", "u"][..], true),
            (&["-c", "-b", "f", "u", "p"], true),
            (&["-b", "f", "u", "-p"], true),
            (&["-D", "f", "u"], true),
            (&["-U", "f"], true),
            (&["-H", "argon2id", "f", "u"], true),
            (&["-I", "1", "f", "u"], true),
            (&["f", "u"], true),
            (&["-c", "-D", "f", "u"], false),
            (&["-c", "-U", "f"], false),
            (&["-D", "-U", "f"], false),
            (&["-b", "-D", "f", "u", "p"], false),
            (&["-b", "f", "u"], false),
            (&["-U", "f", "u"], false),
            (&["f", "u", "p"], false),
            (&["f"], false),
            (&[], false),
            (&["-I", "0", "f", "u"], false),
            (&["-I", "4294967296", "f", "u"], false),
            (&["-H", "md5", "f", "u"], false),
        ] {
            let all = std::iter::once("passwd").chain(words.iter().copied());
            assert_eq!(command().try_get_matches_from(all).is_ok(), good, "{words:?}");
        }
    }

    #[test]
    fn names_that_would_spoil_the_file_are_refused() {
        for bad in ["", "a:b", "a\nb", "\u{7}", " a", "a ", "#a"] {
            assert!(check_user(bad).is_err(), "{bad:?}");
        }
        assert!(check_user(&"n".repeat(LONGEST + 1)).is_err());
        for good in ["bob", "the boss", "b#b", "ütf"] {
            assert!(check_user(good).is_ok(), "{good:?}");
        }
    }
}
