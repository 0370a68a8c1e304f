//! What a statement knows of itself: `NOW()`, `CURRENT_USER` and their kin.
//!
//! The functions stand in plans like any other, but are never called: whoever runs a plan replaces
//! them by the statement's values.

use datafusion::arrow::datatypes::{DataType as ArrowType, FieldRef};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use kalamdb_commons::value::MICROS_PER_DAY;
use kalamdb_commons::{DataType, Value};

use crate::context::StatementContext;
use crate::tables::arrow::{arrow_field, arrow_type};

/// Something that a statement knows of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionValue {
    /// `NOW()`, `CURRENT_TIMESTAMP`.
    Now,
    /// `CURRENT_DATE`.
    Today,
    /// `CURRENT_TIME`.
    TimeOfDay,
    /// `CURRENT_USER`.
    User,
    /// `CURRENT_ROLE`.
    Role,
}

impl SessionValue {
    /// All of them.
    pub const ALL: [SessionValue; 5] =
        [SessionValue::Now, SessionValue::Today, SessionValue::TimeOfDay, SessionValue::User, SessionValue::Role];

    /// The value that a call stands for.
    #[must_use]
    pub fn called_by(expr: &Expr) -> Option<SessionValue> {
        match expr {
            Expr::ScalarFunction(ScalarFunction { func, .. }) => {
                func.inner().downcast_ref::<SessionFunction>().map(|function| function.value)
            }
            _ => None,
        }
    }

    /// Does it depend on who asks, rather than on when?
    #[must_use]
    pub const fn is_of_caller(self) -> bool {
        match self {
            SessionValue::User | SessionValue::Role => true,
            SessionValue::Now | SessionValue::Today | SessionValue::TimeOfDay => false,
        }
    }

    /// Its type.
    #[must_use]
    pub const fn data_type(self) -> DataType {
        match self {
            SessionValue::Now => DataType::DateTime,
            SessionValue::Today => DataType::Date,
            SessionValue::TimeOfDay => DataType::Time,
            SessionValue::User | SessionValue::Role => DataType::Text,
        }
    }

    /// Its value in a statement.
    #[must_use]
    pub fn of(self, ctx: &StatementContext) -> Value {
        let now = ctx.now_micros;
        match self {
            SessionValue::Now => Value::DateTime(now),
            SessionValue::Today => i32::try_from(now.div_euclid(MICROS_PER_DAY)).map_or(Value::Null, Value::Date),
            SessionValue::TimeOfDay => Value::Time(now.rem_euclid(MICROS_PER_DAY)),
            SessionValue::User => Value::text(ctx.caller.user.as_str()),
            SessionValue::Role => Value::text(ctx.caller.role.as_str()),
        }
    }

    /// Name of the placeholder that stands for it in a plan that is kept.
    #[must_use]
    pub const fn placeholder(self) -> &'static str {
        match self {
            SessionValue::Now => "$now",
            SessionValue::Today => "$today",
            SessionValue::TimeOfDay => "$time",
            SessionValue::User => "$user",
            SessionValue::Role => "$role",
        }
    }

    const fn names(self) -> &'static [&'static str] {
        match self {
            SessionValue::Now => &["now", "current_timestamp", "localtimestamp"],
            SessionValue::Today => &["current_date", "today"],
            SessionValue::TimeOfDay => &["current_time", "localtime"],
            SessionValue::User => &["current_user", "session_user"],
            SessionValue::Role => &["current_role"],
        }
    }
}

/// A function that gives a [`SessionValue`].
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct SessionFunction {
    value: SessionValue,
    aliases: Vec<String>,
    signature: Signature,
}

impl SessionFunction {
    /// The function of a value.
    #[must_use]
    pub fn new(value: SessionValue) -> Self {
        let aliases = value.names().iter().skip(1).map(|name| (*name).to_owned()).collect();
        SessionFunction { value, aliases, signature: Signature::nullary(Volatility::Stable) }
    }
}

impl ScalarUDFImpl for SessionFunction {
    fn name(&self) -> &str {
        self.value.names().first().copied().unwrap_or_default()
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[ArrowType]) -> Result<ArrowType> {
        Ok(arrow_type(&self.value.data_type()))
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(arrow_field(self.name(), &self.value.data_type(), false).into())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Err(DataFusionError::Internal(format!("{} was not replaced by its value", self.name())))
    }
}
