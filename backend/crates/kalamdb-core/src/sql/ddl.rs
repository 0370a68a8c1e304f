//! Changes of the catalog: namespaces, tables, columns, indexes, grants.
//!
//! A statement is decided on the catalog as it stands, becomes one write set, and is decided anew
//! when another change came first. The engine holds the gate for writing meanwhile, so no row
//! changes while an index is built or a column comes. Rules of the catalog itself are
//! `kalamdb-system`'s; this module says who may, and knows what needs an evaluator: DEFAULTs.

mod default;
mod grant;
mod index;

use std::sync::Arc;

use kalamdb_commons::protocol::StatementResult;
use kalamdb_commons::{ErrorCode, Name, TableName};
use kalamdb_store::{CommitError, Committed, WriteSet};
use kalamdb_system::{Alteration, CatalogError, CatalogState, NewIndex, NewTable, TableOptions, TableRevision};

use crate::context::{Caller, StatementContext};
use crate::engine::parts::EngineParts;
use crate::error::SqlError;
use crate::sql::statement::{CreateIndex, CreateTable, Ddl, TableChange, WithOptions};
use crate::sql::{audited, error_map};

/// Runs a statement that changes the catalog. The caller holds the engine's gate for writing.
///
/// # Errors
/// `PERMISSION_DENIED` unless the caller administers; what the catalog refuses; `CONSTRAINT_VIOLATION` when
/// rows that are there do not fit a unique index; `CONFLICT` when other changes kept coming first.
pub async fn execute(
    engine: &EngineParts,
    caller: &Caller,
    namespace: &Name,
    ddl: &Ddl,
) -> Result<StatementResult, SqlError> {
    if !caller.role.is_admin() {
        let what = if matches!(ddl, Ddl::Grant(_)) { "GRANT and REVOKE need" } else { "changing the catalog needs" };
        return Err(SqlError::denied(format!("{what} the role dba or system")));
    }
    let entry = audited::of_ddl(caller, namespace, ddl);
    for _ in 0..engine.limits.transaction_attempts_max.max(1) {
        let ctx = engine.context(caller, namespace, &Arc::default());
        let Decision { change, message } = decide(engine, &ctx, ddl).await?;
        let outcome = match change {
            Change::None => return Ok(result(message, None)),
            Change::Catalog(mut writes) => {
                audited::put(engine, &mut writes, &entry)?;
                engine.store.commit(writes).await
            }
            Change::Table(mut revision) => {
                audited::put(engine, &mut revision.writes, &entry)?;
                index::commit(&engine.store, revision).await?
            }
        };
        match outcome {
            Ok(committed) => return Ok(result(message, Some(committed))),
            Err(CommitError::Conflict) => {}
            Err(error) => return Err(error_map::from_commit(&error, &ctx.catalog)),
        }
    }
    let text = "concurrent changes of the catalog did not settle; try again";
    Err(SqlError::new(ErrorCode::Conflict, text))
}

fn result(message: String, committed: Option<Committed>) -> StatementResult {
    let seq = committed.map(|committed| committed.last);
    StatementResult { message: Some(message), seq, ..StatementResult::default() }
}

/// What a statement comes to on one state of the catalog.
struct Decision {
    change: Change,
    /// For people.
    message: String,
}

/// What is to be committed.
enum Change {
    /// Nothing: it is already as wished.
    None,
    /// Records alone.
    Catalog(WriteSet),
    /// A table, and perhaps entries of its new indexes.
    Table(TableRevision),
}

impl Decision {
    /// The change and what it does to `what`, or why there is none.
    fn new(change: Change, what: &str, done: &str, nothing: &str) -> Decision {
        let outcome = if matches!(change, Change::None) { nothing } else { done };
        Decision { change, message: format!("{what} {outcome}") }
    }
}

impl From<Option<WriteSet>> for Change {
    fn from(writes: Option<WriteSet>) -> Self {
        writes.map_or(Change::None, Change::Catalog)
    }
}

impl From<Option<TableRevision>> for Change {
    fn from(revision: Option<TableRevision>) -> Self {
        revision.map_or(Change::None, Change::Table)
    }
}

const EXISTS: &str = "exists already; nothing changed";
const MISSING: &str = "does not exist; nothing changed";
const AS_WISHED: &str = "is already as wished; nothing changed";

async fn decide(engine: &EngineParts, ctx: &StatementContext, ddl: &Ddl) -> Result<Decision, SqlError> {
    let catalog = ctx.catalog.as_ref();
    match ddl {
        Ddl::CreateNamespace { name, if_not_exists } => {
            let writes = catalog.create_namespace(name, *if_not_exists, ctx.now_micros).map_err(refused)?;
            Ok(Decision::new(writes.into(), &format!("namespace \"{name}\""), "created", EXISTS))
        }
        Ddl::DropNamespace { name, if_exists, cascade } => {
            let writes = catalog.drop_namespace(name, *if_exists, *cascade).map_err(refused)?;
            let tables = writes.as_ref().map_or(0, |writes| writes.purge_tables.len());
            let done = match tables {
                0 => "dropped".to_owned(),
                1 => "dropped, with its table".to_owned(),
                n => format!("dropped, with its {n} tables"),
            };
            Ok(Decision::new(writes.into(), &format!("namespace \"{name}\""), &done, MISSING))
        }
        Ddl::CreateTable(create) => create_table(engine, ctx, create).await,
        Ddl::DropTable { table, if_exists } => {
            let name = table.within(&ctx.namespace);
            let writes = catalog.drop_table(&name, *if_exists).map_err(refused)?;
            Ok(Decision::new(writes.into(), &format!("table \"{name}\""), "dropped", MISSING))
        }
        Ddl::AlterTable { table, changes } => alter_table(engine, ctx, table.within(&ctx.namespace), changes).await,
        Ddl::CreateIndex(create) => create_index(catalog, &create.table.within(&ctx.namespace), create),
        Ddl::Grant(statement) => grant::decide(engine, ctx, statement),
        Ddl::DropIndex { name, table, if_exists } => {
            let table = table.within(&ctx.namespace);
            let revision = catalog.drop_index(&table, name, *if_exists).map_err(refused)?;
            Ok(Decision::new(revision.into(), &format!("index \"{name}\" of table \"{table}\""), "dropped", MISSING))
        }
    }
}

async fn create_table(
    engine: &EngineParts,
    ctx: &StatementContext,
    create: &CreateTable,
) -> Result<Decision, SqlError> {
    let name = create.table.within(&ctx.namespace);
    let what = format!("table \"{name}\"");
    if create.if_not_exists && ctx.catalog.table(&name).is_some() {
        return Ok(Decision::new(Change::None, &what, "created", EXISTS));
    }
    check_width(engine, create.columns.len())?;
    let mut columns = Vec::with_capacity(create.columns.len());
    for column in &create.columns {
        columns.push(default::new_column(engine, ctx, column).await?);
    }
    let new = NewTable {
        name,
        kind: create.kind,
        options: options(&create.options),
        columns,
        primary_key: create.primary_key.clone(),
        unique: create.unique.clone(),
    };
    let writes = ctx.catalog.create_table(new, ctx.now_micros).map_err(refused)?;
    Ok(Decision::new(Change::Catalog(writes), &what, "created", EXISTS))
}

async fn alter_table(
    engine: &EngineParts,
    ctx: &StatementContext,
    name: TableName,
    changes: &[TableChange],
) -> Result<Decision, SqlError> {
    let mut alterations = Vec::with_capacity(changes.len());
    for change in changes {
        alterations.push(match change {
            TableChange::AddColumn { column, if_not_exists, unique } => Alteration::AddColumn {
                column: default::added_column(engine, ctx, column).await?,
                if_not_exists: *if_not_exists,
                unique: *unique,
            },
            TableChange::DropColumn { name, if_exists } => {
                Alteration::DropColumn { name: name.clone(), if_exists: *if_exists }
            }
            TableChange::Set(set) => Alteration::Set(options(set)),
        });
    }
    let revision = ctx.catalog.alter_table(&name, alterations).map_err(refused)?;
    if let Some(revision) = &revision {
        check_width(engine, revision.table.columns.len())?;
    }
    Ok(Decision::new(revision.into(), &format!("table \"{name}\""), "altered", AS_WISHED))
}

fn create_index(catalog: &CatalogState, table: &TableName, create: &CreateIndex) -> Result<Decision, SqlError> {
    let new = NewIndex { name: create.name.clone(), columns: create.columns.clone(), unique: create.unique };
    let revision = catalog.create_index(table, &new, create.if_not_exists).map_err(refused)?;
    Ok(Decision::new(revision.into(), &format!("index \"{}\" of table \"{table}\"", create.name), "created", EXISTS))
}

fn options(options: &WithOptions) -> TableOptions {
    TableOptions { kind: options.kind, access: options.access, ttl_secs: options.ttl_secs }
}

fn check_width(engine: &EngineParts, columns: usize) -> Result<(), SqlError> {
    let max = engine.limits.columns_max;
    if columns <= max {
        return Ok(());
    }
    Err(SqlError::new(ErrorCode::TooLarge, format!("the table would have {columns} columns; the limit is {max}")))
}

#[expect(clippy::needless_pass_by_value, reason = "the form map_err wants")]
fn refused(error: CatalogError) -> SqlError {
    error_map::from_catalog(&error)
}
