//! `SHOW NAMESPACES`, `SHOW TABLES`, `SHOW GRANTS`, `DESCRIBE TABLE`: the system tables' rows, as a person wants them.
//!
//! They show what the caller may see of `system.namespaces`, `system.tables`, `system.grants` and
//! `system.columns`, and nothing else; what may be seen is decided there.

use kalamdb_commons::protocol::{SchemaField, StatementResult, flags};
use kalamdb_commons::{Name, Row, TableName, Value};
use kalamdb_system::system_table::SYSTEM_NAMESPACE;
use kalamdb_system::{
    CatalogState, Grantee, SystemTable, grants as system_grants, namespaces as system_namespaces, system_table,
    table_columns, tables as system_tables,
};

use crate::context::Caller;
use crate::engine::parts::EngineParts;
use crate::error::SqlError;
use crate::sql::statement::GrantsOf;

/// `SHOW NAMESPACES`.
///
/// # Errors
/// `INTERNAL` only.
pub fn namespaces(engine: &EngineParts, caller: &Caller) -> Result<StatementResult, SqlError> {
    let rows = system_namespaces::rows(&engine.catalog.state(), &caller.user, caller.role);
    pick(&system_namespaces::TABLE, &["namespace_id", "table_count", "created_at"], &rows)
}

/// `SHOW TABLES [IN namespace]`: the tables of one namespace, or all but the system's.
///
/// # Errors
/// `NOT_FOUND` when there is no such namespace.
pub fn tables(engine: &EngineParts, caller: &Caller, namespace: Option<&Name>) -> Result<StatementResult, SqlError> {
    let catalog = engine.catalog.state();
    if let Some(name) = namespace
        && name.as_str() != SYSTEM_NAMESPACE
        && catalog.namespace(name).is_none()
    {
        return Err(SqlError::not_found(format!("namespace \"{name}\" does not exist")));
    }
    let mut rows = system_tables::rows(&catalog, &caller.user, caller.role);
    rows.retain(|row| match (namespace, row.first()) {
        (Some(name), Some(Value::Text(of))) => name.as_str() == of.as_ref(),
        (None, Some(Value::Text(of))) => of.as_ref() != SYSTEM_NAMESPACE,
        _ => false,
    });
    let columns = ["namespace_id", "table_name", "table_type", "access_level", "ttl_seconds", "primary_key", "indexes"];
    pick(&system_tables::TABLE, &columns, &rows)
}

/// `DESCRIBE TABLE`: its columns, in the order of `SELECT *`.
///
/// # Errors
/// `NOT_FOUND` when there is no such table that the caller has a right on, `PERMISSION_DENIED` when it is a
/// system table that it may not read.
pub fn describe(engine: &EngineParts, caller: &Caller, table: &TableName) -> Result<StatementResult, SqlError> {
    let catalog = engine.catalog.state();
    check_visible(&catalog, caller, table)?;
    let mut rows = table_columns::rows(&catalog, &caller.user, caller.role);
    rows.retain(|row| match (row.first(), row.get(1)) {
        (Some(Value::Text(namespace)), Some(Value::Text(name))) => {
            table.namespace.as_str() == namespace.as_ref() && table.table.as_str() == name.as_ref()
        }
        _ => false,
    });
    let columns = ["column_name", "data_type", "not_null", "primary_key", "default_value", "description"];
    pick(&table_columns::TABLE, &columns, &rows)
}

/// `SHOW GRANTS`: those on a table, those to a grantee, or all, as far as the caller may see them.
///
/// # Errors
/// `NOT_FOUND` when there is no such table that the caller has a right on.
pub fn grants(
    engine: &EngineParts,
    caller: &Caller,
    namespace: &Name,
    of: &GrantsOf,
) -> Result<StatementResult, SqlError> {
    let catalog = engine.catalog.state();
    let mut rows = system_grants::rows(&catalog, &caller.user, caller.role);
    let wanted = match of {
        GrantsOf::All => Vec::new(),
        GrantsOf::Table(table) => {
            let name = table.within(namespace);
            check_visible(&catalog, caller, &name)?;
            vec![(0, name.namespace.to_string()), (1, name.table.to_string())]
        }
        GrantsOf::Grantee(Grantee::Role(role)) => vec![(2, "role".to_owned()), (3, role.to_string())],
        GrantsOf::Grantee(Grantee::User(user)) => vec![(2, "user".to_owned()), (3, user.to_string())],
    };
    rows.retain(|row| {
        let is =
            |(place, text): &(usize, String)| matches!(row.at(*place), Some(Value::Text(cell)) if **cell == **text);
        wanted.iter().all(is)
    });
    pick(&system_grants::TABLE, &["namespace_id", "table_name", "grantee_type", "grantee", "privilege"], &rows)
}

fn check_visible(catalog: &CatalogState, caller: &Caller, name: &TableName) -> Result<(), SqlError> {
    if name.namespace.as_str() == SYSTEM_NAMESPACE
        && let Some(table) = system_table(name.table.as_str())
    {
        let denied = || SqlError::denied(format!("table \"{name}\" is not open to the role {}", caller.role));
        return if table.audience.admits(caller.role) { Ok(()) } else { Err(denied()) };
    }
    match catalog.table(name).filter(|table| caller.sees(table)) {
        Some(_) => Ok(()),
        None => Err(SqlError::not_found(format!("table \"{name}\" does not exist"))),
    }
}

/// These columns of a system table's rows.
fn pick(table: &SystemTable, columns: &[&str], rows: &[Row]) -> Result<StatementResult, SqlError> {
    let mut schema = Vec::with_capacity(columns.len());
    let mut places = Vec::with_capacity(columns.len());
    for (index, name) in (0_u32..).zip(columns) {
        let found = table.position(name).and_then(|place| Some((place, table.columns.get(place)?)));
        let (place, column) =
            found.ok_or_else(|| SqlError::internal(format!("system.{} has no column {name}", table.name)))?;
        let marks = [(column.pk, flags::PRIMARY_KEY), (column.not_null, flags::NOT_NULL)];
        schema.push(SchemaField {
            name: column.name.to_owned(),
            data_type: column.data_type,
            index,
            flags: marks.iter().filter(|(set, _)| *set).map(|(_, flag)| (*flag).to_owned()).collect(),
        });
        places.push(place);
    }
    let cells = |row: &Row| places.iter().map(|&place| row.at(place).cloned().unwrap_or(Value::Null)).collect::<Row>();
    let rows: Vec<Row> = rows.iter().map(cells).collect();
    let row_count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    Ok(StatementResult { schema, rows, row_count, ..StatementResult::default() })
}
