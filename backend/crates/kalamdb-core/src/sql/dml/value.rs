//! Values that need no planner: literals, parameters, DEFAULT, and the functions that make ids.

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArguments, ObjectNamePart, Value as Literal, ValueWithSpan,
};
use kalamdb_commons::value::ValueError;
use kalamdb_commons::{ErrorCode, Value};
use kalamdb_system::ColumnDef;

use super::target::{Target, position_of};
use crate::context::StatementContext;
use crate::error::SqlError;
use crate::sql::expression;
use crate::sql::functions::ids::IdKind;
use crate::sql::functions::session::SessionValue;
use crate::sql::transaction::Transaction;

/// A function without arguments whose value can be had on the spot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generated {
    Session(SessionValue),
    Id(IdKind),
}

impl Generated {
    /// The function that `expr` calls, if it is one of these.
    pub fn of(expr: &Expr) -> Option<Generated> {
        let Expr::Function(Function { name, args, parameters, filter: None, null_treatment: None, over: None, .. }) =
            expr
        else {
            return None;
        };
        let no_arguments = match args {
            FunctionArguments::None => true,
            FunctionArguments::List(list) => list.args.is_empty() && list.clauses.is_empty(),
            FunctionArguments::Subquery(_) => false,
        };
        let [ObjectNamePart::Identifier(name)] = name.0.as_slice() else { return None };
        if !no_arguments || !matches!(parameters, FunctionArguments::None) {
            return None;
        }
        let name = name.value.to_ascii_lowercase();
        match name.as_str() {
            "now" | "current_timestamp" => Some(Generated::Session(SessionValue::Now)),
            "current_user" => Some(Generated::Session(SessionValue::User)),
            "current_role" => Some(Generated::Session(SessionValue::Role)),
            name => IdKind::ALL.into_iter().find(|kind| kind.name() == name).map(Generated::Id),
        }
    }

    /// Its value in the statement; another one at each call, for those that make ids.
    pub fn value(self, transaction: &Transaction<'_>) -> Value {
        match self {
            Generated::Session(value) => value.of(&transaction.ctx),
            Generated::Id(kind) => transaction.engine.session.next_id(kind),
        }
    }
}

/// Is this the word DEFAULT in the place of a value?
pub(super) fn is_default(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("default"))
}

/// A value that needs no planner.
#[derive(Debug, Clone)]
pub(super) enum Simple {
    /// The same for every row, and already one that the column can hold.
    Fixed(Value),
    /// Perhaps another one for each row.
    Generated(Generated),
}

impl Simple {
    /// `expr` as a value for `column`, if it needs no planner.
    pub fn of(
        target: &Target,
        ctx: &StatementContext,
        column: &ColumnDef,
        expr: &Expr,
    ) -> Result<Option<Simple>, SqlError> {
        if let Some((number, json)) = parameter(expr, &ctx.params) {
            let value = Value::from_json(json, &column.data_type)
                .map_err(|why| refuse_parameter(target, column, number, why).at(position_of(expr)))?;
            return Ok(Some(Simple::Fixed(value)));
        }
        match expression::constant(expr, &ctx.params) {
            Some(value) => {
                let value = target.convert(column, &value).map_err(|error| error.at(position_of(expr)))?;
                Ok(Some(Simple::Fixed(value)))
            }
            None => Ok(Generated::of(expr).map(Simple::Generated)),
        }
    }

    /// The value for one row.
    pub fn value(&self, transaction: &Transaction<'_>, target: &Target, column: &ColumnDef) -> Result<Value, SqlError> {
        match self {
            Simple::Fixed(value) => Ok(value.clone()),
            Simple::Generated(generated) => target.convert(column, &generated.value(transaction)),
        }
    }
}

/// `$n`, with its number and its value.
pub(super) fn parameter<'a>(expr: &Expr, params: &'a [serde_json::Value]) -> Option<(usize, &'a serde_json::Value)> {
    let Expr::Value(ValueWithSpan { value: Literal::Placeholder(name), .. }) = expr else { return None };
    let number: usize = name.strip_prefix('$')?.parse().ok()?;
    Some((number, params.get(number.checked_sub(1)?)?))
}

/// A value of the right kind that does not fit breaks the column's rule; any other is a wrong parameter.
fn refuse_parameter(target: &Target, column: &ColumnDef, number: usize, why: ValueError) -> SqlError {
    match why {
        ValueError::OutOfRange(_) => target.refuse(column, why),
        ValueError::Mismatch { .. } | ValueError::Malformed(_) => SqlError::new(
            ErrorCode::InvalidParameter,
            format!("parameter ${number} for column \"{}\" of table \"{}\": {why}", column.name, target.def().name),
        ),
    }
}
