//! Messages on their way to the server, no faster than the server takes them.
//!
//! A bucket that holds one second's worth of messages and fills with time, like the one the server
//! has. Coming back with a thousand subscriptions then takes a few seconds and breaks no limit.

use std::collections::VecDeque;
use std::time::Duration;

use kalamdb_commons::protocol::ClientMessage;

/// See the module.
#[derive(Debug)]
pub(crate) struct Outgoing {
    queue: VecDeque<String>,
    /// Time that one message stands for.
    cost: Duration,
    /// When the bucket will be full again.
    full_at: Duration,
}

/// What the full bucket stands for.
const WINDOW: Duration = Duration::from_secs(1);

impl Outgoing {
    /// So many messages per second on average; 0 counts as 1.
    pub fn new(per_sec_max: u32) -> Self {
        Outgoing { queue: VecDeque::new(), cost: WINDOW / per_sec_max.max(1), full_at: Duration::ZERO }
    }

    /// Adds a message.
    pub fn push(&mut self, message: &ClientMessage) {
        // Our own messages always have a JSON form.
        if let Ok(text) = serde_json::to_string(message) {
            self.queue.push_back(text);
        }
    }

    /// The next message, if one may be sent now.
    pub fn pop(&mut self, now: Duration) -> Option<String> {
        if self.next_at()? > now {
            return None;
        }
        self.full_at = self.full_at.max(now).saturating_add(self.cost);
        self.queue.pop_front()
    }

    /// When the next message may be sent; `None` if there is none.
    pub fn next_at(&self) -> Option<Duration> {
        let empty_bucket = WINDOW.saturating_sub(self.cost);
        (!self.queue.is_empty()).then(|| self.full_at.saturating_sub(empty_bucket))
    }

    /// Sends nothing for so long, because the server said that it is too much.
    pub fn hold_back(&mut self, now: Duration, pause: Duration) {
        self.full_at = self.full_at.max(now.saturating_add(WINDOW)).saturating_add(pause);
    }

    /// Forgets everything: the connection is gone.
    pub fn clear(&mut self) {
        self.queue.clear();
        self.full_at = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(outgoing: &mut Outgoing, now_ms: u64) -> usize {
        std::iter::from_fn(|| outgoing.pop(Duration::from_millis(now_ms))).count()
    }

    #[test]
    fn a_second_of_messages_goes_at_once_and_the_rest_in_time() {
        let mut outgoing = Outgoing::new(10);
        for _ in 0..25 {
            outgoing.push(&ClientMessage::Ping);
        }
        assert_eq!(sent(&mut outgoing, 5000), 10);
        assert_eq!(outgoing.next_at(), Some(Duration::from_millis(5100)));
        assert_eq!(sent(&mut outgoing, 5099), 0);
        assert_eq!(sent(&mut outgoing, 5100), 1);
        assert_eq!(sent(&mut outgoing, 5500), 4);
        assert_eq!(sent(&mut outgoing, 9000), 10);
        assert_eq!(outgoing.next_at(), None);
    }

    #[test]
    fn a_refusal_holds_everything_back() {
        let mut outgoing = Outgoing::new(10);
        outgoing.push(&ClientMessage::Ping);
        outgoing.hold_back(Duration::from_secs(3), Duration::from_secs(1));
        assert_eq!(sent(&mut outgoing, 4000), 0);
        assert_eq!(sent(&mut outgoing, 4100), 1);
        outgoing.hold_back(Duration::from_secs(5), Duration::from_secs(9));
        outgoing.clear();
        outgoing.push(&ClientMessage::Ping);
        assert_eq!(sent(&mut outgoing, 5000), 1);
    }
}
