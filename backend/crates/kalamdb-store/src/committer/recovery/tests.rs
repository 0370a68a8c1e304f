use std::fs;
use std::sync::Arc;
use std::thread;

use kalamdb_commons::SeqId;
use parking_lot::Mutex;

use crate::faults::{Faults, WriteFault};
use crate::tests::{Fixture, TABLE, begin, changes, end, gate, image_of, insert, row, set, texts, write};
use crate::{Commit, CommitError, Durability, ReadError, RecordSpace, Scope, WriteSet};

/// A store that fails as planned, and the SeqIds of the commits that were told.
struct Failing {
    fixture: Fixture,
    faults: Faults,
    told: Arc<Mutex<Vec<u64>>>,
}

impl Failing {
    fn new(durability: Durability) -> Failing {
        let faults = Faults::new();
        let fixture = Fixture::with(|options| {
            options.durability = durability;
            options.faults = Some(faults.clone());
        });
        let told = Arc::new(Mutex::new(Vec::new()));
        let listener = Arc::clone(&told);
        fixture.store.listen(Arc::new(move |commit: &Arc<Commit>| listener.lock().push(commit.last.0)));
        Failing { fixture, faults, told }
    }

    fn commit(&self, n: i64) -> Result<u64, CommitError> {
        self.fixture.store.commit_blocking(set([insert(n, "row")])).map(|committed| committed.last.0)
    }

    /// Commits once the store takes it; it is tried again as long as the disk is said to fail.
    fn commit_at_last(&self, n: i64) -> u64 {
        loop {
            match self.commit(n) {
                Ok(last) => return last,
                Err(CommitError::NotStored(_)) => thread::yield_now(),
                Err(other) => panic!("{other:?}"),
            }
        }
    }

    fn keys(&self) -> Vec<i64> {
        texts(&self.fixture.store.snapshot()).iter().map(|(n, _)| *n).collect()
    }

    fn told(&self) -> Vec<u64> {
        self.told.lock().clone()
    }
}

#[test]
fn i3_a_write_that_fails_is_refused_leaves_nothing_and_the_next_one_goes_through() {
    for (fault, is_full) in
        [(WriteFault::NotWritten, false), (WriteFault::NoSpace, true), (WriteFault::NotWrittenAndStuck, false)]
    {
        let store = Failing::new(Durability::Sync);
        assert_eq!(store.commit(1).unwrap(), 1);
        store.faults.fail_writes(fault, 1);
        let refused = store.commit(2).unwrap_err();
        assert!(matches!(&refused, CommitError::NotStored(why) if why.is_full() == is_full), "{fault:?}: {refused:?}");
        assert_eq!((store.keys(), store.told()), (vec![1], vec![1]));
        assert_eq!(store.commit_at_last(2), 3, "the number of the failed one stays unused");
        assert_eq!((store.keys(), store.told()), (vec![1, 2], vec![1, 3]));
        let log = changes(&store.fixture.store.snapshot(), TABLE, &Scope::Shared, SeqId::ZERO);
        assert_eq!(log.iter().map(|change| change.seq.0).collect::<Vec<_>>(), [1, 3]);
    }
}

#[test]
fn i3_a_write_that_is_there_although_it_was_reported_as_failed_is_acknowledged_or_said_to_be_unknown_and_told() {
    for durability in [Durability::Sync, Durability::Interval { millis: 3_600_000 }] {
        let store = Failing::new(durability);
        store.faults.fail_writes(WriteFault::WrittenButReported, 1);
        assert_eq!(store.commit(1).unwrap(), 1);
        assert_eq!(store.commit(2).unwrap(), 2);
        assert_eq!((store.keys(), store.told()), (vec![1, 2], vec![1, 2]));
        store.faults.fail_writes(WriteFault::SyncFailed, 1);
        let unknown = store.commit(3).unwrap_err();
        assert!(matches!(unknown, CommitError::Unsettled(_)), "{unknown:?}");
        assert_eq!(store.commit_at_last(4), 4);
        assert_eq!((store.keys(), store.told()), (vec![1, 2, 3, 4], vec![1, 2, 3, 4]));
    }
}

#[test]
fn i1_an_unsettled_write_is_shown_to_nobody_before_it_is_known_and_then_told_in_order() {
    let store = Failing::new(Durability::Sync);
    store.commit(1).unwrap();
    // Somebody is reading, so the database cannot be opened again.
    let reading = store.fixture.store.snapshot();
    store.faults.fail_writes(WriteFault::SyncFailed, 1);
    let unknown = store.commit(2).unwrap_err();
    assert!(matches!(unknown, CommitError::Unsettled(_)), "{unknown:?}");
    let refused = store.commit(3).unwrap_err();
    assert!(matches!(refused, CommitError::NotStored(_)), "{refused:?}");
    store.fixture.store.shared().refresh().unwrap();
    assert_eq!((store.keys(), store.told()), (vec![1], vec![1]));
    drop(reading);
    // Nobody writes: it is found by itself that the disk works.
    while store.fixture.store.last_seq() < SeqId(2) {
        thread::yield_now();
    }
    assert_eq!(store.commit_at_last(4), 3);
    assert_eq!((store.keys(), store.told()), (vec![1, 2, 4], vec![1, 2, 3]));
}

#[test]
fn i3_readers_go_on_while_the_disk_fails_and_those_who_read_are_not_cut_off() {
    let store = Failing::new(Durability::Sync);
    store.commit(1).unwrap();
    let reading = store.fixture.store.snapshot();
    store.faults.fail_writes(WriteFault::NotWrittenAndStuck, 1);
    for n in 2..5 {
        store.commit(n).unwrap_err();
        assert_eq!(store.keys(), [1]);
        assert_eq!(texts(&reading).len(), 1);
    }
    store.fixture.store.put_record(RecordSpace::LiveQueries, b"a", b"x").unwrap_err();
    assert_eq!(store.fixture.store.get_record(RecordSpace::LiveQueries, b"a").unwrap(), None);
    drop(reading);
    assert!(store.commit_at_last(2) > 1);
    store.fixture.store.put_record(RecordSpace::LiveQueries, b"a", b"x").unwrap();
}

#[test]
fn sets_that_were_to_be_written_together_fail_together() {
    let store = Failing::new(Durability::Sync);
    store.commit(1).unwrap();
    let gate = gate(&store.fixture.store);
    let held = gate.lock();
    let first = begin(&store.fixture.store, set([insert(2, "holds the committer")]));
    while store.fixture.store.last_seq() < SeqId(2) {
        thread::yield_now();
    }
    let waiting: Vec<_> = [3, 4, 4].map(|n| begin(&store.fixture.store, set([insert(n, "row")]))).into();
    store.faults.fail_writes(WriteFault::NotWritten, 1);
    drop(held);
    end(first).unwrap();
    for waiting in waiting {
        let refused = end(waiting);
        assert!(matches!(refused, Err(CommitError::NotStored(_))), "{refused:?}");
    }
    assert_eq!(store.keys(), [1, 2]);
    store.commit_at_last(4);
}

#[test]
fn i3_a_failed_sync_of_interval_mode_loses_nothing_that_was_acknowledged() {
    let store = Failing::new(Durability::Interval { millis: 1 });
    store.faults.fail_syncs(1);
    let mut kept = Vec::new();
    for n in 0..20 {
        store.commit_at_last(n);
        kept.push(n);
    }
    while store.fixture.store.shared().is_unsynced() || store.fixture.store.shared().failing().is_some() {
        thread::yield_now();
    }
    assert_eq!(store.keys(), kept);
    let Fixture { store, dir, .. } = store.fixture;
    let image = image_of(dir.path());
    drop(store);
    let reopened = crate::tests::open_image(&image, Durability::Sync);
    assert_eq!(texts(&reopened.snapshot()).len(), 20);
}

#[test]
fn a_database_that_cannot_be_opened_again_is_said_to_be_unreadable_until_it_can() {
    let store = Failing::new(Durability::Sync);
    store.commit(1).unwrap();
    let current = store.fixture.dir.path().join("CURRENT");
    let aside = store.fixture.dir.path().join("aside");
    store.faults.fail_writes(WriteFault::NotWrittenAndStuck, 1);
    fs::copy(&current, &aside).unwrap();
    fs::write(&current, "nonsense").unwrap();
    store.commit(2).unwrap_err();
    // Whoever has begun to read before goes on; soon there is nothing to begin with.
    let (snapshot, unread) = loop {
        let snapshot = store.fixture.store.snapshot();
        if let Err(unread) = snapshot.get(TABLE, &Scope::Shared, &crate::tests::key(1)) {
            break (snapshot, unread);
        }
    };
    assert!(matches!(&unread, ReadError::Storage(why) if why.to_string().contains("not open")), "{unread:?}");
    assert_eq!(snapshot.seq(), SeqId(1));
    fs::rename(&aside, &current).unwrap();
    store.commit_at_last(2);
    assert_eq!(store.keys(), [1, 2]);
    snapshot.get(TABLE, &Scope::Shared, &crate::tests::key(1)).unwrap_err();
}

#[test]
fn i3_a_disk_that_has_lost_what_was_told_gets_no_more_commits() {
    let store = Failing::new(Durability::Sync);
    store.commit(1).unwrap();
    let older = store.fixture.crash_image();
    store.commit(2).unwrap();
    store.faults.fail_writes(WriteFault::NotWrittenAndStuck, 1);
    let dir = store.fixture.dir.path();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        fs::remove_file(entry.path()).unwrap();
    }
    for entry in fs::read_dir(older.path()).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), dir.join(entry.file_name())).unwrap();
    }
    for n in 3..6 {
        let refused = store.commit(n).unwrap_err();
        assert!(matches!(refused, CommitError::NotStored(_)), "{refused:?}");
    }
    assert_eq!(store.told(), [1, 2]);
}

#[test]
fn a_commit_without_rows_and_a_change_of_a_row_fail_and_recover_alike() {
    let store = Failing::new(Durability::Sync);
    store.commit(1).unwrap();
    let old = crate::tests::rows(&store.fixture.store.snapshot()).remove(0);
    store.faults.fail_writes(WriteFault::NotWritten, 2);
    store.fixture.store.commit_blocking(WriteSet::default()).unwrap_err();
    let change = write(1, Some(old), Some(row(1, "changed")));
    store.fixture.store.commit_blocking(set([change.clone()])).unwrap_err();
    store.fixture.store.commit_blocking(set([change])).unwrap();
    assert_eq!(texts(&store.fixture.store.snapshot()), [(1, "changed".to_owned())]);
}
