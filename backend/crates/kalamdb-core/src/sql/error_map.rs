//! Errors of the libraries below, as a client is told them.
//!
//! The planner's messages name what the client wrote (tables, columns, functions, types) and are
//! passed on in a shortened form. Messages of its inner workings are not: they become `INTERNAL`
//! with a reference to the log. Data errors keep their kind and lose any value.

mod wording;

use datafusion::arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use kalamdb_commons::ErrorCode;
use kalamdb_store::{CommitError, ReadError};
use kalamdb_system::{AuditError, CatalogError, CatalogState};

use super::script;
use crate::error::SqlError;
use wording::plain;

/// Words of errors that are about the data or the arguments of a statement.
const DATA_WORDS: [&str; 18] = [
    "overflow",
    "out of range",
    "out of bounds",
    "divide",
    "cast",
    "parse",
    "convert",
    "invalid",
    "negative",
    "unsupported",
    "not supported",
    "must be",
    "must not",
    "should be",
    "too large",
    "too small",
    "expected",
    "requires",
];

/// An error of the query planner or executor.
#[must_use]
pub fn from_datafusion(error: &DataFusionError) -> SqlError {
    let position = position_of(error);
    classify(error).at(position)
}

fn classify(error: &DataFusionError) -> SqlError {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => classify(inner),
        DataFusionError::Shared(inner) => classify(inner),
        DataFusionError::Collection(errors) => match errors.first() {
            Some(first) => classify(first),
            None => SqlError::internal("an empty list of errors"),
        },
        DataFusionError::External(inner) => match inner.downcast_ref::<SqlError>() {
            Some(ours) => ours.clone(),
            None => match inner.downcast_ref::<DataFusionError>() {
                Some(error) => classify(error),
                None => from_elsewhere(inner.as_ref()),
            },
        },
        DataFusionError::SQL(parser, _) => script::parser_error(parser),
        DataFusionError::SchemaError(schema, _) => from_schema(schema),
        DataFusionError::Plan(message) => from_plan(message),
        DataFusionError::NotImplemented(message) => from_not_implemented(message),
        DataFusionError::ArrowError(arrow, _) => from_arrow(arrow),
        DataFusionError::Execution(message) => from_execution(message),
        DataFusionError::ResourcesExhausted(_) => {
            SqlError::new(ErrorCode::TooLarge, "the statement needs more memory than one statement may use")
        }
        DataFusionError::Configuration(message) => SqlError::invalid(plain(message)),
        // BETWEEN over types that do not compare; no other mistake of a client is reported so.
        DataFusionError::Internal(message) if message.starts_with("Failed to coerce types") => from_plan(message),
        // A pattern that becomes too large where it meets a column.
        DataFusionError::Internal(message) if message.contains("Regular expression did not compile") => {
            from_execution(message)
        }
        other => SqlError::internal(other),
    }
}

fn from_schema(error: &SchemaError) -> SqlError {
    match error {
        SchemaError::FieldNotFound { field, .. } => {
            SqlError::not_found(format!("column \"{}\" does not exist", field.flat_name()))
        }
        SchemaError::AmbiguousReference { field } => {
            SqlError::invalid(format!("column \"{}\" is ambiguous", field.flat_name()))
        }
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            SqlError::invalid(format!("the name \"{name}\" is given twice; use AS"))
        }
    }
}

/// Planning errors: something that does not exist, or a statement that makes no sense.
fn from_plan(message: &str) -> SqlError {
    let lower = message.to_ascii_lowercase();
    if let Some(name) = between(message, "Invalid function '", "'") {
        return SqlError::not_found(format!("function {name} does not exist"));
    }
    if lower.starts_with("table '") || lower.contains("no table named") {
        let name = between(message, "'", "'").unwrap_or_default();
        let name = name.strip_prefix("kalam.").or_else(|| name.strip_prefix("datafusion.")).unwrap_or(name);
        return SqlError::not_found(format!("table \"{name}\" does not exist"));
    }
    if lower.starts_with("no field named") {
        return SqlError::not_found(plain(message));
    }
    if lower.contains("table function") && lower.contains("not found") {
        return SqlError::not_found(plain(message));
    }
    if lower.contains("no value found for placeholder") || lower.contains("placeholder") {
        return SqlError::new(ErrorCode::InvalidParameter, plain(message));
    }
    if lower.contains("unsupported") || lower.contains("not supported") || lower.contains("not implemented") {
        return SqlError::unsupported(plain(message));
    }
    types_differ(message).unwrap_or_else(|| SqlError::invalid(plain(message)))
}

/// A function whose arguments have no type in common. It is told when the function is planned, or when it is made to run.
fn types_differ(message: &str) -> Option<SqlError> {
    let name = between(message, "Function '", "'").filter(|_| message.contains("coercion failed"))?;
    Some(SqlError::invalid(format!("the arguments of function {name} are of types that do not go together")))
}

/// Errors of libraries below the planner; of these only that for patterns speaks of the statement.
fn from_elsewhere(error: &(dyn std::error::Error + Send + Sync)) -> SqlError {
    if error.to_string().to_ascii_lowercase().contains("regex") {
        return SqlError::invalid("a pattern in the statement is not valid");
    }
    SqlError::internal(error)
}

/// Things that the planner does not have. Some it finds only when it makes operators.
fn from_not_implemented(message: &str) -> SqlError {
    match between(message, "Physical plan does not support logical expression ", "(") {
        None => SqlError::unsupported(plain(message)),
        Some("WindowFunction") => SqlError::invalid("a window function cannot stand in this place"),
        Some("AggregateFunction") => SqlError::invalid("an aggregate function cannot stand in this place"),
        Some(_) => SqlError::unsupported("a subquery of this kind is not supported in this place"),
    }
}

/// Errors while running: what a query did to its data, or a broken promise of ours.
fn from_execution(message: &str) -> SqlError {
    let lower = message.to_ascii_lowercase();
    if lower.contains("placeholder") {
        return SqlError::new(ErrorCode::InvalidParameter, plain(message));
    }
    if let Some(differ) = types_differ(message) {
        return differ;
    }
    if lower.contains("more than one row") {
        return SqlError::constraint("a subquery that stands for a value gives more than one row");
    }
    if ["regex", "regular expression", "pattern", "json"].iter().any(|word| lower.contains(word)) {
        return SqlError::invalid("a pattern or document in the statement is not valid");
    }
    if DATA_WORDS.iter().any(|word| lower.contains(word)) {
        return SqlError::constraint("a value in the statement is not valid or out of range for its operation");
    }
    SqlError::internal(message)
}

/// Errors of arithmetic and conversion. Arrow's texts quote the value, so they are replaced.
fn from_arrow(error: &ArrowError) -> SqlError {
    match error {
        ArrowError::DivideByZero => SqlError::constraint("division by zero"),
        ArrowError::ArithmeticOverflow(_) => SqlError::constraint("a result is out of range for its type"),
        ArrowError::CastError(message) => match between(message, " to value of ", " type") {
            Some(wanted) => SqlError::constraint(format!("a value is not a valid {}", plain(wanted))),
            None => SqlError::constraint("a value cannot be converted to the wanted type"),
        },
        ArrowError::ParseError(_) => SqlError::constraint("a text is not in the notation of the wanted type"),
        ArrowError::InvalidArgumentError(message) => from_execution(message),
        ArrowError::ComputeError(message) => from_execution(message),
        ArrowError::NotYetImplemented(message) => SqlError::unsupported(plain(message)),
        ArrowError::ExternalError(inner) => match inner.downcast_ref::<DataFusionError>() {
            Some(error) => classify(error),
            None => match inner.downcast_ref::<SqlError>() {
                Some(ours) => ours.clone(),
                None => from_elsewhere(inner.as_ref()),
            },
        },
        other => SqlError::internal(other),
    }
}

/// The place in the SQL that the planner names, if it does. Spans are character offsets, see
/// [`super::script`].
fn position_of(error: &DataFusionError) -> Option<u32> {
    let diagnostic = error.diagnostic()?;
    let column = diagnostic.span?.start.column;
    u32::try_from(column).ok().filter(|&column| column > 0)
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(open)?;
    rest.split_once(close).map(|(inner, _)| inner)
}

/// Why a write set did not become a commit. Index names come from the catalog the statement saw.
#[must_use]
pub fn from_commit(error: &CommitError, catalog: &CatalogState) -> SqlError {
    match error {
        CommitError::Conflict => {
            SqlError::new(ErrorCode::Conflict, "concurrent writes to the same rows did not settle; try again")
        }
        CommitError::UniqueViolation { index } => {
            let found = catalog
                .tables()
                .find_map(|table| table.indexes.iter().find(|known| known.id == *index).map(|known| (table, known)));
            match found {
                Some((table, known)) => SqlError::constraint(format!(
                    "duplicate value in unique index \"{}\" of table {}",
                    known.name, table.name
                )),
                None => SqlError::constraint("duplicate value in a unique index"),
            }
        }
        CommitError::NotStored(_) | CommitError::Unsettled(_) => from_storage(error),
        CommitError::Closed => shutting_down(),
    }
}

/// The disk did not take a write set. What the system said is in the store's log, with paths in it.
#[must_use]
pub fn from_storage(error: &CommitError) -> SqlError {
    let message = match error {
        CommitError::NotStored(fault) if fault.is_full() => {
            "the server's disk is full; nothing was changed, and reading goes on"
        }
        CommitError::Unsettled(_) => {
            "the server's storage failed while this was written; it is not known whether it was: \
             it is there wholly or not at all, read before trying again"
        }
        CommitError::NotStored(_)
        | CommitError::Conflict
        | CommitError::UniqueViolation { .. }
        | CommitError::Closed => "the server's storage takes no writes; nothing was changed, and reading goes on",
    };
    SqlError::new(ErrorCode::Unavailable, message)
}

/// The store could not be read.
#[must_use]
pub fn from_read(error: &ReadError) -> SqlError {
    match error {
        ReadError::Storage(fault) if fault.is_not_open() => SqlError::new(
            ErrorCode::Unavailable,
            "the server's storage failed; nothing can be read until it works again",
        ),
        ReadError::Storage(_) | ReadError::Corrupt { .. } => SqlError::internal(error),
    }
}

/// What the catalog's builders refuse.
#[must_use]
pub fn from_catalog(error: &CatalogError) -> SqlError {
    match error.code() {
        ErrorCode::Internal => SqlError::internal(error),
        code => SqlError::new(code, error.to_string()),
    }
}

/// The audit log did not take an entry.
#[must_use]
pub fn from_audit(error: &AuditError) -> SqlError {
    match error {
        AuditError::Commit(CommitError::Closed) => shutting_down(),
        AuditError::Commit(CommitError::NotStored(_) | CommitError::Unsettled(_)) => SqlError::new(
            ErrorCode::Unavailable,
            "the server's storage took no entry of the audit log, without which such a statement is not answered; try \
             again when it takes writes",
        ),
        AuditError::Commit(_) | AuditError::Encode(_) => SqlError::internal(error),
    }
}

/// The engine no longer takes statements.
#[must_use]
pub fn shutting_down() -> SqlError {
    SqlError::new(ErrorCode::Unavailable, "the server is shutting down")
}

#[cfg(test)]
mod tests;
