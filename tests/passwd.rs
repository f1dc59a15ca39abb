//! `pondhawk passwd` beside Debian's `mosquitto_passwd` and `mosquitto`: what one writes the other
//! reads.
#![cfg(feature = "broker")]

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use support::Version::V311;
use support::broker::{Broker, Options};
use support::bytes::Connect;
use support::client::Client;
use support::fresh;

fn passwd(arguments: &[&str], input: &str) -> Output {
    run(env!("CARGO_BIN_EXE_pondhawk"), &[&["passwd"], arguments].concat(), input)
}

fn run(program: &str, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("start {program}: {error}"));
    // A program that needs no input may have ended already.
    let _ = child.stdin.take().expect("stdin is piped").write_all(input.as_bytes());
    child.wait_with_output().expect("wait for the program")
}

#[track_caller]
fn done(output: Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[track_caller]
fn refused(output: Output, why: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(why), "{said}");
}

struct File {
    _directory: tempfile::TempDir,
    path: String,
}

impl File {
    fn new() -> File {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("passwd").display().to_string();
        File { _directory: directory, path }
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).expect("read the file")
    }
}

/// Which of these users get in with these passwords.
fn who_gets_in(file: &Path, logins: &[(&str, &str)]) -> Vec<bool> {
    let options = Options::default()
        .set("allow_anonymous", false)
        .set("password_file", format!("{:?}", file.display().to_string()));
    let broker = Broker::start(1, &options);
    let enters = |(user, password): &(&str, &str)| {
        let mut client = Client::open(&broker, V311);
        client.send(Connect::new(V311, &fresh("login")).login(user, password).bytes());
        client.connack().code == 0
    };
    logins.iter().map(enters).collect()
}

#[test]
fn a_file_is_made_changed_and_emptied() {
    let file = File::new();
    refused(passwd(&[&file.path, "ann"], "x\nx\n"), "-c makes one");
    done(passwd(&["-c", &file.path, "ann"], "first\nfirst\n"));
    let mode = fs::metadata(&file.path).expect("is there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    done(passwd(&["-b", &file.path, "bob", "pw"], ""));
    done(passwd(&["-H", "sha512", "-b", &file.path, "eve", "-pw"], ""));
    done(passwd(&["-H", "argon2id", "-b", &file.path, "argon", "pw"], ""));
    done(passwd(&["-I", "7", "-b", &file.path, "seven", "pw"], ""));
    let before = file.text();
    let starts: Vec<&str> = before.lines().collect();
    for (line, start) in starts.iter().zip([
        "ann:$7$1000$",
        "bob:$7$1000$",
        "eve:$6$",
        "argon:$argon2id$v=19$m=47104,t=1,p=1$",
        "seven:$7$7$",
    ]) {
        assert!(line.starts_with(start), "{line}");
    }
    done(passwd(&[&file.path, "ann"], "second\nsecond\n"));
    let logins = [
        ("ann", "first"),
        ("ann", "second"),
        ("bob", "pw"),
        ("eve", "-pw"),
        ("argon", "pw"),
        ("seven", "pw"),
    ];
    let expected = [false, true, true, true, true, true];
    assert_eq!(who_gets_in(file.path.as_ref(), &logins), expected);
    done(passwd(&["-D", &file.path, "bob"], ""));
    assert_eq!(file.text().lines().count(), 4);
    refused(passwd(&["-D", &file.path, "bob"], ""), "\"bob\" is not in");
    done(passwd(&["-c", "-b", &file.path, "only", "pw"], ""));
    assert_eq!(file.text().lines().count(), 1, "-c begins anew");
}

#[test]
fn what_would_spoil_the_file_changes_nothing() {
    let file = File::new();
    done(passwd(&["-c", "-b", &file.path, "ann", "pw"], ""));
    let before = file.text();
    refused(passwd(&[&file.path, "bob"], "one\ntwo\n"), "do not match");
    refused(passwd(&[&file.path, "bob"], "\n\n"), "empty");
    refused(passwd(&[&file.path, "bob"], ""), "standard input has ended");
    refused(passwd(&["-b", &file.path, "a:b", "pw"], ""), "':'");
    refused(passwd(&["-b", &file.path, "a\nb", "pw"], ""), "control characters");
    refused(passwd(&["-b", &file.path, "", "pw"], ""), "empty");
    refused(passwd(&["-c", "-D", &file.path, "ann"], ""), "cannot be used with");
    refused(passwd(&["-b", "-D", &file.path, "ann", "pw"], ""), "cannot be used with");
    refused(passwd(&["-I", "0", "-b", &file.path, "ann", "pw"], ""), "0");
    refused(passwd(&["-H", "md5", "-b", &file.path, "ann", "pw"], ""), "md5");
    assert_eq!(file.text(), before);
}

#[test]
fn a_new_file_may_go_to_standard_output() {
    let output = passwd(&["-c", "-b", "-", "ann", "pw"], "");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    done(output);
    assert!(text.starts_with("ann:$7$1000$") && text.lines().count() == 1, "{text}");
}

#[test]
fn files_of_mosquitto_passwd_are_read_and_changed() {
    let file = File::new();
    done(run("mosquitto_passwd", &["-c", "-b", &file.path, "ann", "debian"], ""));
    done(passwd(&["-b", &file.path, "bob", "ours"], ""));
    done(run("mosquitto_passwd", &["-b", &file.path, "eve", "debian"], ""));
    done(run("mosquitto_passwd", &["-b", &file.path, "bob", "debian"], ""));
    done(passwd(&["-b", &file.path, "ann", "ours"], ""));
    let logins = [("ann", "ours"), ("bob", "debian"), ("eve", "debian"), ("ann", "debian")];
    assert_eq!(who_gets_in(file.path.as_ref(), &logins), [true, true, true, false]);
}

#[test]
fn a_file_in_plain_text_is_hashed_by_either_tool() {
    for ours in [true, false] {
        let file = File::new();
        fs::write(&file.path, "ann:plain\nbob:pa:ss\n").expect("write the file");
        done(match ours {
            true => passwd(&["-U", &file.path], ""),
            false => run("mosquitto_passwd", &["-U", &file.path], ""),
        });
        assert!(!file.text().contains("plain"));
        let logins = [("ann", "plain"), ("ann", "wrong")];
        assert_eq!(who_gets_in(file.path.as_ref(), &logins), [true, false]);
    }
}

/// Debian's broker reads what this tool writes by default, and with SHA-512.
#[test]
fn mosquitto_lets_in_whom_our_file_names() {
    let file = File::new();
    done(passwd(&["-c", "-b", &file.path, "ann", "pw"], ""));
    done(passwd(&["-H", "sha512", "-b", &file.path, "bob", "pw"], ""));
    // Mosquitto gives up root's rights before it reads the file.
    let all = fs::Permissions::from_mode(0o755);
    fs::set_permissions(Path::new(&file.path).parent().expect("a directory"), all.clone())
        .expect("chmod");
    fs::set_permissions(&file.path, all).expect("chmod");
    let mosquitto = Mosquitto::start(&file.path);
    for (user, password, code) in
        [("ann", "pw", 0), ("bob", "pw", 0), ("ann", "no", 5), ("eve", "pw", 5)]
    {
        let mut client = Client::dial(mosquitto.address, V311);
        client.send(Connect::new(V311, &fresh("login")).login(user, password).bytes());
        assert_eq!(client.connack().code, code, "{user}");
    }
}

struct Mosquitto {
    child: std::process::Child,
    address: std::net::SocketAddr,
    _config: tempfile::TempDir,
}

impl Mosquitto {
    fn start(password_file: &str) -> Mosquitto {
        use std::io::{BufRead, BufReader};
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("its address");
        drop(free);
        let directory = tempfile::tempdir().expect("a temporary directory");
        let config = directory.path().join("mosquitto.conf");
        let port = address.port();
        let text =
            format!("log_dest stderr\nlistener {port} 127.0.0.1\npassword_file {password_file}\n");
        fs::write(&config, text).expect("write the configuration");
        let mut child = Command::new("/usr/sbin/mosquitto")
            .arg("-c")
            .arg(&config)
            .stderr(Stdio::piped())
            .spawn()
            .expect("start Mosquitto; tests/run installs it");
        let mut lines = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        let running = lines.by_ref().map_while(Result::ok).any(|line| line.ends_with(" running"));
        assert!(running, "Mosquitto ended");
        // Someone has to read what it goes on to say.
        std::thread::spawn(move || lines.for_each(drop));
        Mosquitto { child, address, _config: directory }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        // Both fail only when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
