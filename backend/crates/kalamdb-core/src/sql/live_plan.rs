//! From a SELECT to a live query.
//!
//! The query is planned like any other, which checks names, types and rights. If it is a function of
//! each row of one table by itself it becomes a `filter`; everything else is run again, with what is
//! needed to tell its rows apart and to keep them in order selected besides (`rewrite`).
//!
//! A plan holds the catalog, the caller and the parameters of the time of subscribing, and never a
//! snapshot, which would keep old rows alive.

mod columns;
mod filter;
mod key;
mod order;
mod rerun;
mod rewrite;
mod shape;

use datafusion::sql::sqlparser::ast;
use kalamdb_store::Scope;

use super::query::{self, PlannedQuery, QuerySession};
use crate::context::StatementContext;
use crate::error::SqlError;
use crate::live::plan::{LivePlan, Source};

/// Plans a live query.
///
/// # Errors
/// As planning it as a query; `UNSUPPORTED` where it reads a system table, of whose changes nobody tells.
pub async fn plan(session: &QuerySession, ctx: &StatementContext, query: &ast::Query) -> Result<LivePlan, SqlError> {
    let planned = query::plan(session, ctx, query).await?;
    if planned.system_tables {
        return Err(SqlError::unsupported("a live query cannot read system tables"));
    }
    match filter::plan(&planned, session.limits()) {
        Some(plan) => Ok(plan),
        None => Ok(rerun::plan(session, ctx, query, planned).await),
    }
}

/// The tables that a query reads, each scope of each once.
fn sources_of(planned: &PlannedQuery) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for table in &planned.tables {
        let known = |source: &&mut Source| source.table == table.def.id && source.scope == table.scope;
        match sources.iter_mut().find(known) {
            Some(source) => source.slots.extend(&table.slots),
            None => sources.push(Source {
                table: table.def.id,
                name: table.def.name.to_string(),
                scope: table.scope.clone(),
                slots: table.slots.clone(),
            }),
        }
    }
    for source in &mut sources {
        source.slots.sort_unstable();
        source.slots.dedup();
    }
    sources
}

/// A scope as part of a view's key.
fn scope_text(scope: &Scope) -> String {
    match scope {
        Scope::Shared => "shared".to_owned(),
        Scope::User(user) => format!("user {user}"),
    }
}

#[cfg(test)]
mod tests;
