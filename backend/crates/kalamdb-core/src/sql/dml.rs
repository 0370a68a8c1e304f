//! INSERT, UPDATE and DELETE: which rows, and what they become.
//!
//! A write is planned as a SELECT of keys and new values over what the transaction sees; the rows
//! found are read again and their changes put into the transaction. Statements that name whole
//! primary keys and constants go without the planner. Uniqueness of the primary key is checked here,
//! that of other indexes by the commit, for the transaction as a whole.

mod assign;
mod defaults;
mod delete;
mod direct;
mod insert;
mod lookup;
mod names;
mod on_conflict;
mod proposal;
mod reads;
mod returning;
mod select;
mod target;
mod update;
mod value;

use datafusion::sql::sqlparser::ast;
use kalamdb_system::TableDef;

pub use defaults::ColumnDefault;
pub use returning::Returned;

use crate::error::SqlError;
use crate::sql::transaction::Transaction;

/// What a statement did, before the commit.
#[derive(Debug)]
pub struct Outcome {
    /// Rows written.
    pub affected: u64,
    /// What RETURNING asked for.
    pub returned: Option<Returned>,
}

impl Outcome {
    fn of(affected: usize, returned: Option<Returned>) -> Self {
        Outcome { affected: u64::try_from(affected).unwrap_or(u64::MAX), returned }
    }
}

/// Runs one statement within a transaction; says also what was done to the rows, as a verb.
///
/// # Errors
/// [`SqlError`] when the table is not there or may not be written, an expression fails, or a
/// constraint would be broken. The transaction must not be committed then.
pub async fn execute(
    transaction: &mut Transaction<'_>,
    statement: &ast::Statement,
) -> Result<(&'static str, Outcome), SqlError> {
    match statement {
        ast::Statement::Insert(insert) => Ok(("inserted", insert::execute(transaction, insert).await?)),
        ast::Statement::Update(update) => Ok(("updated", update::execute(transaction, update).await?)),
        ast::Statement::Delete(delete) => Ok(("deleted", delete::execute(transaction, delete).await?)),
        _ => Err(SqlError::unsupported("this statement is not supported")),
    }
}

/// The columns in these slots as a message names them: `"a"`, or `("a", "b")`.
#[must_use]
pub fn column_list(table: &TableDef, slots: &[u16]) -> String {
    let name = |slot: &u16| table.column_at(*slot).map(|column| format!("\"{}\"", column.name));
    let names: Vec<String> = slots.iter().filter_map(name).collect();
    match names.as_slice() {
        [one] => one.clone(),
        several => format!("({})", several.join(", ")),
    }
}

#[cfg(test)]
mod tests;
