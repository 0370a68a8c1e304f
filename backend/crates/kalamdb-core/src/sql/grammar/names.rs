//! Names in statements: folded to lower case unless quoted, and checked.

use datafusion::sql::sqlparser::ast::Ident;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};
use kalamdb_commons::{Name, UserId};

use super::parse_error;
use crate::error::SqlError;
use crate::sql::script::{describe, position_of};
use crate::sql::statement::TableRef;

/// An identifier as a name: folded to lower case unless it was quoted.
///
/// # Errors
/// `INVALID_SQL` saying which rule the name breaks.
pub(crate) fn name_of(ident: &Ident, what: &str) -> Result<Name, SqlError> {
    let text = if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() };
    let position = u32::try_from(ident.span.start.column).ok().filter(|&column| column > 0);
    Name::new(&text).map_err(|error| SqlError::invalid(format!("{what}: {error}")).at(position))
}

/// The next token as a name; any word will do, a literal will not.
pub(super) fn name(parser: &mut Parser<'_>, what: &str) -> Result<Name, SqlError> {
    let next = parser.peek_token();
    if !matches!(next.token, Token::Word(_)) {
        return Err(expected(&format!("the name of a {what}"), &next));
    }
    let ident = parser.parse_identifier().map_err(parse_error)?;
    name_of(&ident, what)
}

/// `t` or `n.t`.
pub(super) fn table(parser: &mut Parser<'_>) -> Result<TableRef, SqlError> {
    let first = name(parser, "table")?;
    if !parser.consume_token(&Token::Period) {
        return Ok(TableRef { namespace: None, table: first });
    }
    let table = name(parser, "table")?;
    let next = parser.peek_token();
    if next.token == Token::Period {
        return Err(SqlError::invalid("a table is named as namespace.table").at(position_of(&next)));
    }
    Ok(TableRef { namespace: Some(first), table })
}

/// `'anna'`, `anna` or `"Anna"`. User names are not folded.
pub(super) fn user(parser: &mut Parser<'_>) -> Result<UserId, SqlError> {
    let next = parser.next_token();
    let text = match &next.token {
        Token::SingleQuotedString(text) => text.as_str(),
        Token::Word(word) => word.value.as_str(),
        _ => return Err(expected("a user name", &next)),
    };
    UserId::new(text).map_err(|error| SqlError::invalid(error.to_string()).at(position_of(&next)))
}

/// A text in single quotes.
pub(super) fn text(parser: &mut Parser<'_>, what: &str) -> Result<String, SqlError> {
    let next = parser.next_token();
    match next.token {
        Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => Ok(text),
        _ => Err(expected(what, &next)),
    }
}

/// "expected `what`, found …", without showing a literal.
pub(super) fn expected(what: &str, found: &TokenWithSpan) -> SqlError {
    SqlError::invalid(format!("expected {what}, found {}", describe(&found.token))).at(position_of(found))
}
