//! WebSocket frames (RFC 6455, section 5) without input or output.
//!
//! MQTT takes WebSocket as a stream of bytes: packets may span frames and frames may hold many
//! packets [MQTT-6.0.0-2]. So [`FrameReader`] collects nothing. It decodes in place whatever part
//! of a frame has come, however large the frame says that it is; only a header or a control frame
//! that is not complete has to be shown again together with what follows, at most
//! [`HEADER_MAX`] + 125 bytes. Extensions are not spoken.

/// The longest header of a frame, in bytes: two, an extended length of eight, a mask of four.
pub const HEADER_MAX: usize = 14;

/// The largest payload of a control frame, in bytes.
pub const CONTROL_MAX: usize = 125;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// A further part of a message.
    Continuation = 0,
    /// Text, or its first part. MQTT does not use it.
    Text = 1,
    /// Binary data, or its first part.
    Binary = 2,
    /// The sender is done.
    Close = 8,
    /// To be answered with a pong.
    Ping = 9,
    /// Answers a ping.
    Pong = 10,
}

impl Opcode {
    fn of(byte: u8) -> Option<Self> {
        Some(match byte & 0x0F {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// Who reads: frames of clients are masked, frames of servers are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A server, which reads masked frames.
    Server,
    /// A client, which reads unmasked frames.
    Client,
}

/// What the peer did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameError {
    /// Status code for our close frame: 1002 or 1003.
    pub status: u16,
    /// For the log.
    pub what: &'static str,
}

const fn broken(what: &'static str) -> FrameError {
    FrameError { status: 1002, what }
}

/// What [`FrameReader::decode`] made of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Data that now stands in front, without headers and masks.
    pub data: usize,
    /// Bytes used up; those that follow have to come again, in front of new ones.
    pub used: usize,
}

/// Reads frames from one peer.
#[derive(Clone, Debug)]
pub struct FrameReader {
    /// Payload bytes of the present data frame still to come.
    left: u64,
    /// Its mask, turned so that the first byte belongs to the next one.
    mask: [u8; 4],
    reader: Reader,
    /// Inside a message of several frames.
    fragmented: bool,
    /// The peer has sent a close frame.
    closed: bool,
}

struct Head {
    opcode: Opcode,
    fin: bool,
    mask: [u8; 4],
    len: u64,
    size: usize,
}

impl FrameReader {
    /// Before the first frame.
    pub const fn new(reader: Reader) -> Self {
        Self { left: 0, mask: [0; 4], reader, fragmented: false, closed: false }
    }

    /// Whether the peer has sent a close frame. What follows it is ignored.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Decodes as much as there is. Data is moved to the front of `bytes`; each control frame is
    /// given to `control` with its payload as it comes.
    ///
    /// # Errors
    /// When the peer breaks the protocol or sends text. The connection is of no further use.
    pub fn decode(
        &mut self,
        bytes: &mut [u8],
        mut control: impl FnMut(Opcode, &[u8]),
    ) -> Result<Decoded, FrameError> {
        let (mut data, mut used) = (0, 0);
        while used < bytes.len() {
            if self.closed {
                return Ok(Decoded { data, used: bytes.len() });
            }
            if self.left > 0 {
                let len =
                    (bytes.len() - used).min(usize::try_from(self.left).unwrap_or(usize::MAX));
                bytes.copy_within(used..used + len, data);
                apply_mask(&mut bytes[data..data + len], self.mask);
                self.mask.rotate_left(len % 4);
                self.left -= len as u64;
                (data, used) = (data + len, used + len);
                continue;
            }
            let Some(head) = self.head(&bytes[used..])? else { break };
            if !head.opcode.is_control() {
                self.fragmented = !head.fin;
                (self.left, self.mask) = (head.len, head.mask);
                used += head.size;
                continue;
            }
            let (from, to) = (used + head.size, used + head.size + head.len as usize);
            let Some(payload) = bytes.get_mut(from..to) else { break };
            apply_mask(payload, head.mask);
            self.closed = head.opcode == Opcode::Close;
            control(head.opcode, payload);
            used = to;
        }
        Ok(Decoded { data, used })
    }

    /// The header at the front of `bytes`, once it is complete.
    fn head(&self, bytes: &[u8]) -> Result<Option<Head>, FrameError> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        let opcode = Opcode::of(first).ok_or(broken("unknown WebSocket opcode"))?;
        let (fin, masked) = (first & 0x80 != 0, second & 0x80 != 0);
        if first & 0x70 != 0 {
            return Err(broken("reserved bits of a WebSocket frame are set"));
        }
        if masked != (self.reader == Reader::Server) {
            return Err(broken("WebSocket frame masked wrongly"));
        }
        self.check_order(opcode, fin, second & 0x7F)?;
        let (len, at) = match second & 0x7F {
            126 => match rest.first_chunk() {
                Some(len) => (u64::from(u16::from_be_bytes(*len)), 4),
                None => return Ok(None),
            },
            127 => match rest.first_chunk() {
                Some(len) => (u64::from_be_bytes(*len), 10),
                None => return Ok(None),
            },
            len => (u64::from(len), 2),
        };
        if len >> 63 != 0 {
            return Err(broken("WebSocket frame length above 2^63"));
        }
        let (mask, size) = match (masked, bytes[at..].first_chunk()) {
            (true, Some(mask)) => (*mask, at + 4),
            (true, None) => return Ok(None),
            (false, _) => ([0; 4], at),
        };
        Ok(Some(Head { opcode, fin, mask, len, size }))
    }

    fn check_order(&self, opcode: Opcode, fin: bool, len: u8) -> Result<(), FrameError> {
        match opcode {
            _ if opcode.is_control() && !fin => Err(broken("fragmented WebSocket control frame")),
            _ if opcode.is_control() && usize::from(len) > CONTROL_MAX => {
                Err(broken("WebSocket control frame above 125 bytes"))
            }
            // [MQTT-6.0.0-1]
            Opcode::Text => Err(FrameError { status: 1003, what: "WebSocket text frame" }),
            Opcode::Continuation if !self.fragmented => {
                Err(broken("WebSocket continuation of nothing"))
            }
            Opcode::Binary if self.fragmented => {
                Err(broken("WebSocket message inside a fragmented one"))
            }
            _ => Ok(()),
        }
    }
}

/// A frame's header, as bytes.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    bytes: [u8; HEADER_MAX],
    len: u8,
}

impl Header {
    /// For a frame that is a whole message of `len` payload bytes. With a mask the payload has to
    /// go through [`apply_mask`].
    pub fn new(opcode: Opcode, len: u64, mask: Option<[u8; 4]>) -> Self {
        let mut header = Self { bytes: [0; HEADER_MAX], len: 0 };
        let masked = if mask.is_some() { 0x80 } else { 0 };
        header.push(&[0x80 | opcode as u8]);
        match len {
            0..126 => header.push(&[masked | len as u8]),
            126..65_536 => {
                header.push(&[masked | 126]);
                header.push(&(len as u16).to_be_bytes());
            }
            _ => {
                header.push(&[masked | 127]);
                header.push(&len.to_be_bytes());
            }
        }
        header.push(mask.as_ref().map_or(&[][..], |mask| mask));
        header
    }

    fn push(&mut self, bytes: &[u8]) {
        let at = usize::from(self.len);
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len() as u8;
    }
}

impl AsRef<[u8]> for Header {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// Masks or unmasks a payload from its first byte on.
pub fn apply_mask(bytes: &mut [u8], mask: [u8; 4]) {
    if mask == [0; 4] {
        return;
    }
    let word = u64::from_ne_bytes([
        mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3],
    ]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            len @ 0..126 => bytes.push(0x80 | len as u8),
            len @ 126..65_536 => {
                bytes.push(0x80 | 126);
                bytes.extend((len as u16).to_be_bytes());
            }
            len => {
                bytes.push(0x80 | 127);
                bytes.extend((len as u64).to_be_bytes());
            }
        }
        bytes.extend(MASK);
        bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    /// Data, and control frames with their payloads.
    type Read = (Vec<u8>, Vec<(Opcode, Vec<u8>)>);

    /// Data and control frames of what was sent in pieces of these sizes, over and over.
    fn read(bytes: &[u8], pieces: &[usize]) -> Result<Read, FrameError> {
        let mut reader = FrameReader::new(Reader::Server);
        let (mut data, mut controls, mut held) = (Vec::new(), Vec::new(), Vec::new());
        let mut rest = bytes;
        for size in pieces.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*size).clamp(1, rest.len()));
            rest = later;
            held.extend_from_slice(now);
            let done = reader.decode(&mut held, |opcode, payload| {
                controls.push((opcode, payload.to_vec()));
            })?;
            data.extend_from_slice(&held[..done.data]);
            held.drain(..done.used);
            assert!(held.len() < HEADER_MAX + CONTROL_MAX);
        }
        Ok((data, controls))
    }

    #[test]
    fn the_example_of_the_rfc_is_read() {
        let mut bytes = [0x82, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        let mut reader = FrameReader::new(Reader::Server);
        let done = reader.decode(&mut bytes, |_, _| ()).unwrap();
        assert_eq!(done, Decoded { data: 5, used: 11 });
        assert_eq!(&bytes[..5], b"Hello");
    }

    #[test]
    fn control_frames_may_stand_between_fragments() {
        let bytes = [
            frame(0x02, b"ab"),
            frame(0x89, b"ping"),
            frame(0x00, b""),
            frame(0x8A, b""),
            frame(0x80, b"c"),
            frame(0x82, b"d"),
            frame(0x88, &[0x03, 0xE8]),
            b"what follows a close frame is not looked at".to_vec(),
        ]
        .concat();
        for piece in 1..bytes.len() {
            let (data, controls) = read(&bytes, &[piece]).unwrap();
            assert_eq!(data, b"abcd");
            let wanted = [
                (Opcode::Ping, b"ping".to_vec()),
                (Opcode::Pong, Vec::new()),
                (Opcode::Close, vec![3, 0xE8]),
            ];
            assert_eq!(controls, wanted);
        }
    }

    #[test]
    fn what_the_rfc_forbids_is_refused() {
        let refused = |bytes: &[u8]| read(bytes, &[usize::MAX]).unwrap_err();
        assert_eq!(refused(&frame(0x81, b"text")).status, 1003);
        for (bytes, what) in [
            (frame(0x83, b""), "opcode"),
            (frame(0xC2, b""), "reserved"),
            (frame(0x09, b""), "fragmented WebSocket control"),
            (frame(0x89, &[0; 126]), "above 125"),
            (frame(0x80, b"x"), "continuation of nothing"),
            ([frame(0x02, b"a"), frame(0x82, b"b")].concat(), "inside a fragmented"),
            (vec![0x82, 0x01, b'a'], "masked wrongly"),
            (vec![0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0], "2^63"),
        ] {
            let error = refused(&bytes);
            assert!(error.what.contains(what) && error.status == 1002, "{what}: {error:?}");
        }
    }

    #[test]
    fn a_declared_length_is_believed_only_as_the_bytes_come() {
        let mut head = vec![0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
        head.extend([0; 4]);
        head.extend(b"abc");
        assert_eq!(read(&head, &[1]).unwrap().0, b"abc");
    }

    #[test]
    fn a_client_reads_what_a_server_writes() {
        for len in [0usize, 1, 125, 126, 4096, 65_535, 65_536] {
            let header = Header::new(Opcode::Binary, len as u64, None);
            let mut bytes = [header.as_ref(), &vec![7; len]].concat();
            let mut reader = FrameReader::new(Reader::Client);
            let done = reader.decode(&mut bytes, |_, _| ()).unwrap();
            assert_eq!((done.data, done.used), (len, header.as_ref().len() + len));
            assert!(bytes[..len].iter().all(|byte| *byte == 7));
            assert!(FrameReader::new(Reader::Server).decode(&mut bytes, |_, _| ()).is_err());
        }
    }

    fn payload() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..300)
    }

    proptest! {
        #[test]
        fn the_stream_is_what_the_frames_held(
            payloads in prop::collection::vec((0..2u8, payload()), 0..8),
            pieces in prop::collection::vec(1..400usize, 1..6),
        ) {
            let (mut bytes, mut data) = (Vec::new(), Vec::new());
            for (own_header, payload) in &payloads {
                data.extend_from_slice(payload);
                if *own_header == 0 {
                    bytes.extend(frame(0x82, payload));
                } else {
                    let mut masked = payload.clone();
                    apply_mask(&mut masked, MASK);
                    let header = Header::new(Opcode::Binary, payload.len() as u64, Some(MASK));
                    bytes.extend([header.as_ref(), &masked].concat());
                }
            }
            prop_assert_eq!(read(&bytes, &pieces).unwrap().0, data);
        }
    }
}
