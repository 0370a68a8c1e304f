use kalamdb_commons::ErrorCode;

use super::*;
use crate::sql::script::split;

fn parse(sql: &str, params: usize) -> Result<Script, Failure> {
    let limits = Limits { params_max: 3, ..Limits::default() };
    Script::parse(split(sql, &limits).unwrap(), params, &limits)
}

#[track_caller]
fn fails(sql: &str, params: usize, statement: Option<usize>, code: ErrorCode) -> SqlError {
    let failure = parse(sql, params).unwrap_err();
    assert_eq!((failure.statement, failure.error.code), (statement, code), "{sql}: {}", failure.error);
    failure.error
}

#[test]
fn statements_stand_alone_or_between_begin_and_what_ends_it() {
    let script = parse("SELECT 1; BEGIN; SELECT 2; SELECT 3; COMMIT; USE a; BEGIN; ROLLBACK", 0).unwrap();
    let wanted = [
        Step::Alone(0),
        Step::Transaction { inner: 2..4, ending: Ending::Commit },
        Step::Alone(5),
        Step::Transaction { inner: 7..7, ending: Ending::Rollback },
    ];
    assert_eq!(script.steps, wanted);
    assert_eq!(script.statements.len(), 8);
}

#[test]
fn a_transaction_must_be_whole_and_hold_only_reads_and_writes_of_rows() {
    fails("SELECT 1; BEGIN; SELECT 2", 0, Some(1), ErrorCode::InvalidSql);
    fails("BEGIN; BEGIN; COMMIT; COMMIT", 0, Some(1), ErrorCode::InvalidSql);
    fails("COMMIT", 0, Some(0), ErrorCode::InvalidSql);
    fails("SELECT 1; ROLLBACK", 0, Some(1), ErrorCode::InvalidSql);
    for inner in ["USE a", "DROP TABLE t", "EXECUTE AS USER 'a' (SELECT 1)", "SHOW TABLES"] {
        let error = fails(&format!("BEGIN; {inner}; COMMIT"), 0, Some(1), ErrorCode::Unsupported);
        assert_eq!(error.position, Some(8), "{inner}");
    }
}

#[test]
fn a_mistake_in_any_statement_is_found_before_the_first_is_run() {
    let error = fails("SELECT 1; SELEC 2; SELECT 3", 0, Some(1), ErrorCode::InvalidSql);
    assert_eq!(error.position, Some(11));
}

#[test]
fn every_placeholder_has_a_parameter_and_every_parameter_a_placeholder() {
    assert!(parse("SELECT $2; SELECT $1, $1", 2).is_ok());
    assert!(parse("SELECT '$9'", 0).is_ok());
    let error = fails("SELECT 1; SELECT $2", 1, Some(1), ErrorCode::InvalidParameter);
    assert_eq!(error.position, Some(18));
    fails("SELECT $1", 2, None, ErrorCode::InvalidParameter);
    fails("SELECT $0", 0, Some(0), ErrorCode::InvalidParameter);
    fails("SELECT $one", 0, Some(0), ErrorCode::InvalidParameter);
}

#[test]
fn s15_too_many_parameters_are_too_large() {
    assert!(parse("SELECT $1, $2, $3", 3).is_ok());
    fails("SELECT $1, $2, $3, $4", 4, None, ErrorCode::TooLarge);
}
