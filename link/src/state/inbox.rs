//! Events that wait for the program to take them, and how far the program has come by taking them.
//!
//! Bounded in bytes of frames by whoever fills it. Each event knows the resume point that is reached once it is
//! taken, so that what a program has seen is always known exactly.

use std::collections::VecDeque;

use kalamdb_commons::SeqId;

use crate::event::Event;

/// The waiting events of one subscription.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    events: VecDeque<Waiting>,
    bytes: usize,
    /// The program has everything up to here.
    delivered: Option<SeqId>,
}

#[derive(Debug)]
struct Waiting {
    event: Event,
    bytes: usize,
    reaches: Reaches,
}

/// What taking an event does to the resume point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaches {
    /// Nothing.
    Same,
    /// What the program has cannot be resumed from.
    Nothing,
    /// Everything up to here.
    Seq(SeqId),
}

impl Inbox {
    /// An empty one of a program that has everything up to `delivered`.
    pub fn new(delivered: Option<SeqId>) -> Self {
        Inbox { delivered, ..Inbox::default() }
    }

    /// Adds an event that came in so many bytes.
    pub fn push(&mut self, event: Event, bytes: usize, reaches: Reaches) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.events.push_back(Waiting { event, bytes, reaches });
        self.settle();
    }

    /// Nothing concerned the subscription up to `seq`.
    pub fn progress(&mut self, seq: SeqId) {
        match self.events.back_mut() {
            Some(last) => last.reaches = Reaches::Seq(seq),
            None => self.delivered = Some(seq),
        }
    }

    /// The next event.
    pub fn take(&mut self) -> Option<Event> {
        let Waiting { event, bytes, reaches } = self.events.pop_front()?;
        self.bytes = self.bytes.saturating_sub(bytes);
        match reaches {
            Reaches::Same => {}
            Reaches::Nothing => self.delivered = None,
            Reaches::Seq(seq) => self.delivered = Some(seq),
        }
        Some(event)
    }

    /// `Paused` and `Active` that nobody has taken say nothing together.
    fn settle(&mut self) {
        let before = self.events.len().checked_sub(2).and_then(|at| self.events.get(at));
        let useless = matches!(
            (before.map(|waiting| &waiting.event), self.events.back().map(|waiting| &waiting.event)),
            (Some(Event::Paused { .. }), Some(Event::Active))
        );
        if useless {
            let reached: Vec<Reaches> = (0..2).filter_map(|_| self.events.pop_back()).map(|w| w.reaches).collect();
            for seq in reached.into_iter().rev() {
                if let Reaches::Seq(seq) = seq {
                    self.progress(seq);
                }
            }
        }
    }

    /// Throws away what waits; the program stands at `delivered`.
    pub fn restart(&mut self, delivered: Option<SeqId>) {
        *self = Inbox::new(delivered);
    }

    /// The program has everything up to here.
    pub fn delivered(&self) -> Option<SeqId> {
        self.delivered
    }

    /// Bytes of frames that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Does nothing wait?
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paused() -> Event {
        Event::Paused { reason: String::new() }
    }

    #[test]
    fn fr013_a_program_stands_where_the_last_event_it_took_says() {
        let mut inbox = Inbox::new(Some(SeqId(3)));
        inbox.push(Event::Reset, 0, Reaches::Nothing);
        inbox.push(Event::Active, 10, Reaches::Seq(SeqId(7)));
        inbox.progress(SeqId(9));
        assert_eq!((inbox.delivered(), inbox.bytes()), (Some(SeqId(3)), 10));
        inbox.take();
        assert_eq!(inbox.delivered(), None);
        inbox.take();
        assert_eq!((inbox.delivered(), inbox.bytes()), (Some(SeqId(9)), 0));
        inbox.progress(SeqId(11));
        assert_eq!(inbox.delivered(), Some(SeqId(11)));
    }

    #[test]
    fn a_pause_that_nobody_saw_is_not_told() {
        let mut inbox = Inbox::new(None);
        inbox.push(paused(), 0, Reaches::Same);
        inbox.progress(SeqId(4));
        inbox.push(Event::Active, 0, Reaches::Same);
        assert_eq!((inbox.take(), inbox.delivered()), (None, Some(SeqId(4))));
        inbox.push(paused(), 0, Reaches::Same);
        assert_eq!(inbox.take(), Some(paused()));
        inbox.push(Event::Active, 0, Reaches::Same);
        assert_eq!(inbox.take(), Some(Event::Active));
    }
}
