//! The reading half of a socket: bytes from the client, as messages.

use kalamdb_core::live::CloseReason;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::frame::{Decoder, FrameError, Message};

/// How many bytes are read at once.
const READ_BYTES: usize = 4 << 10;
/// How much is read and thrown away while the client's answer to our close is awaited.
const DISCARD_BYTES_MAX: usize = 64 << 20;

/// Nothing more can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    /// The client is gone without having said so.
    #[error("the client is gone")]
    Vanished,
    /// The client does not speak the protocol.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

impl Broken {
    /// Why the socket is closed now; `None` if there is nobody to be told.
    pub(crate) fn close_reason(self) -> Option<CloseReason> {
        match self {
            Broken::Vanished => None,
            Broken::Frame(error) => {
                tracing::debug!(%error, "the client does not speak the protocol");
                Some(CloseReason::ProtocolAbuse)
            }
        }
    }
}

/// Reads messages.
#[derive(Debug)]
pub(crate) struct Reader<R> {
    half: R,
    decoder: Decoder,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(crate) fn new(half: R, keep_bytes_max: usize, read_bytes_max: usize) -> Self {
        Reader { half, decoder: Decoder::new(keep_bytes_max, read_bytes_max) }
    }

    /// The next message. May be given up and called again; nothing is lost.
    pub(crate) async fn next(&mut self) -> Result<Message, Broken> {
        loop {
            if let Some(message) = self.decoder.next()? {
                return Ok(message);
            }
            self.decoder.buffer.reserve(READ_BYTES);
            match self.half.read_buf(&mut self.decoder.buffer).await {
                Ok(0) | Err(_) => return Err(Broken::Vanished),
                Ok(_) => {}
            }
        }
    }

    /// Throws away what still comes until the client has closed too.
    pub(crate) async fn until_closed(&mut self) {
        let mut discarded = 0_usize;
        while discarded < DISCARD_BYTES_MAX {
            loop {
                match self.decoder.next() {
                    Ok(Some(Message::Close)) => return,
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(_) => self.decoder.buffer.clear(),
                }
            }
            self.decoder.buffer.reserve(READ_BYTES);
            match self.half.read_buf(&mut self.decoder.buffer).await {
                Ok(0) | Err(_) => return,
                Ok(bytes) => discarded = discarded.saturating_add(bytes),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    const HELLO: [u8; 11] = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    const CLOSE: [u8; 6] = [0x88, 0x80, 0, 0, 0, 0];

    #[tokio::test]
    async fn a_read_that_is_given_up_loses_nothing() {
        let (mut client, server) = tokio::io::duplex(64);
        let mut reader = Reader::new(server, 100, 200);
        client.write_all(&HELLO[..7]).await.unwrap();
        assert!(futures_util::FutureExt::now_or_never(reader.next()).is_none());
        client.write_all(&HELLO[7..]).await.unwrap();
        assert_eq!(reader.next().await, Ok(Message::Text(b"Hello".to_vec())));
        drop(client);
        assert_eq!(reader.next().await, Err(Broken::Vanished));
    }

    #[tokio::test]
    async fn s19_waiting_for_the_clients_close_ends_with_it_whatever_comes_before() {
        for before in [&HELLO[..], &[0xff; 20], b""] {
            let (mut client, server) = tokio::io::duplex(1 << 10);
            client.write_all(before).await.unwrap();
            client.write_all(&CLOSE).await.unwrap();
            client.shutdown().await.unwrap();
            Reader::new(server, 100, 200).until_closed().await;
        }
    }
}
