//! Names from the text of a query.

use datafusion::sql::sqlparser::ast::Query;

use super::*;
use crate::options::Limits;
use crate::sql::grammar;

fn settled(sql: &str) -> (ColumnNames, Query) {
    let mut query = *grammar::parse_live_query(sql, &Limits::default()).unwrap();
    (settle(&mut query, Apart::WhereAlike), query)
}

#[test]
fn names_before_and_behind_wildcards_are_told_whatever_the_wildcards_hold() {
    let (names, _) = settled("SELECT a + 1, t.*, u.*, \"B\", max(c) AS m FROM t, u");
    let found: Vec<_> = (0..9).map(|at| names.name_of(at, 9)).collect();
    let name = |text: &str| Some(text.to_owned());
    assert_eq!(found[0], name("a + 1"));
    assert_eq!(found[1..7], vec![None; 6]);
    assert_eq!(found[7..], [name("B"), name("m")]);
}

#[test]
fn without_a_wildcard_every_column_is_told_or_none() {
    let (names, _) = settled("SELECT a, 'It''s' || X FROM t");
    assert_eq!(names.name_of(1, 2), Some("'It''s' || x".to_owned()));
    assert_eq!(names.name_of(1, 3), None);
}

#[test]
fn columns_that_would_be_called_alike_get_other_names_for_the_planner() {
    let (names, query) = settled("SELECT a, a, b AS a, c AS a FROM t");
    assert_eq!((0..4).map(|at| names.name_of(at, 4).unwrap()).collect::<Vec<_>>(), ["a"; 4]);
    assert_eq!(query.to_string(), "SELECT a, a AS \"column 1\", b AS a, c AS \"column 3\" FROM t");
}
