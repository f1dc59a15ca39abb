//! A page with MQTT.js in a browser, over WebSocket and secure WebSocket.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use crate::clients::{To, modules};
use crate::pki::Pki;
use crate::program::{Program, free_port};

/// Debian's browser, and the same elsewhere.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A running browser; killed when dropped.
struct Browser(Child);

impl Browser {
    /// Opens the page; `trusted` is the one key whose certificate need not be signed by anyone the
    /// browser knows.
    fn open(page: &Path, profile: &Path, trusted: Option<&str>) -> Self {
        let mut failure = None;
        for name in BROWSERS {
            let mut command = Command::new(name);
            command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]);
            command.args(["--no-first-run", "--disable-background-networking"]);
            command.args(["--disable-component-update", "--disable-sync"]);
            command.arg(format!("--user-data-dir={}", profile.display()));
            if let Some(key) = trusted {
                command.arg(format!("--ignore-certificate-errors-spki-list={key}"));
            }
            // Without it a headless browser ends once the page is loaded.
            command.arg("--remote-debugging-port=0").arg(format!("file://{}", page.display()));
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            match command.spawn() {
                Ok(child) => return Self(child),
                Err(error) => failure = Some(error),
            }
        }
        panic!("no browser: {failure:?}; tests/run installs chromium");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Both fail only when the process has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A page that subscribes, publishes, shows what comes, and then says what it shows.
fn page(directory: &Path, url: &str) -> std::path::PathBuf {
    let library = modules().join("mqtt/dist/mqtt.min.js");
    let library = fs::read_to_string(library).expect("MQTT.js; tests/run installs it");
    fs::write(directory.join("mqtt.js"), library).expect("copy the library");
    let file = directory.join("page.html");
    let text = format!(
        r#"<!doctype html>
<meta charset="utf-8">
<title>A page that speaks MQTT</title>
<p id="shown">waiting</p>
<script src="mqtt.js"></script>
<script>
const client = mqtt.connect('{url}', {{ reconnectPeriod: 0 }});
const shown = document.getElementById('shown');
client.on('connect', async () => {{
  await client.subscribeAsync('testtopic', {{ qos: 1 }});
  await client.publishAsync('testtopic', 'hello from a page', {{ qos: 1 }});
}});
client.on('message', (topic, payload) => {{
  shown.textContent = topic + ' ' + new TextDecoder().decode(payload);
  client.publish('page/shows', shown.textContent, {{ qos: 1 }});
}});
client.on('error', (error) => {{ shown.textContent = error; }});
</script>
"#
    );
    fs::write(&file, text).expect("write the page");
    file
}

/// What the page shows reaches a client of the plain listener.
fn visit(directory: &Path, plain: u16, url: &str, trusted: Option<&str>) {
    let watcher = To::port(plain).subscribe("page/shows");
    let page = page(directory, url);
    let _browser = Browser::open(&page, &directory.join("profile"), trusted);
    watcher.receives("page/shows", "testtopic hello from a page");
}

#[test]
fn a_page_speaks_mqtt_over_websocket() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (plain, web) = (free_port(), free_port());
    let _program = Program::configured(&format!(
        "allow_anonymous true\nlistener {plain}\nlistener {web}\nprotocol websockets\n"
    ));
    visit(directory.path(), plain, &format!("ws://localhost:{web}/mqtt"), None);
}

#[test]
fn a_page_speaks_mqtt_over_secure_websocket() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let pki = Pki::make(directory.path());
    let (plain, web) = (free_port(), free_port());
    let _program = Program::configured(&format!(
        "allow_anonymous true\nlistener {plain}\nlistener {web}\nprotocol websockets\n\
         certfile {}\nkeyfile {}\n",
        pki.path("server.crt"),
        pki.path("server.key")
    ));
    let key = BASE64_STANDARD.encode(Sha256::digest(&pki.server_key));
    visit(directory.path(), plain, &format!("wss://localhost:{web}/mqtt"), Some(&key));
}
