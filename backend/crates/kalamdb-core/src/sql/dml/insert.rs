//! INSERT.

use datafusion::sql::sqlparser::ast::{Insert, TableObject};
use kalamdb_commons::{Row, Value};
use kalamdb_store::RowKey;
use kalamdb_system::{Right, Rights};

use super::Outcome;
use super::defaults;
use super::on_conflict::{self, Rule};
use super::proposal::{Proposal, proposals};
use super::reads::{conflict_use, returning_reads};
use super::returning::returned;
use super::target::Target;
use crate::error::SqlError;
use crate::sql::functions::ids::IdKind;
use crate::sql::transaction::{Transaction, WriteRef};

/// A row that an INSERT proposes, complete.
pub(super) struct Proposed {
    pub key: RowKey,
    pub row: Row,
}

/// Runs an INSERT.
pub(super) async fn execute(transaction: &mut Transaction<'_>, insert: &Insert) -> Result<Outcome, SqlError> {
    check_clauses(insert)?;
    let TableObject::TableName(name) = &insert.table else {
        return Err(SqlError::unsupported("INSERT takes the name of a table"));
    };
    let alias = insert.table_alias.as_ref().map(|alias| &alias.alias);
    let target = Target::find(transaction, name, alias, needed(insert))?;
    let rule = insert.on.as_ref().map(|on| Rule::read(&target, &transaction.ctx, on)).transpose()?;
    let mut proposals = proposals(transaction, &target, insert).await?;
    defaults::fill(transaction, &target, &mut proposals).await?;
    let complete = |proposal| complete(transaction, &target, proposal);
    let rows = proposals.into_iter().map(complete).collect::<Result<Vec<_>, _>>()?;
    let written = match &rule {
        Some(rule) => on_conflict::insert(transaction, &target, rule, rows).await?,
        None => {
            let write = |Proposed { key, row }: Proposed| Ok((write(transaction, &target, &key, row.clone())?, row));
            rows.into_iter().map(write).collect::<Result<Vec<_>, SqlError>>()?
        }
    };
    let affected = written.len();
    let returned = returned(transaction, &target, insert.returning.as_ref(), written).await?;
    Ok(Outcome::of(affected, returned))
}

/// The rights that an INSERT needs on its table; what its query reads is asked for where that is planned.
fn needed(insert: &Insert) -> Rights {
    let mut needed = Rights::from(Right::Insert);
    let conflict = insert.on.as_ref().map(conflict_use);
    if conflict.as_ref().is_some_and(|conflict| conflict.updates) {
        needed = needed.with(Right::Update);
    }
    if conflict.is_some_and(|conflict| conflict.reads) || returning_reads(insert.returning.as_ref()) {
        needed = needed.with(Right::Select);
    }
    needed
}

/// Clauses that the parser reads and other databases have.
fn check_clauses(insert: &Insert) -> Result<(), SqlError> {
    let unsupported = if insert.or.is_some() || insert.ignore {
        "INSERT OR … and INSERT IGNORE are not supported; use ON CONFLICT"
    } else if insert.replace_into {
        "REPLACE INTO is not supported; use ON CONFLICT"
    } else if insert.overwrite || insert.partitioned.is_some() || !insert.after_columns.is_empty() {
        "INSERT takes no OVERWRITE and no PARTITION"
    } else if !insert.assignments.is_empty() || insert.insert_alias.is_some() || insert.priority.is_some() {
        "INSERT takes VALUES or a query"
    } else if insert.output.is_some() {
        "OUTPUT is not supported; use RETURNING"
    } else if insert.settings.is_some() || insert.format_clause.is_some() {
        "INSERT takes no SETTINGS and no FORMAT"
    } else if insert.multi_table_insert_type.is_some() || !insert.multi_table_into_clauses.is_empty() {
        "INSERT takes one table"
    } else {
        return Ok(());
    };
    Err(SqlError::unsupported(unsupported))
}

/// The proposed row by slot, with its key.
fn complete(transaction: &Transaction<'_>, target: &Target, proposal: Proposal) -> Result<Proposed, SqlError> {
    let mut values = vec![Value::Null; target.table.width];
    for (column, cell) in target.def().columns.iter().zip(proposal.cells) {
        if let Some(place) = values.get_mut(usize::from(column.slot)) {
            *place = cell.unwrap_or(Value::Null);
        }
    }
    target.check_not_null(&values)?;
    let key = target.key_of(&values).unwrap_or_else(|| hidden_key(transaction));
    Ok(Proposed { key, row: Row::new(values) })
}

/// A key for a row of a table without a primary key: never used before, and later than those before it.
fn hidden_key(transaction: &Transaction<'_>) -> RowKey {
    RowKey::new(&[transaction.engine.session.next_id(IdKind::UuidV7)])
}

/// Writes a row whose key must be free.
pub(super) fn write(
    transaction: &mut Transaction<'_>,
    target: &Target,
    key: &RowKey,
    row: Row,
) -> Result<WriteRef, SqlError> {
    if target.get(transaction, key)?.is_some() {
        return Err(target.duplicate_key());
    }
    target.write(transaction, key, None, Some(row))
}
