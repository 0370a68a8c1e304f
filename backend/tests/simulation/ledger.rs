//! What the writers were told: the book that everything else is held against.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::checkers::Breach;
use super::history::Done;
use super::plan::Write;

/// A write that got no answer, or one that says that it is not known what became of it.
#[derive(Debug, Clone)]
pub struct Unknown {
    /// What marks its rows.
    pub stamp: String,
    /// Whose rows it saw, and under whose name it wrote.
    pub user: String,
    /// What it was to do.
    pub write: Write,
}

/// The book.
#[derive(Debug, Default)]
pub struct Ledger {
    /// When each write began, on the run's own clock.
    began: HashMap<String, u64>,
    /// Writes that were refused: nothing of them is ever seen.
    refused: BTreeSet<String>,
    /// Commits of this storm, by SeqId.
    commits: BTreeMap<u64, Vec<Done>>,
    /// Every SeqId that a writer was told, since the run began.
    told: BTreeMap<u64, String>,
    /// The largest one.
    pub largest: u64,
    /// Writes of this storm about which nothing is known.
    unknown: Vec<Unknown>,
    /// What was wrong at once.
    pub breaches: Vec<Breach>,
}

impl Ledger {
    /// A write begins.
    pub fn begin(&mut self, stamp: &str, at: u64) {
        self.began.insert(stamp.to_owned(), at);
    }

    /// A write was acknowledged; `seq` is that of its commit, if it made one.
    pub fn acknowledge(&mut self, stamp: &str, seq: Option<u64>, done: Vec<Done>) {
        let Some(seq) = seq else { return };
        if let Some(other) = self.told.insert(seq, stamp.to_owned()) {
            self.breach("order_kept", format!("seq {seq} was told to {other} and again to {stamp}"));
        }
        self.largest = self.largest.max(seq);
        self.commits.insert(seq, done);
    }

    /// A write was refused.
    pub fn refuse(&mut self, stamp: &str) {
        self.refused.insert(stamp.to_owned());
    }

    /// Nobody knows what became of a write.
    pub fn lose(&mut self, unknown: Unknown) {
        self.unknown.push(unknown);
    }

    /// Something is wrong.
    pub fn breach(&mut self, checker: &'static str, what: String) {
        self.breaches.push(Breach { checker, what });
    }

    /// Was this stamp refused?
    pub fn is_refused(&self, stamp: &str) -> bool {
        self.refused.contains(stamp)
    }

    /// When the write of this stamp began; `None` if there never was one.
    pub fn began(&self, stamp: &str) -> Option<u64> {
        self.began.get(stamp).copied()
    }

    /// The storm is over: its commits and what is not known.
    pub fn close(&mut self) -> (BTreeMap<u64, Vec<Done>>, Vec<Unknown>) {
        (std::mem::take(&mut self.commits), std::mem::take(&mut self.unknown))
    }
}
