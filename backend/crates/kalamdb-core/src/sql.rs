//! SQL: from the text of a request to results and write sets.
//!
//! [`script`] cuts a request into statements and bounds their size, [`grammar`] turns each into a
//! [`statement::Statement`]. Reads are planned by [`query`], writes by [`dml`] inside a
//! [`transaction`], everything about the catalog by [`ddl`] and [`users`]. Only this module and
//! [`crate::tables`] know the query planner.

pub mod grammar;
pub mod script;
pub mod statement;

pub mod expression;
pub mod functions;
pub mod live_plan;
pub mod query;

pub mod dml;
pub mod transaction;

pub mod audited;
pub mod ddl;
pub mod explain;
pub mod kill;
pub mod show;
pub mod users;

pub mod error_map;
