//! One subscription of a client: the model of its result, and at which SeqIds it was what.

use std::sync::Arc;

use kalamdb_testkit::LiveRows;
use serde_json::{Value as Json, json};

use crate::checkers::{Breach, breach, no_change_twice::watch, order_kept};
use crate::door::seq_of;
use crate::plan::Mode;
use crate::query::{QUERIES, Query, texts};
use crate::storm::Storm;

/// A SeqId that is far from any that is given out in a run.
const FUTURE: u64 = 1 << 40;

/// What a client held when it stood at a SeqId.
#[derive(Debug, Clone)]
pub struct Point {
    /// Where it stood.
    pub seq: u64,
    /// The rows, as text.
    pub rows: Arc<Vec<String>>,
    /// Did a change bring it here? Then there was a commit of this SeqId.
    pub changed: bool,
}

/// One subscription.
#[derive(Debug)]
pub struct Subscription {
    /// Its query's number.
    pub query: usize,
    /// Where it was, stretch by stretch: each begins with an ack, and nothing may be missing within.
    pub stretches: Vec<Vec<Point>>,
    id: String,
    live: Option<LiveRows>,
    /// Where it asked to be resumed, while that is not answered.
    asked: Option<Asked>,
    remembered: Option<(LiveRows, u64)>,
    /// Before this it may lack rows, because it stopped in the midst of a snapshot.
    exact_from: u64,
}

/// A subscribe that is not answered yet.
#[derive(Debug, Clone, Copy)]
struct Asked {
    from: Option<u64>,
    must_resume: bool,
    must_reset: bool,
}

const ANEW: Asked = Asked { from: None, must_resume: false, must_reset: false };

impl Subscription {
    /// Not sent yet.
    pub fn new(id: &str, query: usize) -> Self {
        Subscription {
            query,
            stretches: Vec::new(),
            id: id.to_owned(),
            live: None,
            asked: Some(ANEW),
            remembered: None,
            exact_from: 0,
        }
    }

    fn of(&self) -> &'static Query {
        &QUERIES[self.query]
    }

    /// Is it answered and its snapshot whole?
    pub fn is_ready(&self) -> bool {
        self.asked.is_none() && self.live.as_ref().is_some_and(LiveRows::ready)
    }

    /// The rows, as text; nothing while they are not whole.
    pub fn rows(&self) -> Option<Vec<String>> {
        let live = self.live.as_ref().filter(|_| self.is_ready())?;
        Some(texts(live.cells(), self.of().ordered()))
    }

    /// Keeps what it holds, to come back to it.
    pub fn remember(&mut self) {
        if self.is_ready() {
            self.remembered = self.live.clone().map(|live| (live, self.exact_from));
        }
    }

    /// The frame that asks for it.
    pub fn request(&self) -> Json {
        let query = self.of();
        let mut subscription = json!({ "id": self.id, "sql": query.sql, "params": (query.params)() });
        if let Some(from) = self.asked.and_then(|asked| asked.from) {
            subscription["options"] = json!({ "from": from });
        }
        json!({ "type": "subscribe", "subscription": subscription })
    }

    /// Asks for it on a new socket. A `strict` client knows that the history it needs is there.
    ///
    /// # Errors
    /// A model that cannot go on.
    pub fn resume(&mut self, mode: Mode, strict: bool) -> Result<Json, Breach> {
        let answered = self.asked.is_none();
        let asked = match (mode, self.remembered.clone()) {
            (Mode::Anew, _) => ANEW,
            (Mode::Future, _) => Asked { from: Some(FUTURE), must_resume: false, must_reset: true },
            (Mode::Zero, _) => Asked { from: Some(0), must_resume: false, must_reset: true },
            (Mode::Older, Some((live, exact_from))) => {
                self.exact_from = exact_from;
                let from = Some(live.seq());
                self.live = Some(live);
                Asked { from, must_resume: strict && !self.of().shaky, must_reset: false }
            }
            // What was asked and not answered is asked again; the model stands where it stood.
            (Mode::LastSeen | Mode::Older, _) if !answered => match self.asked {
                Some(asked) => asked,
                None => ANEW,
            },
            (Mode::LastSeen | Mode::Older, _) => self.where_last_seen(strict)?,
        };
        if asked.from.is_none() {
            self.live = None;
        }
        self.asked = Some(asked);
        Ok(self.request())
    }

    fn where_last_seen(&mut self, strict: bool) -> Result<Asked, Breach> {
        let Some(live) = &mut self.live else { return Ok(ANEW) };
        let whole = live.ready();
        let stands = live.seq();
        let Some(from) = watch(|| live.lost())? else { return Ok(ANEW) };
        if !whole {
            self.exact_from = stands;
        }
        Ok(Asked { from: Some(from), must_resume: strict && !self.of().shaky, must_reset: false })
    }

    /// Everything up to `seq` is here.
    ///
    /// # Errors
    /// It is not.
    pub fn progress(&mut self, seq: u64) -> Result<(), Breach> {
        if self.asked.is_some() {
            return Ok(());
        }
        let Some(live) = &mut self.live else { return Ok(()) };
        if live.seq() < seq {
            watch(|| live.progress(seq))?;
            self.point(false);
        }
        Ok(())
    }

    /// Takes one of its frames; gives what is to be sent in answer.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn take(&mut self, storm: &Storm, user: &str, frame: &Json) -> Result<Option<Json>, Breach> {
        let kind = frame["type"].as_str().unwrap_or_default();
        if let Some(asked) = self.asked {
            if kind != "subscription_ack" {
                return breach("order_kept", format!("{user}: something came before its ack: {frame}"));
            }
            self.answered(asked, frame)?;
            return Ok(None);
        }
        order_kept::row_seqs(storm, self.of(), user, frame)?;
        let Some(live) = &mut self.live else { return Ok(None) };
        let was_ready = live.ready();
        let more = watch(|| live.apply(frame))?;
        if kind == "subscription_ack" {
            self.exact_from = 0;
            self.stretches.push(Vec::new());
        }
        if self.is_ready() && kind != "status" {
            self.check_whole()?;
            // The last page tells of the snapshot's own SeqId.
            self.point(kind == "change" && was_ready);
        }
        let last = &frame["batch_control"]["last_seq_id"];
        Ok(more.then(|| json!({ "type": "next_batch", "subscription_id": self.id, "last_seq_id": last })))
    }

    fn answered(&mut self, asked: Asked, ack: &Json) -> Result<(), Breach> {
        self.asked = None;
        if asked.must_resume && ack["resumed"] != true {
            return breach("no_change_lost", format!("the history from {:?} is there, and yet: {ack}", asked.from));
        }
        if asked.must_reset && ack["reset"] != true {
            return breach("no_change_lost", format!("nothing can be resumed from {:?}: {ack}", asked.from));
        }
        match (&mut self.live, asked.from) {
            (Some(live), Some(_)) => {
                if ack["resumed"] == true && seq_of(&ack["seq"]) != Some(live.seq()) {
                    return breach("order_kept", format!("resumed elsewhere than at {}: {ack}", live.seq()));
                }
                watch(|| live.resumed(ack))?;
            }
            _ => {
                if ack["resumed"] == true {
                    return breach("no_change_lost", format!("resumed what never was: {ack}"));
                }
                self.live = Some(watch(|| LiveRows::new(ack))?);
            }
        }
        if ack["resumed"] != true {
            self.exact_from = 0;
        }
        self.stretches.push(Vec::new());
        if self.is_ready() {
            self.check_whole()?;
            self.point(false);
        }
        Ok(())
    }

    fn point(&mut self, changed: bool) {
        let Some(live) = &self.live else { return };
        let seq = live.seq();
        if !live.ready() || seq < self.exact_from || self.of().modelled().is_none() {
            return;
        }
        let rows = Arc::new(texts(live.cells(), self.of().ordered()));
        if let Some(stretch) = self.stretches.last_mut() {
            stretch.push(Point { seq, rows, changed });
        }
    }

    fn check_whole(&self) -> Result<(), Breach> {
        match &self.live {
            Some(live) if live.seq() >= self.exact_from => order_kept::whole(self.of(), &live.cells(), live.seq()),
            _ => Ok(()),
        }
    }
}
