//! A request's statements, parsed, and how they go together.
//!
//! Everything is parsed before anything is run, so a request with a syntax error, an unfinished
//! transaction or a missing parameter changes nothing.

use std::ops::Range;

use kalamdb_commons::ErrorCode;

use crate::error::SqlError;
use crate::options::Limits;
use crate::sql::grammar;
use crate::sql::script::StatementTokens;
use crate::sql::statement::Statement;
use crate::sql::transaction::Ending;

/// A request's statements.
#[derive(Debug)]
pub(super) struct Script {
    /// All of them, in order.
    pub statements: Vec<Statement>,
    /// What is done with them, in order.
    pub steps: Vec<Step>,
}

/// One or several statements that succeed or fail together.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The statement of this number.
    Alone(usize),
    /// BEGIN stands before these, and what ends them behind.
    Transaction { inner: Range<usize>, ending: Ending },
}

/// Why a request failed.
#[derive(Debug)]
pub(super) struct Failure {
    /// The number of the statement, from 0, if it was one of them.
    pub statement: Option<usize>,
    pub error: SqlError,
}

impl Failure {
    /// A failure of one statement.
    pub fn at(statement: usize, error: SqlError) -> Failure {
        Failure { statement: Some(statement), error }
    }
}

impl From<SqlError> for Failure {
    /// A failure of the request as a whole.
    fn from(error: SqlError) -> Failure {
        Failure { statement: None, error }
    }
}

impl Script {
    /// Parses the statements of a request that comes with `params` parameters.
    pub fn parse(tokens: Vec<StatementTokens>, params: usize, limits: &Limits) -> Result<Script, Failure> {
        check_params(&tokens, params, limits)?;
        let mut statements = Vec::with_capacity(tokens.len());
        let mut positions = Vec::with_capacity(tokens.len());
        for (number, tokens) in tokens.into_iter().enumerate() {
            positions.push(tokens.position());
            statements.push(grammar::parse(tokens, limits).map_err(|error| Failure::at(number, error))?);
        }
        let steps = steps(&statements).map_err(|(number, error)| {
            let position = positions.get(number).copied().flatten();
            Failure::at(number, error.at(position))
        })?;
        Ok(Script { statements, steps })
    }
}

/// Fails unless every `$n` has a value and every value a `$n`.
pub(super) fn check_params(tokens: &[StatementTokens], given: usize, limits: &Limits) -> Result<(), Failure> {
    if given > limits.params_max {
        let text = format!("the request has more than {} parameters", limits.params_max);
        return Err(SqlError::new(ErrorCode::TooLarge, text).into());
    }
    let wrong = |text: String| SqlError::new(ErrorCode::InvalidParameter, text);
    let mut highest = 0;
    for (number, tokens) in tokens.iter().enumerate() {
        for (name, position) in tokens.placeholders() {
            let n = name.strip_prefix('$').and_then(|digits| digits.parse().ok()).filter(|&n: &usize| n > 0);
            let Some(n) = n else {
                let text = "parameters are written $1, $2 and so on".to_owned();
                return Err(Failure::at(number, wrong(text).at(position)));
            };
            if n > given {
                let text = format!("parameter ${n} has no value: the request has {given}");
                return Err(Failure::at(number, wrong(text).at(position)));
            }
            highest = n.max(highest);
        }
    }
    if given > highest {
        return Err(wrong(format!("the request has {given} parameters, its SQL uses {highest}")).into());
    }
    Ok(())
}

/// Finds the transactions.
fn steps(statements: &[Statement]) -> Result<Vec<Step>, (usize, SqlError)> {
    let mut steps = Vec::with_capacity(statements.len());
    let mut open: Option<usize> = None;
    for (number, statement) in statements.iter().enumerate() {
        let ending = match (statement, open) {
            (Statement::Begin, None) => {
                open = Some(number);
                continue;
            }
            (Statement::Begin, Some(_)) => {
                return Err((number, SqlError::invalid("BEGIN within a transaction; they do not nest")));
            }
            (Statement::Commit, _) => Ending::Commit,
            (Statement::Rollback, _) => Ending::Rollback,
            (_, None) => {
                steps.push(Step::Alone(number));
                continue;
            }
            (Statement::Query(_) | Statement::Dml(_), Some(_)) => continue,
            (_, Some(_)) => {
                let text = "between BEGIN and COMMIT only SELECT, INSERT, UPDATE and DELETE may stand";
                return Err((number, SqlError::unsupported(text)));
            }
        };
        let Some(begin) = open.take() else {
            return Err((number, SqlError::invalid("there is no BEGIN before this end of a transaction")));
        };
        steps.push(Step::Transaction { inner: begin.saturating_add(1)..number, ending });
    }
    match open {
        Some(begin) => Err((begin, SqlError::invalid("BEGIN without COMMIT; a transaction ends within its request"))),
        None => Ok(steps),
    }
}

#[cfg(test)]
mod tests;
