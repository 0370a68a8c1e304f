//! What comes into the log, what a reader sees, and what goes.

use std::net::{IpAddr, Ipv4Addr};

use kalamdb_commons::{UserId, Value};
use kalamdb_store::{ManualClock, StoreOptions};
use tempfile::TempDir;

use super::*;

const NOW: i64 = 1_700_000_000_000_000;
const HOME: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));

struct Fixture {
    log: AuditLog,
    store: Store,
    clock: Arc<ManualClock>,
    dir: TempDir,
}

impl Fixture {
    fn with(options: AuditOptions) -> Self {
        Self::at(tempfile::tempdir().unwrap(), Arc::new(ManualClock::new(NOW)), options)
    }

    fn at(dir: TempDir, clock: Arc<ManualClock>, options: AuditOptions) -> Self {
        let store = Store::open(StoreOptions { clock: clock.clone(), ..StoreOptions::new(dir.path()) }).unwrap();
        let log = AuditLog::open(store.clone(), options).unwrap();
        let follower = log.clone();
        store.listen(Arc::new(move |commit| follower.apply(commit)));
        Fixture { log, store, clock, dir }
    }

    fn reopen(self, options: AuditOptions) -> Self {
        let Fixture { log, store, clock, dir } = self;
        store.close();
        drop((log, store));
        Self::at(dir, clock, options)
    }

    fn rows(&self) -> Vec<Row> {
        let (mut reader, mut all) = (self.log.read(), Vec::new());
        loop {
            let rows = reader.next_rows().unwrap();
            if rows.is_empty() {
                return all;
            }
            all.extend(rows);
        }
    }

    /// Action, object and how many times, of all rows.
    fn told(&self) -> Vec<(String, String, i64)> {
        let text = |value: &Value| match value {
            Value::Text(text) => text.to_string(),
            _ => "-".to_owned(),
        };
        let row = |row: &Row| {
            let values = row;
            let Value::BigInt(times) = values[9] else { panic!("{row:?}") };
            (text(&values[5]), text(&values[6]), times)
        };
        self.rows().iter().map(row).collect()
    }

    fn bytes(&self) -> u64 {
        self.log.0.drawers.iter().map(|drawer| drawer.bytes.load(Ordering::Relaxed)).sum()
    }
}

fn anna() -> UserId {
    UserId::new("anna").unwrap()
}

fn act(object: &str) -> AuditEntry {
    AuditEntry::new(AuditKind::Ddl, "CREATE TABLE").by(&anna()).on(object).from(HOME)
}

fn refused(object: &str) -> AuditEntry {
    act(object).refused(ErrorCode::PermissionDenied)
}

fn told(action: &str, object: &str, times: i64) -> (String, String, i64) {
    (action.to_owned(), object.to_owned(), times)
}

#[tokio::test]
async fn an_entry_is_read_back_with_all_that_was_said() {
    let fixture = Fixture::with(AuditOptions::default());
    let ben = UserId::new("ben").unwrap();
    let entry = AuditEntry::new(AuditKind::Impersonation, "SELECT").by(&anna()).acting_as(&ben).on("ben").from(HOME);
    fixture.log.record(&entry).await.unwrap();
    let wanted = Row::new(vec![
        Value::BigInt(NOW * 1_000),
        Value::DateTime(NOW),
        Value::text("anna"),
        Value::text("ben"),
        Value::text("impersonation"),
        Value::text("SELECT"),
        Value::text("ben"),
        Value::text("ok"),
        Value::text("127.0.0.1"),
        Value::BigInt(1),
    ]);
    assert_eq!(fixture.rows(), [wanted]);
    assert_eq!(TABLE_COLUMNS, fixture.rows()[0].len());
}

const TABLE_COLUMNS: usize = crate::audit::TABLE.columns.len();

#[tokio::test]
async fn an_entry_of_a_write_set_is_there_exactly_if_that_is_committed() {
    let fixture = Fixture::with(AuditOptions::default());
    let blocker = RecordWrite {
        space: RecordSpace::Catalog,
        key: vec![200],
        expect: Expect::Value(vec![1]),
        value: Some(vec![2]),
    };
    let mut writes = WriteSet { records: vec![blocker], ..WriteSet::default() };
    fixture.log.put(&mut writes, &act("n.t")).unwrap();
    assert!(fixture.store.commit(writes).await.is_err());
    assert_eq!((fixture.told(), fixture.bytes()), (vec![], 0));
    let mut writes = WriteSet::default();
    fixture.log.put(&mut writes, &act("n.t")).unwrap();
    fixture.store.commit(writes).await.unwrap();
    assert_eq!(fixture.told(), [told("CREATE TABLE", "n.t", 1)]);
}

#[tokio::test]
async fn numbers_grow_also_when_the_clock_goes_back_and_after_a_restart() {
    let fixture = Fixture::with(AuditOptions::default());
    for _ in 0..3 {
        fixture.log.record(&act("n.t")).await.unwrap();
    }
    fixture.clock.set_micros(NOW - 60_000_000);
    let bytes = fixture.bytes();
    let fixture = fixture.reopen(AuditOptions::default());
    assert_eq!(fixture.bytes(), bytes);
    fixture.log.record(&act("n.t")).await.unwrap();
    let ids: Vec<Value> = fixture.rows().iter().map(|row| row[0].clone()).collect();
    assert_eq!(ids, (0..4).map(|n| Value::BigInt(NOW * 1_000 + n)).collect::<Vec<_>>());
}

#[tokio::test]
async fn of_what_is_refused_the_first_is_written_at_once_and_the_others_are_counted() {
    let fixture = Fixture::with(AuditOptions::default());
    for object in ["a", "b", "c"] {
        fixture.log.record(&refused(object)).await.unwrap();
    }
    assert_eq!(fixture.told(), [told("CREATE TABLE", "a", 1)]);
    fixture.clock.advance_secs(30);
    fixture.log.upkeep().await;
    assert_eq!(fixture.told().len(), 1, "the window is still open");
    fixture.clock.advance_secs(30);
    fixture.log.upkeep().await;
    assert_eq!(fixture.told(), [told("CREATE TABLE", "a", 1), told("CREATE TABLE", "c", 2)]);
    fixture.log.record(&refused("d")).await.unwrap();
    assert_eq!(fixture.told().len(), 3, "a new window has a first one");
}

#[tokio::test]
async fn what_was_done_is_written_each_time() {
    let fixture = Fixture::with(AuditOptions::default());
    for object in ["a", "a", "a"] {
        fixture.log.record(&act(object)).await.unwrap();
    }
    assert_eq!(fixture.told().len(), 3);
}

#[tokio::test]
async fn what_is_noted_waits_for_the_window_or_a_reader() {
    let fixture = Fixture::with(AuditOptions::default());
    let failed = || AuditEntry::new(AuditKind::LoginFailed, "LOGIN").refused(ErrorCode::InvalidCredentials).from(HOME);
    for _ in 0..1_000 {
        fixture.log.note(failed());
    }
    assert_eq!(fixture.told(), []);
    fixture.log.flush().await;
    assert_eq!(fixture.told(), [told("LOGIN", "-", 1_000)]);
}

#[tokio::test]
async fn s08_a_flood_of_failed_logins_stays_in_its_bounds_and_drowns_nothing_else() {
    let options = AuditOptions { max_bytes: 1 << 20, ..AuditOptions::default() };
    let fixture = Fixture::with(options.clone());
    fixture.log.record(&act("kept")).await.unwrap();
    for minute in 0..4_u8 {
        for n in 0..3_000_u16 {
            let [a, b] = n.to_be_bytes();
            let address = IpAddr::from([10, minute, a, b]);
            let failed = AuditEntry::new(AuditKind::LoginFailed, "LOGIN").refused(ErrorCode::InvalidCredentials);
            fixture.log.note(failed.from(Some(address)));
        }
        fixture.clock.advance_secs(60);
        fixture.log.upkeep().await;
        assert!(fixture.bytes() <= options.max_bytes / 4 + 1_000, "{}", fixture.bytes());
    }
    let rows = fixture.rows();
    assert!(rows.len() > 1_000, "the last ones are kept: {}", rows.len());
    assert_eq!(rows[0][6], Value::text("kept"));
    let last = &rows[rows.len() - 1_000..];
    assert!(last.iter().all(|row| matches!(&row[8], Value::Text(address) if address.starts_with("10.3."))));
    let (bytes, fixture) = (fixture.bytes(), fixture.reopen(options));
    assert_eq!(fixture.bytes(), bytes, "what is counted is what is there");
}

#[tokio::test]
async fn entries_go_when_they_are_too_old() {
    let fixture = Fixture::with(AuditOptions { max_age_days: 2, ..AuditOptions::default() });
    fixture.log.record(&act("old")).await.unwrap();
    fixture.log.record(&refused("old")).await.unwrap();
    fixture.clock.advance_secs(86_400);
    fixture.log.record(&act("young")).await.unwrap();
    fixture.log.upkeep().await;
    assert_eq!(fixture.told().len(), 3);
    fixture.clock.advance_secs(86_401);
    fixture.log.upkeep().await;
    assert_eq!(fixture.told(), [told("CREATE TABLE", "young", 1)]);
}

#[tokio::test]
async fn what_is_switched_off_is_not_written() {
    let login = || AuditEntry::new(AuditKind::Login, "LOGIN").by(&anna()).from(HOME);
    let fixture = Fixture::with(AuditOptions { logins: false, ..AuditOptions::default() });
    fixture.log.record(&login()).await.unwrap();
    fixture.log.record(&act("n.t")).await.unwrap();
    let fixture = fixture.reopen(AuditOptions { enabled: false, ..AuditOptions::default() });
    fixture.log.record(&act("n.u")).await.unwrap();
    let mut writes = WriteSet::default();
    fixture.log.put(&mut writes, &act("n.u")).unwrap();
    assert!(writes.records.is_empty());
    fixture.log.note(login());
    fixture.log.flush().await;
    assert_eq!(fixture.told(), [told("CREATE TABLE", "n.t", 1)], "what is there stays readable");
}

#[tokio::test]
async fn what_cannot_be_written_is_told_to_who_asked_for_it() {
    let fixture = Fixture::with(AuditOptions::default());
    fixture.store.close();
    let error = fixture.log.record(&refused("a")).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable);
    assert!(fixture.log.record(&refused("a")).await.is_err(), "not taken for one that was written");
}

#[test]
fn a_long_name_is_cut_between_two_letters() {
    let entry = act(&"ü".repeat(400));
    assert_eq!(entry.object.unwrap().chars().count(), 256);
}

#[test]
fn every_kind_has_a_word_of_its_own() {
    let words: std::collections::BTreeSet<_> = AuditKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(words.len(), AuditKind::ALL.len());
}
