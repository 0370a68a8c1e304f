//! Changes out of the past, read once and told to everybody who was away.
//!
//! A [`Past`] holds what the commits of a stretch of time did to one query, and every client takes from it
//! what comes after its own point. Most are told the same frames; who left in the midst of a
//! commit, or of a snapshot, has frames of its own. How the past is read is the business of
//! `catch_up` and `resume`.

use std::sync::Arc;

use kalamdb_commons::SeqId;

use super::delta::Delta;
use super::live_loop::Token;

/// Where a client stands that was away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    /// It has everything up to here.
    pub from: SeqId,
    /// But for rows written after this, if it stopped in the midst of a snapshot; before that, nothing is missing.
    pub may_lack: Option<SeqId>,
}

/// Who waits to be told of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reader {
    /// Which subscription.
    pub token: Token,
    /// Where it stands.
    pub point: Point,
}

/// What the commits of a stretch of time did to one query, ascending.
#[derive(Debug, Default)]
pub(crate) struct Past(pub Vec<PastStep>);

/// What one commit did to one query.
#[derive(Debug)]
pub(crate) struct PastStep {
    /// Where the result stood before.
    pub after: SeqId,
    /// The commit.
    pub commit: SeqId,
    /// The first of its changes that concern the query.
    pub first: SeqId,
    /// Rows that it wrote again and that look as before: when they had been written, ascending.
    pub rewrites: Vec<SeqId>,
    /// What is told of it, by who is told.
    pub tellings: Vec<(Telling, Option<Arc<Delta>>)>,
}

/// Which changes of a commit a client is told: most clients all that show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Telling {
    /// Those after this; zero, if the client has nothing of the commit.
    pub after: SeqId,
    /// Rows that look as before, if they had been written at this or earlier; zero, if none of them.
    pub lacks: SeqId,
}

impl PastStep {
    /// What a client at this point is told of the commit.
    pub fn telling(&self, point: Point) -> Telling {
        let after = if point.from >= self.first { point.from } else { SeqId::ZERO };
        let lacked = point.may_lack.map_or(0, |lacks| self.rewrites.partition_point(|&written| written <= lacks));
        let lacks = lacked.checked_sub(1).and_then(|last| self.rewrites.get(last)).copied();
        Telling { after, lacks: lacks.unwrap_or(SeqId::ZERO) }
    }

    fn delta(&self, point: Point) -> Option<&Arc<Delta>> {
        let telling = self.telling(point);
        self.tellings.iter().find(|(of, _)| *of == telling).and_then(|(_, delta)| delta.as_ref())
    }
}

/// Changes out of the past, for one client.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    past: Arc<Past>,
    point: Point,
    /// Everything up to here is in it.
    pub upto: SeqId,
    /// Was everything read that there is?
    pub complete: bool,
}

impl Replay {
    /// What a client at `point` takes from the past, which was read up to `upto`, or further than that if `complete`.
    pub fn new(past: Arc<Past>, point: Point, upto: SeqId, complete: bool) -> Self {
        Replay { past, point, upto: upto.max(point.from), complete }
    }

    /// Nothing has been read for the client yet.
    pub fn not_yet(point: Point) -> Self {
        Replay { point, upto: point.from, ..Replay::default() }
    }

    /// The changes in order, each with where the result stood before.
    pub fn steps(&self) -> impl Iterator<Item = (SeqId, &Arc<Delta>)> {
        let known = self.past.0.partition_point(|step| step.commit <= self.point.from);
        let rest = self.past.0.get(known..).unwrap_or_default();
        rest.iter().filter_map(|step| Some((step.after.max(self.point.from), step.delta(self.point)?)))
    }

    /// How many changes there are, at most.
    pub fn steps_max(&self) -> usize {
        self.past.0.len()
    }
}
