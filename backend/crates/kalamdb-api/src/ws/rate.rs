//! How many messages a client may send: a bucket that fills with time and is emptied by messages.
//!
//! Whoever empties it is told so, and every further message makes a debt; whoever owes a whole
//! bucket is not going to stop. Short bursts, such as all subscriptions of a page, fit into the bucket.

use std::time::{Duration, Instant};

/// What to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Take it.
    Take,
    /// Refuse it and say why.
    Refuse,
    /// Close the connection.
    Close,
}

/// The messages of one socket.
#[derive(Debug)]
pub(crate) struct MessageRate {
    /// Time that one message stands for; `None` without a limit.
    cost: Option<Duration>,
    /// What the full bucket stands for.
    window: Duration,
    /// When the bucket will be full again.
    full_at: Instant,
}

impl MessageRate {
    /// At most `per_sec_max` messages per second over `window_secs`; 0 means no limit.
    pub(crate) fn new(per_sec_max: u32, window_secs: u32, now: Instant) -> Self {
        let window = Duration::from_secs(window_secs.into());
        MessageRate { cost: Duration::from_secs(1).checked_div(per_sec_max), window, full_at: now }
    }

    /// One more message.
    pub(crate) fn count(&mut self, now: Instant) -> Verdict {
        let Some(cost) = self.cost else { return Verdict::Take };
        self.full_at = self.full_at.max(now) + cost;
        let used = self.full_at.duration_since(now);
        if used <= self.window {
            Verdict::Take
        } else if used <= self.window.saturating_mul(2) {
            Verdict::Refuse
        } else {
            Verdict::Close
        }
    }
}

#[cfg(test)]
mod tests;
