//! ON CONFLICT: what happens to a proposed row whose place is taken.
//!
//! A place is taken if the primary key, or a unique index, that the clause names holds a row with
//! equal columns. A row that this statement has itself written is not written again: like
//! PostgreSQL we refuse that, because the outcome would depend on the order of the proposed rows.

use datafusion::sql::sqlparser::ast::{
    ConflictTarget, DoUpdate, Expr, Ident, ObjectNamePart, OnConflict, OnConflictAction, OnInsert,
};
use kalamdb_commons::{Row, Value};
use kalamdb_store::{KeyRange, RowKey, StoredRow};
use kalamdb_system::{IndexDef, TableDef};
use rustc_hash::{FxHashMap, FxHashSet};
use std::ops::ControlFlow;

use super::assign::{self, Assignment, Evaluated};
use super::direct::Direct;
use super::insert::{self, Proposed};
use super::names::shorten;
use super::returning::{inline_table, row_number};
use super::select::{ROW, column_of, from, item, join_by_row, select};
use super::target::{Target, position};
use crate::context::StatementContext;
use crate::error::SqlError;
use crate::sql::grammar::name_of;
use crate::sql::query;
use crate::sql::transaction::{Transaction, WriteRef};

/// The clause, read.
pub(super) struct Rule<'a> {
    /// Does a row of the same primary key take the place?
    by_key: bool,
    /// Unique indexes in which a row of the same columns takes the place.
    by_indexes: Vec<&'a IndexDef>,
    action: Action<'a>,
}

enum Action<'a> {
    Nothing,
    Update { assignments: Vec<Assignment<'a>>, selection: Option<&'a Expr> },
}

impl<'a> Rule<'a> {
    /// What the clause says.
    pub fn read(target: &'a Target, ctx: &StatementContext, on: &'a OnInsert) -> Result<Rule<'a>, SqlError> {
        let OnInsert::OnConflict(OnConflict { conflict_target, action }) = on else {
            return Err(SqlError::unsupported("ON DUPLICATE KEY UPDATE is not supported; use ON CONFLICT"));
        };
        let def = target.def();
        let (by_key, by_indexes) = match conflict_target {
            Some(ConflictTarget::Columns(columns)) => named_columns(target, columns)?,
            Some(ConflictTarget::OnConstraint(name)) => {
                let [ObjectNamePart::Identifier(ident)] = name.0.as_slice() else {
                    return Err(SqlError::invalid("an index is named without its table"));
                };
                (false, vec![named_index(def, ident)?])
            }
            None => (true, def.indexes.iter().filter(|index| index.unique).collect()),
        };
        let action = match action {
            OnConflictAction::DoNothing => Action::Nothing,
            OnConflictAction::DoUpdate(_) if conflict_target.is_none() => {
                return Err(SqlError::invalid("ON CONFLICT DO UPDATE needs the columns that conflict"));
            }
            OnConflictAction::DoUpdate(DoUpdate { assignments, selection }) => {
                Action::Update { assignments: assign::read(target, ctx, assignments)?, selection: selection.as_ref() }
            }
        };
        Ok(Rule { by_key, by_indexes, action })
    }
}

/// The primary key or the unique index of exactly these columns.
fn named_columns<'a>(target: &'a Target, columns: &[Ident]) -> Result<(bool, Vec<&'a IndexDef>), SqlError> {
    let named =
        columns.iter().map(|ident| Ok(target.column_named(ident)?.slot)).collect::<Result<Vec<u16>, SqlError>>()?;
    let def = target.def();
    let is_named = |slots: &[u16]| {
        !slots.is_empty()
            && slots.iter().all(|slot| named.contains(slot))
            && named.iter().all(|slot| slots.contains(slot))
    };
    if is_named(&def.primary_key) {
        return Ok((true, Vec::new()));
    }
    match def.indexes.iter().find(|index| index.unique && is_named(&index.slots)) {
        Some(index) => Ok((false, vec![index])),
        None => {
            let text = format!(
                "table \"{}\" has neither a primary key nor a unique index of the columns after ON CONFLICT",
                def.name
            );
            Err(SqlError::invalid(text).at(columns.first().and_then(position)))
        }
    }
}

fn named_index<'a>(def: &'a TableDef, ident: &Ident) -> Result<&'a IndexDef, SqlError> {
    let name = name_of(ident, "index")?;
    match def.index(name.as_str()) {
        Some(index) if index.unique => Ok(index),
        Some(_) => Err(SqlError::invalid(format!("index \"{name}\" is not unique")).at(position(ident))),
        None => {
            let text = format!("index \"{name}\" of table \"{}\" does not exist", def.name);
            Err(SqlError::not_found(text).at(position(ident)))
        }
    }
}

/// A proposed row whose place is taken.
struct Conflict {
    /// Its place among the proposed rows.
    number: usize,
    proposed: Row,
    current: StoredRow,
}

/// Inserts the rows whose places are free and does with the others what the rule says. The written
/// rows come in the order in which they were proposed.
pub(super) async fn insert(
    transaction: &mut Transaction<'_>,
    target: &Target,
    rule: &Rule<'_>,
    rows: Vec<Proposed>,
) -> Result<Vec<(WriteRef, Row)>, SqlError> {
    for index in &rule.by_indexes {
        transaction.pending.decided_by(index.id);
    }
    let mut places = Places::of(transaction, target, rule);
    let mut mine = FxHashSet::default();
    let mut written = Vec::with_capacity(rows.len());
    let mut conflicts = Vec::new();
    for (number, Proposed { key, row }) in rows.into_iter().enumerate() {
        let Some(current) = places.taken(transaction, &key, &row)? else {
            places.take(&key, &row);
            written.push((number, insert::write(transaction, target, &key, row.clone())?, row));
            mine.insert(key);
            continue;
        };
        if matches!(rule.action, Action::Nothing) {
            continue;
        }
        if mine.contains(&current.key) {
            return Err(second_time(target));
        }
        conflicts.push(Conflict { number, proposed: row, current });
    }
    if let Action::Update { assignments, selection } = &rule.action {
        written.extend(update(transaction, target, assignments, *selection, conflicts).await?);
        written.sort_unstable_by_key(|(number, ..)| *number);
    }
    Ok(written.into_iter().map(|(_, write, row)| (write, row)).collect())
}

fn second_time(target: &Target) -> SqlError {
    SqlError::constraint(format!(
        "ON CONFLICT DO UPDATE cannot affect a row of table \"{}\" a second time; propose each row once",
        target.def().name
    ))
}

async fn update(
    transaction: &mut Transaction<'_>,
    target: &Target,
    assignments: &[Assignment<'_>],
    selection: Option<&Expr>,
    conflicts: Vec<Conflict>,
) -> Result<Vec<(usize, WriteRef, Row)>, SqlError> {
    if conflicts.is_empty() {
        return Ok(Vec::new());
    }
    let exprs = assign::expressions(assignments);
    let evaluated = match directly(transaction, target, &exprs, selection, &conflicts) {
        Some(evaluated) => evaluated,
        None => planned(transaction, target, &exprs, selection, &conflicts).await?,
    };
    let mut updated = FxHashSet::default();
    let (mut numbers, mut rows) = (Vec::new(), Vec::new());
    for (Conflict { number, current, .. }, values) in conflicts.into_iter().zip(evaluated) {
        if updated.contains(&current.key) {
            return Err(second_time(target));
        }
        let Some(values) = values else { continue };
        updated.insert(current.key.clone());
        numbers.push(number);
        rows.push(Evaluated { row: current, values });
    }
    let changes = assign::changes(transaction, target, assignments, rows).await?;
    let written = assign::apply(transaction, target, changes)?;
    Ok(numbers.into_iter().zip(written).map(|(number, (write, row))| (number, write, row)).collect())
}

fn excluded() -> Ident {
    Ident::new("excluded")
}

/// For each conflict the values of `exprs`; `None` as a whole if the planner is needed.
fn directly(
    transaction: &Transaction<'_>,
    target: &Target,
    exprs: &[&Expr],
    selection: Option<&Expr>,
    conflicts: &[Conflict],
) -> Option<Vec<Option<Vec<Value>>>> {
    if selection.is_some() {
        return None;
    }
    let name = excluded();
    let direct = |expr: &&Expr| Direct::of(target, Some(&name), &transaction.ctx.params, expr);
    let direct = exprs.iter().map(direct).collect::<Option<Vec<_>>>()?;
    let values = |conflict: &Conflict| {
        let value = |expr: &Direct<'_>| expr.value(&conflict.current.row, Some(&conflict.proposed));
        direct.iter().map(value).collect::<Option<Vec<_>>>().map(Some)
    };
    conflicts.iter().map(values).collect()
}

/// For each conflict the values of `exprs`; `None` where the WHERE does not hold.
async fn planned(
    transaction: &Transaction<'_>,
    target: &Target,
    exprs: &[&Expr],
    selection: Option<&Expr>,
    conflicts: &[Conflict],
) -> Result<Vec<Option<Vec<Value>>>, SqlError> {
    const CURRENT: &str = "#current";
    const PROPOSED: &str = "#proposed";
    let inline = vec![
        inline_table(target, CURRENT, conflicts.iter().map(|conflict| &conflict.current.row)),
        inline_table(target, PROPOSED, conflicts.iter().map(|conflict| &conflict.proposed)),
    ];
    let mut items = vec![item(column_of(&target.name, ROW), ROW)];
    items.extend(exprs.iter().enumerate().map(|(n, expr)| item(shorten(expr, target), &format!("#{n}"))));
    let current = from(CURRENT, &target.name);
    let both = join_by_row(current, &target.name, PROPOSED, &excluded());
    let query = select(items, vec![both], selection.map(|expr| shorten(expr, target)));
    let (_, found) = query::run_over(&transaction.engine.session, &transaction.ctx, &query, inline).await?;
    let mut evaluated = vec![None; conflicts.len()];
    for row in found {
        if let Some(place) = row_number(&row).and_then(|number| evaluated.get_mut(number)) {
            *place = Some(row.iter().skip(1).cloned().collect());
        }
    }
    Ok(evaluated)
}

/// Which places are taken, as the transaction sees it, the rows written by this statement included.
struct Places<'a> {
    target: &'a Target,
    by_key: bool,
    indexes: Vec<Written<'a>>,
}

/// Rows that the transaction has written, by their columns in a unique index.
struct Written<'a> {
    index: &'a IndexDef,
    rows: FxHashMap<RowKey, RowKey>,
}

impl<'a> Places<'a> {
    fn of(transaction: &Transaction<'_>, target: &'a Target, rule: &Rule<'a>) -> Self {
        let written = |index: &&'a IndexDef| {
            let rows = transaction.pending.rows_of(target.def().id, &target.scope);
            let rows =
                rows.filter_map(|(key, row)| Some((index_key(target.def(), index, row)?, key.clone()))).collect();
            Written { index, rows }
        };
        let indexes = rule.by_indexes.iter().map(written).collect();
        Places { target, by_key: rule.by_key, indexes }
    }

    /// The row that stands where `row` wants to go.
    fn taken(&self, transaction: &Transaction<'_>, key: &RowKey, row: &Row) -> Result<Option<StoredRow>, SqlError> {
        if self.by_key
            && let Some(current) = self.target.get(transaction, key)?
        {
            return Ok(Some(current));
        }
        for Written { index, rows } in &self.indexes {
            let Some(columns) = index_key(self.target.def(), index, row) else { continue };
            let found = match rows.get(&columns) {
                Some(key) => Some(key.clone()),
                None => self.stored(transaction, index, &columns)?,
            };
            if let Some(key) = found
                && let Some(current) = self.target.get(transaction, &key)?
            {
                return Ok(Some(current));
            }
        }
        Ok(None)
    }

    /// The row with these columns that the transaction found and has not touched.
    fn stored(
        &self,
        transaction: &Transaction<'_>,
        index: &IndexDef,
        columns: &RowKey,
    ) -> Result<Option<RowKey>, SqlError> {
        let scope = &self.target.scope;
        let mut found = None;
        let mut visit = |key: RowKey| {
            if transaction.pending.written(self.target.def().id, scope, &key).is_some() {
                return ControlFlow::Continue(());
            }
            found = Some(key);
            ControlFlow::Break(())
        };
        let range = KeyRange::exact(columns);
        transaction.ctx.snapshot.scan_index(index.id, scope, &range, &mut visit).map_err(SqlError::internal)?;
        Ok(found)
    }

    /// `row` goes there.
    fn take(&mut self, key: &RowKey, row: &Row) {
        for Written { index, rows } in &mut self.indexes {
            if let Some(columns) = index_key(self.target.def(), index, row) {
                rows.insert(columns, key.clone());
            }
        }
    }
}

/// The row's columns in an index; `None` if one is NULL, which is equal to nothing.
fn index_key(def: &TableDef, index: &IndexDef, row: &Row) -> Option<RowKey> {
    let value = |slot: &u16| {
        let value = TableDef::value(def.column_at(*slot)?, row);
        (!value.is_null()).then(|| value.clone())
    };
    let values = index.slots.iter().map(value).collect::<Option<Vec<Value>>>()?;
    Some(RowKey::new(&values))
}
