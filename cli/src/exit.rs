//! How the program ends: its exit codes, which scripts rely on, and failures on their way there.

use std::io;

use kalam_link::Error;
use kalamdb_commons::ErrorCode;

use crate::render::cell::harmless_lines;

/// The exit codes. They never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All went well.
    Ok = 0,
    /// A statement or a live query failed, or rows of an import did.
    Failed = 1,
    /// Wrong flags, a file that cannot be read, or a configuration that makes no sense.
    Usage = 2,
    /// The server cannot be reached, or did not answer in time.
    Unreachable = 3,
    /// Not authenticated, or not permitted.
    Denied = 4,
    /// An administrator ended the connection or the live query.
    Killed = 5,
    /// Ended with Ctrl-C before it was done.
    Interrupted = 130,
}

/// Why the program, or one line of the prompt, did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// How the program ends if nothing else happens.
    pub exit: Exit,
    /// For people; empty when everything was said already.
    pub text: String,
}

impl Failure {
    /// The caller asked for something that cannot be.
    pub fn usage(text: impl Into<String>) -> Self {
        Failure { exit: Exit::Usage, text: text.into() }
    }

    /// A failure that was told already.
    #[must_use]
    pub fn told(exit: Exit) -> Self {
        Failure { exit, text: String::new() }
    }

    /// Is nobody reading what is written any more, as behind `| head`?
    #[must_use]
    pub fn is_closed_output(&self) -> bool {
        self.exit == Exit::Ok
    }

    /// The failure of a statement, with the place in its SQL where the server said one.
    #[must_use]
    pub fn of_sql(error: &Error, sql: &str) -> Self {
        let mut text = describe(error);
        if let Some(pointer) = error.position().and_then(|position| place_in(sql, position)) {
            text.push('\n');
            text.push_str(&pointer);
        }
        Failure { exit: exit_of(error), text }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure { exit: exit_of(&error), text: describe(&error) }
    }
}

impl From<io::Error> for Failure {
    /// A pipe that was closed at its other end is no failure; everything else is.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Failure::told(Exit::Ok);
        }
        Failure { exit: Exit::Failed, text: error.to_string() }
    }
}

/// The exit code that an error leads to.
#[must_use]
pub fn exit_of(error: &Error) -> Exit {
    if error.is_killed() {
        return Exit::Killed;
    }
    match error {
        Error::Server { code, .. } => match code {
            ErrorCode::MissingAuthorization
            | ErrorCode::InvalidCredentials
            | ErrorCode::TokenExpired
            | ErrorCode::TokenRevoked
            | ErrorCode::AuthRequired
            | ErrorCode::PermissionDenied => Exit::Denied,
            ErrorCode::Unavailable => Exit::Unreachable,
            _ => Exit::Failed,
        },
        Error::Auth(_) => Exit::Denied,
        // The token expired or was revoked, or was never accepted.
        Error::Closed { code: Some(4001 | 4002 | 1008), .. } => Exit::Denied,
        Error::Network(_) | Error::Timeout(_) | Error::Closed { .. } => Exit::Unreachable,
        Error::InvalidArgument(_) => Exit::Usage,
        _ => Exit::Failed,
    }
}

/// Code and message. Nothing in it can be obeyed by a terminal.
fn describe(error: &Error) -> String {
    let text = match error {
        Error::Server { code, message, details, .. } => match details {
            Some(details) => format!("{code}: {message} ({details})"),
            None => format!("{code}: {message}"),
        },
        Error::Auth(text)
        | Error::Network(text)
        | Error::Timeout(text)
        | Error::Protocol(text)
        | Error::InvalidArgument(text)
        | Error::Decode(text)
        | Error::Limit(text) => format!("{}: {text}", error.code()),
        Error::Closed { reason, .. } => format!("{}: {reason}", error.code()),
        other => format!("{}: {other}", other.code()),
    };
    harmless_lines(&text)
}

/// The line of `sql` that holds the character at `position`, and a caret under it.
fn place_in(sql: &str, position: u32) -> Option<String> {
    let position = usize::try_from(position).ok()?.checked_sub(1)?;
    let at = sql.char_indices().map(|(at, _)| at).chain([sql.len()]).nth(position)?;
    let start = sql[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = sql[at..].find('\n').map_or(sql.len(), |length| at + length);
    let number = sql[..start].matches('\n').count() + 1;
    let head = format!("line {number}: ");
    let before = crate::render::cell::harmless(&sql[start..at]);
    let blanks = " ".repeat(head.len() + crate::render::width(&before));
    let line = crate::render::cell::harmless(&sql[start..end]);
    Some(format!("{head}{line}\n{blanks}^"))
}

#[cfg(test)]
mod tests;
