//! A client's state, a server, a network that can be cut, and programs that check all they are told.

use std::collections::BTreeMap;
use std::time::Duration;

use kalamdb_commons::SeqId;

use super::super::subscription::Wanted;
use super::super::{Action, Key, Moment, State, Taken};
use super::server::{Connection, Query, Server};
use crate::auth::Token;
use crate::error::Error;
use crate::event::{ConnectionState, Event, SubscriptionState};
use crate::options::Options;
use crate::row::Row;

/// See the module.
pub struct World {
    pub state: State,
    pub server: Server,
    pub now: Duration,
    pub reachable: bool,
    pub programs: BTreeMap<Key, Program>,
    /// Answers to come for a token, before tokens are given.
    pub token_errors: Vec<Error>,
    pub tokens: u32,
    /// Everything that was sent, for tests that look at it.
    pub sent: Vec<String>,
    /// The connection is cut once so many frames went either way.
    pub cut_after: Option<usize>,
    frames: usize,
}

/// What one program holds, by applying every event it is told.
pub struct Program {
    pub query: Query,
    pub keeps_rows: bool,
    rows: BTreeMap<String, i64>,
    loading: bool,
    seq: u64,
    pub events: Vec<String>,
    pub ended: Option<Error>,
}

impl World {
    pub fn new(options: Options, page_rows: usize) -> Self {
        World {
            state: State::new(options),
            server: Server::new(page_rows),
            now: Duration::from_secs(1000),
            reachable: true,
            programs: BTreeMap::new(),
            token_errors: Vec::new(),
            tokens: 0,
            sent: Vec::new(),
            cut_after: None,
            frames: 0,
        }
    }

    pub fn moment(&self) -> Moment {
        Moment { now: self.now, unix: Duration::from_secs(1_800_000_000) + self.now, random: 0.0 }
    }

    pub fn subscribe(&mut self, query: Query, keeps_rows: bool) -> Key {
        self.subscribe_as(Wanted { sql: query.sql(), keeps_rows, ..Wanted::default() }, query)
    }

    pub fn subscribe_as(&mut self, wanted: Wanted, query: Query) -> Key {
        let keeps_rows = wanted.keeps_rows;
        let moment = self.moment();
        let key = self.state.subscribe(moment, wanted).unwrap();
        let program = Program {
            query,
            keeps_rows,
            rows: BTreeMap::new(),
            loading: false,
            seq: 0,
            events: Vec::new(),
            ended: None,
        };
        self.programs.insert(key, program);
        key
    }

    pub fn unsubscribe(&mut self, key: Key) {
        let moment = self.moment();
        self.state.unsubscribe(moment, key);
        self.programs.remove(&key);
    }

    /// Does what the state wants. Tells if there was anything.
    pub fn act(&mut self) -> bool {
        let mut acted = false;
        while let Some(action) = self.state.action() {
            acted = true;
            let moment = self.moment();
            match action {
                Action::AskToken { refused, .. } => match self.token_errors.pop() {
                    Some(error) => self.state.token_failed(moment, error),
                    None => {
                        self.tokens += 1;
                        let text = format!("t{}", self.tokens);
                        assert_ne!(refused.as_deref(), Some(text.as_str()));
                        self.state.token_given(moment, Token { text, good_until: None });
                    }
                },
                Action::Open if self.reachable => {
                    self.server.connection = Some(Connection::default());
                    self.state.opened(moment);
                }
                Action::Open => self.state.open_failed(moment, "unreachable".to_owned()),
                Action::Send(text) => {
                    self.sent.push(text.clone());
                    self.server.receive(&text);
                    self.count();
                }
                Action::Close => self.server.connection = None,
            }
        }
        acted
    }

    /// Delivers one frame, or the close that follows the last. Tells if there was one.
    pub fn deliver(&mut self) -> bool {
        let moment = self.moment();
        let Some(connection) = &mut self.server.connection else { return false };
        if let Some(frame) = connection.out.pop_front() {
            self.state.frame(moment, &frame.to_string());
            self.count();
            return true;
        }
        if let Some(code) = connection.close {
            self.server.connection = None;
            self.state.closed(moment, code, "as the server wants");
            return true;
        }
        false
    }

    fn count(&mut self) {
        self.frames += 1;
        if self.cut_after == Some(self.frames) {
            self.cut(1006);
        }
    }

    /// How many frames went either way.
    pub fn frames(&self) -> usize {
        self.frames
    }

    pub fn cut(&mut self, code: u16) {
        if self.server.connection.take().is_some() {
            let moment = self.moment();
            self.state.closed(moment, code, "cut");
        }
    }

    /// One program takes one event. Tells if there was one.
    pub fn take(&mut self, key: Key) -> bool {
        let moment = self.moment();
        let taken = self.state.take(moment, key);
        let Some(program) = self.programs.get_mut(&key) else { return false };
        match taken {
            Taken::Event(event) => {
                program.told(event, &self.server);
                if let Some(seq) = self.state.delivered(key) {
                    program.stands_at(seq, &self.server);
                }
                true
            }
            Taken::Nothing => false,
            Taken::Finished => {
                assert!(program.keeps_rows || program.ended.is_some(), "a stream ends with why");
                false
            }
        }
    }

    pub fn pass(&mut self, time: Duration) {
        self.now += time;
        let moment = self.moment();
        if self.state.next_timeout().is_some_and(|due| due <= self.now) {
            self.state.timer(moment);
        }
    }

    /// Lets everything happen that needs no time, programs included.
    pub fn run(&mut self) {
        loop {
            let mut busy = self.act();
            busy |= self.deliver();
            for key in self.programs.keys().copied().collect::<Vec<_>>() {
                while self.take(key) {
                    busy = true;
                }
            }
            self.state.take_notices();
            if !busy {
                return;
            }
        }
    }

    /// Lets everything happen, time included, until all live queries are current; then looks at them.
    pub fn settle(&mut self) {
        self.reachable = true;
        for _ in 0..1000 {
            self.run();
            if self.is_settled() {
                return self.check();
            }
            let wait = self.state.next_timeout().map_or(Duration::ZERO, |due| due.saturating_sub(self.now));
            self.pass(wait);
        }
        panic!("nothing settles: {:?}, {:?}", self.state.connection(), self.programs.keys());
    }

    fn is_settled(&self) -> bool {
        let keys = self.state.keys();
        let current = |key: &Key| self.state.info(*key).is_some_and(|info| info.state == SubscriptionState::Active);
        (keys.is_empty() || matches!(self.state.connection(), ConnectionState::Live { .. })) && keys.iter().all(current)
    }

    /// Does every program hold the result of its query?
    pub fn check(&self) {
        for (key, program) in self.programs.iter().filter(|(_, program)| program.ended.is_none()) {
            let Ok(started) = self.state.has_started(*key) else { continue };
            assert!(started);
            let wanted = self.server.result_at(program.query, self.server.seq);
            if program.keeps_rows {
                let (rows, _) = self.state.rows(*key).unwrap();
                let mut values: Vec<i64> = rows.iter().map(|row| row.get("n").unwrap().as_i64().unwrap()).collect();
                let mut wanted: Vec<i64> = wanted.values().copied().collect();
                if program.query.opaque {
                    values.sort_unstable();
                    wanted.sort_unstable();
                }
                assert_eq!(values, wanted, "the rows kept, in the order of their ids");
            } else {
                assert_eq!(program.rows, keyed(program.query, &wanted), "what the program has applied");
            }
        }
    }
}

fn keyed(query: Query, rows: &BTreeMap<i64, i64>) -> BTreeMap<String, i64> {
    let key = |id: &i64| if query.opaque { format!("k{id}") } else { format!("[{id}]") };
    rows.iter().map(|(id, value)| (key(id), *value)).collect()
}

fn value(row: &Row) -> (String, i64) {
    (row.key().unwrap().to_owned(), row.get("n").unwrap().as_i64().unwrap())
}

impl Program {
    /// Applies an event, and is strict about it: nothing comes twice, nothing leaves that was not there, and after
    /// each commit the rows are the query's result at that commit.
    fn told(&mut self, event: Event, server: &Server) {
        assert!(self.ended.is_none(), "nothing follows the end");
        match event {
            Event::Snapshot(page) => {
                assert_eq!(page.first, !self.loading);
                assert!(!page.first || self.rows.is_empty(), "a snapshot begins with nothing");
                self.loading = !page.last;
                for (key, value) in page.rows.iter().map(value) {
                    assert!(self.rows.insert(key, value).is_none(), "a row came twice");
                }
                self.seq = page.seq.0;
                self.events.push(format!("snapshot {}{}", page.rows.len(), if page.last { "" } else { " .." }));
                if page.last {
                    self.is_result_at(page.seq, server);
                }
            }
            Event::Change(change) => {
                assert!(!self.loading, "a change in the midst of a snapshot");
                assert!(change.seq.0 > self.seq, "a commit came twice, or late");
                for (key, value) in change.old_rows.iter().map(value) {
                    assert_eq!(self.rows.remove(&key), Some(value), "the old row is the one held");
                }
                for (key, value) in change.rows.iter().map(value) {
                    assert!(self.rows.insert(key, value).is_none(), "a row came twice");
                }
                self.seq = change.seq.0;
                self.events.push(format!("change {}", change.seq));
                self.is_result_at(change.seq, server);
            }
            Event::Reset => {
                self.rows.clear();
                (self.loading, self.seq) = (false, 0);
                self.events.push("reset".to_owned());
            }
            Event::Paused { .. } => self.events.push("paused".to_owned()),
            Event::Active => self.events.push("active".to_owned()),
            Event::Ended(error) => {
                self.events.push(format!("ended {}", error.code()));
                self.ended = Some(error);
            }
        }
    }

    fn is_result_at(&self, seq: SeqId, server: &Server) {
        assert_eq!(
            self.rows,
            keyed(self.query, &server.result_at(self.query, seq.0)),
            "a commit came torn or not at all"
        );
    }

    /// Whoever resumes from `seq` has what was the result then.
    fn stands_at(&self, seq: SeqId, server: &Server) {
        if self.ended.is_none() {
            assert!(seq.0 >= self.seq);
            self.is_result_at(seq, server);
        }
    }
}
