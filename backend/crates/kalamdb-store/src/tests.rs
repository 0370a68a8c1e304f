//! A store in a directory of its own, small tables in it, and values of every kind.

use std::ops::ControlFlow;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use kalamdb_commons::value::Decimal;
use kalamdb_commons::{IndexId, Row, SeqId, TableId, UserId, Value};
use parking_lot::Mutex;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::rocks::Rocks;
use crate::{
    Change, CommitError, Committed, Durability, IndexSpec, KeyRange, ManualClock, RowKey, RowWrite, Scope, Snapshot,
    Store, StoreOptions, StoredRow, WriteSet,
};

pub(crate) const TABLE: TableId = TableId(7);
pub(crate) const OTHER: TableId = TableId(8);
pub(crate) const INDEX: IndexId = IndexId(3);

/// A store, its directory and its clock.
pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) dir: TempDir,
    pub(crate) clock: Arc<ManualClock>,
}

impl Fixture {
    pub(crate) fn new() -> Fixture {
        Fixture::with(|_| ())
    }

    pub(crate) fn with(set: impl FnOnce(&mut StoreOptions)) -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(1_000_000_000));
        let mut options = options(dir.path(), &clock);
        set(&mut options);
        Fixture { store: Store::open(options).unwrap(), dir, clock }
    }

    /// Commits one row of [`TABLE`].
    pub(crate) fn write(&self, write: RowWrite) -> Committed {
        self.store.commit_blocking(set([write])).unwrap()
    }

    /// Inserts or updates a row of [`TABLE`], whatever is there.
    pub(crate) fn put(&self, n: i64, text: &str) -> Committed {
        let old = self.store.snapshot().get(TABLE, &Scope::Shared, &key(n)).unwrap();
        self.write(write(n, old, Some(row(n, text))))
    }

    /// What a crash of the process now would leave behind.
    pub(crate) fn crash_image(&self) -> TempDir {
        image_of(self.dir.path())
    }
}

/// What a crash of the process that has this directory open would leave behind.
pub(crate) fn image_of(dir: &Path) -> TempDir {
    let image = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        match std::fs::copy(entry.path(), image.path().join(entry.file_name())) {
            // RocksDB deletes what it does not need any more when it likes.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            copied => drop(copied.unwrap()),
        }
    }
    image
}

/// The database below a store.
pub(crate) fn rocks(store: &Store) -> Arc<Rocks> {
    store.shared().rocks().unwrap()
}

/// Options for small data.
pub(crate) fn options(dir: &Path, clock: &Arc<ManualClock>) -> StoreOptions {
    let mut options = StoreOptions::new(dir);
    options.block_cache_bytes = 4 << 20;
    options.write_buffer_bytes = 8 << 20;
    options.clock = Arc::<ManualClock>::clone(clock);
    options
}

/// Opens what a crash left behind.
pub(crate) fn open_image(image: &TempDir, durability: Durability) -> Store {
    let mut options = options(image.path(), &Arc::new(ManualClock::new(2_000_000_000)));
    options.durability = durability;
    Store::open(options).unwrap()
}

pub(crate) fn key(n: i64) -> RowKey {
    RowKey::new(&[Value::BigInt(n)])
}

pub(crate) fn row(n: i64, text: &str) -> Row {
    Row::new(vec![Value::BigInt(n), Value::text(text)])
}

pub(crate) fn user(name: &str) -> Scope {
    Scope::User(UserId::new(name).unwrap())
}

/// A change of a row of [`TABLE`], without indexes.
pub(crate) fn write(n: i64, old: Option<StoredRow>, new: Option<Row>) -> RowWrite {
    RowWrite { table: TABLE, scope: Scope::Shared, key: key(n), old, new, indexes: Arc::new([]) }
}

pub(crate) fn insert(n: i64, text: &str) -> RowWrite {
    write(n, None, Some(row(n, text)))
}

pub(crate) fn set(rows: impl IntoIterator<Item = RowWrite>) -> WriteSet {
    WriteSet { rows: rows.into_iter().collect(), ..WriteSet::default() }
}

/// An index on the text column of [`row`].
pub(crate) fn text_index(unique: bool) -> Arc<[IndexSpec]> {
    Arc::new([IndexSpec { id: INDEX, columns: vec![(1, Value::Null)], unique }])
}

/// The change with these indexes kept in step.
pub(crate) fn indexed(mut write: RowWrite, indexes: &Arc<[IndexSpec]>) -> RowWrite {
    write.indexes = Arc::clone(indexes);
    write
}

/// All rows of [`TABLE`].
pub(crate) fn rows(snapshot: &Snapshot) -> Vec<StoredRow> {
    let mut rows = Vec::new();
    let visit = &mut |row| {
        rows.push(row);
        ControlFlow::Continue(())
    };
    snapshot.scan_rows(TABLE, &Scope::Shared, &KeyRange::all(), visit).unwrap();
    rows
}

/// Number and text of all rows of [`TABLE`].
pub(crate) fn texts(snapshot: &Snapshot) -> Vec<(i64, String)> {
    let text = |row: &Row| match (row.at(0), row.at(1)) {
        (Some(Value::BigInt(n)), Some(Value::Text(text))) => (*n, text.to_string()),
        other => panic!("not a row of the table: {other:?}"),
    };
    rows(snapshot).iter().map(|stored| text(&stored.row)).collect()
}

/// All changes of a table and scope after `after`.
pub(crate) fn changes(snapshot: &Snapshot, table: TableId, scope: &Scope, after: SeqId) -> Vec<Change> {
    let mut changes = Vec::new();
    let visit = &mut |change| {
        changes.push(change);
        ControlFlow::Continue(())
    };
    snapshot.changes(table, scope, after, visit).unwrap();
    changes
}

/// The keys in `range` of the index [`INDEX`].
pub(crate) fn index_keys(snapshot: &Snapshot, range: &KeyRange) -> Vec<RowKey> {
    let mut keys = Vec::new();
    let visit = &mut |key| {
        keys.push(key);
        ControlFlow::Continue(())
    };
    snapshot.scan_index(INDEX, &Scope::Shared, range, visit).unwrap();
    keys
}

/// A commit under way.
pub(crate) type Pending<'a> = Pin<Box<dyn Future<Output = Result<Committed, CommitError>> + 'a>>;

/// Hands a set to the committer's queue, behind those handed over before.
pub(crate) fn begin(store: &Store, set: WriteSet) -> Pending<'_> {
    let mut pending: Pending<'_> = Box::pin(store.commit(set));
    assert!(is_pending(&mut pending));
    pending
}

pub(crate) fn is_pending(pending: &mut Pending<'_>) -> bool {
    let polled: Poll<_> = pending.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    polled.is_pending()
}

/// What became of a commit under way.
pub(crate) fn end(pending: Pending<'_>) -> Result<Committed, CommitError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(pending)
}

/// While this is locked the committer stands still, at the latest behind its next commit.
pub(crate) fn gate(store: &Store) -> Arc<Mutex<()>> {
    let gate = Arc::new(Mutex::new(()));
    let held = Arc::clone(&gate);
    store.listen(Arc::new(move |_| drop(held.lock())));
    gate
}

/// Any value of any type.
pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i16>().prop_map(Value::SmallInt),
        any::<i32>().prop_map(Value::Int),
        any::<i64>().prop_map(Value::BigInt),
        any::<u32>().prop_map(|bits| Value::Float(f32::from_bits(bits))),
        any::<u64>().prop_map(|bits| Value::Double(f64::from_bits(bits))),
        any_decimal().prop_map(Value::Decimal),
        any_text().prop_map(Value::text),
        any::<i64>().prop_map(Value::Timestamp),
        any::<i64>().prop_map(Value::DateTime),
        any::<i32>().prop_map(Value::Date),
        any::<i64>().prop_map(Value::Time),
        any_text().prop_map(|text| Value::Json(text.into())),
        any_bytes().prop_map(|bytes| Value::Bytes(bytes.into())),
        any::<u128>().prop_map(Value::Uuid),
    ]
}

/// A row of a few values.
pub(crate) fn any_row() -> impl Strategy<Value = Row> {
    proptest::collection::vec(any_value(), 0..6).prop_map(Row::new)
}

/// Decimals that are often near each other, or equal and written differently.
fn any_decimal() -> impl Strategy<Value = Decimal> {
    let unscaled = prop_oneof![any::<i128>(), any::<i64>().prop_map(i128::from), -200_i128..200, Just(i128::MIN)];
    (unscaled, 0..=Decimal::MAX_PRECISION).prop_map(|(unscaled, scale)| Decimal { unscaled, scale })
}

/// Texts that often begin alike and hold the bytes that escaping is about.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[a\u{0}\u{1}ÿ]{0,4}", ".{0,8}"]
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let edge = prop_oneof![Just(0_u8), Just(1), Just(0xfe), Just(0xff), any::<u8>()];
    proptest::collection::vec(edge, 0..6)
}
