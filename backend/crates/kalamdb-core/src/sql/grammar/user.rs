//! `CREATE USER`, `ALTER USER`, `DROP USER`, `REVOKE TOKENS`, `EXECUTE AS USER`.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;
use kalamdb_commons::Role;

use super::names::{expected, text, user};
use super::{expect_word, parse_error, query_or_dml, take_word};
use crate::error::SqlError;
use crate::sql::script::position_of;
use crate::sql::statement::{Statement, UserChange, UserStatement};

/// `CREATE USER [IF NOT EXISTS] 'u' WITH PASSWORD 'p' ROLE r [EMAIL 'e']`; the clauses in any order.
pub(super) fn create(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    let if_not_exists = parser.parse_keywords(&[Keyword::IF, Keyword::NOT, Keyword::EXISTS]);
    let user = user(parser)?;
    let _ = parser.parse_keyword(Keyword::WITH);
    let (mut password, mut user_role, mut email) = (None, None, None);
    loop {
        let at = parser.peek_token();
        let twice = if take_word(parser, "PASSWORD") {
            password.replace(text(parser, "a password in single quotes")?).is_some()
        } else if take_word(parser, "ROLE") {
            user_role.replace(role(parser)?).is_some()
        } else if take_word(parser, "EMAIL") {
            email.replace(text(parser, "an e-mail address in single quotes")?).is_some()
        } else if at.token == Token::EOF {
            break;
        } else {
            return Err(expected("PASSWORD, ROLE or EMAIL", &at));
        };
        if twice {
            return Err(SqlError::invalid("the clause is given twice").at(position_of(&at)));
        }
    }
    let (Some(password), Some(role)) = (password, user_role) else {
        return Err(SqlError::invalid("CREATE USER needs WITH PASSWORD '…' and ROLE user|service|dba|system"));
    };
    Ok(Statement::User(UserStatement::Create { user, password, role, email, if_not_exists }))
}

/// `ALTER USER 'u' SET PASSWORD 'p' | SET ROLE r | SET EMAIL 'e' | SET EMAIL NULL`.
pub(super) fn alter(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    let user = user(parser)?;
    let _ = parser.parse_keyword(Keyword::SET);
    let change = if take_word(parser, "PASSWORD") {
        UserChange::Password(text(parser, "a password in single quotes")?)
    } else if take_word(parser, "ROLE") {
        UserChange::Role(role(parser)?)
    } else if take_word(parser, "EMAIL") {
        if parser.parse_keyword(Keyword::NULL) {
            UserChange::Email(None)
        } else {
            UserChange::Email(Some(text(parser, "an e-mail address in single quotes")?))
        }
    } else {
        return Err(expected("SET PASSWORD, SET ROLE or SET EMAIL", &parser.peek_token()));
    };
    Ok(Statement::User(UserStatement::Alter { user, change }))
}

/// `DROP USER [IF EXISTS] 'u'`.
pub(super) fn drop(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    let if_exists = parser.parse_keywords(&[Keyword::IF, Keyword::EXISTS]);
    let user = user(parser)?;
    Ok(Statement::User(UserStatement::Drop { user, if_exists }))
}

/// `REVOKE TOKENS FOR USER 'u'`.
pub(super) fn revoke_tokens(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    for word in ["REVOKE", "TOKENS", "FOR", "USER"] {
        expect_word(parser, word)?;
    }
    Ok(Statement::User(UserStatement::RevokeTokens { user: user(parser)? }))
}

/// `EXECUTE AS USER 'u' ( statement )`.
pub(super) fn execute_as(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    for word in ["EXECUTE", "AS", "USER"] {
        expect_word(parser, word)?;
    }
    let user = user(parser)?;
    parser.expect_token(&Token::LParen).map_err(parse_error)?;
    let statement = Box::new(query_or_dml(parser)?);
    parser.expect_token(&Token::RParen).map_err(parse_error)?;
    Ok(Statement::ExecuteAs { user, statement })
}

/// A role, as a word or in single quotes.
pub(super) fn role(parser: &mut Parser<'_>) -> Result<Role, SqlError> {
    let next = parser.next_token();
    let text = match &next.token {
        Token::Word(word) => &word.value,
        Token::SingleQuotedString(text) => text,
        _ => return Err(expected("a role: user, service, dba or system", &next)),
    };
    text.parse::<Role>().map_err(|error| SqlError::invalid(error.to_string()).at(position_of(&next)))
}
