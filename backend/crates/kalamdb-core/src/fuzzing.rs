//! What no SQL text may do to what reads it: for the fuzzer, and for the tests alike.
//!
//! It fails on a defect only: a panic, a stack that overflows, or a text that takes for ever.

use crate::options::Limits;
use crate::sql::{grammar, script};

/// The text of a request: cut into statements, and each parsed.
pub fn sql(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let limits = Limits::default();
    if let Ok(statements) = script::split(text, &limits) {
        for tokens in statements {
            drop(grammar::parse(tokens, &limits));
        }
    }
    drop(grammar::parse_live_query(text, &limits));
    drop(script::parse_expression(text, &limits));
}

#[cfg(test)]
mod tests;
