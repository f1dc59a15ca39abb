//! The broker's life with a fake data plane: phases, reloads, and actors that fail.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use super::*;
use crate::config::table::{Listener, Logging};
use crate::config::{Config, ListenerRuntime, Loaded, Runtime, Source};
use crate::control::log::Log;
use crate::control::metrics::{Exporter, MakeExporters, Reading};
use crate::control::{DataPlane, Inherited, Remote, Setup, Watch, run};
use crate::metrics::Snapshot;
use crate::protocol::Message;
use crate::shard::Settings;
use crate::transport::ListenSocket;

const PATIENCE: Duration = Duration::from_secs(20);

/// What the fake data plane was told, and what it answers.
#[derive(Clone, Default)]
struct Told {
    sockets: Vec<Arc<ListenSocket>>,
    closed: Vec<u32>,
    connections: usize,
    drains: usize,
    stopped: bool,
    applied: Vec<Arc<Runtime>>,
    panics: usize,
    published: Vec<Message>,
}

#[derive(Clone)]
struct FakePlane(Watch<Told>);

impl DataPlane for FakePlane {
    fn listen(&self, _: u32, socket: ListenSocket, _: Arc<ListenerRuntime>) {
        self.0.change(|told| told.sockets.push(Arc::new(socket)));
    }

    fn unlisten(&self, id: u32) {
        self.0.change(|told| told.closed.push(id));
    }

    fn drain(&self) {
        self.0.change(|told| told.drains += 1);
    }

    fn connections(&self) -> usize {
        self.0.get().connections
    }

    fn describe(&self) {}

    fn stop(&self) {
        self.0.change(|told| told.stopped = true);
    }

    fn apply(&self, settings: Arc<Settings>) {
        let mut panics = false;
        self.0.change(|told| {
            panics = told.panics > 0;
            told.panics = told.panics.saturating_sub(1);
            told.applied.push(Arc::clone(&settings.runtime));
        });
        assert!(!panics, "the data plane was told to panic");
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::zero()
    }

    fn publish(&self, messages: Vec<Message>) {
        self.0.change(|told| told.published.extend(messages));
    }

    fn pressure(&self, _: u8) {}

    fn give_back(&self) {}
    fn hand_over(&self, _: &std::sync::mpsc::Sender<crate::util::SetAside>) {}
}

/// The address of a socket that listens on one.
fn ip(bound: &Bound) -> std::net::SocketAddr {
    match bound.address {
        ListenAddress::Ip(address) => address,
        ListenAddress::Path(_) => panic!("a TCP socket"),
    }
}

struct Broker {
    told: Watch<Told>,
    remote: Remote,
    thread: JoinHandle<Outcome>,
}

fn no_exporters() -> Vec<Box<dyn Exporter>> {
    Vec::new()
}

fn loopback() -> Config {
    let listener =
        Listener { port: 0, bind_address: Some("127.0.0.1".into()), ..Default::default() };
    Config { listeners: vec![listener], ..Config::default() }
}

fn start(
    config: Config,
    source: Source,
    exporters: impl Fn() -> Vec<Box<dyn Exporter>> + Send + 'static,
) -> Broker {
    let told = Watch::new(Told::default());
    let remote = Remote::default();
    let (plane, published) = (FakePlane(told.clone()), remote.clone());
    let thread = thread::spawn(move || {
        let log = Log::start("test", &Logging::default()).expect("standard error is open");
        let exporters: MakeExporters = Rc::new(exporters);
        let (plane, log, remote) = (Rc::new(plane), log.handle, published);
        let settings = Arc::new(Settings::from(config.compile(2)));
        let (steps, inherited) = (Vec::new(), Inherited::default());
        let fresh = open_all(&settings.runtime.listeners, &inherited).expect("the ports are free");
        let program = "pondhawk";
        run(Setup {
            plane,
            source,
            config,
            settings,
            steps,
            program,
            fresh,
            inherited,
            cores: 2,
            log,
            exporters,
            remote,
        })
    });
    Broker { told, remote, thread }
}

impl Broker {
    fn wait(&self, phase: Phase) {
        assert!(self.remote.lifecycle().wait(phase, PATIENCE), "{phase:?} was never reached");
    }

    fn running(config: Config) -> Self {
        let broker = start(config, Source::default(), no_exporters);
        broker.wait(Phase::Running);
        broker
    }

    fn end(self) -> Outcome {
        self.thread.join().expect("the control plane does not panic")
    }
}

#[test]
fn it_listens_runs_drains_and_stops() {
    let broker = Broker::running(loopback());
    let address = broker.remote.bound().get()[0].clone();
    TcpStream::connect(ip(&address)).expect("the announced port listens");
    broker.told.change(|told| told.connections = 1);
    broker.remote.stop();
    broker.wait(Phase::Drain);
    assert!(broker.told.wait(PATIENCE, |told| told.drains == 1).is_some());
    assert!(!broker.told.get().stopped, "a connection is left");
    broker.told.change(|told| told.connections = 0);
    broker.wait(Phase::Stopped);
    assert!(broker.told.get().stopped);
    assert!(matches!(broker.end(), Outcome::Clean));
}

#[test]
fn a_second_stop_does_not_wait() {
    let broker = Broker::running(loopback());
    broker.told.change(|told| told.connections = 1);
    broker.remote.stop();
    broker.wait(Phase::Drain);
    broker.remote.stop();
    assert!(matches!(broker.end(), Outcome::Forced));
}

#[test]
fn connections_that_stay_are_cut_off_at_the_timeout() {
    let mut config = loopback();
    config.process.shutdown_timeout = 0;
    let broker = Broker::running(config);
    broker.told.change(|told| told.connections = 3);
    broker.remote.stop();
    assert!(matches!(broker.end(), Outcome::TimedOut(3)));
}

/// An exporter that fails on its first reading, in its first life.
struct Fragile {
    lives: Watch<usize>,
}

impl Exporter for Fragile {
    fn export(&mut self, _: &Reading) {
        assert!(self.lives.get() > 1, "the exporter fails once");
    }
}

#[test]
fn a_collector_that_fails_is_restarted_and_nobody_notices() {
    let lives = Watch::new(0);
    let counted = lives.clone();
    let make = move || -> Vec<Box<dyn Exporter>> {
        counted.change(|lives| *lives += 1);
        vec![Box::new(Fragile { lives: counted.clone() })]
    };
    let broker = start(loopback(), Source::default(), make);
    let fresh = |reading: &Option<Reading>| reading.as_ref().is_some_and(|r| r.number >= 2);
    assert!(
        broker.remote.reading().wait(PATIENCE, fresh).is_some(),
        "no reading after the failure"
    );
    assert_eq!(lives.get(), 2);
    assert_eq!(broker.remote.lifecycle().phase(), Phase::Running);
    assert_eq!(broker.told.get().sockets.len(), 1);
    broker.remote.stop();
    assert!(matches!(broker.end(), Outcome::Clean));
}

/// A configuration file, and a broker that runs on it.
fn with_file(text: &str) -> (tempfile::TempDir, Broker) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("p.toml");
    fs::write(&path, text).expect("write the configuration");
    let source = Source { file: Some(path), ..Source::default() };
    let Loaded { config, .. } = source.load().expect("the configuration is valid");
    let broker = start(config, source, no_exporters);
    broker.wait(Phase::Running);
    (directory, broker)
}

const LISTENER: &str = "[[listener]]\nport = 0\nbind_address = \"127.0.0.1\"\n";

fn reload(directory: &tempfile::TempDir, broker: &Broker, text: &str) {
    let text = format!("{text}\n{LISTENER}");
    fs::write(directory.path().join("p.toml"), text).expect("write the configuration");
    broker.remote.reload();
}

impl Broker {
    fn applied(&self, count: usize) -> Arc<Runtime> {
        let told = self.told.wait(PATIENCE, |told| told.applied.len() >= count);
        told.expect("the configuration is applied").applied[count - 1].clone()
    }
}

#[test]
fn a_reload_applies_what_it_can_and_keeps_the_rest() {
    let (directory, broker) = with_file(LISTENER);
    reload(&directory, &broker, "max_queued_messages = 7\nshards = 9");
    let applied = broker.applied(1);
    assert_eq!(applied.session.queued_messages, 7);
    assert_eq!(applied.shards, 2);
    broker.remote.stop();
    assert!(matches!(broker.end(), Outcome::Clean));
}

#[test]
fn a_reload_with_a_mistake_changes_nothing() {
    let (directory, broker) = with_file(LISTENER);
    reload(&directory, &broker, "max_queued_messages = 7\nstrict = 3");
    let refused = broker.remote.reloads().wait(PATIENCE, |reloads| reloads.refused == 1);
    assert!(refused.is_some(), "the broken file was not refused");
    reload(&directory, &broker, "max_inflight_messages = 9");
    let applied = broker.applied(1);
    assert_eq!(applied.session.queued_messages, 1000, "a part of the broken file was applied");
    assert_eq!(applied.session.inflight_messages, 9);
    broker.remote.stop();
    assert!(matches!(broker.end(), Outcome::Clean));
}

#[test]
fn a_supervisor_that_fails_is_restarted_with_its_sockets_and_its_configuration() {
    let (directory, broker) = with_file(LISTENER);
    let address = broker.remote.bound().get()[0].clone();
    broker.told.change(|told| told.panics = 1);
    let failed = broker.remote.supervisor.get().expect("there is a supervisor");
    reload(&directory, &broker, "max_queued_messages = 7");
    assert_eq!(broker.applied(1).session.queued_messages, 7);
    let another = |now: &Option<Addr<Supervisor>>| now.as_ref().is_some_and(|now| *now != failed);
    assert!(broker.remote.supervisor.wait(PATIENCE, another).is_some(), "no new supervisor");
    TcpStream::connect(ip(&address)).expect("the socket survives");
    reload(&directory, &broker, "max_queued_messages = 7\nmax_inflight_messages = 9");
    let applied = broker.applied(2);
    assert_eq!((applied.session.queued_messages, applied.session.inflight_messages), (7, 9));
    assert_eq!(broker.told.get().sockets.len(), 1, "the listener was opened again");
    broker.remote.stop();
    assert!(matches!(broker.end(), Outcome::Clean));
}

/// Writes a whole configuration and asks for a reload.
fn reload_as(directory: &tempfile::TempDir, broker: &Broker, text: &str) {
    fs::write(directory.path().join("p.toml"), text).expect("write the configuration");
    broker.remote.reload();
}

#[test]
fn a_reload_opens_new_listeners_closes_removed_ones_and_leaves_the_rest() {
    let (directory, broker) = with_file(LISTENER);
    let first = broker.remote.bound().get()[0].clone();
    reload_as(&directory, &broker, &format!("{LISTENER}max_qos = 1\n{LISTENER}"));
    let applied = broker.applied(1);
    assert_eq!(applied.listeners[0].max_qos, 1);
    let bound = broker.remote.bound().wait(PATIENCE, |bound| bound.len() == 2).expect("two");
    assert_eq!(bound[0], first, "the socket that stays was opened again");
    TcpStream::connect(ip(&bound[1])).expect("the new one listens");
    let other = LISTENER.replace("127.0.0.1", "127.0.0.2");
    reload_as(&directory, &broker, &other);
    let bound = broker.remote.bound().wait(PATIENCE, |bound| bound.len() == 1).expect("one");
    assert_ne!(bound[0].listener, first.listener, "a new listener got an old number");
    assert_eq!(broker.told.get().closed, [first.id, first.id + 1]);
    broker.remote.stop();
    assert!(matches!(broker.end(), Outcome::Clean));
}

#[test]
fn a_reload_whose_listener_cannot_be_opened_changes_nothing() {
    let (directory, broker) = with_file(LISTENER);
    let taken = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let port = taken.local_addr().expect("it is bound").port();
    let more = format!("[[listener]]\nport = {port}\nbind_address = \"127.0.0.1\"\n");
    reload_as(&directory, &broker, &format!("max_queued_messages = 7\n{LISTENER}{more}"));
    let refused = broker.remote.reloads().wait(PATIENCE, |reloads| reloads.refused == 1);
    assert!(refused.is_some(), "the taken port was not refused");
    assert!(broker.told.get().applied.is_empty());
    assert_eq!(broker.remote.bound().get().len(), 1);
    broker.remote.stop();
    assert!(matches!(broker.end(), Outcome::Clean));
}
