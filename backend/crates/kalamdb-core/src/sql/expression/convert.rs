//! Arithmetic, and conversions between types, for the cases that cannot fail.
//!
//! Whole numbers are added only where their sum fits the type whatever the columns hold, and divided
//! only by what cannot be zero. A conversion to DECIMAL is one into a type with room for every value.

use kalamdb_commons::value::Decimal;
use kalamdb_commons::{DataType, Value};

/// Powers of ten up to here are exact as a double.
const EXACT_SCALE_MAX: u8 = 22;

/// An operation on two numbers of one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Plus,
    Minus,
    Times,
    Divide,
    Modulo,
}

impl Arithmetic {
    /// What the result may be for sides within these ranges; `None` if it could be none at all.
    pub fn range(self, data_type: DataType, left: Range, right: Range) -> Option<Range> {
        if matches!(data_type, DataType::Float | DataType::Double) {
            return Some(Range::NONE);
        }
        let type_range = Range::of_type(data_type);
        let ends = |apply: fn(i128, i128) -> Option<i128>| Range::around(left, right, apply);
        let range = match self {
            Arithmetic::Plus => ends(i128::checked_add),
            Arithmetic::Minus => ends(i128::checked_sub),
            Arithmetic::Times => ends(i128::checked_mul),
            Arithmetic::Divide if !right.holds_zero() => ends(i128::checked_div),
            Arithmetic::Modulo if !right.holds_zero() => Some(left.with_zero()),
            Arithmetic::Divide | Arithmetic::Modulo => None,
        };
        range.filter(|range| type_range.0.is_some() && range.is_within(type_range))
    }

    /// The result; NULL if one side is.
    pub fn apply(self, left: &Value, right: &Value) -> Value {
        macro_rules! whole {
            ($variant:ident, $left:ident, $right:ident) => {
                match self {
                    Arithmetic::Plus => $left.checked_add(*$right),
                    Arithmetic::Minus => $left.checked_sub(*$right),
                    Arithmetic::Times => $left.checked_mul(*$right),
                    Arithmetic::Divide => $left.checked_div(*$right),
                    // The least number has no remainder that fits, by minus one; it is zero.
                    Arithmetic::Modulo => (*$right != 0).then(|| $left.wrapping_rem(*$right)),
                }
                .map_or(Value::Null, Value::$variant)
            };
        }
        macro_rules! floating {
            ($variant:ident, $left:ident, $right:ident) => {
                Value::$variant(match self {
                    Arithmetic::Plus => $left + $right,
                    Arithmetic::Minus => $left - $right,
                    Arithmetic::Times => $left * $right,
                    Arithmetic::Divide => $left / $right,
                    Arithmetic::Modulo => $left % $right,
                })
            };
        }
        match (left, right) {
            (Value::SmallInt(l), Value::SmallInt(r)) => whole!(SmallInt, l, r),
            (Value::Int(l), Value::Int(r)) => whole!(Int, l, r),
            (Value::BigInt(l), Value::BigInt(r)) => whole!(BigInt, l, r),
            (Value::Float(l), Value::Float(r)) => floating!(Float, l, r),
            (Value::Double(l), Value::Double(r)) => floating!(Double, l, r),
            _ => Value::Null,
        }
    }

    /// A floating point number with the other sign.
    pub fn negate(value: &Value) -> Value {
        match value {
            Value::Float(x) => Value::Float(-x),
            Value::Double(x) => Value::Double(-x),
            _ => Value::Null,
        }
    }
}

/// From the least to the most that a whole number may be; nothing for other types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range(Option<(i128, i128)>);

impl Range {
    /// Of no whole number.
    pub const NONE: Range = Range(None);

    /// Of a type.
    pub fn of_type(data_type: DataType) -> Range {
        Range(match data_type {
            DataType::SmallInt => Some((i16::MIN.into(), i16::MAX.into())),
            DataType::Int => Some((i32::MIN.into(), i32::MAX.into())),
            DataType::BigInt => Some((i64::MIN.into(), i64::MAX.into())),
            _ => None,
        })
    }

    /// Of a constant. NULL never is a number, so it limits nothing: zero will do.
    pub fn of_value(value: &Value) -> Range {
        Range(match value {
            Value::Null => Some((0, 0)),
            Value::SmallInt(n) => Some(((*n).into(), (*n).into())),
            Value::Int(n) => Some(((*n).into(), (*n).into())),
            Value::BigInt(n) => Some(((*n).into(), (*n).into())),
            _ => None,
        })
    }

    /// Around everything that `apply`, which is monotonic in each side, makes of two numbers.
    fn around(left: Range, right: Range, apply: fn(i128, i128) -> Option<i128>) -> Option<Range> {
        let ((a, b), (c, d)) = (left.0?, right.0?);
        let ends = [apply(a, c)?, apply(a, d)?, apply(b, c)?, apply(b, d)?];
        Some(Range(Some((ends.into_iter().min()?, ends.into_iter().max()?))))
    }

    fn holds_zero(self) -> bool {
        self.0.is_none_or(|(least, most)| least <= 0 && most >= 0)
    }

    fn with_zero(self) -> Range {
        Range(self.0.map(|(least, most)| (least.min(0), most.max(0))))
    }

    fn is_within(self, outer: Range) -> bool {
        matches!((self.0, outer.0), (Some((a, b)), Some((least, most))) if a >= least && b <= most)
    }
}

/// A conversion that every value of the type it comes from survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conversion {
    Int,
    BigInt,
    Float,
    Double,
    /// To this scale.
    Decimal(u8),
    Text,
    Timestamp,
    DateTime,
}

impl Conversion {
    /// The conversion between two types, if it is one of those.
    pub fn between(from: DataType, to: DataType) -> Option<Conversion> {
        Some(match (from, to) {
            (DataType::SmallInt, DataType::Int) => Conversion::Int,
            (DataType::SmallInt | DataType::Int, DataType::BigInt) => Conversion::BigInt,
            (DataType::SmallInt | DataType::Int | DataType::BigInt, DataType::Float) => Conversion::Float,
            (DataType::SmallInt | DataType::Int | DataType::BigInt | DataType::Float, DataType::Double) => {
                Conversion::Double
            }
            (DataType::Decimal { scale, .. }, DataType::Float) if scale <= EXACT_SCALE_MAX => Conversion::Float,
            (DataType::Decimal { scale, .. }, DataType::Double) if scale <= EXACT_SCALE_MAX => Conversion::Double,
            (_, DataType::Decimal { precision, scale }) => {
                let (digits, from_scale) = digits_of(from)?;
                let has_room = digits <= precision.saturating_sub(scale) && from_scale <= scale;
                return has_room.then_some(Conversion::Decimal(scale));
            }
            (DataType::SmallInt | DataType::Int | DataType::BigInt | DataType::Boolean, DataType::Text) => {
                Conversion::Text
            }
            (DataType::DateTime, DataType::Timestamp) => Conversion::Timestamp,
            (DataType::Timestamp, DataType::DateTime) => Conversion::DateTime,
            _ => return None,
        })
    }

    /// The value in the other type; NULL stays NULL.
    pub fn apply(self, value: &Value) -> Value {
        match (self, value) {
            (Conversion::Int, Value::SmallInt(n)) => Value::Int(i32::from(*n)),
            (Conversion::Timestamp, Value::DateTime(t)) => Value::Timestamp(*t),
            (Conversion::DateTime, Value::Timestamp(t)) => Value::DateTime(*t),
            (Conversion::Text, Value::Bool(truth)) => Value::text(if *truth { "true" } else { "false" }),
            (Conversion::Double, Value::Float(x)) => Value::Double(f64::from(*x)),
            (Conversion::Double, Value::Decimal(number)) => Value::Double(float_of(*number)),
            (Conversion::Float, Value::Decimal(number)) => Value::Float(float_of(*number) as f32),
            (Conversion::Decimal(scale), Value::Decimal(number)) => {
                number.rescale(scale).map_or(Value::Null, Value::Decimal)
            }
            (_, Value::SmallInt(n)) => self.apply_to_whole(i64::from(*n)),
            (_, Value::Int(n)) => self.apply_to_whole(i64::from(*n)),
            (_, Value::BigInt(n)) => self.apply_to_whole(*n),
            _ => Value::Null,
        }
    }

    fn apply_to_whole(self, n: i64) -> Value {
        match self {
            Conversion::BigInt => Value::BigInt(n),
            Conversion::Float => Value::Float(n as f32),
            Conversion::Double => Value::Double(n as f64),
            Conversion::Text => Value::text(n.to_string()),
            Conversion::Decimal(scale) => {
                let whole = Decimal { unscaled: i128::from(n), scale: 0 };
                whole.rescale(scale).map_or(Value::Null, Value::Decimal)
            }
            Conversion::Int | Conversion::Timestamp | Conversion::DateTime => Value::Null,
        }
    }
}

/// Most digits before the point, and digits behind it, of an exact number type.
fn digits_of(data_type: DataType) -> Option<(u8, u8)> {
    match data_type {
        DataType::SmallInt => Some((5, 0)),
        DataType::Int => Some((10, 0)),
        DataType::BigInt => Some((19, 0)),
        DataType::Decimal { precision, scale } => Some((precision.saturating_sub(scale), scale)),
        _ => None,
    }
}

fn float_of(number: Decimal) -> f64 {
    number.unscaled as f64 / 10_f64.powi(i32::from(number.scale))
}
