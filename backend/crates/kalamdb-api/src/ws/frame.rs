//! The frames of RFC 6455 as a server reads and writes them: bytes in, messages out, and back. No I/O.
//!
//! What a client sends is never held beyond the limits given: a message over them is told as
//! [`Message::TooLarge`] and its bytes are thrown away as they come, so that the connection stays
//! readable. Whether the content means anything is decided elsewhere.

use bytes::{Buf, BytesMut};

/// Longest payload of a control frame.
const CONTROL_BYTES_MAX: u64 = 125;
/// What is reserved at once for a message whose head says how long it will be.
const RESERVE_BYTES_MAX: usize = 64 << 10;

/// One message from a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    /// A text message, not yet known to be UTF-8.
    Text(Vec<u8>),
    /// A binary message, which was not kept.
    Binary,
    /// A message that is larger than what is kept, and was not kept.
    TooLarge,
    /// A message that is larger than what is read. It is told as soon as that is known.
    BeyondMeasure,
    /// Wants a pong with the same content.
    Ping(Vec<u8>),
    /// A sign of life.
    Pong,
    /// The client closes, or answers our close.
    Close,
}

/// The client does not speak the protocol; nothing after this can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    /// Bits are set that only an extension would set.
    #[error("reserved bits are set and no extension was agreed on")]
    ReservedBits,
    /// An operation code that is not defined.
    #[error("the operation code is not defined")]
    UnknownOpcode,
    /// Clients have to mask what they send.
    #[error("a frame is not masked")]
    NotMasked,
    /// A control frame is split or too long.
    #[error("a control frame is split or longer than {CONTROL_BYTES_MAX} bytes")]
    BadControlFrame,
    /// A message goes on that has not begun, or begins before the one before it has ended.
    #[error("the parts of a message are out of order")]
    BadFragment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn of(code: u8) -> Option<Self> {
        Some(match code {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => Opcode::Binary,
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xa => Opcode::Pong,
            _ => return None,
        })
    }

    const fn code(self) -> u8 {
        match self {
            Opcode::Continuation => 0x0,
            Opcode::Text => 0x1,
            Opcode::Binary => 0x2,
            Opcode::Close => 0x8,
            Opcode::Ping => 0x9,
            Opcode::Pong => 0xa,
        }
    }

    const fn is_control(self) -> bool {
        matches!(self, Opcode::Close | Opcode::Ping | Opcode::Pong)
    }
}

/// The head of a frame, and what of its payload has yet to come.
#[derive(Debug)]
struct Head {
    last: bool,
    opcode: Opcode,
    remaining: u64,
    mask: [u8; 4],
}

impl Head {
    /// The head at the beginning of `bytes` and its size; `None` while it is not complete.
    fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, FrameError> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(FrameError::ReservedBits);
        }
        let opcode = Opcode::of(first & 0x0f).ok_or(FrameError::UnknownOpcode)?;
        if second & 0x80 == 0 {
            return Err(FrameError::NotMasked);
        }
        let (remaining, rest) = match second & 0x7f {
            126 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
                None => return Ok(None),
            },
            short => (u64::from(short), rest),
        };
        let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
        let last = first & 0x80 != 0;
        if opcode.is_control() && (!last || remaining > CONTROL_BYTES_MAX) {
            return Err(FrameError::BadControlFrame);
        }
        Ok(Some((Head { last, opcode, remaining, mask: *mask }, bytes.len().saturating_sub(rest.len()))))
    }

    /// Takes the mask off the next bytes of the payload.
    fn unmask(&mut self, payload: &mut [u8]) {
        for chunk in payload.chunks_mut(4) {
            for (byte, mask) in chunk.iter_mut().zip(self.mask) {
                *byte ^= mask;
            }
        }
        self.mask.rotate_left(payload.len() % 4);
        self.remaining = self.remaining.saturating_sub(payload.len() as u64);
    }
}

/// A data message whose parts are coming in.
#[derive(Debug)]
struct Partial {
    kind: Kind,
    /// Bytes of the parts whose heads have come.
    announced: u64,
    /// The content so far, of a text that is kept.
    content: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Binary,
    TooLarge,
    BeyondMeasure,
}

/// Makes messages of the bytes that a client sends.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// Bytes that have come and were not yet looked at. The owner appends to it.
    pub(crate) buffer: BytesMut,
    head: Option<Head>,
    partial: Option<Partial>,
    keep_bytes_max: u64,
    read_bytes_max: u64,
}

impl Decoder {
    /// Messages of up to `keep_bytes_max` are kept; those of more than `read_bytes_max` are beyond measure.
    pub(crate) fn new(keep_bytes_max: usize, read_bytes_max: usize) -> Self {
        Decoder {
            buffer: BytesMut::new(),
            head: None,
            partial: None,
            keep_bytes_max: keep_bytes_max as u64,
            read_bytes_max: read_bytes_max as u64,
        }
    }

    /// The next message in what has come; `None` if more has to come first.
    pub(crate) fn next(&mut self) -> Result<Option<Message>, FrameError> {
        loop {
            let Some(mut head) = self.head.take() else {
                let Some((head, size)) = Head::parse(&self.buffer)? else { return Ok(None) };
                self.buffer.advance(size);
                let beyond = !head.opcode.is_control() && self.announce(&head)?;
                self.head = Some(head);
                if beyond {
                    return Ok(Some(Message::BeyondMeasure));
                }
                continue;
            };
            let wanted = usize::try_from(head.remaining).unwrap_or(usize::MAX);
            if head.opcode.is_control() {
                if self.buffer.len() < wanted {
                    self.head = Some(head);
                    return Ok(None);
                }
                let mut payload = self.buffer.split_to(wanted);
                head.unmask(&mut payload);
                return Ok(Some(match head.opcode {
                    Opcode::Close => Message::Close,
                    Opcode::Ping => Message::Ping(payload.to_vec()),
                    _ => Message::Pong,
                }));
            }
            let come = self.buffer.len().min(wanted);
            let mut payload = self.buffer.split_to(come);
            head.unmask(&mut payload);
            if let Some(partial) = self.partial.as_mut().filter(|partial| partial.kind == Kind::Text) {
                partial.content.extend_from_slice(&payload);
            }
            if head.remaining > 0 {
                self.head = Some(head);
                return Ok(None);
            }
            if head.last
                && let Some(message) = self.partial.take().and_then(Partial::complete)
            {
                return Ok(Some(message));
            }
        }
    }

    /// Takes note of a further part of a message. Is the message beyond measure, and was not before?
    fn announce(&mut self, head: &Head) -> Result<bool, FrameError> {
        let kind = match head.opcode {
            Opcode::Text => Kind::Text,
            Opcode::Binary => Kind::Binary,
            _ => Kind::TooLarge,
        };
        let begins = head.opcode != Opcode::Continuation;
        if begins == self.partial.is_some() {
            return Err(FrameError::BadFragment);
        }
        let partial = self.partial.get_or_insert(Partial { kind, announced: 0, content: Vec::new() });
        partial.announced = partial.announced.saturating_add(head.remaining);
        if partial.announced <= self.keep_bytes_max {
            let expected = usize::try_from(head.remaining).unwrap_or(usize::MAX);
            partial.content.reserve(if partial.kind == Kind::Text { expected.min(RESERVE_BYTES_MAX) } else { 0 });
            return Ok(false);
        }
        partial.content = Vec::new();
        let beyond = partial.announced > self.read_bytes_max;
        let told = partial.kind == Kind::BeyondMeasure;
        partial.kind = if beyond { Kind::BeyondMeasure } else { Kind::TooLarge };
        Ok(beyond && !told)
    }
}

impl Partial {
    fn complete(self) -> Option<Message> {
        match self.kind {
            Kind::Text => Some(Message::Text(self.content)),
            Kind::Binary => Some(Message::Binary),
            Kind::TooLarge => Some(Message::TooLarge),
            // Told when it began to be.
            Kind::BeyondMeasure => None,
        }
    }
}

/// Appends a text frame.
pub(crate) fn write_text(out: &mut Vec<u8>, json: &[u8]) {
    write_frame(out, Opcode::Text, json);
}

/// Appends the answer to a ping.
pub(crate) fn write_pong(out: &mut Vec<u8>, payload: &[u8]) {
    write_frame(out, Opcode::Pong, payload);
}

/// Appends a close frame.
pub(crate) fn write_close(out: &mut Vec<u8>, code: u16, reason: &str) {
    let mut payload = code.to_be_bytes().to_vec();
    let mut end = reason.len().min(CONTROL_BYTES_MAX as usize - payload.len());
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    payload.extend_from_slice(reason.as_bytes().get(..end).unwrap_or_default());
    write_frame(out, Opcode::Close, &payload);
}

fn write_frame(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    out.reserve(payload.len().saturating_add(10));
    out.push(0x80 | opcode.code());
    let length = payload.len();
    if length < 126 {
        out.push(length as u8);
    } else if let Ok(length) = u16::try_from(length) {
        out.push(126);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(127);
        out.extend_from_slice(&(length as u64).to_be_bytes());
    }
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests;
