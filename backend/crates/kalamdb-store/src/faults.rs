//! A disk that fails when a test says so, and a power supply that can be cut.
//!
//! A test keeps a [`Faults`] and gives a clone to the store's options. What is planned happens to the
//! store's own writes and syncs; RocksDB below is the real one, and its files are real. For a power
//! loss it is known how long each log was when it was last synced: what lies behind may be taken
//! away, torn or scribbled over by [`Faults::lose_unsynced`], and nothing else ever may.
//!
//! Only compiled for tests.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::StorageFault;

/// How a batch of the committer fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteFault {
    /// It is not written, and the disk says that it failed.
    NotWritten,
    /// It is not written, for the disk is full.
    NoSpace,
    /// It is not written, and neither is anything else until the database is opened again.
    NotWrittenAndStuck,
    /// It is written, and reported as failed.
    WrittenButReported,
    /// It is in the log, its sync fails, and nothing else is written until the database is opened again.
    SyncFailed,
}

/// What a power loss leaves of a log behind its last sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tear {
    /// The log is as it was up to this length.
    pub length: u64,
    /// What is behind it.
    pub rest: Rest,
}

/// What is found where something was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// The file ends there.
    Gone,
    /// The file is as long as it was, with zeros.
    Zeros,
    /// The file is as long as it was, with bytes made up from this number.
    Noise(u64),
}

impl Tear {
    /// Any tear within what was not synced, made up from `seed`.
    #[must_use]
    pub fn from_seed(seed: u64, unsynced: Range<u64>) -> Tear {
        let mut chance = Chance(seed);
        let length = match chance.next() % 4 {
            0 => unsynced.start,
            1 => unsynced.end,
            _ => unsynced.start.saturating_add(chance.next() % (unsynced.end.saturating_sub(unsynced.start).max(1))),
        };
        let rest = match chance.next() % 3 {
            0 => Rest::Gone,
            1 => Rest::Zeros,
            _ => Rest::Noise(chance.next()),
        };
        Tear { length, rest }
    }
}

/// What is to go wrong. Clones are handles on the same plan.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    cut: bool,
    stuck: bool,
    /// How many databases are open with this plan.
    open: usize,
    commits: VecDeque<(WriteFault, u32)>,
    syncs: u32,
    /// Length of each log when it was last synced.
    synced: BTreeMap<PathBuf, u64>,
}

/// What the store is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// Write a group of commits.
    Commit,
    /// Write something else.
    Note,
    /// Sync what is written.
    Sync,
}

impl Faults {
    /// Nothing goes wrong yet.
    #[must_use]
    pub fn new() -> Faults {
        Faults::default()
    }

    /// Fails the next `n` batches of the committer, behind those that are already planned.
    pub fn fail_writes(&self, kind: WriteFault, n: u32) {
        self.0.lock().commits.push_back((kind, n));
    }

    /// Fails the next `n` syncs of interval mode; nothing is written then until the database is opened again.
    pub fn fail_syncs(&self, n: u32) {
        self.0.lock().syncs = n;
    }

    /// Takes back what was planned and has not happened. Where the database must be opened again it still must.
    pub fn heal(&self) {
        let mut state = self.0.lock();
        state.commits.clear();
        state.syncs = 0;
    }

    /// From now on nothing reaches the disk: every write and every sync fails, and closing writes
    /// nothing. A write that is under way is waited for. So ends a process that is killed.
    pub fn cut_power(&self) {
        self.0.lock().cut = true;
    }

    /// Is the power cut?
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.0.lock().cut
    }

    /// Is a database open, or being let go of?
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.lock().open > 0
    }

    /// The power is there again, and nothing is planned. For opening what was left.
    pub fn restore_power(&self) {
        let mut state = self.0.lock();
        let (synced, open) = (std::mem::take(&mut state.synced), state.open);
        *state = State { synced, open, ..State::default() };
    }

    /// Takes from a directory what a power loss may take: `tear` is told which part of the newest log was
    /// not synced and says what is left of it. The store must have been dropped. Older logs stay: RocksDB
    /// syncs them itself before a table file counts that holds some of what is in them.
    ///
    /// # Errors
    /// When a log cannot be read or changed.
    pub fn lose_unsynced(&self, dir: &Path, tear: &mut dyn FnMut(Range<u64>) -> Tear) -> io::Result<()> {
        let state = self.0.lock();
        let Some(log) = logs(dir)?.pop() else { return Ok(()) };
        let length = fs::metadata(&log)?.len();
        let synced = state.synced.get(&log).copied().unwrap_or_default();
        if length > synced {
            let left = tear(synced..length);
            assert!((synced..=length).contains(&left.length), "what was synced is not lost");
            damage(&log, left, length)?;
        }
        Ok(())
    }

    /// What is known of the logs in `from`, for a copy of them in `to`.
    #[cfg(test)]
    pub(crate) fn moved(&self, from: &Path, to: &Path) -> Faults {
        let synced = self.0.lock().synced.clone().into_iter();
        let synced = synced.filter_map(|(log, length)| Some((to.join(log.strip_prefix(from).ok()?), length)));
        Faults(Arc::new(Mutex::new(State { synced: synced.collect(), ..State::default() })))
    }

    /// Does something, or lets it fail as planned.
    pub(crate) fn attempt(
        &self,
        what: Attempt,
        sync: bool,
        dir: &Path,
        run: impl FnOnce(bool) -> Result<(), StorageFault>,
    ) -> Result<(), StorageFault> {
        // Held meanwhile, so that no log grows between its sync and the look at its length.
        let mut state = self.0.lock();
        if state.cut || state.stuck {
            // In the words of RocksDB, which refuses what comes after a failure in those of the failure.
            return Err(StorageFault::new("IO error: While appending to file: injected: the disk is gone"));
        }
        match state.planned(what) {
            None => {}
            Some(WriteFault::NotWritten) => return Err(failed("While appending to file", "Input/output error")),
            Some(WriteFault::NoSpace) => return Err(failed("While appending to file", "No space left on device")),
            Some(WriteFault::NotWrittenAndStuck) => {
                state.stuck = true;
                return Err(failed("While appending to file", "Input/output error"));
            }
            Some(WriteFault::WrittenButReported) => {
                run(sync)?;
                if sync {
                    state.note_synced(dir);
                }
                return Err(failed("While fdatasync", "Input/output error"));
            }
            Some(WriteFault::SyncFailed) => {
                if what == Attempt::Commit {
                    run(false)?;
                }
                state.stuck = true;
                return Err(failed("While fdatasync", "Input/output error"));
            }
        }
        run(sync)?;
        if sync {
            state.note_synced(dir);
        }
        Ok(())
    }

    /// The database was opened: whatever it refused to do before is forgotten. It is open until the
    /// result is dropped.
    pub(crate) fn opened(&self) -> InUse {
        let mut state = self.0.lock();
        state.stuck = false;
        state.open = state.open.saturating_add(1);
        InUse(self.clone())
    }
}

/// A database that is open, and what goes wrong with it.
#[derive(Debug)]
pub(crate) struct InUse(Faults);

impl std::ops::Deref for InUse {
    type Target = Faults;

    fn deref(&self) -> &Faults {
        &self.0
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        state.open = state.open.saturating_sub(1);
    }
}

impl State {
    fn planned(&mut self, what: Attempt) -> Option<WriteFault> {
        match what {
            Attempt::Note => None,
            Attempt::Sync => {
                let fails = self.syncs > 0;
                self.syncs = self.syncs.saturating_sub(1);
                fails.then_some(WriteFault::SyncFailed)
            }
            Attempt::Commit => {
                while self.commits.front().is_some_and(|(_, left)| *left == 0) {
                    self.commits.pop_front();
                }
                let (kind, left) = self.commits.front_mut()?;
                *left = left.saturating_sub(1);
                Some(*kind)
            }
        }
    }

    fn note_synced(&mut self, dir: &Path) {
        for log in logs(dir).unwrap_or_default() {
            if let Ok(found) = fs::metadata(&log) {
                self.synced.insert(log, found.len());
            }
        }
    }
}

fn failed(doing: &str, why: &str) -> StorageFault {
    StorageFault::new(format!("IO error: {why}: {doing}: injected"))
}

/// RocksDB's logs in a directory, oldest first.
fn logs(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            logs.push(path);
        }
    }
    logs.sort();
    Ok(logs)
}

fn damage(log: &Path, left: Tear, length: u64) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).open(log)?;
    file.set_len(left.length)?;
    match left.rest {
        Rest::Gone => Ok(()),
        Rest::Zeros => file.set_len(length),
        Rest::Noise(seed) => {
            let mut chance = Chance(seed);
            file.seek(SeekFrom::End(0))?;
            let noise: Vec<u8> = (left.length..length).map(|_| chance.next().to_le_bytes()[0]).collect();
            file.write_all(&noise)
        }
    }
}

/// Numbers made up from a seed (SplitMix64), the same ones every time.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests;
