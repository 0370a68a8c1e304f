//! A live query that is run again after what concerns it has changed.
//!
//! What is selected besides the client's columns is taken apart here: the order's columns go out
//! with the row, its `_seq` and what tells it from others do not. A row that stands for table rows is told by
//! their keys, a group by what it was grouped by, any other row by its whole content; rows that
//! would be called alike get a number. So a row keeps its name for as long as it is the same row, on
//! every run and after every restart.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::sql::sqlparser::ast;
use kalamdb_commons::protocol::{OrderBy, SchemaField};
use kalamdb_commons::{Name, Row, SeqId, Value};
use kalamdb_store::{Snapshot, encode_values};
use kalamdb_system::CatalogState;

use super::columns::Columns;
use super::order::{self, Term, TermColumn};
use super::rewrite::{self, Extras};
use super::shape::{self, Origin};
use super::{key, sources_of};
use crate::context::{Caller, Overlay, StatementContext};
use crate::error::SqlError;
use crate::live::plan::{LivePlan, Requery, ResultRow, Strategy};
use crate::sql::query::{self, PlannedQuery, QuerySession};

/// The query as one that is run again.
pub(super) async fn plan(
    session: &QuerySession,
    ctx: &StatementContext,
    query: &ast::Query,
    planned: PlannedQuery,
) -> LivePlan {
    let sources = sources_of(&planned);
    let asked_for = planned.schema.len();
    let terms = order::terms(query, &planned.schema, &shown_columns(query, &planned));
    let extended = Extended::of(session, ctx, query, planned, terms.as_deref()).await;
    // Without its columns an order cannot be told.
    let terms = terms.filter(|terms| count_besides(terms) == extended.extras.order.len());
    let (columns, layout, key_places) = lay_out(&extended, asked_for);
    let key = key::of_query(ctx, &query.to_string(), &extended.planned, &sources, &columns.schema);
    let rerun = Rerun {
        session: session.clone(),
        caller: ctx.caller.clone(),
        namespace: ctx.namespace.clone(),
        params: Arc::clone(&ctx.params),
        catalog: Arc::clone(&ctx.catalog),
        planned: extended.planned.outliving_its_statement(),
        layout,
    };
    LivePlan {
        key,
        key_columns: key_places.map(|places| columns.names_at(&places)),
        order_by: terms.map(|terms| order_by(&terms, asked_for, &columns.schema)),
        schema: columns.schema,
        columns: columns.keys,
        rows_have_seq: extended.extras.seq,
        sources,
        strategy: Strategy::Rerun(Arc::new(rerun)),
    }
}

/// A query with what it selects besides, as far as it could be planned so.
struct Extended {
    planned: PlannedQuery,
    extras: Extras,
}

impl Extended {
    /// Tries all that would be of use, then the order's columns alone, then the query as it is.
    async fn of(
        session: &QuerySession,
        ctx: &StatementContext,
        query: &ast::Query,
        planned: PlannedQuery,
        terms: Option<&[Term]>,
    ) -> Extended {
        let all = extras(query, &planned, terms);
        let order_only = Extras { order: all.order.clone(), ..Extras::default() };
        let names = order_names(&planned.schema, all.order.len());
        for extras in [all, order_only] {
            if extras.is_empty() {
                break;
            }
            let Some(extended) = extras.append_to(query, &names) else {
                break;
            };
            // An expression that cannot stand in a select list is no error: the query itself has been planned.
            if let Ok(with_extras) = query::plan(session, ctx, &extended).await
                && begins_alike(&planned.schema, &with_extras.schema)
                && with_extras.schema.len() == planned.schema.len().saturating_add(extras.len())
            {
                return Extended { planned: with_extras, extras };
            }
        }
        Extended { planned, extras: Extras::default() }
    }
}

/// Which column of the one table in the query's FROM each column of the result shows.
fn shown_columns(query: &ast::Query, planned: &PlannedQuery) -> Vec<Option<String>> {
    let named = query.body.as_select().and_then(|select| rewrite::tables_named(query, select)).unwrap_or_default();
    if named.len() != 1 || !shape::is_row_wise(&planned.plan) {
        return Vec::new();
    }
    let shown = |at| match shape::origin(&planned.plan, at) {
        Some(Origin::Column(name)) => Some(name),
        Some(Origin::Group(_)) | None => None,
    };
    (0..planned.schema.len()).map(shown).collect()
}

fn begins_alike(fields: &[SchemaField], longer: &[SchemaField]) -> bool {
    fields.iter().zip(longer).all(|(a, b)| a.name == b.name && a.data_type == b.data_type)
}

/// What is worth selecting besides.
fn extras(query: &ast::Query, planned: &PlannedQuery, terms: Option<&[Term]>) -> Extras {
    let besides = |term: &Term| match &term.column {
        TermColumn::Besides(expr) => Some(expr.as_ref().clone()),
        TermColumn::Selected(_) => None,
    };
    let order = terms.unwrap_or_default().iter().filter_map(besides).collect();
    let mut extras = Extras { order, ..Extras::default() };
    let Some(select) = query.body.as_select() else {
        return extras;
    };
    let groups = shape::groups(&planned.plan);
    if groups.is_some_and(|groups| group_places(planned, groups).is_none()) {
        extras.groups = rewrite::groups_named(select);
    }
    if shape::is_row_wise(&planned.plan) {
        extras.keys = rewrite::tables_named(query, select).unwrap_or_default();
        let of_one_table = extras.keys.len() == 1 && planned.tables.len() == 1;
        let is_ordered = terms.is_some();
        // Rows that depend on others are no function of what their own `_seq` tells.
        extras.seq = of_one_table
            && !shape::looks_beyond_the_row(&planned.plan)
            && (is_ordered || query.order_by.is_none() && !rewrite::is_limited(query));
    }
    extras
}

/// Where the columns of a result stand, what of them goes out, and where its key is.
fn lay_out(extended: &Extended, asked_for: usize) -> (Columns, Layout, Option<Vec<usize>>) {
    let Extended { planned, extras } = extended;
    let visible = asked_for.saturating_add(extras.order.len());
    let columns = Columns::new(&planned.plan, planned.schema.get(..visible).unwrap_or_default(), extras.seq);
    let key_places = shape::table_of(&planned.plan).and_then(|table| columns.key_places(&planned.plan, &table));
    let first_key = visible.saturating_add(usize::from(extras.seq));
    let identity = match (&key_places, shape::groups(&planned.plan)) {
        _ if !extras.keys.is_empty() => (first_key..first_key.saturating_add(extras.keys.len())).collect(),
        (Some(places), _) => places.clone(),
        (None, Some(groups)) => group_places(planned, groups).unwrap_or_else(|| (0..asked_for).collect()),
        (None, None) => (0..asked_for).collect(),
    };
    let cells = (0..visible).filter(|at| columns.seq_at != Some(*at)).chain(columns.seq_at).collect();
    let layout = Layout { cells, seq: extras.seq.then_some(visible), identity };
    (columns, layout, key_places)
}

/// Where the GROUP BY expressions stand in a result; `None` unless all do.
fn group_places(planned: &PlannedQuery, groups: usize) -> Option<Vec<usize>> {
    let origins: Vec<_> = (0..planned.schema.len()).map(|at| shape::origin(&planned.plan, at)).collect();
    (0..groups).map(|group| origins.iter().position(|origin| *origin == Some(Origin::Group(group)))).collect()
}

fn count_besides(terms: &[Term]) -> usize {
    terms.iter().filter(|term| matches!(term.column, TermColumn::Besides(_))).count()
}

/// `_order_1`, `_order_2` …, as far as the query has not given these names itself.
fn order_names(fields: &[SchemaField], count: usize) -> Vec<String> {
    let is_free = |name: &String| fields.iter().all(|field| field.name != *name);
    (1_usize..).map(|number| format!("_order_{number}")).filter(is_free).take(count).collect()
}

fn order_by(terms: &[Term], asked_for: usize, schema: &[SchemaField]) -> Vec<OrderBy> {
    let mut besides = asked_for..;
    let term = |term: &Term| {
        let at = match term.column {
            TermColumn::Selected(at) => at,
            TermColumn::Besides(_) => besides.next()?,
        };
        let column = schema.get(at)?.name.clone();
        Some(OrderBy { column, desc: term.desc, nulls_first: term.nulls_first })
    };
    terms.iter().filter_map(term).collect()
}

/// Where a planned query's columns go.
#[derive(Debug)]
struct Layout {
    /// The cells that travel, and behind them a selected `_seq`, which only comparing needs.
    cells: Vec<usize>,
    /// The row's `_seq`.
    seq: Option<usize>,
    /// What tells rows apart.
    identity: Vec<usize>,
}

impl Layout {
    fn result_rows(&self, rows: &[Row]) -> Vec<ResultRow> {
        let mut seen: HashMap<u128, usize> = HashMap::with_capacity(rows.len());
        rows.iter().map(|row| self.result_row(row, &mut seen)).collect()
    }

    fn result_row(&self, row: &Row, seen: &mut HashMap<u128, usize>) -> ResultRow {
        let name = fingerprint(&encode_values(self.identity.iter().filter_map(|&at| row.at(at))));
        let before = seen.entry(name).or_default();
        let identity = match *before {
            0 => format!("{name:032x}"),
            number => format!("{name:032x}-{number}"),
        };
        *before = before.saturating_add(1);
        let seq = self.seq.and_then(|at| match row.at(at) {
            Some(Value::BigInt(seq)) => Some(SeqId(seq.cast_unsigned())),
            _ => None,
        });
        let cells = self.cells.iter().filter_map(|&at| row.at(at).cloned()).collect();
        ResultRow { identity: identity.into(), cells, seq }
    }
}

/// 128 bits of FNV-1a: the same on every server and for all time. Two contents with one fingerprint
/// are numbered like equal rows.
fn fingerprint(bytes: &[u8]) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(BASIS, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

/// A query that is run again, as whoever subscribed first.
struct Rerun {
    session: QuerySession,
    caller: Caller,
    namespace: Name,
    params: Arc<[serde_json::Value]>,
    catalog: Arc<CatalogState>,
    planned: PlannedQuery,
    layout: Layout,
}

// By hand, so that parameters reach no log line.
impl std::fmt::Debug for Rerun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rerun").field("layout", &self.layout).finish_non_exhaustive()
    }
}

#[async_trait]
impl Requery for Rerun {
    fn repeats(&self) -> bool {
        !self.planned.volatile
    }

    async fn run(&self, snapshot: &Snapshot, as_of: Option<SeqId>) -> Result<Vec<ResultRow>, SqlError> {
        let ctx = StatementContext {
            caller: self.caller.clone(),
            namespace: self.namespace.clone(),
            params: Arc::clone(&self.params),
            now_micros: self.session.clock().now_micros(),
            catalog: Arc::clone(&self.catalog),
            snapshot: snapshot.clone(),
            overlay: Arc::new(Overlay::default()),
            as_of,
            finds_in: None,
        };
        let rows = query::collect(&self.session, &ctx, &self.planned).await?;
        Ok(self.layout.result_rows(&rows))
    }
}

#[cfg(test)]
mod tests;
