//! The time before a socket is authenticated: one token, a few pings, and not for long.

use std::net::IpAddr;
use std::time::Instant;

use kalamdb_auth::{Auth, Identity};
use kalamdb_commons::ErrorCode;
use kalamdb_commons::protocol::{ClientMessage, ServerMessage};
use kalamdb_core::live::CloseReason;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::frame::Message;
use super::reader::{Broken, Reader};
use super::screen::{Refusal, Screen, Screened};
use super::writer::{WriteFailure, Writer};
use crate::error::RequestError;
use crate::state::Doors;

/// The only way to authenticate.
const METHOD: &str = "jwt";

/// Somebody whose token was checked.
#[derive(Clone)]
pub(super) struct Proven {
    pub(super) identity: Identity,
    /// The token, to be checked again once the connection is known to those who end connections.
    pub(super) token: String,
}

/// Who a token speaks for.
pub(super) async fn check(auth: &Auth, token: &str, address: IpAddr) -> Result<Proven, RequestError> {
    let checked = auth.admit(token, address).await;
    crate::metrics::socket_authentication(checked.is_ok());
    match checked {
        Ok(identity) => Ok(Proven { identity, token: token.to_owned() }),
        Err(error) => {
            tracing::debug!(code = %error.code(), "a token was refused");
            Err(error.into())
        }
    }
}

/// Who an `authenticate` frame speaks for.
///
/// # Errors
/// The text of an `auth_error`.
pub(super) async fn check_frame(auth: &Auth, method: &str, token: &str, address: IpAddr) -> Result<Proven, String> {
    if method != METHOD {
        return Err(format!("the method must be \"{METHOD}\""));
    }
    check(auth, token, address).await.map_err(|error| error.message)
}

/// Waits for a valid token.
///
/// # Errors
/// Why the socket is to be closed; `None` if the client is gone.
pub(super) async fn wait<R, W>(
    doors: &Doors,
    address: IpAddr,
    reader: &mut Reader<R>,
    writer: &mut Writer<W>,
    screen: &mut Screen,
) -> Result<Proven, Option<CloseReason>>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    tokio::select! {
        () = doors.shutdown.cancelled() => Err(Some(CloseReason::ShuttingDown)),
        proven = timeout(doors.options.socket.auth_timeout, exchange((&doors.auth, address), reader, writer, screen)) => {
            proven.unwrap_or(Err(Some(CloseReason::NotAuthenticated)))
        }
    }
}

async fn exchange<R, W>(
    (auth, address): (&Auth, IpAddr),
    reader: &mut Reader<R>,
    writer: &mut Writer<W>,
    screen: &mut Screen,
) -> Result<Proven, Option<CloseReason>>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    loop {
        let message = reader.next().await.map_err(Broken::close_reason)?;
        let step = look(screen, message, Instant::now());
        let mut end = None;
        match step {
            Step::Token { method, token } => match check_frame(auth, &method, &token, address).await {
                Ok(proven) => return Ok(proven),
                Err(message) => {
                    writer.push_message(&ServerMessage::AuthError { message });
                    end = Some(CloseReason::NotAuthenticated);
                }
            },
            Step::Say(message) => writer.push_message(&message),
            Step::Pong(payload) => writer.push_pong(&payload),
            Step::Nothing => {}
            Step::Close(message, reason) => {
                if let Some(message) = message {
                    writer.push_message(&message);
                }
                end = Some(reason);
            }
        }
        writer.flush().await.map_err(WriteFailure::close_reason)?;
        if end.is_some() {
            return Err(end);
        }
    }
}

/// What a message leads to before authentication.
#[derive(Debug, PartialEq)]
enum Step {
    Token { method: String, token: String },
    Say(ServerMessage),
    Pong(Vec<u8>),
    Nothing,
    Close(Option<ServerMessage>, CloseReason),
}

fn look(screen: &mut Screen, message: Message, now: Instant) -> Step {
    let refuse = |refusal: Refusal| {
        crate::metrics::message_refused(refusal.code());
        ServerMessage::from(refusal)
    };
    match screen.look(message, now) {
        Screened::Take(ClientMessage::Authenticate { method, token, protocol: _ }) => Step::Token { method, token },
        Screened::Take(ClientMessage::Ping) => Step::Say(ServerMessage::Pong),
        Screened::Take(message) => {
            let refusal = Refusal::new(ErrorCode::AuthRequired, "the socket has not been authenticated");
            Step::Say(refuse(refusal.about(&message)))
        }
        Screened::Heard => Step::Nothing,
        Screened::Pong(payload) => Step::Pong(payload),
        Screened::Refuse(refusal) => Step::Say(refuse(refusal)),
        Screened::Close(refusal, reason) => Step::Close(refusal.map(refuse), reason),
    }
}

#[cfg(test)]
mod tests;
