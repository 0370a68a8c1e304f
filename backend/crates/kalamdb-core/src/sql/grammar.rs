//! From tokens to a [`Statement`].
//!
//! The first word decides. Queries and DML are sqlparser's; statements of our own, and DDL whose
//! SQL-standard form we extend, are read here with sqlparser's primitives. A statement that other
//! databases have and this one has not is refused by its name.

mod grant;
mod kill;
mod names;
mod options;
mod table;
mod types;
mod user;

use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, Word};

pub(crate) use names::name_of;
pub(crate) use types::data_type;

use super::script::{self, StatementTokens};
use super::statement::{Ddl, Explain, Statement};
use crate::error::SqlError;
use crate::options::Limits;

/// Parses one statement.
///
/// # Errors
/// `INVALID_SQL` with a position, `UNSUPPORTED` for statements we do not have, `TOO_LARGE` over a limit.
pub fn parse(tokens: StatementTokens, limits: &Limits) -> Result<Statement, SqlError> {
    let position = tokens.position();
    let mut parser = tokens.into_parser();
    let statement = statement(&mut parser).map_err(|error| error.at(position))?;
    script::expect_end(&mut parser)?;
    check_weight(&statement, limits)?;
    Ok(statement)
}

fn check_weight(statement: &Statement, limits: &Limits) -> Result<(), SqlError> {
    match statement {
        Statement::Query(query) | Statement::ExplainLive(query) | Statement::Explain(Explain { query, .. }) => {
            script::check_query(query.as_ref(), limits)
        }
        Statement::Dml(dml) => script::check_query(dml.as_ref(), limits),
        Statement::ExecuteAs { statement, .. } => check_weight(statement, limits),
        _ => Ok(()),
    }
}

/// Parses `sql` as the one SELECT of a live query.
///
/// # Errors
/// As [`parse`]; `INVALID_SQL` if it is not exactly one query.
pub fn parse_live_query(sql: &str, limits: &Limits) -> Result<Box<ast::Query>, SqlError> {
    let mut statements = script::split(sql, limits)?;
    let (Some(tokens), true) = (statements.pop(), statements.is_empty()) else {
        return Err(SqlError::invalid("a live query is exactly one SELECT"));
    };
    match parse(tokens, limits)? {
        Statement::Query(query) => Ok(query),
        _ => Err(SqlError::invalid("a live query must be a SELECT")),
    }
}

fn statement(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    let first = parser.peek_token();
    let word = match &first.token {
        Token::Word(Word { keyword, value, quote_style: None }) => (*keyword, value.to_ascii_uppercase()),
        Token::LParen => return query(parser).map(Statement::Query),
        _ => {
            let found = script::describe(&first.token);
            return Err(SqlError::invalid(format!("expected a statement, found {found}")));
        }
    };
    match word.0 {
        Keyword::SELECT | Keyword::WITH | Keyword::VALUES | Keyword::TABLE => query(parser).map(Statement::Query),
        Keyword::INSERT | Keyword::UPDATE | Keyword::DELETE => dml(parser),
        Keyword::BEGIN | Keyword::START => begin(parser),
        Keyword::COMMIT | Keyword::END => end(parser, Statement::Commit),
        Keyword::ROLLBACK | Keyword::ABORT => end(parser, Statement::Rollback),
        Keyword::EXPLAIN => explain(parser),
        Keyword::CREATE => create(parser),
        Keyword::ALTER => alter(parser),
        Keyword::DROP => drop(parser),
        Keyword::USE => use_namespace(parser),
        Keyword::SHOW => show(parser),
        Keyword::DESCRIBE | Keyword::DESC => describe(parser),
        Keyword::KILL => kill::kill(parser),
        Keyword::GRANT => grant::grant(parser, false),
        Keyword::REVOKE if is_word(&parser.peek_nth_token(1).token, "TOKENS") => user::revoke_tokens(parser),
        Keyword::REVOKE => grant::grant(parser, true),
        Keyword::EXECUTE if is_word(&parser.peek_nth_token(1).token, "AS") => user::execute_as(parser),
        _ => Err(unknown_statement(&word.1)),
    }
}

fn not_here(name: &str) -> SqlError {
    SqlError::unsupported(format!("{name} is not supported"))
}

/// Words that begin a statement elsewhere are refused by name, all others as a mistake.
fn unknown_statement(word: &str) -> SqlError {
    const ELSEWHERE: [&str; 32] = [
        "ANALYZE",
        "ATTACH",
        "CACHE",
        "CALL",
        "CHECKPOINT",
        "CLOSE",
        "COMMENT",
        "COPY",
        "DEALLOCATE",
        "DECLARE",
        "DETACH",
        "DISCARD",
        "EXECUTE",
        "FETCH",
        "INSTALL",
        "LISTEN",
        "LOAD",
        "LOCK",
        "MERGE",
        "NOTIFY",
        "OPTIMIZE",
        "PRAGMA",
        "PREPARE",
        "REFRESH",
        "REINDEX",
        "RELEASE",
        "RENAME",
        "REPLACE",
        "RESET",
        "SAVEPOINT",
        "SET",
        "TRUNCATE",
    ];
    if ELSEWHERE.contains(&word) || word == "VACUUM" || word == "UNLISTEN" {
        return not_here(word);
    }
    SqlError::invalid(format!("expected a statement, found {}", word.chars().take(40).collect::<String>()))
}

/// A query or an INSERT, UPDATE or DELETE.
fn query_or_dml(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    if parser.peek_one_of_keywords(&[Keyword::INSERT, Keyword::UPDATE, Keyword::DELETE]).is_some() {
        return dml(parser);
    }
    query(parser).map(Statement::Query)
}

fn query(parser: &mut Parser<'_>) -> Result<Box<ast::Query>, SqlError> {
    let query = parser.parse_query().map_err(parse_error)?;
    match query.body.as_ref() {
        ast::SetExpr::Insert(_) | ast::SetExpr::Update(_) | ast::SetExpr::Delete(_) | ast::SetExpr::Merge(_) => {
            Err(SqlError::unsupported("WITH before INSERT, UPDATE or DELETE is not supported"))
        }
        _ => Ok(query),
    }
}

fn dml(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    match parser.parse_statement().map_err(parse_error)? {
        statement @ (ast::Statement::Insert(_) | ast::Statement::Update(_) | ast::Statement::Delete(_)) => {
            Ok(Statement::Dml(Box::new(statement)))
        }
        _ => Err(not_here("this statement")),
    }
}

fn begin(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    if parser.parse_keyword(Keyword::START) {
        parser.expect_keyword_is(Keyword::TRANSACTION).map_err(parse_error)?;
    } else {
        parser.expect_keyword_is(Keyword::BEGIN).map_err(parse_error)?;
        let _ = parser.parse_one_of_keywords(&[Keyword::TRANSACTION, Keyword::WORK]);
    }
    let next = parser.peek_token();
    if matches!(&next.token, Token::Word(_)) {
        let modes = SqlError::unsupported("transaction modes are not supported: transactions are snapshot isolated");
        return Err(modes.at(script::position_of(&next)));
    }
    Ok(Statement::Begin)
}

fn end(parser: &mut Parser<'_>, statement: Statement) -> Result<Statement, SqlError> {
    parser.advance_token();
    let _ = parser.parse_one_of_keywords(&[Keyword::TRANSACTION, Keyword::WORK]);
    if parser.peek_keyword(Keyword::TO) || parser.peek_keyword(Keyword::AND) {
        return Err(SqlError::unsupported("savepoints and chained transactions are not supported"));
    }
    Ok(statement)
}

fn explain(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    parser.advance_token();
    if is_word(&parser.peek_token().token, "LIVE") {
        parser.advance_token();
        return query(parser).map(Statement::ExplainLive);
    }
    let analyze = parser.parse_keyword(Keyword::ANALYZE);
    let verbose = parser.parse_keyword(Keyword::VERBOSE);
    if parser.peek_one_of_keywords(&[Keyword::INSERT, Keyword::UPDATE, Keyword::DELETE]).is_some() {
        return Err(SqlError::unsupported("EXPLAIN takes a SELECT only"));
    }
    Ok(Statement::Explain(Explain { query: query(parser)?, verbose, analyze }))
}

fn create(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    parser.advance_token();
    let unique = parser.parse_keyword(Keyword::UNIQUE);
    if unique || parser.peek_keyword(Keyword::INDEX) {
        parser.expect_keyword_is(Keyword::INDEX).map_err(parse_error)?;
        return table::create_index(parser, unique);
    }
    if take_word(parser, "NAMESPACE") || take_word(parser, "SCHEMA") {
        let if_not_exists = parser.parse_keywords(&[Keyword::IF, Keyword::NOT, Keyword::EXISTS]);
        let name = names::name(parser, "namespace")?;
        return Ok(Statement::Ddl(Ddl::CreateNamespace { name, if_not_exists }));
    }
    if is_word(&parser.peek_token().token, "USER") && !is_word(&parser.peek_nth_token(1).token, "TABLE") {
        parser.advance_token();
        return user::create(parser);
    }
    table::create_table(parser)
}

fn alter(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    parser.advance_token();
    if take_word(parser, "USER") {
        return user::alter(parser);
    }
    if parser.parse_keyword(Keyword::TABLE) {
        return table::alter_table(parser);
    }
    Err(unsupported_object(parser, "ALTER"))
}

fn drop(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    parser.advance_token();
    if take_word(parser, "NAMESPACE") || take_word(parser, "SCHEMA") {
        let if_exists = parser.parse_keywords(&[Keyword::IF, Keyword::EXISTS]);
        let name = names::name(parser, "namespace")?;
        let cascade = parser.parse_keyword(Keyword::CASCADE);
        if !cascade {
            let _ = parser.parse_keyword(Keyword::RESTRICT);
        }
        return Ok(Statement::Ddl(Ddl::DropNamespace { name, if_exists, cascade }));
    }
    if take_word(parser, "USER") {
        return user::drop(parser);
    }
    if parser.parse_keyword(Keyword::TABLE) {
        return table::drop_table(parser);
    }
    if parser.parse_keyword(Keyword::INDEX) {
        return table::drop_index(parser);
    }
    Err(unsupported_object(parser, "DROP"))
}

/// `CREATE VIEW`, `ALTER ROLE` and the like, refused by name; a word that is no object at all is a mistake.
fn unsupported_object(parser: &Parser<'_>, verb: &str) -> SqlError {
    let next = parser.peek_token();
    let error = match &next.token {
        Token::Word(Word { value, keyword, quote_style: None }) if *keyword != Keyword::NoKeyword => {
            not_here(&format!("{verb} {}", value.to_ascii_uppercase()))
        }
        token => SqlError::invalid(format!("expected an object after {verb}, found {}", script::describe(token))),
    };
    error.at(script::position_of(&next))
}

fn use_namespace(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    parser.advance_token();
    let _ = take_word(parser, "NAMESPACE") || take_word(parser, "SCHEMA");
    names::name(parser, "namespace").map(Statement::Use)
}

fn show(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    parser.advance_token();
    if take_word(parser, "NAMESPACES") || take_word(parser, "SCHEMAS") {
        return Ok(Statement::ShowNamespaces);
    }
    if take_word(parser, "TABLES") {
        let of_one = parser.parse_keyword(Keyword::IN) || parser.parse_keyword(Keyword::FROM);
        let namespace = if of_one { Some(names::name(parser, "namespace")?) } else { None };
        return Ok(Statement::ShowTables(namespace));
    }
    if take_word(parser, "GRANTS") {
        return grant::show(parser);
    }
    let next = parser.peek_token();
    let error = match &next.token {
        Token::Word(word) => not_here(&format!("SHOW {}", word.value.to_ascii_uppercase())),
        token => SqlError::invalid(format!("expected NAMESPACES, TABLES or GRANTS, found {}", script::describe(token))),
    };
    Err(error.at(script::position_of(&next)))
}

fn describe(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    parser.advance_token();
    // A table may itself be named "table".
    let names_follow = matches!(parser.peek_nth_token(1).token, Token::Word(_));
    if names_follow {
        let _ = parser.parse_keyword(Keyword::TABLE);
    }
    names::table(parser).map(Statement::DescribeTable)
}

/// Is the token this word, unquoted, in any case?
fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(Word { value, quote_style: None, .. }) if value.eq_ignore_ascii_case(word))
}

/// Steps over this word if it is next.
fn take_word(parser: &mut Parser<'_>, word: &str) -> bool {
    let found = is_word(&parser.peek_token_ref().token, word);
    if found {
        parser.advance_token();
    }
    found
}

/// Steps over this word or fails.
fn expect_word(parser: &mut Parser<'_>, word: &str) -> Result<(), SqlError> {
    if take_word(parser, word) {
        return Ok(());
    }
    let found = parser.peek_token();
    let text = format!("expected {word}, found {}", script::describe(&found.token));
    Err(SqlError::invalid(text).at(script::position_of(&found)))
}

#[expect(clippy::needless_pass_by_value, reason = "the form map_err wants")]
fn parse_error(error: ParserError) -> SqlError {
    script::parser_error(&error)
}

#[cfg(test)]
mod tests;
