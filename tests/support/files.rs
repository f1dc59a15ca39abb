//! Password and access control files for a broker under test.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::broker::Options;

/// Made by Debian's `mosquitto_passwd`: the password `secret`, and the password `other`.
const SECRET: &str = "$7$101$ilvhqNogFwBd76x5$cwwsaymwPa3JcSn7V9pu+5WkQLs68ESii0xU79jxiyF04g4mPzX\
                      Ku4W/QSkh9G+poquJtCWcehfgQ6hGSjyrYg==";
const OTHER: &str = "$7$101$wnknXeTe1jahZvGS$zlQF4FJVoc2Ntz10UUapmLqM4by0ViHEvkU1pRTQvY/rUoaXnmbs\
                     DieAMKn0InchfIMJ+5s+Ef/GiokvSNjNoA==";

/// A directory with a password file and perhaps an access control file.
pub struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    /// Users, each with the password `secret`.
    pub fn of(users: &[&str]) -> Files {
        let files = Files { directory: tempfile::tempdir().expect("a temporary directory") };
        files.secret(users, &[]);
        files
    }

    /// Writes the password file anew: users with the password `secret`, and with `other`.
    pub fn secret(&self, secret: &[&str], other: &[&str]) {
        let lines = |users: &[&str], hash: &str| -> String {
            users.iter().map(|user| format!("{user}:{hash}\n")).collect()
        };
        self.write("passwd", &(lines(secret, SECRET) + &lines(other, OTHER)));
    }

    /// Writes the access control file.
    pub fn acl(self, text: &str) -> Files {
        self.write("acl", text);
        self
    }

    /// Writes one of the files anew.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("write the file");
    }

    /// Gives a user a password with the program's own tool, hashed so often that a check takes a
    /// while.
    pub fn slow(&self, user: &str, password: &str, iterations: u32) {
        let done = Command::new(env!("CARGO_BIN_EXE_pondhawk"))
            .args(["passwd", "-I", &iterations.to_string(), "-b"])
            .arg(self.path("passwd"))
            .args([user, password])
            .status()
            .expect("the program runs");
        assert!(done.success());
    }

    /// Adds that many users with the password of `user`, called like it with a number behind.
    pub fn repeat(&self, user: &str, count: usize) {
        let text = fs::read_to_string(self.path("passwd")).expect("read the file");
        let of = |line: &str| line.strip_prefix(user)?.strip_prefix(':').map(str::to_owned);
        let hash = text.lines().find_map(of).expect("the user is there");
        let more: String = (0..count).map(|n| format!("{user}{n}:{hash}\n")).collect();
        self.write("passwd", &(text + &more));
    }

    /// A file of the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The options that name the files that there are; nobody without a name gets in.
    pub fn options(&self) -> Options {
        let mut options = Options::default().set("allow_anonymous", false);
        for (option, name) in [("password_file", "passwd"), ("acl_file", "acl")] {
            if self.path(name).exists() {
                options = options.set(option, format!("{:?}", self.path(name)));
            }
        }
        options
    }
}
