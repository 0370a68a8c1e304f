use std::sync::atomic::{AtomicU64, Ordering};

use super::{Faults, Rest, Tear, WriteFault};
use crate::tests::{Fixture, insert, options, set, texts};
use crate::{Durability, Store};

fn fixture(faults: &Faults, durability: Durability) -> Fixture {
    Fixture::with(|options| {
        options.durability = durability;
        options.faults = Some(faults.clone());
    })
}

/// Drops the store after a power cut, takes away what `tear` says, and opens what is left.
fn lose(fixture: Fixture, faults: &Faults, tear: &mut dyn FnMut(std::ops::Range<u64>) -> Tear) -> Fixture {
    faults.cut_power();
    let Fixture { store, dir, clock } = fixture;
    drop(store);
    faults.lose_unsynced(dir.path(), tear).unwrap();
    faults.restore_power();
    let mut options = options(dir.path(), &clock);
    options.faults = Some(faults.clone());
    Fixture { store: Store::open(options).unwrap(), dir, clock }
}

#[test]
fn planned_writes_fail_in_their_order_and_no_more_of_them() {
    let faults = Faults::new();
    let fixture = fixture(&faults, Durability::Sync);
    faults.fail_writes(WriteFault::NotWritten, 1);
    faults.fail_writes(WriteFault::NoSpace, 1);
    for n in 0..2 {
        fixture.store.commit_blocking(set([insert(n, "fails")])).unwrap_err();
    }
    fixture.write(insert(3, "goes through"));
    faults.fail_writes(WriteFault::NotWritten, 5);
    faults.heal();
    fixture.write(insert(4, "goes through"));
}

#[test]
fn after_a_cut_nothing_is_written_and_closing_leaves_no_mark() {
    let faults = Faults::new();
    let fixture = fixture(&faults, Durability::Interval { millis: 3_600_000 });
    let last = fixture.put(1, "before").last;
    faults.cut_power();
    assert!(faults.is_cut());
    fixture.store.commit_blocking(set([insert(2, "after")])).unwrap_err();
    let fixture = lose(fixture, &faults, &mut |unsynced| Tear { length: unsynced.end, rest: Rest::Gone });
    assert_eq!(texts(&fixture.store.snapshot()), [(1, "before".to_owned())]);
    assert!(fixture.store.last_seq() > last, "it was no clean stop");
}

#[test]
fn only_what_was_not_synced_can_be_lost() {
    let faults = Faults::new();
    let synced = fixture(&faults, Durability::Sync);
    synced.put(1, "synced");
    let lost = AtomicU64::new(0);
    let count = |unsynced: std::ops::Range<u64>| {
        lost.fetch_add(unsynced.end - unsynced.start, Ordering::Relaxed);
        Tear { length: unsynced.start, rest: Rest::Gone }
    };
    let reopened = lose(synced, &faults, &mut |unsynced| count(unsynced));
    assert_eq!(texts(&reopened.store.snapshot()), [(1, "synced".to_owned())]);
    assert_eq!(lost.load(Ordering::Relaxed), 0);

    let faults = Faults::new();
    let unsynced = fixture(&faults, Durability::Interval { millis: 3_600_000 });
    unsynced.put(1, "not synced");
    let reopened = lose(unsynced, &faults, &mut |unsynced| count(unsynced));
    assert_eq!(texts(&reopened.store.snapshot()), []);
    assert!(lost.load(Ordering::Relaxed) > 0);
}

#[test]
fn tears_of_every_kind_are_made_up_within_what_was_not_synced() {
    let tears: Vec<_> = (0..200).map(|seed| Tear::from_seed(seed, 100..110)).collect();
    assert!(tears.iter().all(|tear| (100..=110).contains(&tear.length)));
    assert!((100..=110).all(|length| tears.iter().any(|tear| tear.length == length)));
    for kind in [|rest| rest == Rest::Gone, |rest| rest == Rest::Zeros, |rest| matches!(rest, Rest::Noise(_))] {
        assert!(tears.iter().any(|tear| kind(tear.rest)));
    }
    assert_eq!(Tear::from_seed(7, 100..110), Tear::from_seed(7, 100..110));
}
