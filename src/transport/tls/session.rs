//! One connection's TLS.

use std::fmt;

use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus,
};
use rustls::{CertificateError, Error, InvalidMessage};

use super::Tls;
use crate::sync::Arc;
use crate::transport::Introduction;
use crate::transport::output::Output;

/// What a record adds to its plaintext, at most: header, nonce or inner type, tag.
const RECORD_OVERHEAD: usize = 32;
/// The plaintext of one record, at most.
const RECORD: usize = 16 * 1024;

/// See the module's documentation.
///
/// The unbuffered interface: records are decrypted from the shard's buffer and encrypted into it,
/// and nothing stays here between two reads.
pub(in crate::transport) struct Session {
    connection: UnbufferedServerConnection,
    /// There was an error; nothing is sent after its alert.
    failed: bool,
}

/// What [`Session::receive`] did.
pub(in crate::transport) struct Decrypted {
    /// Bytes used up; those that follow are the beginning of a record.
    pub(in crate::transport) used: usize,
    /// Bytes of plaintext.
    pub(in crate::transport) len: usize,
    /// The peer sends no more.
    pub(in crate::transport) closed: bool,
    /// The connection is of no further use; the alert that says so is in the output.
    pub(in crate::transport) error: Option<String>,
}

impl Session {
    pub(in crate::transport) fn new(tls: &Tls) -> Result<Self, String> {
        let connection = UnbufferedServerConnection::new(Arc::clone(tls.config()));
        connection
            .map(|connection| Self { connection, failed: false })
            .map_err(|error| words(&error))
    }

    pub(in crate::transport) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Decrypts the records in `raw` into `plain`, which has room for as much, and adds to `out`
    /// what has to be sent.
    pub(in crate::transport) fn receive(
        &mut self,
        raw: &mut [u8],
        plain: &mut [u8],
        out: &mut Output,
    ) -> Decrypted {
        let mut done = Decrypted { used: 0, len: 0, closed: false, error: None };
        loop {
            let UnbufferedStatus { discard, state } =
                self.connection.process_tls_records(&mut raw[done.used..]);
            let mut last = false;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(Ok(record)) = traffic.next_record() {
                        let to = done.len + record.payload.len();
                        plain[done.len..to].copy_from_slice(record.payload);
                        done.len = to;
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, out),
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => done.closed = true,
                // Early data is not accepted, so none comes.
                Ok(ConnectionState::ReadEarlyData(_) | ConnectionState::BlockedHandshake) => {
                    last = true;
                }
                Ok(ConnectionState::WriteTraffic(_)) => last = true,
                Ok(_) => (done.closed, last) = (true, true),
                Err(error) => {
                    done.error = Some(words(&error));
                    last = true;
                }
            }
            done.used += discard;
            if last {
                break;
            }
        }
        if done.error.is_some() {
            self.failed = true;
            self.alert(out);
        }
        done
    }

    /// What an error has left to be sent. Nothing more may be decoded: the next error would find
    /// an alert sent already.
    fn alert(&mut self, out: &mut Output) {
        while self.connection.wants_write()
            && let Ok(ConnectionState::EncodeTlsData(mut data)) =
                self.connection.process_tls_records(&mut []).state
        {
            encode(&mut data, out);
        }
    }

    /// Encrypts into `out`, behind what else has to be sent. `held` are the bytes that the last
    /// [`Session::receive`] had no use for: rustls remembers where in them the beginning of a
    /// handshake message is, and panics if they are not there.
    ///
    /// # Errors
    /// When the handshake is not done, or the keys are used up.
    pub(in crate::transport) fn send(
        &mut self,
        plaintext: &[u8],
        held: &mut [u8],
        out: &mut Output,
    ) -> Result<(), String> {
        if self.failed {
            return Err("TLS has failed".into());
        }
        loop {
            let UnbufferedStatus { discard, state } = self.connection.process_tls_records(held);
            // They were looked at before, and nothing has come since.
            debug_assert_eq!(discard, 0);
            match state {
                Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, out),
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => {}
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    let records = plaintext.len().div_ceil(RECORD) + 1;
                    let mut size = plaintext.len() + records * RECORD_OVERHEAD;
                    loop {
                        match traffic.encrypt(plaintext, out.room(size)) {
                            Ok(written) => {
                                out.advance(written);
                                return Ok(());
                            }
                            // A key update goes first, or records are smaller than they might be.
                            Err(EncryptError::InsufficientSize(needed)) => {
                                size = needed.required_size.max(size + RECORD_OVERHEAD);
                            }
                            Err(EncryptError::EncryptExhausted) => {
                                return Err("TLS keys are used up".into());
                            }
                        }
                    }
                }
                Ok(_) => return Err("TLS is not open".into()),
                Err(error) => return Err(words(&error)),
            }
        }
    }

    /// Adds the `close_notify` alert to `out`, if it may be sent. `held` as in [`Session::send`].
    pub(in crate::transport) fn close(&mut self, held: &mut [u8], out: &mut Output) {
        if !self.failed
            && let Ok(ConnectionState::WriteTraffic(mut traffic)) =
                self.connection.process_tls_records(held).state
            && let Ok(written) = traffic.queue_close_notify(out.room(256))
        {
            out.advance(written);
        }
    }

    /// What the Client's certificate says of it, as far as the listener asks.
    pub(in crate::transport) fn introduction(&self, tls: &Tls) -> Introduction {
        let leaf = self.connection.peer_certificates().and_then(|chain| chain.first());
        leaf.map(|leaf| tls.introduction(leaf)).unwrap_or_default()
    }

    /// Whether the certificate shown, if any, is good in the eyes of `tls`.
    pub(in crate::transport) fn still_accepted(&self, tls: &Tls, now_s: u64) -> bool {
        match self.connection.peer_certificates() {
            Some(chain) => tls.accepts(chain, now_s),
            None => true,
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("handshaking", &self.is_handshaking()).finish()
    }
}

fn encode<Data>(data: &mut EncodeTlsData<'_, Data>, out: &mut Output) {
    let mut size = 1024;
    loop {
        match data.encode(out.room(size)) {
            Ok(written) => return out.advance(written),
            Err(EncodeError::InsufficientSize(needed)) => size = needed.required_size,
            Err(EncodeError::AlreadyEncoded) => return,
        }
    }
}

/// An error in few words.
fn words(error: &Error) -> String {
    match error {
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => "no TLS on a TLS listener".into(),
        Error::NoCertificatesPresented => "no client certificate".into(),
        // Its own words, which the enum around it does not pass on.
        Error::InvalidCertificate(CertificateError::Other(error)) => {
            format!("client certificate refused: {error}")
        }
        Error::InvalidCertificate(error) => format!("client certificate refused: {error}"),
        Error::AlertReceived(alert) => format!("TLS alert {alert:?} from the client"),
        other => format!("TLS: {other}"),
    }
}
