//! Numbers that may have been told before an unclean stop, and whose commits are gone.
//!
//! There is one run of them per unclean stop in interval mode. Runs without a commit in between are
//! one, and of very many the oldest are joined, so that a server that keeps being killed does not
//! keep growing its notes. A number too many here costs a fresh snapshot, never a wrong one.

use kalamdb_commons::SeqId;

use crate::error::OpenError;
use crate::meta;

/// Most runs that are kept apart.
const RUNS_MAX: usize = 256;

/// The numbers after `after`, up to and with `through`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    after: SeqId,
    through: SeqId,
}

/// All lost numbers, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LostNumbers(Vec<Run>);

impl LostNumbers {
    /// Is this one of them?
    pub(crate) fn contains(&self, seq: SeqId) -> bool {
        let at = self.0.partition_point(|run| run.through < seq);
        self.0.get(at).is_some_and(|run| run.after < seq)
    }

    /// Adds those after `after` up to `through`, which lie behind all others.
    pub(crate) fn add(&mut self, after: SeqId, through: SeqId) {
        match self.0.last_mut() {
            // The number between two runs is the one after an unclean stop; no commit has it.
            Some(last) if last.through.next() >= after => last.through = through,
            _ => self.0.push(Run { after, through }),
        }
        if self.0.len() > RUNS_MAX {
            let oldest = self.0.remove(0);
            if let Some(second) = self.0.first_mut() {
                second.after = oldest.after;
            }
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        self.0.iter().flat_map(|run| [run.after, run.through]).flat_map(|seq| meta::encode_number(seq.0)).collect()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<LostNumbers, OpenError> {
        let (runs, []) = bytes.as_chunks::<16>() else {
            return Err(meta::damaged(meta::LOST));
        };
        let number = |half: &[u8]| meta::decode_number(half).map(SeqId).ok_or_else(|| meta::damaged(meta::LOST));
        runs.iter()
            .map(|run| {
                let (after, through) = run.split_at(8);
                Ok(Run { after: number(after)?, through: number(through)? })
            })
            .collect::<Result<_, _>>()
            .map(LostNumbers)
    }
}
