//! The table that a statement writes: found, allowed, and made ready.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, ObjectNamePart, Spanned as _, TableAlias, TableFactor, TableWithJoins,
};
use kalamdb_commons::{Row, Value};
use kalamdb_store::{RowKey, Scope, StoredRow};
use kalamdb_system::system_table::SYSTEM_NAMESPACE;
use kalamdb_system::{ColumnDef, Rights, TableDef, system_table};

use crate::error::SqlError;
use crate::sql::grammar::name_of;
use crate::sql::statement::TableRef;
use crate::sql::transaction::{Transaction, WriteRef, WriteTable};

/// The table that a statement writes.
pub(super) struct Target {
    /// The table.
    pub table: Arc<WriteTable>,
    /// Whose rows of it are meant.
    pub scope: Scope,
    /// The name by which the statement's expressions know it.
    pub name: Ident,
}

impl Target {
    /// The table of this name, if the caller has the rights that the statement needs.
    pub fn find(
        transaction: &Transaction<'_>,
        name: &ObjectName,
        alias: Option<&Ident>,
        needed: Rights,
    ) -> Result<Target, SqlError> {
        let ctx = &transaction.ctx;
        let (reference, last) = table_ref(name)?;
        let full = reference.within(&ctx.namespace);
        let Some(def) = ctx.catalog.table(&full).filter(|def| ctx.caller.sees(def)) else {
            if full.namespace.as_str() == SYSTEM_NAMESPACE && system_table(full.table.as_str()).is_some() {
                return Err(SqlError::denied(format!("table \"{full}\" is read-only")).at(position(last)));
            }
            return Err(SqlError::not_found(format!("table \"{full}\" does not exist")).at(position(last)));
        };
        let missing = needed.without(def.rights_of(&ctx.caller.user, ctx.caller.role));
        if !missing.is_empty() {
            let what = if missing.iter().count() == 1 { "right" } else { "rights" };
            let text = format!("no permission on table \"{full}\": missing {what} {missing}");
            return Err(SqlError::denied(text).at(position(last)));
        }
        Ok(Target {
            table: transaction.engine.writes.table(def, &transaction.engine.limits)?,
            scope: ctx.caller.scope_of(def),
            name: alias.unwrap_or(last).clone(),
        })
    }

    /// The table of an UPDATE or DELETE, which must stand there by itself.
    pub fn of_from(transaction: &Transaction<'_>, from: &TableWithJoins, needed: Rights) -> Result<Target, SqlError> {
        let TableFactor::Table { name, alias, args: None, with_hints, version: None, sample: None, .. } =
            &from.relation
        else {
            return Err(SqlError::unsupported("UPDATE and DELETE take the name of one table"));
        };
        let has_more = !from.joins.is_empty()
            || !with_hints.is_empty()
            || alias.as_ref().is_some_and(|TableAlias { columns, .. }| !columns.is_empty());
        if has_more {
            return Err(SqlError::unsupported("UPDATE and DELETE take the name of one table"));
        }
        Target::find(transaction, name, alias.as_ref().map(|alias| &alias.name), needed)
    }

    /// The table's definition.
    pub fn def(&self) -> &TableDef {
        &self.table.def
    }

    /// The row under `key` as the transaction sees it.
    pub fn get(&self, transaction: &Transaction<'_>, key: &RowKey) -> Result<Option<StoredRow>, SqlError> {
        transaction.pending.get(&transaction.ctx.snapshot, self.def().id, &self.scope, key)
    }

    /// Makes the row under `key` become `new`.
    pub fn write(
        &self,
        transaction: &mut Transaction<'_>,
        key: &RowKey,
        current: Option<StoredRow>,
        new: Option<Row>,
    ) -> Result<WriteRef, SqlError> {
        transaction.pending.write(&self.table, &self.scope, key, current, new)
    }

    /// The column that an assignment or a column list names.
    pub fn column(&self, name: &ObjectName) -> Result<&ColumnDef, SqlError> {
        let [ObjectNamePart::Identifier(ident)] = name.0.as_slice() else {
            return Err(SqlError::invalid("a column to be written is named without its table"));
        };
        self.column_named(ident)
    }

    /// The column of this name.
    pub fn column_named(&self, ident: &Ident) -> Result<&ColumnDef, SqlError> {
        let name = name_of(ident, "column")?;
        self.def().column(name.as_str()).ok_or_else(|| {
            let text = format!("column \"{name}\" of table \"{}\" does not exist", self.def().name);
            SqlError::not_found(text).at(position(ident))
        })
    }

    /// Does this identifier name the table, as the statement's expressions do?
    pub fn is_named(&self, ident: &Ident) -> bool {
        same_name(ident, &self.name)
    }

    /// A complaint about a value for a column; the value is not in it.
    pub fn refuse(&self, column: &ColumnDef, why: impl std::fmt::Display) -> SqlError {
        SqlError::constraint(format!("column \"{}\" of table \"{}\": {why}", column.name, self.def().name))
    }

    /// `value` as one that the column can hold.
    pub fn convert(&self, column: &ColumnDef, value: &Value) -> Result<Value, SqlError> {
        value.assign_to(&column.data_type).map_err(|why| self.refuse(column, why))
    }

    /// Fails if a column that may not be NULL is.
    pub fn check_not_null(&self, row: &[Value]) -> Result<(), SqlError> {
        let missing = self.def().columns.iter().find(|column| {
            (column.not_null || self.def().is_key(column.slot))
                && row.get(usize::from(column.slot)).is_none_or(Value::is_null)
        });
        missing.map_or(Ok(()), |column| Err(self.refuse(column, "NULL is not allowed")))
    }

    /// The primary key of a row; `None` for a table that has none.
    pub fn key_of(&self, row: &[Value]) -> Option<RowKey> {
        let slots = &self.def().primary_key;
        if slots.is_empty() {
            return None;
        }
        let values: Vec<Value> =
            slots.iter().map(|&slot| row.get(usize::from(slot)).cloned().unwrap_or(Value::Null)).collect();
        Some(RowKey::new(&values))
    }

    /// The values of a stored row by slot, as wide as the table, with what columns that are younger
    /// than the row read as.
    pub fn values_of(&self, row: &Row) -> Vec<Value> {
        let mut values = vec![Value::Null; self.table.width];
        for column in &self.def().columns {
            if let Some(place) = values.get_mut(usize::from(column.slot)) {
                *place = TableDef::value(column, row).clone();
            }
        }
        values
    }

    /// The values of a stored row in the order of the table's columns.
    pub fn cells_of(&self, row: &Row) -> impl Iterator<Item = Value> {
        self.def().columns.iter().map(|column| TableDef::value(column, row).clone())
    }

    /// Two rows would have the same primary key.
    pub fn duplicate_key(&self) -> SqlError {
        let def = self.def();
        let columns = super::column_list(def, &def.primary_key);
        SqlError::constraint(format!("a row with the same {columns} exists already in table \"{}\"", def.name))
    }
}

/// Do two identifiers name the same thing, each folded unless quoted?
pub(super) fn same_name(a: &Ident, b: &Ident) -> bool {
    match (name_of(a, "name"), name_of(b, "name")) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

/// Where an identifier stands in the request's SQL.
pub(super) fn position(ident: &Ident) -> Option<u32> {
    u32::try_from(ident.span.start.column).ok().filter(|&column| column > 0)
}

/// Where an expression begins in the request's SQL.
pub(super) fn position_of(expr: &Expr) -> Option<u32> {
    u32::try_from(expr.span().start.column).ok().filter(|&column| column > 0)
}

/// A table's name, and its last part as it was written.
fn table_ref(name: &ObjectName) -> Result<(TableRef, &Ident), SqlError> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(table)] => {
            Ok((TableRef { namespace: None, table: name_of(table, "table")? }, table))
        }
        [ObjectNamePart::Identifier(namespace), ObjectNamePart::Identifier(table)] => {
            let namespace = Some(name_of(namespace, "namespace")?);
            Ok((TableRef { namespace, table: name_of(table, "table")? }, table))
        }
        _ => Err(SqlError::invalid("a table is named as namespace.table")),
    }
}
