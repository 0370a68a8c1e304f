//! DEFAULT: what a column gets when a row says nothing about it.

use datafusion::sql::sqlparser::ast::{Expr, Ident};
use kalamdb_commons::{DataType, Row, Value};
use kalamdb_system::ColumnDef;

use super::proposal::Proposal;
use super::select::{ROW, column, from, item, select};
use super::target::Target;
use super::value::Generated;
use crate::error::SqlError;
use crate::options::Limits;
use crate::sql::query::{self, InlineTable};
use crate::sql::transaction::Transaction;
use crate::sql::{expression, script};

/// A column's DEFAULT, parsed.
#[derive(Debug)]
pub struct ColumnDefault(Kind);

#[derive(Debug)]
enum Kind {
    Constant(Value),
    Generated(Generated),
    Planned(Box<Expr>),
}

impl ColumnDefault {
    /// The DEFAULT of a column; NULL where it has none.
    ///
    /// # Errors
    /// [`SqlError`] when the stored expression does not parse.
    pub fn of(column: &ColumnDef, limits: &Limits) -> Result<ColumnDefault, SqlError> {
        let Some(sql) = &column.default else { return Ok(ColumnDefault(Kind::Constant(Value::Null))) };
        let expr = script::parse_expression(sql, limits)?;
        // A constant that the column cannot hold is refused when a row asks for it.
        let constant = expression::constant(&expr, &[]).and_then(|value| value.assign_to(&column.data_type).ok());
        Ok(ColumnDefault(match (constant, Generated::of(&expr)) {
            (Some(value), _) => Kind::Constant(value),
            (None, Some(generated)) => Kind::Generated(generated),
            (None, None) => Kind::Planned(Box::new(expr)),
        }))
    }
}

/// Gives every column that a proposed row says nothing about its DEFAULT.
pub(super) async fn fill(
    transaction: &Transaction<'_>,
    target: &Target,
    proposals: &mut [Proposal],
) -> Result<(), SqlError> {
    let mut planned = Vec::new();
    for (place, (column, default)) in target.def().columns.iter().zip(&target.table.defaults).enumerate() {
        for proposal in proposals.iter_mut() {
            let Some(cell @ None) = proposal.cells.get_mut(place) else { continue };
            *cell = Some(match &default.0 {
                Kind::Constant(value) => value.clone(),
                Kind::Generated(generated) => target.convert(column, &generated.value(transaction))?,
                Kind::Planned(expr) => {
                    planned.push((place, column, expr.as_ref()));
                    break;
                }
            });
        }
    }
    if planned.is_empty() {
        return Ok(());
    }
    let exprs: Vec<Expr> = planned.iter().map(|(_, _, expr)| (*expr).clone()).collect();
    let rows = per_row(transaction, &exprs, proposals.len()).await?;
    for (proposal, row) in proposals.iter_mut().zip(rows) {
        for ((place, column, _), value) in planned.iter().zip(row.iter()) {
            if let Some(cell @ None) = proposal.cells.get_mut(*place) {
                *cell = Some(target.convert(column, value)?);
            }
        }
    }
    Ok(())
}

/// The DEFAULT of one column, once for each of `rows` rows.
pub(super) async fn values(
    transaction: &Transaction<'_>,
    target: &Target,
    column: &ColumnDef,
    rows: usize,
) -> Result<Vec<Value>, SqlError> {
    let default = target.def().columns.iter().zip(&target.table.defaults).find(|(known, _)| known.slot == column.slot);
    match default.map(|(_, default)| &default.0) {
        None => Ok(vec![Value::Null; rows]),
        Some(Kind::Constant(value)) => Ok(vec![value.clone(); rows]),
        Some(Kind::Generated(generated)) => {
            let one = || target.convert(column, &generated.value(transaction));
            std::iter::repeat_with(one).take(rows).collect()
        }
        Some(Kind::Planned(expr)) => {
            let rows = per_row(transaction, std::slice::from_ref(expr.as_ref()), rows).await?;
            rows.iter().map(|row| target.convert(column, row.first().unwrap_or(&Value::Null))).collect()
        }
    }
}

/// Expressions over no table, evaluated anew for each of `rows` rows.
async fn per_row(transaction: &Transaction<'_>, exprs: &[Expr], rows: usize) -> Result<Vec<Row>, SqlError> {
    const NAME: &str = "#defaults";
    let number = |row: usize| Row::new(vec![Value::BigInt(i64::try_from(row).unwrap_or(i64::MAX))]);
    let inline = InlineTable {
        name: NAME.to_owned(),
        columns: vec![(ROW.to_owned(), DataType::BigInt)],
        rows: (0..rows).map(number).collect(),
    };
    let mut items = vec![item(column(ROW), ROW)];
    items.extend(exprs.iter().enumerate().map(|(n, expr)| item(expr.clone(), &format!("#{n}"))));
    let query = select(items, vec![from(NAME, &Ident::with_quote('"', NAME))], None);
    let found = query::run_over(&transaction.engine.session, &transaction.ctx, &query, vec![inline]).await;
    // A place in the DEFAULT's own text is none in the request's.
    let (_, found) = found.map_err(|error| SqlError { position: None, ..error })?;
    Ok(found.iter().map(|row| row.iter().skip(1).cloned().collect()).collect())
}
