//! `WITH (…)` and `SET (…)`: the options of a table.

use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};
use kalamdb_system::{AccessLevel, TableKind};

use super::names::expected;
use super::parse_error;
use crate::error::SqlError;
use crate::sql::script::position_of;
use crate::sql::statement::WithOptions;

/// Longest time a STREAM table may keep rows: a century, so that no arithmetic on it overflows.
const TTL_SECONDS_MAX: u64 = 100 * 366 * 86_400;

/// `(KEY = value, …)`, each key at most once.
pub(super) fn options(parser: &mut Parser<'_>) -> Result<WithOptions, SqlError> {
    parser.expect_token(&Token::LParen).map_err(parse_error)?;
    let mut options = WithOptions::default();
    loop {
        let key = parser.next_token();
        let Token::Word(word) = &key.token else {
            return Err(expected("TYPE, ACCESS_LEVEL or TTL_SECONDS", &key));
        };
        parser.expect_token(&Token::Eq).map_err(parse_error)?;
        let value = parser.next_token();
        let twice = match word.value.to_ascii_uppercase().as_str() {
            "TYPE" => options.kind.replace(kind(&value)?).is_some(),
            "ACCESS_LEVEL" => options.access.replace(access(&value)?).is_some(),
            "TTL_SECONDS" => options.ttl_secs.replace(ttl_secs(&value)?).is_some(),
            other => {
                let error = SqlError::unsupported(format!(
                    "table option {} is not supported; there are TYPE, ACCESS_LEVEL and TTL_SECONDS",
                    other.chars().take(40).collect::<String>()
                ));
                return Err(error.at(position_of(&key)));
            }
        };
        if twice {
            return Err(SqlError::invalid("the option is given twice").at(position_of(&key)));
        }
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    parser.expect_token(&Token::RParen).map_err(parse_error)?;
    Ok(options)
}

fn word_of(token: &TokenWithSpan) -> String {
    match &token.token {
        Token::SingleQuotedString(text) => text.to_ascii_uppercase(),
        Token::Word(word) => word.value.to_ascii_uppercase(),
        _ => String::new(),
    }
}

fn kind(token: &TokenWithSpan) -> Result<TableKind, SqlError> {
    match word_of(token).as_str() {
        "USER" => Ok(TableKind::User),
        "SHARED" => Ok(TableKind::Shared),
        "STREAM" => Ok(TableKind::Stream),
        _ => Err(SqlError::invalid("TYPE must be 'USER', 'SHARED' or 'STREAM'").at(position_of(token))),
    }
}

fn access(token: &TokenWithSpan) -> Result<AccessLevel, SqlError> {
    match word_of(token).as_str() {
        "PUBLIC" => Ok(AccessLevel::Public),
        "PRIVATE" => Ok(AccessLevel::Private),
        "RESTRICTED" => Ok(AccessLevel::Restricted),
        _ => Err(SqlError::invalid("ACCESS_LEVEL must be 'PUBLIC', 'PRIVATE' or 'RESTRICTED'").at(position_of(token))),
    }
}

fn ttl_secs(token: &TokenWithSpan) -> Result<u64, SqlError> {
    let number = match &token.token {
        Token::Number(digits, false) => digits.parse().ok(),
        Token::SingleQuotedString(digits) => digits.parse().ok(),
        _ => None,
    };
    number.filter(|seconds| (1..=TTL_SECONDS_MAX).contains(seconds)).ok_or_else(|| {
        let text = format!("TTL_SECONDS must be a whole number from 1 to {TTL_SECONDS_MAX}");
        SqlError::invalid(text).at(position_of(token))
    })
}
