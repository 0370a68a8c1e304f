//! How much a query reads once its WITH clauses are written out.
//!
//! The planner puts a common table expression in wherever it is named. A dozen of them, each naming
//! the one before twice, are a short text and a plan of thousands of nodes; so relations are counted
//! as the plan will have them.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{ObjectName, ObjectNamePart, Query, Visit, Visitor};
use kalamdb_commons::ErrorCode;

use crate::error::SqlError;
use crate::options::Limits;

/// Fails with `TOO_LARGE` if a query, or a statement with queries in it, reads too many relations.
///
/// # Errors
/// `TOO_LARGE`.
pub fn check_query(statement: &impl Visit, limits: &Limits) -> Result<(), SqlError> {
    let mut weight = Weight { queries: vec![0], names: HashMap::new(), bodies: HashMap::new() };
    let _: ControlFlow<()> = statement.visit(&mut weight);
    let total = weight.queries.first().copied().unwrap_or(0);
    if total > limits.relations_max {
        return Err(SqlError::new(
            ErrorCode::TooLarge,
            format!("the statement reads too many tables and subqueries; the limit is {}", limits.relations_max),
        ));
    }
    Ok(())
}

struct Weight {
    /// Relations of each query that is being visited, the outermost first.
    queries: Vec<usize>,
    /// What a common table expression weighs, the heaviest of a name.
    names: HashMap<String, usize>,
    /// Which name the query at an address is the body of.
    bodies: HashMap<usize, String>,
}

impl Visitor for Weight {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.bodies.insert(address(&cte.query), cte.alias.name.value.to_lowercase());
        }
        self.queries.push(1);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let weight = self.queries.pop().unwrap_or(0);
        if let Some(name) = self.bodies.remove(&address(query)) {
            let known = self.names.entry(name).or_default();
            *known = weight.max(*known);
        } else if let Some(outer) = self.queries.last_mut() {
            *outer = outer.saturating_add(weight);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let named = match relation.0.as_slice() {
            [ObjectNamePart::Identifier(name)] => self.names.get(&name.value.to_lowercase()).copied(),
            _ => None,
        };
        if let Some(query) = self.queries.last_mut() {
            *query = query.saturating_add(named.unwrap_or(1));
        }
        ControlFlow::Continue(())
    }
}

fn address(query: &Query) -> usize {
    std::ptr::from_ref(query).addr()
}
