//! The life of one socket, from the granted upgrade to the end of the stream.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kalamdb_core::live::{CloseReason, NewConnection};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tracing::{Span, field};

use super::authenticate::{self, Proven};
use super::reader::Reader;
use super::screen::Screen;
use super::session;
use super::writer::Writer;
use crate::gate::Pass;
use crate::serve::Admission;
use crate::state::Doors;

/// Time for the close frame to be written and the client's own to come.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);

/// A socket to be.
pub(super) struct NewSocket {
    pub(super) doors: Doors,
    /// Who it is, where the upgrade request said so.
    pub(super) proven: Option<Proven>,
    /// Address of the client.
    pub(super) address: IpAddr,
    /// The same with the port where it is known, for people.
    pub(super) client_addr: String,
    /// Leave to be one more socket of its address.
    pub(super) pass: Pass<IpAddr>,
    /// Leave to be one more socket that has not been authenticated.
    pub(super) unauthenticated: Option<Pass<IpAddr>>,
    /// Leave to be one more connection.
    pub(super) admission: Option<Arc<Admission>>,
}

/// Lives one socket's life. Gives the reason it was closed for, or `None` if the client was gone.
pub(super) async fn live<S>(stream: S, socket: NewSocket) -> Option<CloseReason>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let NewSocket { doors, proven, address, client_addr, pass: _pass, unauthenticated, admission: _admission } = socket;
    let options = &doors.options.socket;
    let (read, write) = tokio::io::split(stream);
    let mut reader = Reader::new(read, options.message_bytes_max, options.message_bytes_read_max());
    let mut writer = Writer::new(write);
    let mut screen = Screen::new(options, Instant::now());
    let proven = match proven {
        Some(proven) => Ok(proven),
        None => authenticate::wait(&doors, address, &mut reader, &mut writer, &mut screen).await,
    };
    drop(unauthenticated);
    let (reason, writer) = match proven {
        Ok(proven) => connect(&doors, proven, (address, client_addr), (&mut reader, writer), &mut screen).await,
        Err(reason) => (reason, Some(writer)),
    };
    if let (Some(reason), Some(writer)) = (reason, writer) {
        farewell(reader, writer, reason).await;
    }
    reason
}

async fn connect<R, W>(
    doors: &Doors,
    proven: Proven,
    (address, client_addr): (IpAddr, String),
    (reader, writer): (&mut Reader<R>, Writer<W>),
    screen: &mut Screen,
) -> (Option<CloseReason>, Option<Writer<W>>)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let new = NewConnection { identity: proven.identity.clone(), client_addr };
    let (connection, outgoing) = match doors.engine.live().open(new) {
        Ok(opened) => opened,
        Err(reason) => return (Some(reason), Some(writer)),
    };
    Span::current()
        .record("connection_id", field::display(connection.id()))
        .record("user_id", field::display(connection.user()));
    // Whatever ended the token before the connection was known to use it went unnoticed.
    if let Some(reason) = session::void(&doors.auth, &proven) {
        connection.close(reason).await;
        return (Some(reason), Some(writer));
    }
    tracing::debug!("connection opened");
    connection.send(&session::welcome(&connection));
    session::attend(doors, address, (connection, outgoing), (reader, writer), screen).await
}

/// Closes as the protocol wants it: our close frame, then theirs, then the stream.
async fn farewell<R, W>(mut reader: Reader<R>, mut writer: Writer<W>, reason: CloseReason)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let parting = async {
        if writer.close(reason).await.is_err() {
            return;
        }
        if reason != CloseReason::ClientAsked {
            reader.until_closed().await;
        }
        writer.shut_down().await;
    };
    // A client that does not part in time is left without further words.
    let _ = timeout(FAREWELL_TIMEOUT, parting).await;
}
