//! RETURNING: what a write answers with.
//!
//! The rows are made before the commit, so that an expression that fails, or a result over its
//! limit, keeps the write from happening. Only `_seq` is known later; its places are filled then.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectNamePart, SelectItem, SelectItemQualifiedWildcardKind, Visit as _, Visitor,
    WildcardAdditionalOptions,
};
use kalamdb_commons::protocol::{SchemaField, flags};
use kalamdb_commons::{DataType, ErrorCode, Row, SeqId, Value};
use kalamdb_system::{ColumnDef, TableDef};

use super::names::shorten;
use super::select::{ROW, column_of, from, item, select};
use super::target::{Target, position, same_name};
use crate::error::SqlError;
use crate::sql::grammar::name_of;
use crate::sql::query::{self, InlineTable};
use crate::sql::transaction::{Transaction, WriteRef};

/// The hidden column that holds the SeqId of a row's last change.
const SEQ: &str = "_seq";

/// Rows to answer with, but for their `_seq`.
#[derive(Debug)]
pub struct Returned {
    schema: Vec<SchemaField>,
    rows: Vec<(WriteRef, Vec<Value>)>,
    /// Where in a row a `_seq` goes.
    seq_places: Vec<usize>,
}

impl Returned {
    /// The rows, now that it is known which SeqId each write got.
    ///
    /// # Errors
    /// None so far; a SeqId beyond BIGINT's range would be one.
    pub fn finish(self, seq_of: &dyn Fn(WriteRef) -> Option<SeqId>) -> Result<(Vec<SchemaField>, Vec<Row>), SqlError> {
        let Returned { schema, rows, seq_places } = self;
        let fill = |(write, mut cells): (WriteRef, Vec<Value>)| {
            if !seq_places.is_empty() {
                let seq = match seq_of(write) {
                    Some(seq) => Value::BigInt(i64::try_from(seq.0).map_err(SqlError::internal)?),
                    None => Value::Null,
                };
                for &place in &seq_places {
                    if let Some(cell) = cells.get_mut(place) {
                        *cell = seq.clone();
                    }
                }
            }
            Ok(Row::new(cells))
        };
        let rows = rows.into_iter().map(fill).collect::<Result<_, SqlError>>()?;
        Ok((schema, rows))
    }
}

/// What stands in one place of the answer.
enum Column<'a> {
    Stored(&'a ColumnDef),
    Seq,
    /// The n-th expression that the planner evaluates.
    Planned(usize),
}

/// The select list, taken apart.
struct Columns<'a> {
    /// With the name it is given, if it is given one.
    columns: Vec<(Column<'a>, Option<String>)>,
    planned: Vec<SelectItem>,
}

/// What RETURNING makes of the written rows; `None` without the clause.
pub(super) async fn returned(
    transaction: &Transaction<'_>,
    target: &Target,
    items: Option<&Vec<SelectItem>>,
    written: Vec<(WriteRef, Row)>,
) -> Result<Option<Returned>, SqlError> {
    let Some(items) = items else { return Ok(None) };
    let Columns { columns, planned } = take_apart(target, items)?;
    let (fields, evaluated) = if planned.is_empty() {
        (Vec::new(), Vec::new())
    } else {
        evaluate(transaction, target, planned, &written).await?
    };
    let schema = schema_of(target.def(), &columns, &fields);
    let mut seq_places = Vec::new();
    for (place, (column, _)) in columns.iter().enumerate() {
        if matches!(column, Column::Seq) {
            seq_places.push(place);
        }
    }
    let mut bytes = 0_usize;
    let mut rows = Vec::with_capacity(written.len());
    for (number, (write, row)) in written.into_iter().enumerate() {
        let cell = |(column, _): &(Column<'_>, Option<String>)| match column {
            Column::Stored(column) => TableDef::value(column, &row).clone(),
            Column::Seq => Value::Null,
            Column::Planned(n) => evaluated.get(number).and_then(|row| row.at(*n)).cloned().unwrap_or(Value::Null),
        };
        let cells: Vec<Value> = columns.iter().map(cell).collect();
        bytes = cells.iter().fold(bytes, |bytes, cell| bytes.saturating_add(cell.size_bytes()));
        rows.push((write, cells));
    }
    if bytes > transaction.engine.limits.result_bytes_max {
        let text = format!("the rows of RETURNING take more than {} bytes", transaction.engine.limits.result_bytes_max);
        return Err(SqlError::new(ErrorCode::TooLarge, text));
    }
    Ok(Some(Returned { schema, rows, seq_places }))
}

fn take_apart<'a>(target: &'a Target, items: &[SelectItem]) -> Result<Columns<'a>, SqlError> {
    let mut columns = Columns { columns: Vec::new(), planned: Vec::new() };
    for item in items {
        match item {
            SelectItem::Wildcard(options) => columns.all(target, options)?,
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                match name.0.last() {
                    Some(ObjectNamePart::Identifier(last)) if target.is_named(last) => columns.all(target, options)?,
                    _ => return Err(SqlError::not_found(format!("table \"{name}\" does not stand in the statement"))),
                }
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(_), _)
            | SelectItem::ExprWithAliases { .. } => {
                return Err(SqlError::unsupported("RETURNING takes columns and expressions"));
            }
            SelectItem::UnnamedExpr(expr) => columns.one(target, expr, None)?,
            SelectItem::ExprWithAlias { expr, alias } => columns.one(target, expr, Some(alias))?,
        }
    }
    Ok(columns)
}

impl<'a> Columns<'a> {
    fn all(&mut self, target: &'a Target, options: &WildcardAdditionalOptions) -> Result<(), SqlError> {
        if *options != WildcardAdditionalOptions::default() {
            return Err(SqlError::unsupported("RETURNING takes * without options"));
        }
        self.columns.extend(target.def().columns.iter().map(|column| (Column::Stored(column), None)));
        Ok(())
    }

    fn one(&mut self, target: &'a Target, expr: &Expr, alias: Option<&Ident>) -> Result<(), SqlError> {
        let alias = alias.map(name_as_written);
        if let Some(column) = plain(target, expr) {
            self.columns.push((column, alias));
            return Ok(());
        }
        if let Some(seq) = mention_of_seq(expr) {
            let text = "in RETURNING \"_seq\" stands by itself: it is known only after the commit";
            return Err(SqlError::unsupported(text).at(position(&seq)));
        }
        let expr = shorten(expr, target);
        self.columns.push((Column::Planned(self.planned.len()), alias.clone()));
        self.planned.push(match alias {
            Some(alias) => item(expr, &alias),
            None => SelectItem::UnnamedExpr(expr),
        });
        Ok(())
    }
}

/// A column of the table, or its `_seq`, without anything around it.
fn plain<'a>(target: &'a Target, expr: &Expr) -> Option<Column<'a>> {
    let ident = match expr {
        Expr::Identifier(ident) => ident,
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [table, ident] if same_name(table, &target.name) => ident,
            _ => return None,
        },
        _ => return None,
    };
    let name = name_of(ident, "column").ok()?;
    match target.def().column(name.as_str()) {
        Some(column) => Some(Column::Stored(column)),
        None => (name.as_str() == SEQ).then_some(Column::Seq),
    }
}

/// Where an expression names `_seq`, if it does.
fn mention_of_seq(expr: &Expr) -> Option<Ident> {
    struct Find;
    impl Visitor for Find {
        type Break = Ident;

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Ident> {
            let last = match expr {
                Expr::Identifier(ident) => Some(ident),
                Expr::CompoundIdentifier(parts) => parts.last(),
                _ => None,
            };
            match last.filter(|ident| ident.value.eq_ignore_ascii_case(SEQ)) {
                Some(ident) => ControlFlow::Break(ident.clone()),
                None => ControlFlow::Continue(()),
            }
        }
    }
    expr.visit(&mut Find).break_value()
}

/// The planned expressions over the written rows; one row of values per written row, in their order.
async fn evaluate(
    transaction: &Transaction<'_>,
    target: &Target,
    planned: Vec<SelectItem>,
    written: &[(WriteRef, Row)],
) -> Result<(Vec<SchemaField>, Vec<Row>), SqlError> {
    const NAME: &str = "#written";
    let rows = written.iter().map(|(_, row)| row);
    let inline = inline_table(target, NAME, rows);
    let mut items = vec![item(column_of(&target.name, ROW), ROW)];
    items.extend(planned);
    let query = select(items, vec![from(NAME, &target.name)], None);
    let (fields, found) = query::run_over(&transaction.engine.session, &transaction.ctx, &query, vec![inline]).await?;
    let mut ordered = vec![Row::new(Vec::new()); written.len()];
    for row in found {
        if let Some(place) = row_number(&row).and_then(|number| ordered.get_mut(number)) {
            *place = row.iter().skip(1).cloned().collect();
        }
    }
    Ok((fields.into_iter().skip(1).collect(), ordered))
}

/// Rows of the target as a table of their own, each with its number.
pub(super) fn inline_table<'r>(target: &Target, name: &str, rows: impl Iterator<Item = &'r Row>) -> InlineTable {
    let columns = target.def().columns.iter().map(|column| (column.name.to_string(), column.data_type));
    let numbered = |(number, row): (usize, &Row)| {
        let number = Value::BigInt(i64::try_from(number).unwrap_or(i64::MAX));
        std::iter::once(number).chain(target.cells_of(row)).collect()
    };
    InlineTable {
        name: name.to_owned(),
        columns: std::iter::once((ROW.to_owned(), DataType::BigInt)).chain(columns).collect(),
        rows: rows.enumerate().map(numbered).collect(),
    }
}

/// The number that a result's first column holds.
pub(super) fn row_number(row: &Row) -> Option<usize> {
    match row.first() {
        Some(Value::BigInt(number)) => usize::try_from(*number).ok(),
        _ => None,
    }
}

fn schema_of(def: &TableDef, columns: &[(Column<'_>, Option<String>)], planned: &[SchemaField]) -> Vec<SchemaField> {
    let field = |(place, (column, alias)): (usize, &(Column<'_>, Option<String>))| {
        let (name, data_type, flags) = match column {
            Column::Stored(column) => (column.name.to_string(), column.data_type, flags_of(def, column)),
            Column::Seq => (SEQ.to_owned(), DataType::BigInt, Vec::new()),
            Column::Planned(n) => match planned.get(*n) {
                Some(field) => (field.name.clone(), field.data_type, field.flags.clone()),
                None => (String::new(), DataType::Text, Vec::new()),
            },
        };
        let index = u32::try_from(place).unwrap_or(u32::MAX);
        SchemaField { name: alias.clone().unwrap_or(name), data_type, index, flags }
    };
    columns.iter().enumerate().map(field).collect()
}

fn flags_of(def: &TableDef, column: &ColumnDef) -> Vec<String> {
    let is_key = def.is_key(column.slot);
    let key = is_key.then_some(flags::PRIMARY_KEY);
    let not_null = (is_key || column.not_null).then_some(flags::NOT_NULL);
    key.into_iter().chain(not_null).map(str::to_owned).collect()
}

/// An alias is kept as it was written, but folded unless quoted.
fn name_as_written(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}
