//! One broker with a listener of each kind, and clients for each.

use std::fs;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};

use rustls::{ClientConfig, ClientConnection, StreamOwned};
use tempfile::TempDir;

use crate::pki::{Authority, Dates, Identity, Tls};
use crate::support::broker::{Broker, Options, PATIENCE, SHARDS};
use crate::support::client::Client;
use crate::support::link::{Link, MQTT, WebSocket};
use crate::support::{Scope, Version};

/// A broker with its certificates. Listeners with a port, in order: plain, TLS, mutual TLS,
/// WebSocket, secure WebSocket with mutual TLS, PROXY of either version, WebSocket for some.
pub struct Site {
    pub broker: Broker,
    pub directory: TempDir,
    pub authority: Authority,
    pub client: Identity,
    pub revoked: Identity,
}

/// The transports on which MQTT does the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// For comparison.
    Plain,
    Tls,
    Mutual,
    Web,
    SecureWeb,
    Unix,
    Proxied,
}

pub const KINDS: [Kind; 6] =
    [Kind::Tls, Kind::Mutual, Kind::Web, Kind::SecureWeb, Kind::Unix, Kind::Proxied];

fn options(directory: &TempDir) -> Options {
    let path = |name: &str| directory.path().join(name).display().to_string();
    let listener = "\n[[listener]]\nport = 0\nbind_address = \"127.0.0.1\"\n";
    let server = format!(
        "certfile = [\"{}\", \"{}\"]\nkeyfile = [\"{}\", \"{}\"]\n",
        path("server.crt"),
        path("other.crt"),
        path("server.key"),
        path("other.key")
    );
    let mutual = format!(
        "{server}cafile = \"{}\"\ncrlfile = \"{}\"\nrequire_certificate = true\n",
        path("ca.pem"),
        path("crl.pem")
    );
    let web = "protocol = \"websockets\"\n";
    let picky = format!(
        "websockets_origin = [\"https://good.example\"]\nhttp_dir = \"{}\"\n\
         websockets_trusted_proxies = [\"127.0.0.0/8\"]\n",
        path("public")
    );
    let proxy = "enable_proxy_protocol = \"any\"\nproxy_protocol_trusted = [\"127.0.0.1\"]\n";
    let unix = format!("\n[[listener]]\nport = 0\nunix_socket = \"{}\"\n", path("socket"));
    Options::default().more(format!(
        "{listener}{server}{listener}{mutual}{listener}{web}{listener}{web}{mutual}\
         {listener}{proxy}{listener}{web}{picky}{unix}"
    ))
}

impl Site {
    /// Starts a broker that no other scenario shares.
    pub fn start(shards: u32) -> Site {
        Site::start_with(shards, |options| options.set("connect_timeout", 30))
    }

    /// Starts one with other options.
    pub fn start_with(shards: u32, change: impl Fn(Options) -> Options) -> Site {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let authority = Authority::new("Pond CA");
        let site = directory.path();
        fs::write(site.join("ca.pem"), &authority.pem).expect("write");
        authority.server(&["broker.example", "localhost"]).write(site, "server");
        authority.server(&["*.other.example"]).write(site, "other");
        let client = authority.client("lamp", 7, Dates::Now);
        let revoked = authority.client("stolen", 8, Dates::Now);
        fs::write(site.join("crl.pem"), authority.crl(&[&revoked])).expect("write");
        fs::create_dir(site.join("public")).expect("a directory");
        fs::write(site.join("public/index.html"), "<p>pond").expect("write");
        let broker = Broker::start(shards, &change(options(&directory)));
        broker.wait_log("listen socket on path");
        Site { broker, directory, authority, client, revoked }
    }

    /// A broker that other scenarios may be using too.
    pub fn shared(shards: u32) -> Arc<Site> {
        static POOL: Mutex<Vec<(u32, Weak<Site>)>> = Mutex::new(Vec::new());
        let mut pool = POOL.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let known = pool.iter().find(|(count, _)| *count == shards);
        if let Some(site) = known.and_then(|(_, site)| site.upgrade()) {
            return site;
        }
        let site = Arc::new(Site::start(shards));
        pool.retain(|(count, _)| *count != shards);
        pool.push((shards, Arc::downgrade(&site)));
        site
    }

    pub fn address(&self, kind: Kind) -> SocketAddr {
        self.broker.listener(match kind {
            Kind::Plain => 0,
            Kind::Tls => 1,
            Kind::Mutual => 2,
            Kind::Web => 3,
            Kind::SecureWeb => 4,
            Kind::Proxied => 5,
            Kind::Unix => panic!("it has no address"),
        })
    }

    /// The listener that looks at origins, has files and trusts proxies.
    pub fn picky_web(&self) -> SocketAddr {
        self.broker.listener(6)
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// TLS with a client's certificate.
    pub fn tls(&self) -> Arc<ClientConfig> {
        Tls::new(&self.authority.pem).showing(&self.client).config()
    }

    /// A stream that is ready for MQTT.
    pub fn link(&self, kind: Kind) -> Box<dyn Link> {
        match kind {
            Kind::Tls | Kind::Mutual => {
                Box::new(secure(self.address(kind), "broker.example", self.tls()).expect("TLS"))
            }
            Kind::Plain => Box::new(tcp(self.address(kind))),
            Kind::Web => Box::new(WebSocket::open(Box::new(tcp(self.address(kind))), MQTT)),
            Kind::SecureWeb => {
                let tls = secure(self.address(kind), "broker.example", self.tls()).expect("TLS");
                Box::new(WebSocket::open(Box::new(tls), MQTT))
            }
            Kind::Unix => {
                let stream = UnixStream::connect(self.path()).expect("connect");
                stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
                Box::new(stream)
            }
            Kind::Proxied => {
                let mut stream = tcp(self.address(kind));
                stream.write_all(b"PROXY TCP4 192.0.2.9 127.0.0.1 8080 1883\r\n").expect("send");
                Box::new(stream)
            }
        }
    }

    pub fn client(&self, kind: Kind, version: Version) -> Client {
        Client::over(self.link(kind), version)
    }
}

/// A connection with timeouts.
pub fn tcp(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("connect to the broker");
    stream.set_nodelay(true).expect("TCP_NODELAY");
    stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
    stream.set_write_timeout(Some(PATIENCE)).expect("a write timeout");
    stream
}

/// A TLS connection whose handshake is done, as far as the client can tell: in TLS 1.3 a server's
/// refusal of the client's certificate comes later.
pub fn secure(
    address: SocketAddr,
    name: &str,
    config: Arc<ClientConfig>,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let name = name.to_owned().try_into().expect("a name");
    let connection = ClientConnection::new(config, name).expect("a configuration");
    let mut stream = StreamOwned::new(connection, tcp(address));
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// Runs a scenario on a shared site of each shard count, at the same time.
pub fn each_site(scenario: impl Fn(&Site) + Sync) {
    std::thread::scope(|scope| {
        for shards in SHARDS {
            let scenario = &scenario;
            scope.spawn(move || {
                let _scope = Scope(format!("{shards} shard(s)"));
                scenario(&Site::shared(shards));
            });
        }
    });
}

/// Runs a scenario for each transport, naming it when it fails.
pub fn each_kind(kinds: &[Kind], scenario: impl Fn(&Site, Kind) + Sync) {
    each_site(|site| {
        for &kind in kinds {
            let _scope = Scope(format!("{kind:?}"));
            scenario(site, kind);
        }
    });
}
