//! Reading password and access control files, before a configuration comes into force.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha512};

use super::{Prepare, secrets};
use crate::auth::{
    Acl, FileError, FileWarning, Policies, Policy, Users, parse_acl_file, parse_password_file,
};
use crate::config::{Identity, ListenerRuntime, Mistake, Mistakes};
use crate::protocol::check_topic_name;
use crate::shard::Settings;

/// The step that makes the policies.
///
/// It remembers what it made last: a file that has not changed gives the very same list, and when
/// none has, the policies keep their generation, so that a reload for another reason disturbs no
/// decision.
#[derive(Default)]
pub struct AccessFiles {
    last: RefCell<Last>,
}

#[derive(Clone, Default)]
struct Last {
    users: HashMap<PathBuf, Parsed<Users>>,
    acls: HashMap<PathBuf, Parsed<Acl>>,
    policies: Option<Arc<Policies>>,
}

/// A file's content, by its digest, and what it says.
struct Parsed<T> {
    digest: [u8; 64],
    value: Arc<T>,
}

impl<T> Clone for Parsed<T> {
    fn clone(&self) -> Self {
        Self { digest: self.digest, value: Arc::clone(&self.value) }
    }
}

impl Prepare for AccessFiles {
    fn prepare(&self, settings: &mut Settings) -> Result<Vec<String>, Mistakes> {
        let last = self.last.borrow().clone();
        let mut reading = Reading {
            old: &last,
            new: Last::default(),
            mistakes: Vec::new(),
            warnings: Vec::new(),
        };
        let listeners = settings.runtime.listeners.iter();
        let zones: Vec<_> = listeners.map(|one| (one.id, reading.policy(one))).collect();
        if !reading.mistakes.is_empty() {
            return Err(Mistakes(reading.mistakes));
        }
        let Reading { mut new, mut warnings, .. } = reading;
        let policies = match last.policies.filter(|policies| same(policies.zones(), &zones)) {
            Some(unchanged) => {
                // Said once, not at every reload.
                warnings.clear();
                unchanged
            }
            None => {
                // Counted from all that were made, so that none has the number of another.
                let before = self.last.borrow().policies.as_ref().map_or(0, |p| p.generation());
                Arc::new(Policies::new(before + 1, zones))
            }
        };
        new.policies = Some(Arc::clone(&policies));
        *self.last.borrow_mut() = new;
        settings.policies = policies;
        Ok(warnings)
    }
}

fn same(old: &[(u32, Arc<Policy>)], new: &[(u32, Arc<Policy>)]) -> bool {
    let same_policy = |a: &Policy, b: &Policy| {
        a.allow_anonymous == b.allow_anonymous
            && same_list(&a.users, &b.users)
            && same_list(&a.acl, &b.acl)
    };
    let mut pairs = old.iter().zip(new);
    old.len() == new.len() && pairs.all(|(a, b)| a.0 == b.0 && same_policy(&a.1, &b.1))
}

fn same_list<T>(a: &Option<Arc<T>>, b: &Option<Arc<T>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    }
}

struct Reading<'a> {
    old: &'a Last,
    new: Last,
    mistakes: Vec<Mistake>,
    warnings: Vec<String>,
}

impl Reading<'_> {
    fn policy(&mut self, listener: &ListenerRuntime) -> Arc<Policy> {
        let security = &listener.security;
        self.check_mount_point(listener);
        let users = security.password_file.as_deref().and_then(|path| self.users(path));
        let acl = security.acl_file.as_deref().and_then(|path| self.acl(path));
        let names_count = users.is_some() || listener.identity != Identity::None;
        if acl.as_ref().is_some_and(|acl| acl.user_count() > 0) && !names_count {
            self.warnings.push(format!(
                "Listener on port {}: the acl_file has rules for users, but without a \
                 password_file any client may call itself what it likes.",
                listener.port
            ));
        }
        if !security.allow_anonymous && !names_count {
            self.warnings.push(format!(
                "Listener on port {}: allow_anonymous is false and there is no password_file, so \
                 every client will be refused. Set one of the two.",
                listener.port
            ));
        }
        Arc::new(Policy { allow_anonymous: security.allow_anonymous, users, acl })
    }

    fn check_mount_point(&mut self, listener: &ListenerRuntime) {
        let Some(mount) = &listener.mount_point else { return };
        if let Err(error) = check_topic_name(mount) {
            self.mistakes.push(Mistake {
                file: String::new(),
                line: 0,
                option: "mount_point".into(),
                what: format!("option 'mount_point' is {mount:?}: {}", error.what),
                mend: "Give the beginning of a topic, without + and #".into(),
            });
        }
    }

    fn users(&mut self, path: &Path) -> Option<Arc<Users>> {
        if let Some(done) = self.new.users.get(path) {
            return Some(Arc::clone(&done.value));
        }
        let old = self.old.users.get(path);
        // Hashes can be guessed at leisure by whoever has them.
        let secret = secrets::read(path).map(|(text, warning)| {
            self.warnings.extend(warning);
            text
        });
        let parsed = self.read(path, secret, "password_file", old, parse_password_file)?;
        self.new.users.insert(path.into(), parsed.clone());
        Some(parsed.value)
    }

    fn acl(&mut self, path: &Path) -> Option<Arc<Acl>> {
        if let Some(done) = self.new.acls.get(path) {
            return Some(Arc::clone(&done.value));
        }
        let old = self.old.acls.get(path);
        let parsed = self.read(path, fs::read(path), "acl_file", old, parse_acl_file)?;
        self.new.acls.insert(path.into(), parsed.clone());
        Some(parsed.value)
    }

    fn read<T>(
        &mut self,
        path: &Path,
        text: io::Result<Vec<u8>>,
        option: &str,
        old: Option<&Parsed<T>>,
        parse: impl FnOnce(&[u8]) -> Result<(T, Vec<FileWarning>), FileError>,
    ) -> Option<Parsed<T>> {
        let file = path.display().to_string();
        let mut mistake = |line, what, mend: &str| {
            let (file, option, mend) = (file.clone(), option.into(), mend.into());
            self.mistakes.push(Mistake { file, line, option, what, mend });
        };
        let text = match text {
            Ok(text) => text,
            Err(error) => {
                let what = format!("the {option} cannot be read: {error}");
                mistake(0, what, "Check its name and permissions");
                return None;
            }
        };
        let digest: [u8; 64] = Sha512::digest(&text).into();
        if let Some(old) = old.filter(|old| old.digest == digest) {
            return Some(old.clone());
        }
        match parse(&text) {
            Ok((value, warnings)) => {
                for FileWarning { line, what } in warnings {
                    self.warnings.push(format!("{file}:{line}: {what}."));
                }
                Some(Parsed { digest, value: Arc::new(value) })
            }
            Err(FileError { line, what }) => {
                mistake(line, what, "");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::table::Listener;
    use crate::config::{Config, Runtime};

    fn runtime(directory: &Path, change: impl FnOnce(&mut Config)) -> Runtime {
        let path = |name: &str| Some(directory.join(name).display().to_string());
        let listeners = vec![Listener::default(), Listener::default()];
        let mut config = Config { listeners, ..Config::default() };
        config.security.password_file = path("passwd");
        config.security.acl_file = path("acl");
        change(&mut config);
        config.compile(1)
    }

    fn files(acl: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::write(directory.path().join("passwd"), "# nobody yet\n").expect("write");
        fs::write(directory.path().join("acl"), acl).expect("write");
        directory
    }

    fn prepare(step: &AccessFiles, runtime: Runtime) -> Result<Arc<Policies>, String> {
        let mut settings = Settings::from(runtime);
        step.prepare(&mut settings).map_err(|mistakes| mistakes.to_string())?;
        Ok(settings.policies)
    }

    #[test]
    fn files_that_have_not_changed_leave_the_policies_as_they_are() {
        let directory = files("topic a\n");
        let step = AccessFiles::default();
        let made = || prepare(&step, runtime(directory.path(), |_| {})).expect("is good");
        let first = made();
        assert!(first.restricted());
        let zones = first.zones();
        assert!(same_list(&zones[0].1.acl, &zones[1].1.acl), "one file is read once");
        assert!(Arc::ptr_eq(&first, &made()));
        fs::write(directory.path().join("acl"), "topic b\n").expect("write");
        let second = made();
        assert_eq!(second.generation(), first.generation() + 1);
        assert!(same_list(&first.zones()[0].1.users, &second.zones()[0].1.users));
        let anonymous = |config: &mut Config| config.security.allow_anonymous = Some(true);
        let third = prepare(&step, runtime(directory.path(), anonymous)).expect("is good");
        assert_eq!(third.generation(), first.generation() + 2);
    }

    #[test]
    fn what_is_wrong_is_named_with_file_and_line() {
        let directory = files("topic a\ntopik b\n");
        let step = AccessFiles::default();
        let at = directory.path().display();
        let said = prepare(&step, runtime(directory.path(), |_| {})).expect_err("is wrong");
        assert!(said.starts_with(&format!("{at}/acl:2: \"topik\" is none of")), "{said}");
        fs::write(directory.path().join("acl"), "").expect("write");
        fs::remove_file(directory.path().join("passwd")).expect("remove");
        let said = prepare(&step, runtime(directory.path(), |_| {})).expect_err("is wrong");
        assert!(said.contains(&format!("{at}/passwd: the password_file cannot be read")), "{said}");
        let mount = |config: &mut Config| {
            config.security.password_file = None;
            config.listeners[1].access.mount_point = Some("a/#/".into());
        };
        let said = prepare(&step, runtime(directory.path(), mount)).expect_err("is wrong");
        assert!(said.contains("option 'mount_point'"), "{said}");
    }
}
