//! Expressions over our own values: constants read straight from the SQL, and a small evaluator.
//!
//! A live filter looks at one row at a time, where making an Arrow batch of it costs far more than
//! looking. A [`Scalar`] is the planner's own expression, analysed and simplified, in a form that
//! works on stored rows. It exists only for expressions that cannot fail on any row and whose
//! result is the planner's to the last bit; for all others [`Scalar::compile`] gives nothing, and
//! the caller lets the planner evaluate them. A property test holds the two against each other.

mod compile;
mod constant;
mod convert;
mod like;
mod scalar;

pub use compile::simplify;
pub use constant::constant;
pub use scalar::Scalar;

#[cfg(test)]
mod tests;
