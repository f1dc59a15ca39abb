//! Users, passwords and what they may do.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::clients::{To, hello, succeeds};
use crate::program::{Program, broker, free_port, is_foreign, pondhawk};

fn user(to: &To, name: &str, password: &str) -> To {
    to.clone().with(&["-u", name, "-P", password])
}

/// Deny anonymous clients; one user made by the tool.
fn tour_with_password_tool(mut tool: Command) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("passwd");
    succeeds(tool.args(["-c", "-b"]).arg(&file).args(["bob", "secret"]));
    open_to_the_broker(directory.path());
    let port = free_port();
    let _program = Program::configured(&format!(
        "listener {port}\nallow_anonymous false\npassword_file {}\n",
        file.display()
    ));
    let to = To::port(port);
    to.refused();
    user(&to, "bob", "guess").refused();
    user(&to, "eve", "secret").refused();
    hello(&user(&to, "bob", "secret"));
}

/// Mosquitto gives up root before it reads these.
fn open_to_the_broker(directory: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).expect("chmod");
    for entry in fs::read_dir(directory).expect("a directory").filter_map(Result::ok) {
        fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o644)).expect("chmod");
    }
}

#[test]
fn a_user_made_by_mosquitto_passwd_gets_in_and_nobody_else() {
    tour_with_password_tool(Command::new("mosquitto_passwd"));
}

#[test]
fn a_user_made_by_our_own_passwd_gets_in_and_nobody_else() {
    let mut command = Command::new(pondhawk());
    command.arg("passwd");
    if is_foreign() {
        // What Debian's Mosquitto can read.
        command.args(["-H", "sha512-pbkdf2"]);
    }
    tour_with_password_tool(command);
}

#[test]
fn both_tools_change_one_file() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("passwd");
    let ours = || {
        let mut command = Command::new(pondhawk());
        command.arg("passwd");
        command
    };
    succeeds(ours().args(["-H", "sha512-pbkdf2", "-c", "-b"]).arg(&file).args(["ann", "one"]));
    succeeds(Command::new("mosquitto_passwd").arg("-b").arg(&file).args(["bob", "two"]));
    succeeds(ours().arg("-b").arg(&file).args(["cyd", "three"]));
    succeeds(ours().arg("-D").arg(&file).arg("ann"));
    let port = free_port();
    let _program = Program::configured(&format!(
        "listener {port}\nallow_anonymous false\npassword_file {}\n",
        file.display()
    ));
    let to = To::port(port);
    user(&to, "ann", "one").refused();
    hello(&user(&to, "bob", "two"));
    if !is_foreign() {
        hello(&user(&to, "cyd", "three"));
    }
}

#[test]
fn an_acl_says_who_may_read_and_write() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (passwords, acl) = (directory.path().join("passwd"), directory.path().join("acl"));
    let tool = || Command::new("mosquitto_passwd");
    succeeds(tool().args(["-c", "-b"]).arg(&passwords).args(["writer", "w"]));
    succeeds(tool().arg("-b").arg(&passwords).args(["reader", "r"]));
    let text = "user writer\ntopic write testtopic/#\n\nuser reader\ntopic read testtopic/#\n";
    fs::write(&acl, text).expect("write the ACL");
    open_to_the_broker(directory.path());
    let port = free_port();
    let _program = Program::configured(&format!(
        "listener {port}\nallow_anonymous false\npassword_file {}\nacl_file {}\n",
        passwords.display(),
        acl.display()
    ));
    let to = To::port(port);
    let (writer, reader) = (user(&to, "writer", "w"), user(&to, "reader", "r"));
    let seen = reader.subscribe("#");
    let unseen = writer.subscribe("testtopic/#");
    // What may not be written or read just does not arrive; what comes next does.
    reader.publish("testtopic/a", "by the reader");
    writer.publish("other", "outside");
    writer.published("testtopic/a", "hello");
    seen.receives("testtopic/a", "hello");
    drop(unseen);
}

#[test]
fn a_mistake_in_the_file_is_told_with_its_line() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("broker.conf");
    fs::write(&file, "listener 1883\nallow_anonymus true\n").expect("write the file");
    let output = broker(&["-c", file.to_str().expect("UTF-8")]).output().expect("run it");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("broker.conf:2") && said.contains("allow_anonymus"), "{said}");
}
