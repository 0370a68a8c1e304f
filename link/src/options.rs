//! Every limit and time of a client, with its default.
//!
//! Set through [`ClientBuilder`](crate::ClientBuilder). What a server or a slow program could make grow is
//! bounded here.

use std::time::Duration;

use crate::backoff::Backoff;

/// Limits and times of one client.
///
/// ```
/// use kalam_link::{Backoff, Client, Options};
///
/// let backoff = Backoff { attempts_max: Some(5), ..Backoff::default() };
/// let options = Options { backoff, event_buffer_bytes: 1 << 20, ..Options::default() };
/// let client = Client::builder("http://localhost:2900").token("a token").options(options).build()?;
/// # Ok::<(), kalam_link::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Longest wait for a socket to open and be authenticated. 10 s.
    pub connect_timeout: Duration,
    /// Longest wait for an answer over HTTP, and for a subscription to begin. 30 s.
    pub request_timeout: Duration,
    /// Pause between two pings on an open socket; the server wants a frame every 30 s. 9 s.
    pub ping_interval: Duration,
    /// Without any frame for so long after a ping the connection counts as lost. 5 s.
    pub ping_timeout: Duration,
    /// A token is replaced so long before it expires, or at half of its remaining life if that is later. 60 s.
    pub refresh_ahead: Duration,
    /// Waits between attempts to connect.
    pub backoff: Backoff,
    /// Events of one subscription that wait for the program to take them, in bytes of frames. When there are more,
    /// the subscription is left and resumed once the program has caught up, so nothing is lost. 4 MiB.
    pub event_buffer_bytes: usize,
    /// Largest single event (a commit that came in several frames), in bytes of frames. 64 MiB.
    pub event_max_bytes: usize,
    /// Largest result that a live view keeps, in rows. 1,000,000.
    pub live_rows_max: usize,
    /// Messages sent on the socket per second, on average; the server allows 200. 150.
    pub messages_per_sec_max: u32,
    /// Largest answer over HTTP, in bytes. 256 MiB.
    pub response_max_bytes: usize,
    /// Namespace of table names that are written without one.
    pub namespace: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            ping_interval: Duration::from_secs(9),
            ping_timeout: Duration::from_secs(5),
            refresh_ahead: Duration::from_secs(60),
            backoff: Backoff::default(),
            event_buffer_bytes: 4 << 20,
            event_max_bytes: 64 << 20,
            live_rows_max: 1_000_000,
            messages_per_sec_max: 150,
            response_max_bytes: 256 << 20,
            namespace: None,
        }
    }
}
