//! Exact decimal numbers: a whole number and the place of its point.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use super::{Value, ValueError};
use crate::data_type::DataType;

/// A decimal number, `unscaled · 10^-scale`.
#[derive(Debug, Clone, Copy)]
pub struct Decimal {
    /// All digits, as a whole number.
    pub unscaled: i128,
    /// How many of them stand behind the point.
    pub scale: u8,
}

impl Decimal {
    /// Most digits a decimal can have.
    pub const MAX_PRECISION: u8 = 38;

    /// Reads `-12.340` and `1.5e3`. `None` where the text is not a number or has too many digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Decimal> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let (sign, whole) = match whole.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, whole.strip_prefix('+').unwrap_or(whole)),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut unscaled: i128 = 0;
        for digit in whole.bytes().chain(fraction.bytes()) {
            if !digit.is_ascii_digit() {
                return None;
            }
            unscaled = unscaled.checked_mul(10)?.checked_add(i128::from(digit.wrapping_sub(b'0')))?;
        }
        let unscaled = unscaled.checked_mul(sign)?;
        let places = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        let number = Decimal { unscaled, scale: 0 };
        if places < 0 {
            let factor = pow10(places.unsigned_abs())?;
            return Some(Decimal { unscaled: number.unscaled.checked_mul(factor)?, scale: 0 });
        }
        // Digits behind the 38th place cannot be held; they are rounded away.
        let scale = places.min(i32::from(Self::MAX_PRECISION));
        let surplus = places.checked_sub(scale)?.unsigned_abs();
        let unscaled = match pow10(surplus) {
            Some(divisor) => div_half_away(number.unscaled, divisor)?,
            None => 0,
        };
        Some(Decimal { unscaled, scale: u8::try_from(scale).ok()? })
    }

    /// The same number with `scale` digits behind the point, rounded half away from zero.
    #[must_use]
    pub fn rescale(self, scale: u8) -> Option<Decimal> {
        let unscaled = match scale.cmp(&self.scale) {
            Ordering::Equal => self.unscaled,
            Ordering::Greater => self.unscaled.checked_mul(pow10(u32::from(scale.checked_sub(self.scale)?))?)?,
            Ordering::Less => div_half_away(self.unscaled, pow10(u32::from(self.scale.checked_sub(scale)?))?)?,
        };
        Some(Decimal { unscaled, scale })
    }

    pub(super) fn assign_to(self, wanted: &DataType) -> Result<Value, ValueError> {
        let out_of_range = || ValueError::OutOfRange(*wanted);
        match wanted {
            DataType::Decimal { precision, scale } => {
                let fitted = self.rescale(*scale).ok_or_else(out_of_range)?;
                let limit = pow10(u32::from(*precision)).ok_or_else(out_of_range)?;
                if fitted.unscaled.unsigned_abs() >= limit.unsigned_abs() {
                    return Err(out_of_range());
                }
                Ok(Value::Decimal(fitted))
            }
            DataType::Float | DataType::Double => {
                let x: f64 = self.to_string().parse().map_err(|_| out_of_range())?;
                Value::Double(x).assign_to(wanted)
            }
            DataType::Text => Ok(Value::text(self.to_string())),
            DataType::Json => Ok(Value::Json(self.to_string().into())),
            _ => {
                let whole = self.rescale(0).ok_or_else(out_of_range)?.unscaled;
                Value::BigInt(i64::try_from(whole).map_err(|_| out_of_range())?).assign_to(wanted)
            }
        }
    }

    /// The number without trailing zeros, so that equal numbers have equal parts.
    fn normalised(self) -> (i128, u8) {
        let (mut unscaled, mut scale) = (self.unscaled, self.scale);
        while scale > 0 && unscaled % 10 == 0 {
            unscaled /= 10;
            scale = scale.saturating_sub(1);
        }
        (unscaled, scale)
    }
}

fn pow10(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

fn div_half_away(number: i128, divisor: i128) -> Option<i128> {
    let quotient = number.checked_div(divisor)?;
    let rest = number.checked_rem(divisor)?;
    if rest.unsigned_abs() >= divisor.unsigned_abs().div_ceil(2) && divisor > 1 {
        return quotient.checked_add(number.signum());
    }
    Some(quotient)
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.unscaled < 0 { "-" } else { "" };
        let scale = usize::from(self.scale);
        let digits = format!("{:0>width$}", self.unscaled.unsigned_abs(), width = scale.saturating_add(1));
        let (whole, fraction) = digits.split_at(digits.len().saturating_sub(scale));
        if scale == 0 { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{fraction}") }
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.normalised() == other.normalised()
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let scale = self.scale.max(other.scale);
        match (self.rescale(scale), other.rescale(scale)) {
            (Some(a), Some(b)) => a.unscaled.cmp(&b.unscaled),
            // Only a number of nearly 38 digits cannot be rescaled: it is the farther from zero.
            (None, Some(_)) => self.unscaled.cmp(&0),
            (Some(_), None) => 0.cmp(&other.unscaled),
            (None, None) => (self.unscaled, other.scale).cmp(&(other.unscaled, self.scale)),
        }
    }
}

impl Hash for Decimal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.normalised().hash(state);
    }
}
