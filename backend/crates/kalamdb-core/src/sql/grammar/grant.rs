//! `GRANT`, `REVOKE` of rights on a table, and `SHOW GRANTS`.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;
use kalamdb_system::{Grantee, Right, Rights};

use super::{expect_word, names, take_word, user};
use crate::error::SqlError;
use crate::sql::statement::{Ddl, GrantStatement, GrantsOf, Statement};

/// `GRANT rights ON [TABLE] n.t TO grantee`, `REVOKE rights ON [TABLE] n.t FROM grantee`.
pub(super) fn grant(parser: &mut Parser<'_>, revoke: bool) -> Result<Statement, SqlError> {
    parser.advance_token();
    let rights = rights(parser)?;
    expect_word(parser, "ON")?;
    let table = named_table(parser)?;
    expect_word(parser, if revoke { "FROM" } else { "TO" })?;
    let grantee = grantee(parser)?;
    Ok(Statement::Ddl(Ddl::Grant(GrantStatement { table, rights, grantee, revoke })))
}

/// `SHOW GRANTS [ON [TABLE] n.t | FOR USER 'u' | FOR ROLE r]`, behind its first two words.
pub(super) fn show(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    let of = if take_word(parser, "ON") {
        GrantsOf::Table(named_table(parser)?)
    } else if take_word(parser, "FOR") {
        GrantsOf::Grantee(grantee(parser)?)
    } else {
        GrantsOf::All
    };
    Ok(Statement::ShowGrants(of))
}

/// `ALL [PRIVILEGES]`, or rights with commas between.
fn rights(parser: &mut Parser<'_>) -> Result<Rights, SqlError> {
    if take_word(parser, "ALL") {
        let _ = take_word(parser, "PRIVILEGES");
        return Ok(Rights::ALL);
    }
    let mut rights = Rights::NONE;
    loop {
        let right = Right::ALL.into_iter().find(|right| take_word(parser, right.as_str()));
        let Some(right) = right else {
            return Err(names::expected("SELECT, INSERT, UPDATE, DELETE or ALL", &parser.peek_token()));
        };
        rights = rights.with(right);
        if !parser.consume_token(&Token::Comma) {
            return Ok(rights);
        }
    }
}

/// `[TABLE] n.t`; a table may itself be named "table".
fn named_table(parser: &mut Parser<'_>) -> Result<crate::sql::statement::TableRef, SqlError> {
    let behind = parser.peek_nth_token(1).token;
    if matches!(&behind, Token::Word(word) if !matches!(word.keyword, Keyword::TO | Keyword::FROM)) {
        let _ = parser.parse_keyword(Keyword::TABLE);
    }
    names::table(parser)
}

/// `ROLE r` or `USER 'u'`.
fn grantee(parser: &mut Parser<'_>) -> Result<Grantee, SqlError> {
    if take_word(parser, "ROLE") {
        return user::role(parser).map(Grantee::Role);
    }
    if take_word(parser, "USER") {
        return names::user(parser).map(Grantee::User);
    }
    Err(names::expected("ROLE or USER", &parser.peek_token()))
}
