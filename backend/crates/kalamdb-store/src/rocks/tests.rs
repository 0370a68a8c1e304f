use std::path::Path;
use std::sync::Arc;

use rocksdb::{DB, Options, WriteBatch};

use crate::tests::{Fixture, insert, options, texts};
use crate::{ManualClock, OpenError, Store, StoreOptions};

fn small(dir: &Path) -> StoreOptions {
    options(dir, &Arc::new(ManualClock::new(0)))
}

/// Another program's database, with these column families besides the default one, and a key in it.
fn strange_database(dir: &Path, families: &[&str], key: &[u8]) {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    let db = DB::open_cf(&options, dir, families).unwrap();
    if !key.is_empty() {
        db.put(key, b"value").unwrap();
    }
}

/// Changes a note of a store that is not open.
fn note(dir: &Path, key: &[u8], value: Option<&[u8]>) {
    let rocks = super::Rocks::open(&small(dir)).unwrap();
    let mut batch = WriteBatch::default();
    match value {
        Some(value) => batch.put_cf(rocks.families().meta, key, value),
        None => batch.delete_cf(rocks.families().meta, key),
    }
    rocks.write(batch, true).unwrap();
}

#[test]
fn an_unknown_format_is_refused_and_named() {
    let Fixture { store, dir, .. } = Fixture::new();
    drop(store);
    note(dir.path(), b"format", Some(&7_u64.to_be_bytes()));
    let refused = Store::open(small(dir.path())).unwrap_err();
    assert!(matches!(refused, OpenError::UnknownFormat { found: 7, supported: 1 }), "{refused:?}");
}

#[test]
fn an_unknown_format_with_other_column_families_is_named_too_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    strange_database(dir.path(), &["meta", "new_kind"], b"");
    {
        let db = DB::open_cf(&Options::default(), dir.path(), ["meta", "new_kind"]).unwrap();
        db.put_cf(&db.cf_handle("meta").unwrap(), b"format", 2_u64.to_be_bytes()).unwrap();
    }
    let refused = Store::open(small(dir.path())).unwrap_err();
    assert!(matches!(refused, OpenError::UnknownFormat { found: 2, .. }), "{refused:?}");
    assert_eq!(DB::list_cf(&Options::default(), dir.path()).unwrap(), ["default", "meta", "new_kind"]);
}

#[test]
fn a_database_of_another_program_is_refused_and_left_as_it_is() {
    for (families, key) in
        [(&[][..], &b"key"[..]), (&["users"], b""), (&["meta"], b"key"), (&["meta", "new_kind"], b"")]
    {
        let dir = tempfile::tempdir().unwrap();
        strange_database(dir.path(), families, key);
        let before = DB::list_cf(&Options::default(), dir.path()).unwrap();
        let refused = Store::open(small(dir.path())).unwrap_err();
        assert!(matches!(refused, OpenError::Foreign { .. }), "{families:?}: {refused:?}");
        assert_eq!(DB::list_cf(&Options::default(), dir.path()).unwrap(), before);
    }
}

#[test]
fn our_column_families_with_another_programs_notes_are_refused() {
    let Fixture { store, dir, .. } = Fixture::new();
    drop(store);
    note(dir.path(), b"format", None);
    let refused = Store::open(small(dir.path())).unwrap_err();
    assert!(matches!(refused, OpenError::Foreign { .. }), "{refused:?}");
}

#[test]
fn a_first_start_that_was_cut_short_is_begun_again() {
    for families in [&[][..], &["meta"], &["meta", "catalog", "rows"], &super::tuning::FAMILIES] {
        let dir = tempfile::tempdir().unwrap();
        strange_database(dir.path(), families, b"");
        let store = Store::open(small(dir.path())).unwrap();
        assert_eq!(store.last_seq().0, 0);
    }
}

#[test]
fn a_directory_that_is_open_is_refused() {
    let first = Fixture::new();
    let refused = Store::open(small(first.dir.path())).unwrap_err();
    assert!(matches!(refused, OpenError::Locked { .. }), "{refused:?}");
    first.write(insert(1, "still there"));
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let refused = Store::open(small(&file.join("data"))).unwrap_err();
    assert!(matches!(&refused, OpenError::Directory { dir, .. } if dir.starts_with(&file)), "{refused:?}");
}

#[cfg(unix)]
#[test]
fn a_new_directory_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("deep/data");
    let _store = Store::open(small(&made)).unwrap();
    assert_eq!(std::fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn damaged_notes_are_named() {
    for (key, value) in
        [("epoch", Some(&b"short"[..])), ("epoch", None), ("last_seq", Some(b"")), ("lost", Some(b"123"))]
    {
        let Fixture { store, dir, .. } = Fixture::new();
        drop(store);
        note(dir.path(), key.as_bytes(), value);
        let refused = Store::open(small(dir.path())).unwrap_err();
        assert!(matches!(&refused, OpenError::Corrupt { what } if what == key), "{refused:?}");
    }
}

#[test]
fn rows_outlive_their_way_through_table_files() {
    let fixture = Fixture::new();
    fixture.put(1, "one");
    let rocks = super::Rocks::open(&small(fixture.dir.path()));
    assert!(rocks.is_err(), "only one may have it open");
    let Fixture { store, dir, .. } = fixture;
    drop(store);
    let rocks = super::Rocks::open(&small(dir.path())).unwrap();
    for family in [rocks.families().rows, rocks.families().meta, rocks.families().changes] {
        rocks.db().flush_cf(family).unwrap();
        rocks.db().compact_range_cf(family, None::<&[u8]>, None::<&[u8]>);
    }
    drop(rocks);
    let store = Store::open(small(dir.path())).unwrap();
    assert_eq!(texts(&store.snapshot()), [(1, "one".to_owned())]);
}

#[test]
fn asking_for_room_leaves_nothing_behind_and_what_a_killed_process_left_goes() {
    let Fixture { store, dir, .. } = Fixture::new();
    drop(store);
    let probe = dir.path().join("room.probe");
    super::room::probe(dir.path()).unwrap();
    assert!(!probe.exists());
    std::fs::write(&probe, b"left").unwrap();
    let store = Store::open(small(dir.path())).unwrap();
    assert!(!probe.exists());
    drop(store);
    super::room::probe(&dir.path().join("nowhere")).unwrap_err();
}

#[test]
fn i3_a_torn_log_whose_noise_looks_like_a_recycled_one_is_opened_and_what_is_whole_is_there() {
    use std::io::Write as _;
    for kind in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 130, 131, 200] {
        let fixture = Fixture::new();
        fixture.put(1, "whole");
        fixture.put(2, &"also whole ".repeat(8_000));
        let image = fixture.crash_image();
        let logs = std::fs::read_dir(image.path()).unwrap().map(|entry| entry.unwrap().path());
        let newest = logs.filter(|path| path.extension().is_some_and(|extension| extension == "log")).max().unwrap();
        let mut log = std::fs::OpenOptions::new().append(true).open(newest).unwrap();
        log.write_all(&[1, 2, 3, 4, 9, 0, kind]).unwrap();
        log.write_all(&[kind; 40]).unwrap();
        let store = crate::tests::open_image(&image, crate::Durability::Sync);
        assert_eq!(texts(&store.snapshot()).len(), 2, "type {kind}");
    }
}
