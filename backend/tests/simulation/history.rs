//! The truth of a run: every state there ever was, by SeqId, as the answers to the writers tell it.
//!
//! Where writes have had no answer it is not known for a while what happened in which order: that is fog, and it
//! ends with the next quiet point, at which the tables are read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::statement::{Effect, Key, Row, Table};

/// All that is held against the truth.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// Rows of the tables whose history is kept.
    pub rows: BTreeMap<Key, Row>,
    /// Batches of marker rows and their sizes.
    pub marks: BTreeMap<i64, i64>,
    /// Counters.
    pub counts: BTreeMap<String, i64>,
}

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// To a row.
    Row(Effect),
    /// A batch of markers came.
    Mark(i64, i64),
    /// It went, if it was there.
    Unmark(i64),
    /// This user counted.
    Count(String),
}

impl Image {
    /// Does what a commit did.
    pub fn apply(&mut self, done: &[Done]) {
        for one in done {
            match one {
                Done::Row(Effect { key, row: Some(row) }) => {
                    self.rows.insert(key.clone(), row.clone());
                }
                Done::Row(Effect { key, row: None }) => {
                    self.rows.remove(key);
                }
                Done::Mark(batch, size) => {
                    self.marks.insert(*batch, *size);
                }
                Done::Unmark(batch) => {
                    self.marks.remove(batch);
                }
                Done::Count(user) => {
                    *self.counts.entry("all".to_owned()).or_default() += 1;
                    *self.counts.entry(user.clone()).or_default() += 1;
                }
            }
        }
    }
}

/// A state, and which tables the commit that made it touched.
#[derive(Debug, Clone)]
pub struct State {
    /// SeqId of the commit.
    pub seq: u64,
    /// What there is then.
    pub image: Arc<Image>,
    /// Tables whose rows it touched.
    pub touched: BTreeSet<Table>,
}

/// Every state there ever was.
#[derive(Debug)]
pub struct History {
    states: Vec<State>,
    fog: Vec<(u64, u64)>,
}

impl History {
    /// Begins with a state.
    pub fn new(seq: u64, image: Image) -> Self {
        History { states: vec![State { seq, image: Arc::new(image), touched: BTreeSet::new() }], fog: Vec::new() }
    }

    /// The last state.
    pub fn last(&self) -> &State {
        self.states.last().expect("a history begins with a state")
    }

    /// All of them.
    pub fn states(&self) -> &[State] {
        &self.states
    }

    /// A commit came.
    pub fn commit(&mut self, seq: u64, done: &[Done]) {
        let mut image = Image::clone(&self.last().image);
        image.apply(done);
        let touched = done.iter().filter_map(|one| match one {
            Done::Row(effect) => Some(effect.key.0),
            Done::Mark(..) | Done::Unmark(_) | Done::Count(_) => None,
        });
        let touched = touched.collect();
        self.states.push(State { seq, image: Arc::new(image), touched });
    }

    /// Up to `seq` nothing more came.
    pub fn quiet(&mut self, seq: u64) {
        let image = self.last().image.clone();
        self.states.push(State { seq, image, touched: BTreeSet::new() });
    }

    /// After `from` nothing is known but what there is at `seq`.
    pub fn clear_up(&mut self, from: u64, seq: u64, image: Image) {
        self.states.retain(|state| state.seq <= from);
        self.fog.push((from, seq));
        self.states.push(State { seq, image: Arc::new(image), touched: BTreeSet::new() });
    }

    /// The state at `seq`, if that is known.
    pub fn at(&self, seq: u64) -> Option<&State> {
        if self.is_foggy(seq) {
            return None;
        }
        let next = self.states.partition_point(|state| state.seq <= seq);
        self.states.get(next.checked_sub(1)?)
    }

    /// The states after `from` and before `to`, if all of that time is known.
    pub fn between(&self, from: u64, to: u64) -> &[State] {
        if self.fog.iter().any(|(low, high)| *low < to && from < *high) || from >= to {
            return &[];
        }
        let first = self.states.partition_point(|state| state.seq <= from);
        let last = self.states.partition_point(|state| state.seq < to);
        &self.states[first..last]
    }

    /// Is it not known what there was at `seq`?
    pub fn is_foggy(&self, seq: u64) -> bool {
        self.fog.iter().any(|(low, high)| *low < seq && seq < *high)
    }

    /// Is there a time after `from` of which nothing is known?
    pub fn is_foggy_since(&self, from: u64) -> bool {
        self.fog.iter().any(|(_, high)| *high > from)
    }
}
