//! TCP, or TLS over it.

use std::io::{self, Read, Write};

use mio::net::TcpStream;
use rustls::ClientConnection;

/// What a WebSocket or MQTT itself is spoken over.
#[derive(Debug)]
pub enum Base {
    /// TCP.
    Tcp(TcpStream),
    /// TLS.
    Tls(Box<Tls>),
}

/// TLS over TCP.
#[derive(Debug)]
pub struct Tls {
    tcp: TcpStream,
    session: ClientConnection,
}

impl Base {
    /// TCP, with TLS if there is a session.
    pub fn new(tcp: TcpStream, session: Option<ClientConnection>) -> Self {
        match session {
            Some(session) => Self::Tls(Box::new(Tls { tcp, session })),
            None => Self::Tcp(tcp),
        }
    }

    /// The socket.
    pub fn tcp(&mut self) -> &mut TcpStream {
        match self {
            Self::Tcp(tcp) => tcp,
            Self::Tls(tls) => &mut tls.tcp,
        }
    }

    /// Goes on with the handshake; `true` when it is complete.
    ///
    /// # Errors
    /// If it fails.
    pub fn handshake(&mut self) -> io::Result<bool> {
        let Self::Tls(tls) = self else { return Ok(true) };
        tls.send()?;
        while tls.session.is_handshaking() && tls.receive()? {
            tls.send()?;
        }
        Ok(!tls.session.is_handshaking())
    }

    /// Reads what there is.
    ///
    /// # Errors
    /// As the socket's, and those of TLS.
    #[inline]
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(tcp) => tcp.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }

    /// Writes; a TLS record takes what it can.
    ///
    /// # Errors
    /// As the socket's, and those of TLS.
    #[inline]
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(tcp) => tcp.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    /// Whether bytes that were taken still wait for the socket.
    pub fn is_blocked(&self) -> bool {
        matches!(self, Self::Tls(tls) if tls.session.wants_write())
    }

    /// Sends what still waits.
    ///
    /// # Errors
    /// As the socket's.
    pub fn unblock(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(_) => Ok(()),
            Self::Tls(tls) => tls.send(),
        }
    }
}

impl Tls {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // An end without close_notify is an end all the same: MQTT frames its packets.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                other => return other,
            }
            if !self.receive()? {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            // Tickets and key updates may ask for an answer.
            self.send()?;
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.session.wants_write() {
            self.send()?;
            if self.session.wants_write() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        let taken = self.session.writer().write(bytes)?;
        self.send()?;
        Ok(taken)
    }

    /// Takes one read from the socket; `false` if there is nothing.
    fn receive(&mut self) -> io::Result<bool> {
        match self.session.read_tls(&mut self.tcp) {
            Ok(0) => self.end(),
            Ok(_) => self.process().map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The peer has closed the socket: the session's reader says so, unless the handshake was on.
    fn end(&mut self) -> io::Result<bool> {
        self.process()?;
        match self.session.is_handshaking() {
            true => {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed during TLS handshake"))
            }
            false => Ok(true),
        }
    }

    fn process(&mut self) -> io::Result<()> {
        if let Err(error) = self.session.process_new_packets() {
            // The alert says to the peer why; if it does not take it, it learns nothing.
            let _ = self.send();
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("TLS: {error}")));
        }
        Ok(())
    }

    fn send(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.tcp) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
