//! `KILL CONNECTION 'id'` and `KILL LIVE QUERY 'id'`.

use datafusion::sql::sqlparser::parser::Parser;

use super::{expect_word, names, take_word};
use crate::error::SqlError;
use crate::sql::statement::Statement;

pub(super) fn kill(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    parser.advance_token();
    if take_word(parser, "CONNECTION") {
        return names::text(parser, "a connection id in single quotes").map(Statement::KillConnection);
    }
    if take_word(parser, "LIVE") {
        expect_word(parser, "QUERY")?;
        return names::text(parser, "a live query id in single quotes").map(Statement::KillLiveQuery);
    }
    Err(names::expected("CONNECTION or LIVE QUERY", &parser.peek_token()))
}
