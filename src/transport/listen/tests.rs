//! Goal: every peer is accepted or told, and running out of descriptors neither spins nor hangs.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};

use super::{AcceptState, Acceptor, BACK_OFF_MS, Fault};

fn acceptor() -> (Acceptor, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    (Acceptor::new(listener.into()), address)
}

#[test]
fn accepts_up_to_the_budget_and_says_whether_more_may_wait() {
    let (mut acceptor, address) = acceptor();
    let clients: Vec<_> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut peers = Vec::new();
    let first = acceptor.accept(0, 2, |_, peer| peers.push(peer));
    assert!(matches!(first.state, AcceptState::More));
    let second = acceptor.accept(0, 2, |_, peer| peers.push(peer));
    assert!(matches!(second.state, AcceptState::Drained));
    let expected: Vec<_> = clients.iter().map(|client| client.local_addr().unwrap()).collect();
    assert_eq!(peers, expected);
}

#[test]
fn each_failure_concerns_whom_it_concerns() {
    let fault = |errno: Errno| Fault::of(&io::Error::from(errno));
    assert_eq!(fault(Errno::EAGAIN), Fault::Drained);
    for errno in [Errno::ECONNABORTED, Errno::EPROTO, Errno::ENETDOWN, Errno::EPERM, Errno::EINTR] {
        assert_eq!(fault(errno), Fault::Connection);
    }
    for errno in [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM] {
        assert_eq!(fault(errno), Fault::Exhausted);
    }
    assert_eq!(fault(Errno::EBADF), Fault::Listener);
}

/// The limit holds for the whole process, so the test runs itself alone in a second one.
#[test]
fn without_descriptors_peers_are_refused_and_accepting_rests() {
    const CHILD: &str = "PONDHAWK_TEST_WITHOUT_DESCRIPTORS";
    const NAME: &str =
        "transport::listen::tests::without_descriptors_peers_are_refused_and_accepting_rests";
    if std::env::var_os(CHILD).is_some() {
        return refuse_and_recover();
    }
    let test = std::env::current_exe().unwrap();
    let output = Command::new(test).args(["--exact", NAME]).env(CHILD, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn refuse_and_recover() {
    let (mut acceptor, address) = acceptor();
    setrlimit(Resource::RLIMIT_NOFILE, 40, 40).unwrap();
    // The clients take all there are; the backlog holds their connections.
    let mut clients: Vec<TcpStream> = Vec::new();
    while let Ok(client) = TcpStream::connect(address) {
        clients.push(client);
    }
    assert!(clients.len() > 5);

    let done = acceptor.accept(1000, 3, |_, _| panic!("nothing to accept with"));
    assert_eq!(done.refused, 3);
    let AcceptState::BackOff { retry_at_ms } = done.state else { panic!("{done:?}") };
    assert_eq!(retry_at_ms, 1000 + BACK_OFF_MS);
    for client in &mut clients[..3] {
        assert_eq!(client.read(&mut [0; 1]).unwrap(), 0, "told, not left hanging");
    }

    let resting = acceptor.accept(retry_at_ms - 1, 3, |_, _| panic!("it rests"));
    assert!(matches!(resting.state, AcceptState::BackOff { .. }) && resting.refused == 0);
    let drained = acceptor.accept(retry_at_ms, usize::MAX, |_, _| panic!("still nothing"));
    assert_eq!(drained.refused, clients.len() - 3);

    clients.clear();
    let client = TcpStream::connect(address).unwrap();
    let mut accepted = 0;
    let later = acceptor.accept(retry_at_ms + BACK_OFF_MS, 3, |_, _| accepted += 1);
    assert!(matches!(later.state, AcceptState::Drained));
    assert_eq!(accepted, 1);
    drop(client);
}
