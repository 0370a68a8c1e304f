//! One small table and a few queries over it, for the tests of this side.
//!
//! The table has two columns, `id` (its key) and `n`. The queries know their rows and results without
//! any SQL, and are given them without any store.

use std::sync::Arc;

use async_trait::async_trait;
use kalamdb_auth::Identity;
use kalamdb_commons::protocol::{ColumnKeys, SchemaField};
use kalamdb_commons::{ConnectionId, DataType, LiveQueryId, Role, Row, SeqId, SubscriptionId, TableId, UserId, Value};
use kalamdb_store::{Change, RowKey, Scope, Snapshot, StoredRow};
use kalamdb_system::LiveQueryRecord;

use super::options::LiveOptions;
use super::peer::Peer;
use super::plan::{LivePlan, Requery, ResultRow, RowFilter, Source, Strategy, ViewKey};
use super::session::Facts;
use crate::error::SqlError;

/// The table.
pub(crate) const TABLE: TableId = TableId(7);

/// A row of the table.
pub(crate) fn row(id: i32, n: i32) -> Row {
    Row::new(vec![Value::Int(id), Value::Int(n)])
}

/// The key of a row of the table.
pub(crate) fn key(id: i32) -> RowKey {
    RowKey::new(&[Value::Int(id)])
}

/// A row of the table as it is stored.
pub(crate) fn stored(id: i32, n: i32, seq: u64) -> StoredRow {
    StoredRow { key: key(id), seq: SeqId(seq), row: row(id, n) }
}

/// A change of a row: its `n` before, with the SeqId that wrote it, and after.
pub(crate) fn change(id: i32, seq: u64, old: Option<(u64, i32)>, new: Option<i32>) -> Change {
    Change {
        table: TABLE,
        scope: Scope::Shared,
        key: key(id),
        seq: SeqId(seq),
        commit: SeqId(seq),
        old: old.map(|(seq, n)| (SeqId(seq), row(id, n))),
        new: new.map(|n| row(id, n)),
    }
}

/// `n >= at_least`, perhaps found by `n = equal` as well.
#[derive(Debug, Clone)]
pub(crate) struct AtLeast {
    pub n: i32,
    pub equalities: Vec<(u16, Value)>,
    pub fill: Option<Value>,
    /// Does it select `id`?
    pub with_key: bool,
}

impl RowFilter for AtLeast {
    fn equalities(&self) -> &[(u16, Value)] {
        &self.equalities
    }

    fn fill(&self, _slot: u16) -> Option<&Value> {
        self.fill.as_ref()
    }

    fn project(&self, row: &StoredRow) -> Option<Row> {
        let (id, n) = (row.row.at(0)?, row.row.at(1)?);
        let matches = matches!(n, Value::Int(n) if *n >= self.n);
        matches.then(|| if self.with_key { vec![id.clone(), n.clone()] } else { vec![n.clone()] }).map(Row::new)
    }

    fn scan(&self, _: &Snapshot) -> Result<Vec<StoredRow>, SqlError> {
        Err(SqlError::internal("there is no store here"))
    }
}

/// Queries that are run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// `SELECT COUNT(*), SUM(n)`: one row that is no table's row.
    Count,
    /// `SELECT id, n … ORDER BY n DESC, id LIMIT 2`: rows of the table, in an order.
    Top,
    /// `SELECT id, n … WHERE n > (SELECT AVG(n) …)`: rows of the table, in none.
    AboveAverage,
}

impl Again {
    /// The result over these rows.
    pub fn evaluate(self, rows: &[StoredRow]) -> Vec<ResultRow> {
        let n = |row: &StoredRow| match row.row.at(1) {
            Some(Value::Int(n)) => i64::from(*n),
            _ => 0,
        };
        let whole = |row: &StoredRow| ResultRow { identity: "".into(), cells: row.row.clone(), seq: Some(row.seq) };
        let sum: i64 = rows.iter().map(n).sum();
        let mut found: Vec<ResultRow> = match self {
            Again::Count => {
                let cells = Row::new(vec![Value::BigInt(rows.len() as i64), Value::BigInt(sum)]);
                return vec![ResultRow { identity: "all".into(), cells, seq: None }];
            }
            Again::Top => {
                let mut rows: Vec<&StoredRow> = rows.iter().collect();
                rows.sort_by_key(|row| (-n(row), row.key.clone()));
                rows.into_iter().take(2).map(whole).collect()
            }
            Again::AboveAverage => rows.iter().filter(|row| n(row) * rows.len() as i64 > sum).map(whole).collect(),
        };
        for row in &mut found {
            row.identity = format!("{:?}", row.cells.at(0)).into();
        }
        found
    }
}

#[async_trait]
impl Requery for Again {
    async fn run(&self, _: &Snapshot, _: Option<SeqId>) -> Result<Vec<ResultRow>, SqlError> {
        Err(SqlError::internal("there is no store here"))
    }
}

fn plan(name: &str, columns: &[&str], key: bool, rows_have_seq: bool, strategy: Strategy) -> LivePlan {
    let field = |(index, name): (usize, &&str)| SchemaField {
        name: (*name).to_owned(),
        data_type: DataType::Int,
        index: index as u32,
        flags: Vec::new(),
    };
    LivePlan {
        key: ViewKey(name.into()),
        schema: columns.iter().enumerate().map(field).collect(),
        columns: ColumnKeys::new(columns.iter().copied()),
        key_columns: key.then(|| vec!["id".to_owned()]),
        order_by: None,
        rows_have_seq,
        sources: vec![Source { table: TABLE, name: "default.t".to_owned(), scope: Scope::Shared, slots: vec![0, 1] }],
        strategy,
    }
}

/// `SELECT id, n … WHERE n >= at_least`.
pub(crate) fn filter_plan(at_least: i32) -> LivePlan {
    let filter = AtLeast { n: at_least, equalities: Vec::new(), fill: None, with_key: true };
    plan(&format!("n >= {at_least}"), &["id", "n"], true, true, Strategy::Filter(Arc::new(filter)))
}

/// `SELECT n … WHERE n >= at_least`.
pub(crate) fn keyless_plan(at_least: i32) -> LivePlan {
    let filter = AtLeast { n: at_least, equalities: Vec::new(), fill: None, with_key: false };
    plan(&format!("n >= {at_least}, no id"), &["n"], false, true, Strategy::Filter(Arc::new(filter)))
}

/// `SELECT id, n … WHERE n = value`, which the router finds by its equality.
pub(crate) fn equality_plan(value: Value, fill: Option<Value>) -> LivePlan {
    let name = format!("n = {value:?}");
    let filter = AtLeast { n: 0, equalities: vec![(1, value)], fill, with_key: true };
    plan(&name, &["id", "n"], true, true, Strategy::Filter(Arc::new(filter)))
}

/// A query that is run again.
pub(crate) fn rerun_plan(query: Again) -> LivePlan {
    let (columns, key): (&[&str], bool) = match query {
        Again::Count => (&["c", "s"], false),
        Again::Top | Again::AboveAverage => (&["id", "n"], true),
    };
    let mut plan = plan(&format!("{query:?}"), columns, key, query != Again::Count, Strategy::Rerun(Arc::new(query)));
    if query == Again::Top {
        let by = |column: &str, desc| kalamdb_commons::protocol::OrderBy {
            column: column.to_owned(),
            desc,
            nulls_first: false,
        };
        plan.order_by = Some(vec![by("n", true), by("id", false)]);
    }
    plan
}

/// Anna, with a token.
pub(crate) fn identity() -> Identity {
    Identity {
        user: UserId::new("anna").unwrap(),
        role: Role::User,
        expires_at: 1_000,
        login: 5,
        tokens_valid_after: 0,
    }
}

/// A connection of Anna's.
pub(crate) fn peer(id: u128, options: &LiveOptions) -> Arc<Peer> {
    Peer::new(ConnectionId(id), &identity(), "127.0.0.1:1".to_owned(), 0, options)
}

/// What there is to know of a new subscription of hers.
pub(crate) fn facts(connection_id: ConnectionId, id: &str) -> Arc<Facts> {
    let subscription_id = SubscriptionId::new(id).unwrap();
    Arc::new(Facts::new(LiveQueryRecord {
        live_id: LiveQueryId { user_id: identity().user, connection_id, subscription_id },
        namespace_id: "default".to_owned(),
        table_name: "default.t".to_owned(),
        query: "SELECT".to_owned(),
        options: None,
        strategy: "filter".to_owned(),
        created_at: 1,
        node_id: "n1".to_owned(),
    }))
}
