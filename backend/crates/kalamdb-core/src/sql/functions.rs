//! Functions of our own, and what is done to the planner's.
//!
//! What a statement knows of itself ([`session`]) has no value while it is planned; it is put in
//! when the plan is run, as parameters are, so that a plan can serve another user at another time.
//! Generated ids come from one source per engine ([`ids`]). Just before a plan is run, whole-number
//! arithmetic is replaced by arithmetic that fails when it overflows ([`checked`], [`sum`]), and
//! calls that could ask for unbounded memory get a guard ([`guards`], [`patterns`]).

pub mod checked;
pub mod documents;
pub mod guards;
pub mod ids;
pub mod patterns;
pub mod session;
pub mod sum;
pub mod unions;

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};

use ids::{IdFunction, IdKind, IdSource};
use session::{SessionFunction, SessionValue};

/// Functions that build arrays of any length from two numbers (as table functions they are lazy and
/// stay), and one that tells of the planner.
const WITHHELD: [&str; 4] = ["range", "generate_series", "gen_series", "version"];

/// Registers everything with a session that has the planner's own functions already.
///
/// # Errors
/// When a function cannot be registered.
pub fn register(state: &mut SessionState, ids: &Arc<IdSource>) -> Result<()> {
    datafusion_functions_json::register_all(state)?;
    for value in SessionValue::ALL {
        state.register_udf(Arc::new(SessionFunction::new(value).into()))?;
    }
    for kind in IdKind::ALL {
        state.register_udf(Arc::new(IdFunction::new(kind, Arc::clone(ids)).into()))?;
    }
    state.register_udaf(Arc::new(sum::CheckedSum::default().into()))?;
    for name in WITHHELD {
        state.deregister_udf(name)?;
    }
    state.register_function_rewrite(Arc::new(documents::Leniency))
}
