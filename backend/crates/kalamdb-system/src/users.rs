//! `system.users`, and the users themselves.
//!
//! [`Users`] keeps every user in memory and turns wishes into write sets. A change of password or
//! role, and a revocation, raise `tokens_valid_after`, which ends all tokens given out before.
//! Hashing passwords and reading tokens is the business of the auth crate.

mod columns;
pub(crate) mod record;
mod row;
mod store;

pub use columns::TABLE;
pub use record::UserRecord;
pub use row::rows;
pub use store::{NewUser, UserChange, UserError, Users};
