//! Going on as an ordinary user after a start as root.

use std::ffi::CString;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::{env, fs};

use nix::sys::stat::{Mode, umask};
use nix::unistd::{self, Gid, Uid, User};

/// The user when none is configured, as in Mosquitto, and who stands in where there is none.
const USUAL: &str = "mosquitto";
const STAND_IN: &str = "nobody";

/// Who the broker goes on as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The one it is.
    Same,
    /// A user of the system.
    User {
        /// The name, for the groups it is in.
        name: String,
        /// The number.
        uid: Uid,
        /// The number of the group.
        gid: Gid,
    },
    /// The numbers in `PUID` and `PGID`, of which 0 changes nothing.
    Numbers {
        /// The user's.
        uid: Uid,
        /// The group's.
        gid: Gid,
    },
}

/// Finds out who to go on as, and a sentence for the log about it.
///
/// # Errors
/// A sentence: the configured user does not exist, or a number is none.
pub(super) fn target(user: Option<&str>) -> Result<(Target, Option<String>), String> {
    if !Uid::effective().is_root() || env::var_os("SNAP_NAME").is_some_and(|name| name == USUAL) {
        return Ok((Target::Same, None));
    }
    let number = |name: &str| match env::var(name) {
        Ok(text) => text
            .parse::<u32>()
            .map(Some)
            .map_err(|_| format!("The environment variable {name} is no user's number: {text}.")),
        Err(_) => Ok(None),
    };
    match (number("PUID")?, number("PGID")?) {
        (None, None) => named(user.unwrap_or(USUAL)),
        (uid, gid) => {
            let uid = Uid::from_raw(uid.unwrap_or(0));
            let gid = Gid::from_raw(gid.unwrap_or(0));
            Ok((Target::Numbers { uid, gid }, None))
        }
    }
}

fn named(name: &str) -> Result<(Target, Option<String>), String> {
    if name == "root" {
        return Ok((Target::Same, Some("The broker runs as root, as configured.".into())));
    }
    let find = |name: &str| {
        User::from_name(name)
            .map_err(|error| format!("The user '{name}' cannot be looked up: {error}."))
    };
    let (user, warning) = match find(name)? {
        Some(user) => (user, None),
        None if name == USUAL => {
            let user = find(STAND_IN)?.ok_or_else(|| missing(STAND_IN))?;
            let warning = format!("There is no user '{USUAL}': going on as '{STAND_IN}'.");
            (user, Some(warning))
        }
        None => return Err(missing(name)),
    };
    Ok((Target::User { name: user.name, uid: user.uid, gid: user.gid }, warning))
}

fn missing(name: &str) -> String {
    format!("There is no user '{name}'. Make one, or set user in the configuration.")
}

/// Gives a file that root has made to the user, who has to open it again later.
pub(super) fn give(path: &Path, target: &Target) {
    let (uid, gid) = match target {
        Target::Same => return,
        Target::User { uid, gid, .. } | Target::Numbers { uid, gid } => (*uid, *gid),
    };
    let is_roots = fs::metadata(path).is_ok_and(|file| file.is_file() && file.uid() == 0);
    if is_roots && let Err(error) = unistd::chown(path, Some(uid), Some(gid)) {
        tracing::warn!("{} cannot be given to the user: {error}.", path.display());
    }
}

/// Goes on as `target`, in every thread.
///
/// # Errors
/// A sentence with what the system refused.
pub(super) fn drop_to(target: &Target) -> Result<(), String> {
    let failed = |error| format!("The privileges of root cannot be dropped: {error}.");
    match target {
        Target::Same => {}
        Target::User { name, uid, gid } => {
            let name = CString::new(name.as_str()).map_err(|error| error.to_string())?;
            unistd::initgroups(&name, *gid).map_err(failed)?;
            unistd::setgid(*gid).map_err(failed)?;
            unistd::setuid(*uid).map_err(failed)?;
        }
        Target::Numbers { uid, gid } => {
            if gid.as_raw() != 0 {
                unistd::setgroups(&[*gid]).map_err(failed)?;
                unistd::setgid(*gid).map_err(failed)?;
            }
            if uid.as_raw() != 0 {
                unistd::setuid(*uid).map_err(failed)?;
            }
        }
    }
    if *target != Target::Same && Uid::effective().is_root() {
        tracing::warn!("The broker goes on as root: it should have a user of its own.");
    }
    Ok(())
}

/// Sets the mask of new files' permissions to the octal number in `UMASK_SET`, if there is one.
///
/// # Errors
/// A sentence when it is no such number.
pub(super) fn set_umask() -> Result<(), String> {
    let Ok(text) = env::var("UMASK_SET") else { return Ok(()) };
    let mask = u32::from_str_radix(&text, 8).ok().and_then(Mode::from_bits);
    let mask =
        mask.ok_or_else(|| format!("The environment variable UMASK_SET is no mask: {text}."))?;
    umask(mask);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configured_user_has_to_exist() {
        let said = named("no-such-user").expect_err("there is none");
        assert!(said.starts_with("There is no user 'no-such-user'"), "{said}");
        assert_eq!(named("root").expect("allowed").0, Target::Same);
        let (target, _) = named(STAND_IN).expect("every system has it");
        assert!(matches!(target, Target::User { .. }));
    }

    #[test]
    fn without_one_it_is_mosquitto_or_nobody() {
        let (target, warning) = named(USUAL).expect("one of them is there");
        let Target::User { name, .. } = target else { panic!("a user") };
        assert_eq!(name == USUAL, warning.is_none());
        assert!([USUAL, STAND_IN].contains(&name.as_str()));
    }
}
