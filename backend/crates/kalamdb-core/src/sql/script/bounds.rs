//! Bounds on a statement's shape, read from its tokens before anything recurses over it.
//!
//! A chain `a AND b AND …` becomes a tree as deep as it is long, and so do joins; whatever walks or
//! drops that tree needs stack for it. Lists (VALUES, IN, select lists) do not nest and are bounded
//! by the request's bytes alone. Only commas end a chain: a keyword cannot be trusted to, since most
//! keywords are also accepted as names.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};
use kalamdb_commons::ErrorCode;

use super::position_of;
use crate::error::SqlError;
use crate::options::Limits;

/// One level of parentheses, brackets or CASE.
#[derive(Default)]
struct Level {
    /// Operators since the last comma.
    operators: usize,
    /// Operators within each other in the deepest closed level since the last comma: whatever follows it in the
    /// chain stands above it in the tree.
    below: usize,
    /// The same with the operators around it, before the last comma.
    before: usize,
    /// Has a FROM begun, so that commas separate relations?
    in_from: bool,
    /// Opened by CASE, so closed by END.
    is_case: bool,
    /// The parser may read what is inside twice.
    is_retried: bool,
    /// Periods of the name at hand.
    periods: usize,
    /// Was the last of them, with signs behind it, the last that came?
    awaits_part: bool,
    /// Periods of the names that the open levels around this one belong to.
    periods_around: usize,
}

impl Level {
    /// Operators within each other, at most.
    fn depth(&self) -> usize {
        self.operators.saturating_add(self.below).max(self.before)
    }
}

/// Levels within each other that the parser may read twice; each doubles the work.
const RETRIED_MAX: usize = 4;

/// Periods of one name, with those of the names around it. Behind each of them the parser reads the rest of the name
/// twice if there is something wrong with it, so that each doubles the work. A full name of a column has two.
const PERIODS_MAX: usize = 8;

/// Fails with `TOO_LARGE` if a statement is nested too deeply, chains too many operators or
/// names too many relations.
pub(super) fn check(tokens: &[TokenWithSpan], limits: &Limits) -> Result<(), SqlError> {
    let mut shape = Shape::default();
    for (index, token) in tokens.iter().enumerate() {
        let next = tokens.get(index.saturating_add(1)).map(|token| &token.token);
        let back = |n| index.checked_sub(n).and_then(|index| tokens.get(index)).map(|token| &token.token);
        let before = back(1);
        shape.name(&token.token);
        if token.token == Token::LParen {
            let is_method = matches!(before, Some(Token::Word(_))) && back(2) == Some(&Token::Period);
            let is_retried = is_method
                || is_keyword(before, Keyword::POSITION)
                || is_keyword(before, Keyword::IN) && is_keyword(next, Keyword::VALUES);
            shape.open(Level { is_retried, ..Level::default() });
        } else {
            shape.take(before, &token.token, next).map_err(|error| error.at(position_of(token)))?;
        }
        shape.check(limits).map_err(|error| error.at(position_of(token)))?;
    }
    Ok(())
}

#[derive(Default)]
struct Shape {
    ground: Level,
    levels: Vec<Level>,
    /// Operators on all open levels.
    operators: usize,
    /// Types that hold types, `ARRAY<ARRAY<…`.
    angles: usize,
    /// Open levels that the parser may read twice.
    retried: usize,
    relations: usize,
}

impl Shape {
    fn top(&mut self) -> &mut Level {
        self.levels.last_mut().unwrap_or(&mut self.ground)
    }

    fn take(&mut self, before: Option<&Token>, token: &Token, next: Option<&Token>) -> Result<(), SqlError> {
        match token {
            Token::LParen | Token::LBrace => self.open(Level::default()),
            Token::LBracket => {
                self.operator();
                self.open(Level::default());
            }
            Token::RParen | Token::RBrace | Token::RBracket => self.close(),
            Token::Comma => self.comma(),
            Token::Word(word) => return self.word(before, word, next),
            Token::EOF | Token::Whitespace(_) | Token::Period => {}
            operand if is_operand(operand) => {}
            // Whatever else there is, is an operator or counts as one.
            _ => self.operator(),
        }
        Ok(())
    }

    /// Follows names: what periods join, whatever stands before a part and in brackets behind it.
    fn name(&mut self, token: &Token) {
        let level = self.top();
        match token {
            Token::Period => {
                level.periods = level.periods.saturating_add(1);
                level.awaits_part = true;
            }
            Token::LParen | Token::LBracket | Token::LBrace | Token::RParen | Token::RBracket | Token::RBrace => {
                level.awaits_part = false;
            }
            // `t.*` ends a name, too.
            Token::Comma | Token::Mul => (level.periods, level.awaits_part) = (0, false),
            token if level.awaits_part => level.awaits_part = !is_operand(token),
            _ => level.periods = 0,
        }
    }

    fn word(&mut self, before: Option<&Token>, word: &Word, next: Option<&Token>) -> Result<(), SqlError> {
        match word.keyword {
            Keyword::CASE => self.open(Level { is_case: true, ..Level::default() }),
            Keyword::END if self.levels.last().is_some_and(|level| level.is_case) => self.close(),
            Keyword::SELECT => {
                self.relations = self.relations.saturating_add(1);
                self.top().in_from = false;
            }
            Keyword::FROM | Keyword::USING if !is_keyword(before, Keyword::DISTINCT) => self.top().in_from = true,
            Keyword::JOIN
            | Keyword::STRAIGHT_JOIN
            | Keyword::APPLY
            | Keyword::UNION
            | Keyword::INTERSECT
            | Keyword::EXCEPT => self.relations = self.relations.saturating_add(1),
            Keyword::ARRAY | Keyword::STRUCT | Keyword::MAP if next == Some(&Token::Lt) => {
                self.angles = self.angles.saturating_add(1);
            }
            // The parser follows these without counting how deep it goes.
            Keyword::INTERVAL if next == Some(&Token::LParen) || is_keyword(next, Keyword::INTERVAL) => {
                return Err(SqlError::invalid("INTERVAL must be followed by a text such as '1 day'"));
            }
            Keyword::AND
            | Keyword::OR
            | Keyword::XOR
            | Keyword::NOT
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::RLIKE
            | Keyword::REGEXP
            | Keyword::SIMILAR
            | Keyword::IN
            | Keyword::BETWEEN
            | Keyword::IS
            | Keyword::NOTNULL
            | Keyword::COLLATE
            | Keyword::AT
            | Keyword::DIV
            | Keyword::MOD
            | Keyword::OVERLAPS
            | Keyword::MEMBER
            | Keyword::OPERATOR
            | Keyword::INTERVAL => self.operator(),
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, mut level: Level) {
        let around = self.top();
        level.periods_around = around.periods_around.saturating_add(around.periods);
        self.retried = self.retried.saturating_add(usize::from(level.is_retried));
        self.levels.push(level);
    }

    fn close(&mut self) {
        if let Some(level) = self.levels.pop() {
            self.operators = self.operators.saturating_sub(level.operators);
            self.retried = self.retried.saturating_sub(usize::from(level.is_retried));
            let depth = level.depth();
            let around = self.top();
            around.below = around.below.max(depth);
        }
    }

    fn comma(&mut self) {
        if self.top().in_from {
            self.relations = self.relations.saturating_add(1);
        } else {
            let level = self.top();
            level.before = level.depth();
            level.below = 0;
            let ended = std::mem::take(&mut level.operators);
            self.operators = self.operators.saturating_sub(ended);
        }
    }

    fn operator(&mut self) {
        let level = self.top();
        level.operators = level.operators.saturating_add(1);
        self.operators = self.operators.saturating_add(1);
    }

    /// Operators within each other, down to the deepest that the chain at hand stands on.
    fn depth(&self) -> usize {
        self.operators.saturating_add(self.levels.last().unwrap_or(&self.ground).below)
    }

    fn check(&self, limits: &Limits) -> Result<(), SqlError> {
        let too_large =
            |what: &str, max: usize| Err(SqlError::new(ErrorCode::TooLarge, format!("{what}; the limit is {max}")));
        if self.levels.len().max(self.angles) > limits.nesting_max {
            return too_large("the statement is nested too deeply", limits.nesting_max);
        }
        if self.retried > RETRIED_MAX {
            return too_large("calls of this notation are nested too deeply", RETRIED_MAX);
        }
        let level = self.levels.last().unwrap_or(&self.ground);
        if level.periods_around.saturating_add(level.periods) > PERIODS_MAX {
            return too_large("a name has too many parts", PERIODS_MAX.saturating_add(1));
        }
        if self.depth() > limits.expression_ops_max {
            return too_large("an expression has too many operators", limits.expression_ops_max);
        }
        if self.relations > limits.relations_max {
            return too_large("the statement reads too many tables and subqueries", limits.relations_max);
        }
        Ok(())
    }
}

/// Does it stand for a value or a name by itself?
fn is_operand(token: &Token) -> bool {
    matches!(
        token,
        Token::Word(_)
            | Token::Placeholder(_)
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::NationalStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::DollarQuotedString(_)
    )
}

fn is_keyword(token: Option<&Token>, keyword: Keyword) -> bool {
    matches!(token, Some(Token::Word(word)) if word.keyword == keyword)
}
