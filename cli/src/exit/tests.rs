use expect_test::expect;

use super::*;

fn server(code: ErrorCode, position: Option<u32>) -> Error {
    Error::Server { code, message: "it \x1b[31mfailed".to_owned(), position, details: None }
}

#[test]
fn a_failed_statement_shows_code_message_and_place() {
    let sql = "SELECT *\nFROM 日本 wher x = 1\nLIMIT 1";
    let failure = Failure::of_sql(&server(ErrorCode::InvalidSql, Some(18)), sql);
    expect![[r#"
        INVALID_SQL: it \u{1b}[31mfailed
        line 2: FROM 日本 wher x = 1
                          ^"#]]
    .assert_eq(&failure.text);
}

#[test]
fn a_place_outside_of_the_text_is_left_out() {
    for position in [0, 100] {
        let failure = Failure::of_sql(&server(ErrorCode::InvalidSql, Some(position)), "SELECT");
        assert!(!failure.text.contains('^'), "{position}");
    }
    let at_the_end = Failure::of_sql(&server(ErrorCode::InvalidSql, Some(7)), "SELECT");
    assert!(at_the_end.text.ends_with("line 1: SELECT\n              ^"), "{}", at_the_end.text);
}

#[test]
fn exit_codes_tell_failures_apart() {
    assert_eq!(exit_of(&server(ErrorCode::NotFound, None)), Exit::Failed);
    assert_eq!(exit_of(&server(ErrorCode::PermissionDenied, None)), Exit::Denied);
    assert_eq!(exit_of(&server(ErrorCode::Killed, None)), Exit::Killed);
    assert_eq!(exit_of(&Error::Closed { code: Some(4003), reason: String::new() }), Exit::Killed);
    assert_eq!(exit_of(&Error::Closed { code: Some(4002), reason: String::new() }), Exit::Denied);
    assert_eq!(exit_of(&Error::Closed { code: None, reason: String::new() }), Exit::Unreachable);
    assert_eq!(exit_of(&Error::Auth(String::new())), Exit::Denied);
    assert_eq!(exit_of(&Error::Network(String::new())), Exit::Unreachable);
}

#[test]
fn a_closed_pipe_is_no_failure() {
    assert!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)).is_closed_output());
    assert!(!Failure::from(io::Error::other("disk")).is_closed_output());
}
