//! Any commits, faults, crashes and power losses, against a model of what must be there afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use kalamdb_commons::{Row, SeqId};
use parking_lot::Mutex;
use proptest::prelude::*;

use crate::faults::{Faults, Rest, Tear, WriteFault};
use crate::tests::{
    Fixture, TABLE, changes, image_of, index_keys, indexed, insert, key, open_image, options, row, rows, set,
    text_index, texts, write,
};
use crate::{Change, Commit, CommitError, Durability, KeyRange, RowWrite, Scope, Snapshot, Store, WriteSet};

/// Syncs that never come by themselves.
const INTERVAL: Durability = Durability::Interval { millis: 3_600_000 };

/// What is done to a store.
#[derive(Debug, Clone)]
enum Step {
    /// So many sets at once, each with a few keys.
    Commit(Vec<Vec<(i64, bool)>>),
    /// The next batches fail.
    Fail(WriteFault, u32),
    /// Somebody begins to read, or has finished.
    Read(bool),
    /// Everything written so far goes to table files, and a new log is begun.
    Flush,
    /// Everything written so far is brought to the disk.
    Sync,
    /// The process is killed.
    Kill,
    /// The power fails, and with it some of what was not synced.
    LosePower(u64),
    /// It is closed and opened again.
    Restart,
}

fn any_step() -> impl Strategy<Value = Step> {
    let write = (0_i64..12, prop::bool::weighted(0.7));
    let sets = prop::collection::vec(prop::collection::vec(write, 1..5), 1..4);
    let fault = prop_oneof![
        Just(WriteFault::NotWritten),
        Just(WriteFault::NoSpace),
        Just(WriteFault::NotWrittenAndStuck),
        Just(WriteFault::WrittenButReported),
        Just(WriteFault::SyncFailed),
    ];
    prop_oneof![
        10 => sets.prop_map(Step::Commit),
        3 => (fault, 1_u32..3).prop_map(|(fault, n)| Step::Fail(fault, n)),
        2 => any::<bool>().prop_map(Step::Read),
        2 => Just(Step::Flush),
        1 => Just(Step::Sync),
        1 => Just(Step::Kill),
        2 => any::<u64>().prop_map(Step::LosePower),
        1 => Just(Step::Restart),
    ]
}

/// A store under test, and what is known about what it must hold.
struct World {
    fixture: Option<Fixture>,
    faults: Faults,
    durability: Durability,
    /// What the listener was told, in order, and what was found of unsettled commits after a crash.
    history: Arc<Mutex<Vec<Arc<Commit>>>>,
    /// Writers that never heard what became of their sets.
    unsettled: Vec<Vec<(i64, Option<Row>)>>,
    /// How much of the history is surely on the disk.
    synced: usize,
    /// The highest SeqId anybody was told.
    told: SeqId,
    /// Where the store stood when it was opened.
    opened_at: SeqId,
    reading: Option<Snapshot>,
    writes: i64,
}

impl World {
    fn new(durability: Durability) -> World {
        let faults = Faults::new();
        let fixture = Fixture::with(|options| {
            options.durability = durability;
            options.faults = Some(faults.clone());
        });
        let mut world = World {
            fixture: None,
            faults,
            durability,
            history: Arc::default(),
            unsettled: Vec::new(),
            synced: 0,
            told: SeqId::ZERO,
            opened_at: SeqId::ZERO,
            reading: None,
            writes: 0,
        };
        world.listen(&fixture.store);
        world.fixture = Some(fixture);
        world
    }

    fn listen(&mut self, store: &Store) {
        let history = Arc::clone(&self.history);
        store.listen(Arc::new(move |commit: &Arc<Commit>| history.lock().push(Arc::clone(commit))));
    }

    fn store(&self) -> &Store {
        &self.fixture.as_ref().unwrap().store
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Commit(sets) => self.commit(sets),
            Step::Fail(fault, n) => self.faults.fail_writes(fault, n),
            Step::Read(begin) => self.reading = begin.then(|| self.store().snapshot()),
            Step::Flush => {
                if let Ok(rocks) = self.store().shared().rocks() {
                    for family in [rocks.families().rows, rocks.families().meta, rocks.families().changes] {
                        rocks.db().flush_cf(family).unwrap();
                    }
                }
            }
            Step::Sync => {
                if self.store().shared().rocks().unwrap().sync().is_ok() {
                    self.synced = self.history.lock().len();
                }
            }
            Step::Kill => self.reopen(|_, _| ()),
            Step::LosePower(seed) => self.reopen(|faults, dir| {
                let mut seed = seed;
                let mut tear = |unsynced: Range<u64>| {
                    seed = seed.wrapping_add(1);
                    Tear::from_seed(seed, unsynced)
                };
                faults.lose_unsynced(dir, &mut tear).unwrap();
            }),
            Step::Restart => self.restart(),
        }
        self.check();
    }

    /// Hands several sets over at once and waits for all.
    fn commit(&mut self, sets: Vec<Vec<(i64, bool)>>) {
        let snapshot = self.store().snapshot();
        let index = text_index(true);
        let mut wanted = Vec::new();
        for keys in sets {
            let keys: BTreeMap<i64, bool> = keys.into_iter().collect();
            let mut writes = Vec::new();
            for (n, keep) in keys {
                self.writes += 1;
                let old = snapshot.get(TABLE, &Scope::Shared, &key(n)).unwrap();
                let new = (keep || old.is_none()).then(|| row(n, &format!("text {}", self.writes)));
                writes.push(indexed(write(n, old, new), &index));
            }
            wanted.push(writes);
        }
        drop(snapshot);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let outcomes: Vec<_> = runtime.block_on(async {
            let begin = |writes: &Vec<RowWrite>| {
                let (store, set) = (self.store().clone(), set(writes.clone()));
                tokio::spawn(async move { store.commit(set).await })
            };
            let mut outcomes = Vec::new();
            for pending in wanted.iter().map(begin).collect::<Vec<_>>() {
                outcomes.push(pending.await.unwrap());
            }
            outcomes
        });
        for (outcome, writes) in outcomes.into_iter().zip(wanted) {
            self.ended(outcome, writes);
        }
        if self.durability == Durability::Sync {
            self.synced = self.history.lock().len();
        }
        self.told = self.told.max(self.store().last_seq());
    }

    fn ended(&mut self, outcome: Result<crate::Committed, CommitError>, writes: Vec<RowWrite>) {
        match outcome {
            Ok(committed) => {
                let history = self.history.lock();
                let commit = history.iter().rev().find(|commit| commit.last == committed.last);
                let commit = commit.expect("an acknowledged commit was told before");
                assert_eq!(commit.first, committed.first);
                let keys: Vec<_> = commit.changes.iter().map(|change| change.key.clone()).collect();
                assert_eq!(keys, writes.iter().map(|write| write.key.clone()).collect::<Vec<_>>());
            }
            Err(CommitError::Conflict | CommitError::NotStored(_)) => {}
            Err(CommitError::Unsettled(_)) => {
                self.unsettled.push(writes.into_iter().map(|write| (number(&write), write.new)).collect());
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    /// Ends the store without closing it, lets `lose` do its work, and opens what is there.
    fn reopen(&mut self, lose: impl FnOnce(&Faults, &Path)) {
        self.faults.cut_power();
        self.reading = None;
        let Fixture { store, dir, clock } = self.fixture.take().unwrap();
        drop(store);
        assert!(!self.faults.is_open());
        lose(&self.faults, dir.path());
        self.faults.restore_power();
        let mut options = options(dir.path(), &clock);
        options.durability = self.durability;
        options.faults = Some(self.faults.clone());
        let store = Store::open(options).unwrap();
        self.listen(&store);
        self.fixture = Some(Fixture { store, dir, clock });
        self.find();
    }

    fn restart(&mut self) {
        self.reading = None;
        self.faults.heal();
        let Fixture { store, dir, clock } = self.fixture.take().unwrap();
        store.close();
        drop(store);
        let mut options = options(dir.path(), &clock);
        options.durability = self.durability;
        options.faults = Some(self.faults.clone());
        let store = Store::open(options).unwrap();
        self.listen(&store);
        self.fixture = Some(Fixture { store, dir, clock });
        self.find();
    }

    /// After an opening: what of the history is there, and which unsettled commits are.
    fn find(&mut self) {
        let snapshot = self.store().snapshot();
        let log = changes(&snapshot, TABLE, &Scope::Shared, SeqId::ZERO);
        let mut history = self.history.lock();
        let told = history.iter().take_while(|commit| log.iter().any(|change| change.commit == commit.last)).count();
        assert!(told >= self.synced, "{told} of {} commits are there, {} were synced", history.len(), self.synced);
        let lost: Vec<SeqId> = history.drain(told..).map(|commit| commit.last).collect();
        let known = history.last().map_or(SeqId::ZERO, |commit| commit.last);
        let mut found: BTreeMap<SeqId, Vec<Change>> = BTreeMap::new();
        for change in log.into_iter().filter(|change| change.seq > known) {
            found.entry(change.commit).or_default().push(change);
        }
        for (last, changes) in found {
            let rows: Vec<_> = changes.iter().map(|change| (number_of(change), change.new.clone())).collect();
            let at = self.unsettled.iter().position(|unsettled| *unsettled == rows);
            assert!(at.is_some(), "commit {last} was never asked for, or is not whole: {rows:?}");
            assert!(lost.is_empty(), "nothing is there behind what was lost");
            history.push(commit_of(last, changes));
        }
        // Whatever was not found now can never come back.
        self.unsettled.clear();
        self.synced = history.len();
        drop(history);
        for lost in lost {
            assert!(!snapshot.history_reaches(TABLE, lost).unwrap(), "{lost} was lost, so nobody goes on from it");
        }
        assert!(snapshot.seq() >= self.told || self.durability == Durability::Sync);
        self.told = self.told.max(snapshot.seq());
        self.opened_at = snapshot.seq();
    }

    /// The state, and the history once it has heard of all that is in it.
    fn stand(&self) -> (Snapshot, Vec<Arc<Commit>>) {
        let snapshot = self.store().snapshot();
        loop {
            let history = self.history.lock().clone();
            let heard = history.last().map_or(SeqId::ZERO, |commit| commit.last).max(self.opened_at);
            if heard >= snapshot.seq() {
                return (snapshot, history);
            }
            std::thread::yield_now();
        }
    }

    /// Rows, index and change log are exactly what the history makes them.
    fn check(&self) {
        let (snapshot, history) = self.stand();
        let mut expected: BTreeMap<i64, (SeqId, Row)> = BTreeMap::new();
        let mut seqs = Vec::new();
        for commit in history.iter().filter(|commit| commit.last <= snapshot.seq()) {
            for change in &commit.changes {
                seqs.push((change.seq, change.commit));
                match &change.new {
                    Some(new) => drop(expected.insert(number_of(change), (change.seq, new.clone()))),
                    None => drop(expected.remove(&number_of(change))),
                }
            }
        }
        let found: Vec<_> = rows(&snapshot).into_iter().map(|stored| (stored.seq, stored.row)).collect();
        assert_eq!(found, expected.into_values().collect::<Vec<_>>());
        let log = changes(&snapshot, TABLE, &Scope::Shared, SeqId::ZERO);
        assert_eq!(log.iter().map(|change| (change.seq, change.commit)).collect::<Vec<_>>(), seqs);
        assert!(seqs.windows(2).all(|pair| pair[0].0 < pair[1].0), "no SeqId is used twice");
        let mut by_text: Vec<_> = rows(&snapshot).into_iter().map(|stored| stored.key).collect();
        let mut indexed = index_keys(&snapshot, &KeyRange::all());
        by_text.sort();
        indexed.sort();
        assert_eq!(indexed, by_text);
        assert!(snapshot.history_reaches(TABLE, snapshot.seq()).unwrap());
    }
}

fn number(write: &RowWrite) -> i64 {
    (0..12).find(|n| key(*n) == write.key).unwrap()
}

fn number_of(change: &Change) -> i64 {
    (0..12).find(|n| key(*n) == change.key).unwrap()
}

fn commit_of(last: SeqId, changes: Vec<Change>) -> Arc<Commit> {
    Arc::new(Commit {
        first: changes[0].seq,
        last,
        at_micros: 0,
        changes,
        records: Vec::new(),
        dropped_tables: Vec::new(),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn i3_in_sync_mode_nothing_acknowledged_is_lost_and_nothing_is_half_there(steps in prop::collection::vec(any_step(), 1..30)) {
        let mut world = World::new(Durability::Sync);
        steps.into_iter().for_each(|step| world.take(step));
        world.take(Step::LosePower(1));
    }

    #[test]
    fn i2_in_interval_mode_a_whole_beginning_survives_and_no_number_is_told_twice(steps in prop::collection::vec(any_step(), 1..30)) {
        let mut world = World::new(INTERVAL);
        steps.into_iter().for_each(|step| world.take(step));
        world.take(Step::LosePower(2));
    }
}

/// Bytes of RocksDB's one log.
fn log_length(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    let logs = entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "log"));
    logs.map(|log| log.metadata().unwrap().len()).sum()
}

/// The log cut or spoilt at every byte of its last commits: a whole beginning is there, and it goes on behind.
fn torn_at_every_byte(rest: Rest) {
    let faults = Faults::new();
    let fixture = Fixture::with(|options| {
        options.durability = INTERVAL;
        options.faults = Some(faults.clone());
    });
    let mut told = Vec::new();
    let mut ends = vec![log_length(fixture.dir.path())];
    for n in 0..3 {
        let two = set([insert(n * 2, "a"), insert(n * 2 + 1, "b")]);
        told.push(fixture.store.commit_blocking(two).unwrap().last);
        ends.push(log_length(fixture.dir.path()));
    }
    let (first, last) = (ends[0], ends[3]);
    // Around the ends of the records every byte, in between some.
    let is_tried = |at: &u64| ends.iter().any(|end| end.abs_diff(*at) < 4) || at.is_multiple_of(37);
    let image = image_of(fixture.dir.path());
    let mut kept = BTreeSet::new();
    for at in (first..=last).filter(is_tried) {
        let torn = image_of(image.path());
        let mut tear = |unsynced: Range<u64>| Tear { length: at.max(unsynced.start), rest };
        faults.moved(fixture.dir.path(), torn.path()).lose_unsynced(torn.path(), &mut tear).unwrap();
        let store = open_image(&torn, INTERVAL);
        let snapshot = store.snapshot();
        let there = texts(&snapshot).len();
        assert_eq!(there % 2, 0, "commits are whole or not there");
        assert_eq!(changes(&snapshot, TABLE, &Scope::Shared, SeqId::ZERO).len(), there);
        for lost in told.iter().skip(there / 2) {
            assert!(!snapshot.history_reaches(TABLE, *lost).unwrap());
        }
        let next = store.commit_blocking(WriteSet::default()).unwrap().last;
        assert!(told.iter().all(|told| *told < next));
        kept.insert(there);
    }
    assert_eq!(kept.into_iter().collect::<Vec<_>>(), [0, 2, 4, 6]);
}

#[test]
fn i3_a_log_that_ends_anywhere_holds_whole_commits() {
    torn_at_every_byte(Rest::Gone);
}

#[test]
fn i3_a_log_with_zeros_from_anywhere_holds_whole_commits() {
    torn_at_every_byte(Rest::Zeros);
}

#[test]
fn i3_a_log_with_noise_from_anywhere_holds_whole_commits() {
    torn_at_every_byte(Rest::Noise(5));
}

#[test]
fn i3_rows_index_and_history_agree_when_only_some_of_them_were_in_table_files_before_a_power_loss() {
    for seed in 0..6 {
        let mut world = World::new(INTERVAL);
        for n in 0..4 {
            world.take(Step::Commit(vec![vec![(n, true), (n + 4, true)]]));
        }
        world.take(Step::Flush);
        world.take(Step::Commit(vec![vec![(9, true)]]));
        world.take(Step::LosePower(seed));
        world.take(Step::Commit(vec![vec![(1, false)], vec![(10, true)]]));
    }
}
