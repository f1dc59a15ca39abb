//! Plain HTTP on a WebSocket listener.

use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;

use crate::site::{Kind, each_site, tcp};

/// The whole answer: the connection ends after it.
fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = tcp(address);
    stream.write_all(request.as_bytes()).expect("send");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn files_are_served_if_there_is_a_directory_for_them() {
    each_site(|site| {
        let public = site.directory.path().join("public");
        fs::write(site.directory.path().join("secret.txt"), "secret").expect("write");
        let large = "0123456789".repeat(300_000);
        let name = format!("large-{}.txt", site.broker.pid());
        fs::write(public.join(&name), &large).expect("write");
        let get = |path: &str| ask(site.picky_web(), &format!("GET {path} HTTP/1.1\r\n\r\n"));
        for path in ["/", "/index.html", "/?a=b"] {
            let answer = get(path);
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            assert!(answer.contains("Content-Type: text/html"), "{answer}");
            assert!(answer.ends_with("\r\n\r\n<p>pond"), "{answer}");
        }
        assert!(get(&format!("/{name}")).ends_with(&format!("\r\n\r\n{large}")));
        let head = ask(site.picky_web(), "HEAD / HTTP/1.1\r\n\r\n");
        assert!(head.contains("Content-Length: 7\r\n") && head.ends_with("\r\n\r\n"), "{head}");
        assert!(get("/none").starts_with("HTTP/1.1 404"));
        for escape in ["/../secret.txt", "/%2e%2e/secret.txt", "//etc/passwd", "/.hidden"] {
            let answer = get(escape);
            assert!(answer.starts_with("HTTP/1.1 400"), "{escape}: {answer}");
        }
        let post = ask(site.picky_web(), "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
        assert!(post.starts_with("HTTP/1.1 405"), "{post}");
    });
}

#[test]
fn without_a_directory_the_answer_says_what_to_do() {
    each_site(|site| {
        let answer = ask(site.address(Kind::Web), "GET / HTTP/1.1\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{answer}");
        assert!(answer.contains("Upgrade: websocket\r\n"), "{answer}");
        let answer = ask(site.address(Kind::Web), "no HTTP at all\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    });
}
