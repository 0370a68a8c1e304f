//! What no bytes of a socket may do to what reads them: for the fuzzer, and for the tests alike.
//!
//! It fails on a defect only: a panic, more kept than may be, or messages that depend on how their bytes were
//! cut on the way.

use crate::ws::frame::{Decoder, FrameError, Message};

/// Longest message that is kept, and that is read.
const KEEP_BYTES_MAX: usize = 300;
const READ_BYTES_MAX: usize = 600;

/// What a client sends behind the handshake. The first byte says how it is cut.
pub fn frames(data: &[u8]) {
    let Some((cut, data)) = data.split_first() else { return };
    let whole = read(data.chunks(data.len().max(1)));
    let cut = read(data.chunks(usize::from(*cut).max(1)));
    assert_eq!(whole, cut);
    for message in &whole.0 {
        if let Message::Text(content) = message {
            assert!(content.len() <= KEEP_BYTES_MAX);
        }
    }
}

fn read<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<Message>, Option<FrameError>) {
    let mut decoder = Decoder::new(KEEP_BYTES_MAX, READ_BYTES_MAX);
    let mut messages = Vec::new();
    for chunk in chunks {
        decoder.buffer.extend_from_slice(chunk);
        loop {
            match decoder.next() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    (messages, None)
}

#[cfg(test)]
mod tests;
