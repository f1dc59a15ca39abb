//! Other people's clients over TLS, WebSocket and Unix domain sockets.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::clients::fresh;
use crate::site::{Kind, each_site};
use crate::support::broker::{Broker, Options, SHARDS};

/// Runs a program to its end and gives what it printed.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect(program);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {complaint}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// `mosquitto_pub` leaves a retained message, `mosquitto_sub` fetches it.
fn there_and_back(way: &[&str]) {
    let topic = fresh("transports/");
    let way = [way, &["-t", &topic, "-q", "1"]].concat();
    run("mosquitto_pub", &[&way[..], &["-r", "-m", "hello"]].concat());
    let once = ["-C", "1", "-W", "30", "-F", "%p"];
    assert_eq!(run("mosquitto_sub", &[&way[..], &once].concat()), "hello\n");
    run("mosquitto_pub", &[&way[..], &["-r", "-n"]].concat());
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn mosquittos_tools_over_tls_mutual_tls_and_unix() {
    each_site(|site| {
        let ca = site.directory.path().join("ca.pem");
        let (cert, key) = site.client.write(site.directory.path(), &fresh("client"));
        let tls = site.address(Kind::Tls).port().to_string();
        let mutual = site.address(Kind::Mutual).port().to_string();
        let with_ca = ["-h", "localhost", "--cafile", text(&ca)];
        for version in ["tlsv1.2", "tlsv1.3"] {
            let way = [&with_ca[..], &["-p", &tls, "--tls-version", version]].concat();
            there_and_back(&way);
            there_and_back(&[&way[..], &["--tls-alpn", "mqtt"]].concat());
            let shown = ["-p", &mutual, "--cert", text(&cert), "--key", text(&key)];
            let way = [&with_ca[..], &shown, &["--tls-version", version]].concat();
            there_and_back(&way);
        }
        there_and_back(&["--unix", text(&site.path())]);
    });
}

#[test]
fn mqttjs_over_websocket_and_secure_websocket() {
    let installed = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/.deps/node/node_modules");
    let script =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/interop/foreign/mqttjs_transport.js");
    each_site(|site| {
        let ca = site.directory.path().join("ca.pem");
        let (cert, key) = site.client.write(site.directory.path(), &fresh("client"));
        let web = format!("ws://127.0.0.1:{}/mqtt", site.address(Kind::Web).port());
        let secure = format!("wss://localhost:{}/mqtt", site.address(Kind::SecureWeb).port());
        for way in [vec![web.as_str()], vec![&secure, text(&ca), text(&cert), text(&key)]] {
            let topic = fresh("web/");
            let output = Command::new("node")
                .env("NODE_PATH", &installed)
                .arg(&script)
                .args([way[0], &topic])
                .args(&way[1..])
                .output()
                .expect("node; tests/run installs it");
            let complaint = String::from_utf8_lossy(&output.stderr);
            assert_eq!(String::from_utf8_lossy(&output.stdout), "all came\n", "{complaint}");
        }
    });
}

/// What mosquitto-tls(7) tells people to type, which makes certificates of version 1.
#[test]
fn certificates_made_as_the_manual_says_are_accepted_and_name_the_user() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let at = |name: &str| directory.path().join(name).display().to_string();
    let openssl = |arguments: &[&str]| run("openssl", arguments);
    openssl(&[
        "req",
        "-new",
        "-x509",
        "-days",
        "30",
        "-extensions",
        "v3_ca",
        "-nodes",
        "-keyout",
        &at("ca.key"),
        "-out",
        &at("ca.crt"),
        "-subj",
        "/C=GB/O=Home/CN=Home CA",
    ]);
    for (name, subject) in [("server", "/CN=localhost"), ("client", "/C=GB/O=Home/CN=lamp")] {
        let (key, csr, crt) =
            (at(&format!("{name}.key")), at(&format!("{name}.csr")), at(&format!("{name}.crt")));
        openssl(&["genrsa", "-out", &key, "2048"]);
        openssl(&["req", "-out", &csr, "-key", &key, "-new", "-subj", subject]);
        openssl(&[
            "x509",
            "-req",
            "-in",
            &csr,
            "-CA",
            &at("ca.crt"),
            "-CAkey",
            &at("ca.key"),
            "-CAcreateserial",
            "-out",
            &crt,
            "-days",
            "30",
        ]);
    }
    fs::create_dir(directory.path().join("cas")).expect("a directory");
    fs::copy(at("ca.crt"), at("cas/ca.crt")).expect("copy");
    let quoted = |name: &str| format!("\"{}\"", at(name));
    for shards in SHARDS {
        for (option, user) in [
            ("use_identity_as_username", "lamp"),
            ("use_subject_as_username", "CN=lamp,O=Home,C=GB"),
        ] {
            let options = Options::default()
                .set("allow_anonymous", false)
                .listener("certfile", quoted("server.crt"))
                .listener("keyfile", quoted("server.key"))
                .listener("capath", quoted("cas"))
                .listener("require_certificate", true)
                .listener(option, true);
            let broker = Broker::start(shards, &options);
            let port = broker.address.port().to_string();
            for version in ["tlsv1.2", "tlsv1.3"] {
                there_and_back(&[
                    "-h",
                    "localhost",
                    "-p",
                    &port,
                    "--cafile",
                    &at("ca.crt"),
                    "--cert",
                    &at("client.crt"),
                    "--key",
                    &at("client.key"),
                    "--tls-version",
                    version,
                ]);
            }
            broker.wait_log(&format!("u'{user}'"));
        }
    }
}
