//! A WebSocket connection's state, after the upgrade.

use std::io::IoSlice;

use super::output::Output;
use crate::util::websocket::{Decoded, FrameError, FrameReader, Header, Opcode, Reader};

/// Status of a close frame: all is well, we are done.
const NORMAL: u16 = 1000;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Web {
    reader: FrameReader,
    /// Payload bytes that the last header has promised and that are not written yet.
    owed: u64,
    /// Payload of the last ping that is not answered yet; earlier ones need no answer of their
    /// own (RFC 6455, section 5.5.3), so a flood of pings is answered as it is read.
    ping: Option<Box<[u8]>>,
    /// For our close frame.
    status: u16,
    close_sent: bool,
}

impl Web {
    pub(super) fn new() -> Self {
        Self {
            reader: FrameReader::new(Reader::Server),
            owed: 0,
            ping: None,
            status: NORMAL,
            close_sent: false,
        }
    }

    /// Whether the peer has sent its close frame.
    pub(super) fn is_closed(&self) -> bool {
        self.reader.is_closed()
    }

    /// Decodes in place; see [`FrameReader::decode`].
    pub(super) fn decode(&mut self, bytes: &mut [u8]) -> Result<Decoded, FrameError> {
        let Self { reader, ping, status, .. } = self;
        let decoded = reader.decode(bytes, |opcode, payload| match opcode {
            Opcode::Ping => *ping = Some(payload.into()),
            Opcode::Close => {
                let code = payload.first_chunk().map_or(NORMAL, |code| u16::from_be_bytes(*code));
                // Ours repeats the peer's, if that may stand in a frame at all.
                *status = if matches!(code, 1000..=1003 | 1007..=1011 | 3000..=4999) {
                    code
                } else {
                    1002
                };
            }
            _ => {}
        });
        if let Err(error) = &decoded {
            self.status = error.status;
        }
        decoded
    }

    /// Appends the answer to a ping, if one waits and no frame is half written.
    pub(super) fn pong(&mut self, out: &mut Output) {
        if self.owed == 0
            && !self.close_sent
            && let Some(payload) = self.ping.take()
        {
            out.extend(Header::new(Opcode::Pong, payload.len() as u64, None).as_ref());
            out.extend(&payload);
        }
    }

    /// Whether [`Web::pong`] has something to append.
    pub(super) fn has_pong(&self) -> bool {
        self.ping.is_some() && self.owed == 0
    }

    /// Appends our close frame, once, if no frame is half written.
    pub(super) fn close(&mut self, out: &mut Output) {
        if self.owed == 0 && !std::mem::replace(&mut self.close_sent, true) {
            out.extend(Header::new(Opcode::Close, 2, None).as_ref());
            out.extend(&self.status.to_be_bytes());
        }
    }

    /// Begins a frame for `len` bytes, unless one is half written: gives its header and how many
    /// bytes belong to the frame. Report what was written of them with [`Web::written`].
    pub(super) fn frame(&mut self, len: usize) -> (Option<Header>, usize) {
        if self.owed > 0 {
            return (None, len.min(usize::try_from(self.owed).unwrap_or(usize::MAX)));
        }
        self.owed = len as u64;
        (Some(Header::new(Opcode::Binary, len as u64, None)), len)
    }

    /// That many payload bytes of the frame were written.
    pub(super) fn written(&mut self, len: usize) {
        self.owed -= len as u64;
    }

    /// Takes [`Web::frame`] back: nothing of it was written, its header included.
    pub(super) fn unframe(&mut self) {
        self.owed = 0;
    }
}

/// The first `len` bytes of `slices`, behind `head`.
pub(super) fn gather<'a>(
    head: &'a [u8],
    slices: &'a [IoSlice<'a>],
    len: usize,
) -> smallvec::SmallVec<[IoSlice<'a>; 17]> {
    let mut all = smallvec::SmallVec::new();
    if !head.is_empty() {
        all.push(IoSlice::new(head));
    }
    let mut left = len;
    for slice in slices {
        if left == 0 {
            break;
        }
        let part = &slice[..slice.len().min(left)];
        left -= part.len();
        all.push(IoSlice::new(part));
    }
    all
}
