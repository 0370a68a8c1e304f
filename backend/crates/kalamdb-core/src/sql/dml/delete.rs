//! DELETE: planned as a SELECT of keys.

use datafusion::sql::sqlparser::ast::{Delete, FromTable, TableWithJoins};
use kalamdb_store::StoredRow;
use kalamdb_system::{Right, Rights};

use super::Outcome;
use super::lookup::{Lookup, lookup};
use super::reads::{reads, returning_reads};
use super::returning::returned;
use super::target::Target;
use super::update::find;
use crate::error::SqlError;
use crate::sql::transaction::Transaction;

/// Runs a DELETE.
pub(super) async fn execute(transaction: &mut Transaction<'_>, delete: &Delete) -> Result<Outcome, SqlError> {
    let table = table_of(delete)?;
    let target = Target::of_from(transaction, table, needed(delete))?;
    let selection = delete.selection.as_ref();
    let rows: Vec<StoredRow> = match selection.and_then(|expr| lookup(&target, expr, &transaction.ctx.params)) {
        Some(Lookup::Nothing) => Vec::new(),
        Some(Lookup::Key(key)) => target.get(transaction, &key)?.into_iter().collect(),
        None => {
            let found = find(transaction, &target, &[], table, selection).await?;
            found.into_iter().map(|found| found.row).collect()
        }
    };
    let mut written = Vec::with_capacity(rows.len());
    for row in rows {
        let (key, values) = (row.key.clone(), row.row.clone());
        written.push((target.write(transaction, &key, Some(row), None)?, values));
    }
    let affected = written.len();
    let returned = returned(transaction, &target, delete.returning.as_ref(), written).await?;
    Ok(Outcome::of(affected, returned))
}

/// The rights that a DELETE needs on its table: that to read it only if it reads something of it.
fn needed(delete: &Delete) -> Rights {
    if delete.selection.as_ref().is_some_and(reads) || returning_reads(delete.returning.as_ref()) {
        return Rights::from(Right::Delete).with(Right::Select);
    }
    Right::Delete.into()
}

fn table_of(delete: &Delete) -> Result<&TableWithJoins, SqlError> {
    let unsupported = if delete.using.is_some() {
        "DELETE … USING is not supported; use a subquery in WHERE"
    } else if !delete.order_by.is_empty() || delete.limit.is_some() {
        "DELETE takes no ORDER BY and no LIMIT"
    } else if delete.output.is_some() {
        "OUTPUT is not supported; use RETURNING"
    } else {
        let (FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables)) = &delete.from;
        match (tables.as_slice(), delete.tables.is_empty()) {
            ([table], true) => return Ok(table),
            _ => "DELETE takes the name of one table",
        }
    };
    Err(SqlError::unsupported(unsupported))
}
