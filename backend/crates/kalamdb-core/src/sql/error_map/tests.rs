use datafusion::common::{Column, Diagnostic, Span, TableReference};
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::Location;
use kalamdb_commons::{IndexId, Name};
use kalamdb_store::StorageFault;

use super::*;

fn plan(message: &str) -> DataFusionError {
    DataFusionError::Plan(message.to_owned())
}

fn execution(message: &str) -> DataFusionError {
    DataFusionError::Execution(message.to_owned())
}

fn arrow(error: ArrowError) -> DataFusionError {
    DataFusionError::ArrowError(Box::new(error), None)
}

fn code(error: &DataFusionError) -> ErrorCode {
    from_datafusion(error).code
}

#[test]
fn what_does_not_exist_is_not_found_by_its_name() {
    let field = Column::new(Some(TableReference::bare("t")), "price");
    let unknown = SchemaError::FieldNotFound { field: Box::new(field), valid_fields: Vec::new() };
    let cases = [
        (DataFusionError::SchemaError(Box::new(unknown), Box::new(None)), "t.price"),
        (plan("table 'kalam.shop.items' not found"), "\"shop.items\""),
        (plan("Invalid function 'no_such'.\nDid you mean 'now'?"), "no_such"),
        (plan("No field named x. Valid fields are t.a, t.b."), "x"),
        (plan("table function 'no_such' not found"), "no_such"),
    ];
    for (error, named) in cases {
        let told = from_datafusion(&error);
        assert_eq!(told.code, ErrorCode::NotFound, "{error}");
        assert!(told.message.contains(named), "{told}");
        assert!(!told.message.contains("Valid fields") && !told.message.contains("kalam."), "{told}");
    }
}

#[test]
fn each_kind_of_error_keeps_its_code() {
    let ambiguous = SchemaError::AmbiguousReference { field: Box::new(Column::new_unqualified("a")) };
    let twice = SchemaError::DuplicateUnqualifiedField { name: "a".to_owned() };
    let cases = [
        (DataFusionError::SchemaError(Box::new(ambiguous), Box::new(None)), ErrorCode::InvalidSql),
        (DataFusionError::SchemaError(Box::new(twice), Box::new(None)), ErrorCode::InvalidSql),
        (plan("Projections require unique expression names"), ErrorCode::InvalidSql),
        (plan("No value found for placeholder with id $2"), ErrorCode::InvalidParameter),
        (plan("Unsupported expression"), ErrorCode::Unsupported),
        (DataFusionError::NotImplemented("LATERAL".to_owned()), ErrorCode::Unsupported),
        (DataFusionError::ResourcesExhausted("64 MB".to_owned()), ErrorCode::TooLarge),
        (DataFusionError::Configuration("x".to_owned()), ErrorCode::InvalidSql),
        (DataFusionError::Internal("Failed to coerce types Int64 and Utf8".to_owned()), ErrorCode::InvalidSql),
        (DataFusionError::Internal("x".to_owned()), ErrorCode::Internal),
        (arrow(ArrowError::DivideByZero), ErrorCode::ConstraintViolation),
        (arrow(ArrowError::ArithmeticOverflow("5 + 6".to_owned())), ErrorCode::ConstraintViolation),
        (arrow(ArrowError::ParseError("x".to_owned())), ErrorCode::ConstraintViolation),
        (arrow(ArrowError::NotYetImplemented("x".to_owned())), ErrorCode::Unsupported),
        (arrow(ArrowError::MemoryError("x".to_owned())), ErrorCode::Internal),
        (execution("the value overflows"), ErrorCode::ConstraintViolation),
        (execution("regex parse error"), ErrorCode::InvalidSql),
        (execution("something of the engine's own"), ErrorCode::Internal),
        (DataFusionError::Internal("a broken promise".to_owned()), ErrorCode::Internal),
        (DataFusionError::Collection(Vec::new()), ErrorCode::Internal),
    ];
    for (error, wanted) in cases {
        assert_eq!(code(&error), wanted, "{error}");
    }
}

#[test]
fn wrapped_errors_count_as_what_they_wrap() {
    let ours = SqlError::denied("table \"t\" is not open to you").at(Some(7));
    let external = |error: SqlError| DataFusionError::External(Box::new(error));
    let wraps = [
        external(ours.clone()),
        DataFusionError::Context("while planning".to_owned(), Box::new(external(ours.clone()))),
        DataFusionError::Shared(std::sync::Arc::new(external(ours.clone()))),
        DataFusionError::Collection(vec![external(ours.clone()), plan("another")]),
        DataFusionError::External(Box::new(external(ours.clone()))),
        arrow(ArrowError::ExternalError(Box::new(ours.clone()))),
        arrow(ArrowError::ExternalError(Box::new(external(ours.clone())))),
    ];
    for error in wraps {
        assert_eq!(from_datafusion(&error), ours, "{error:?}");
    }
}

#[test]
fn an_error_stands_where_the_planner_saw_it() {
    let at = |column| Location { line: 1, column };
    let span = Span::try_from_sqlparser_span(datafusion::sql::sqlparser::tokenizer::Span::new(at(12), at(15)));
    let error = plan("column 'x' is odd").with_diagnostic(Diagnostic::new_error("odd", span));
    assert_eq!(from_datafusion(&error).position, Some(12));
    let parser = ParserError::ParserError("Expected: ), found: 'tell-nobody' at Line: 1, Column: 9".to_owned());
    let error = from_datafusion(&DataFusionError::SQL(Box::new(parser), None));
    assert_eq!((error.code, error.position), (ErrorCode::InvalidSql, Some(9)));
    assert_eq!(from_datafusion(&plan("nowhere")).position, None);
}

#[test]
fn s09_no_value_of_a_row_or_statement_is_told() {
    let cases = [
        arrow(ArrowError::CastError("Cannot cast string 'tell-nobody' to value of Int32 type".to_owned())),
        arrow(ArrowError::CastError("cannot cast tell-nobody".to_owned())),
        arrow(ArrowError::ParseError("Error parsing timestamp from 'tell-nobody'".to_owned())),
        arrow(ArrowError::ArithmeticOverflow("Overflow happened on: tell-nobody + 1".to_owned())),
        arrow(ArrowError::InvalidArgumentError("invalid tell-nobody".to_owned())),
        arrow(ArrowError::ComputeError("cannot parse tell-nobody".to_owned())),
        execution("could not parse 'tell-nobody' as a regex"),
        execution("cannot cast 'tell-nobody'"),
        execution("tell-nobody happened"),
        DataFusionError::Internal("row tell-nobody".to_owned()),
        DataFusionError::SQL(
            Box::new(ParserError::ParserError("Expected: ), found: 'tell-nobody' at Line: 1, Column: 9".to_owned())),
            None,
        ),
    ];
    for error in cases {
        let told = from_datafusion(&error);
        assert!(!told.message.contains("tell-nobody"), "{told}");
        assert!(!told.message.is_empty());
    }
}

#[test]
fn s20_what_is_our_fault_tells_only_a_reference() {
    let told = from_datafusion(&DataFusionError::Internal("/var/lib/kalamdb/x.sst".to_owned()));
    assert_eq!(told.code, ErrorCode::Internal);
    let reference = told.message.strip_prefix("internal error, reference ").unwrap();
    assert!(reference.len() == 32 && reference.chars().all(|c| c.is_ascii_hexdigit()), "{told}");
}

#[test]
fn s20_a_disk_that_fails_is_told_without_a_path_and_with_what_became_of_the_write() {
    let fault = |text: &str| StorageFault::new(text);
    let full = "IO error: No space left on device: While appending to file: /var/lib/kalamdb/1.log";
    let failed = "IO error: Input/output error: While appending to file: /var/lib/kalamdb/1.log";
    for (error, told) in [
        (CommitError::NotStored(fault(full)), "disk is full; nothing was changed"),
        (CommitError::NotStored(fault(failed)), "takes no writes; nothing was changed"),
        (CommitError::Unsettled(fault(failed)), "it is not known whether it was"),
    ] {
        let error = from_commit(&error, &CatalogState::default());
        assert_eq!(error.code, ErrorCode::Unavailable);
        assert!(error.message.contains(told) && !error.message.contains("/var"), "{error}");
    }
    let unheard = from_audit(&AuditError::Commit(CommitError::NotStored(fault(failed))));
    assert_eq!(unheard.code, ErrorCode::Unavailable);
    assert!(unheard.message.contains("audit log") && !unheard.message.contains("/var"), "{unheard}");
    assert_eq!(from_read(&ReadError::Storage(fault(failed))).code, ErrorCode::Internal);
}

#[test]
fn long_messages_are_cut() {
    let told = from_datafusion(&plan(&"ä".repeat(5_000)));
    assert!(told.message.chars().count() <= wording::MESSAGE_CHARS_MAX, "{}", told.message.len());
    let told = from_datafusion(&plan("the first line\n\nbacktrace: 0: secret::place"));
    assert_eq!(told.message, "the first line");
}

#[test]
fn commits_and_catalog_fail_with_the_codes_of_their_kinds() {
    let catalog = CatalogState::default();
    assert_eq!(from_commit(&CommitError::Conflict, &catalog).code, ErrorCode::Conflict);
    assert_eq!(from_commit(&CommitError::Closed, &catalog).code, ErrorCode::Unavailable);
    let unique = from_commit(&CommitError::UniqueViolation { index: IndexId(9) }, &catalog);
    assert_eq!(unique.code, ErrorCode::ConstraintViolation);
    let missing = CatalogError::UnknownNamespace(Name::new("shop").unwrap());
    let told = from_catalog(&missing);
    assert_eq!((told.code, told.message.as_str()), (ErrorCode::NotFound, "namespace \"shop\" does not exist"));
    let broken = serde_json::from_str::<u8>("x").unwrap_err();
    assert_eq!(from_catalog(&CatalogError::Encode(broken)).code, ErrorCode::Internal);
    assert_eq!(shutting_down().code, ErrorCode::Unavailable);
}
