//! Which queries are the same view.
//!
//! Two queries share a view only if their results are equal whatever happens. So the key holds all
//! that the result is made of, and who asks where that matters.

use kalamdb_commons::protocol::SchemaField;

use super::scope_text;
use crate::context::StatementContext;
use crate::live::plan::{Source, ViewKey};
use crate::sql::expression::Scalar;
use crate::sql::query::PlannedQuery;

/// The key of a filter: what it does to a row, however the query was written.
pub(super) fn of_filter(source: &Source, conditions: &[Scalar], cells: &[Scalar], schema: &[SchemaField]) -> ViewKey {
    let source = source_text(source);
    key("filter", &[&source, &format!("{conditions:?}"), &format!("{cells:?}"), &format!("{schema:?}")])
}

/// The key of a query that is run again: its text, as the parser prints it, and what the text means here.
pub(super) fn of_query(
    ctx: &StatementContext,
    text: &str,
    planned: &PlannedQuery,
    sources: &[Source],
    schema: &[SchemaField],
) -> ViewKey {
    let sources: Vec<String> = sources.iter().map(source_text).collect();
    let caller = match planned.depends_on_caller {
        true => format!("{} {}", ctx.caller.user, ctx.caller.role),
        false => String::new(),
    };
    let params = serde_json::Value::Array(ctx.params.to_vec()).to_string();
    let namespace = ctx.namespace.to_string();
    key("re-run", &[&caller, &namespace, &sources.join(","), &params, &format!("{schema:?}"), text])
}

fn source_text(source: &Source) -> String {
    format!("{} of {} {:?}", scope_text(&source.scope), source.table.0, source.slots)
}

/// Parts are told apart by their lengths, so that no part can pose as two.
fn key(strategy: &str, parts: &[&str]) -> ViewKey {
    let mut text = strategy.to_owned();
    for part in parts {
        text.push_str(&format!("\n{}:{part}", part.len()));
    }
    ViewKey(text.into())
}
