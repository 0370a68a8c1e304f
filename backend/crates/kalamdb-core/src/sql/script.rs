//! A request's text, cut into statements.
//!
//! The text is tokenized once. Each token is given its character offset in the whole request, so
//! that every error found later, by us or by the query planner, points at the right place. Size,
//! nesting and chain length are bounded here, before anything recurses over them; the meaning of a
//! statement is [`super::grammar`]'s business.

mod bounds;
mod dialect;
mod weight;

use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, Word};
use kalamdb_commons::ErrorCode;

pub use dialect::DIALECT;
pub use weight::check_query;

use crate::error::SqlError;
use crate::options::Limits;

/// Levels that the parser may recurse; its own bound, beneath [`Limits::nesting_max`].
const PARSER_DEPTH_MAX: usize = 50;

/// The tokens of one statement, without whitespace, each at its character offset in the request.
#[derive(Debug, Clone)]
pub struct StatementTokens {
    tokens: Vec<TokenWithSpan>,
}

impl StatementTokens {
    /// Where the statement begins, as a 1-based character offset.
    #[must_use]
    pub fn position(&self) -> Option<u32> {
        self.tokens.first().and_then(position_of)
    }

    /// The placeholders of parameters, each with its place.
    pub fn placeholders(&self) -> impl Iterator<Item = (&str, Option<u32>)> {
        self.tokens.iter().filter_map(|token| match &token.token {
            Token::Placeholder(name) => Some((name.as_str(), position_of(token))),
            _ => None,
        })
    }

    /// A parser over the tokens.
    #[must_use]
    pub fn into_parser(self) -> Parser<'static> {
        Parser::new(&DIALECT).with_recursion_limit(PARSER_DEPTH_MAX).with_tokens_with_locations(self.tokens)
    }
}

/// Cuts `sql` into its statements. Empty statements, as after the last semicolon, are left out.
///
/// # Errors
/// `EMPTY_SQL`, `INVALID_SQL` where a token is malformed, `TOO_LARGE` over a limit.
pub fn split(sql: &str, limits: &Limits) -> Result<Vec<StatementTokens>, SqlError> {
    if sql.len() > limits.sql_bytes_max {
        return Err(SqlError::new(
            ErrorCode::TooLarge,
            format!("the SQL is longer than {} bytes", limits.sql_bytes_max),
        ));
    }
    let mut statements = Vec::new();
    let mut tokens = Vec::new();
    for token in tokenize(sql)? {
        if token.token != Token::SemiColon {
            tokens.push(token);
        } else if !tokens.is_empty() {
            statements.push(finish(std::mem::take(&mut tokens), Some(&token), limits)?);
        }
    }
    if !tokens.is_empty() {
        statements.push(finish(tokens, None, limits)?);
    }
    if statements.is_empty() {
        return Err(SqlError::new(ErrorCode::EmptySql, "there is no statement in the SQL"));
    }
    if statements.len() > limits.statements_max {
        return Err(SqlError::new(
            ErrorCode::TooLarge,
            format!("the request has more than {} statements", limits.statements_max),
        ));
    }
    Ok(statements)
}

/// Parses one expression, such as a column's stored DEFAULT.
///
/// # Errors
/// `INVALID_SQL` where it is not an expression, `TOO_LARGE` over a limit.
pub fn parse_expression(sql: &str, limits: &Limits) -> Result<ast::Expr, SqlError> {
    let mut statements = split(sql, limits)?;
    let (Some(tokens), true) = (statements.pop(), statements.is_empty()) else {
        return Err(SqlError::invalid("expected one expression"));
    };
    let mut parser = tokens.into_parser();
    let expression = parser.parse_expr().map_err(|error| parser_error(&error))?;
    expect_end(&mut parser)?;
    Ok(expression)
}

/// Fails unless the parser has come to the end of the statement.
pub(super) fn expect_end(parser: &mut Parser<'_>) -> Result<(), SqlError> {
    let next = parser.peek_token();
    if next.token == Token::EOF {
        return Ok(());
    }
    let found = describe(&next.token);
    Err(SqlError::invalid(format!("expected the end of the statement, found {found}")).at(position_of(&next)))
}

/// A parser's error, with its place in the SQL and without any literal it stumbled on.
pub(super) fn parser_error(error: &ParserError) -> SqlError {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.as_str(),
        ParserError::RecursionLimitExceeded => {
            return SqlError::new(ErrorCode::TooLarge, "the statement is nested too deeply");
        }
    };
    // Every token stands on line 1 at its offset, see `tokenize`.
    let (text, position) = match text.rsplit_once(" at Line: 1, Column: ") {
        Some((text, column)) => (text, column.trim().parse().ok()),
        None => (text, None),
    };
    let text = match text.split_once(", found: ") {
        Some((expected, found)) => {
            let expected = expected.strip_prefix("Expected: ").unwrap_or(expected);
            format!("expected {expected}, found {}", describe_text(found))
        }
        None => text.strip_prefix("sql parser error: ").unwrap_or(text).to_owned(),
    };
    SqlError::invalid(text).at(position)
}

/// The 1-based character offset of a token; `None` for one that was put in.
pub(super) fn position_of(token: &TokenWithSpan) -> Option<u32> {
    u32::try_from(token.span.start.column).ok().filter(|&column| column > 0)
}

/// A token as an error message may show it: words and signs, never a literal.
pub(super) fn describe(token: &Token) -> String {
    match token {
        Token::EOF => "the end of the statement".to_owned(),
        token => describe_text(&token.to_string()),
    }
}

fn describe_text(found: &str) -> String {
    const SHOWN_MAX: usize = 40;
    let mut chars = found.chars();
    match chars.next() {
        None => "nothing".to_owned(),
        _ if found == "EOF" => "the end of the statement".to_owned(),
        _ if found.contains('\'') || found.contains("$$") => "a literal".to_owned(),
        Some(first) if first.is_ascii_digit() => "a number".to_owned(),
        _ if found.chars().count() > SHOWN_MAX => "something else".to_owned(),
        _ => found.to_owned(),
    }
}

/// All tokens but whitespace and comments, each "on line 1" at its character offset in the request.
fn tokenize(sql: &str) -> Result<Vec<TokenWithSpan>, SqlError> {
    let line_starts = line_starts(sql);
    let offset = |location: Location| -> Option<u64> {
        let line = usize::try_from(location.line).ok()?.checked_sub(1)?;
        line_starts.get(line)?.checked_add(location.column)
    };
    let tokens = Tokenizer::new(&DIALECT, sql).tokenize_with_location().map_err(|error| {
        let position = offset(error.location).and_then(|at| u32::try_from(at).ok());
        SqlError::invalid(lower_first(&error.message)).at(position)
    })?;
    let mut kept: Vec<TokenWithSpan> = Vec::new();
    for TokenWithSpan { token, span } in tokens {
        if matches!(token, Token::Whitespace(_)) {
            continue;
        }
        let flat = |location| Location { line: 1, column: offset(location).unwrap_or(0) };
        kept.push(TokenWithSpan { token, span: Span { start: flat(span.start), end: flat(span.end) } });
    }
    Ok(kept)
}

fn finish(
    tokens: Vec<TokenWithSpan>,
    semicolon: Option<&TokenWithSpan>,
    limits: &Limits,
) -> Result<StatementTokens, SqlError> {
    bounds::check(&tokens, limits)?;
    let mut tokens = session_functions(tokens);
    // A token at the end gives errors about a statement that is too short their place.
    if let Some(span) = semicolon.or(tokens.last()).map(|token| token.span) {
        let at = if semicolon.is_some() { span.start } else { span.end };
        tokens.push(TokenWithSpan { token: Token::EOF, span: Span { start: at, end: at } });
    }
    Ok(StatementTokens { tokens })
}

/// `CURRENT_USER` is a word to the parser and `CURRENT_ROLE` a call; people write either either way.
fn session_functions(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let has_any = tokens.iter().any(|token| session_function(&token.token).is_some());
    if !has_any {
        return tokens;
    }
    let mut out = Vec::with_capacity(tokens.len());
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        let keyword = session_function(&token.token);
        let span = token.span;
        let qualified = out.last().is_some_and(|last: &TokenWithSpan| last.token == Token::Period);
        out.push(token);
        let Some(keyword) = keyword.filter(|_| !qualified) else { continue };
        let open = rest.next_if(|next| next.token == Token::LParen);
        let close = if open.is_some() { rest.next_if(|next| next.token == Token::RParen) } else { None };
        match (open, close) {
            // CURRENT_USER() has its parentheses dropped.
            (Some(_), Some(_)) | (None, _) if keyword == Keyword::CURRENT_USER => {}
            (Some(open), Some(close)) => out.extend([open, close]),
            (Some(open), None) => out.push(open),
            (None, _) => {
                let put_in = |token| TokenWithSpan { token, span };
                out.extend([put_in(Token::LParen), put_in(Token::RParen)]);
            }
        }
    }
    out
}

fn session_function(token: &Token) -> Option<Keyword> {
    match token {
        Token::Word(Word { keyword, quote_style: None, .. })
            if matches!(keyword, Keyword::CURRENT_USER | Keyword::CURRENT_ROLE) =>
        {
            Some(*keyword)
        }
        _ => None,
    }
}

/// Characters before each line of `sql`, counting lines as the tokenizer does.
fn line_starts(sql: &str) -> Vec<u64> {
    let newlines = sql.chars().zip(1_u64..).filter(|&(c, _)| c == '\n').map(|(_, count)| count);
    std::iter::once(0).chain(newlines).collect()
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests;
