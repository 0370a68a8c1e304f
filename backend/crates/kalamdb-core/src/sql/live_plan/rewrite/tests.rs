use super::*;
use crate::options::Limits;
use crate::sql::grammar::parse_live_query;

fn parse(sql: &str) -> Box<Query> {
    parse_live_query(sql, &Limits::default()).unwrap()
}

fn named(sql: &str) -> Option<Vec<String>> {
    let query = parse(sql);
    let select = query.body.as_select()?;
    Some(tables_named(&query, select)?.iter().map(ToString::to_string).collect())
}

fn with_all(sql: &str) -> String {
    let query = parse(sql);
    let select = query.body.as_select().unwrap();
    let extras = Extras {
        order: vec![Expr::Identifier(Ident::new("b"))],
        seq: true,
        keys: tables_named(&query, select).unwrap(),
        groups: vec![],
    };
    assert_eq!(extras.len(), 3);
    extras.append_to(&query, &["_order_1".to_owned()]).unwrap().to_string()
}

#[test]
fn hidden_columns_come_last_and_ties_are_broken_where_a_limit_cuts() {
    assert_eq!(
        with_all("SELECT a FROM t ORDER BY b"),
        "SELECT a, b AS \"_order_1\", _seq AS \"hidden column 2\", t._key AS \"hidden column 3\" \
         FROM t ORDER BY b NULLS LAST"
    );
    assert!(
        with_all("SELECT a FROM t AS x ORDER BY b LIMIT 3")
            .contains("x._key AS \"hidden column 3\" FROM t AS x ORDER BY b NULLS LAST, x._key ASC NULLS LAST LIMIT 3")
    );
}

#[test]
fn tables_are_known_by_the_names_the_from_gives_them() {
    assert_eq!(named("SELECT 1 FROM n.t"), Some(vec!["t".to_owned()]));
    assert_eq!(named("SELECT 1 FROM t AS a LEFT JOIN u ON true, v"), Some(vec!["a".into(), "u".into(), "v".into()]));
    for sql in [
        "SELECT 1",
        "SELECT 1 FROM t AS x (a, b)",
        "SELECT 1 FROM (SELECT 1 FROM t) AS x",
        "SELECT 1 FROM generate_series(1, 2)",
        "SELECT 1 FROM t NATURAL JOIN u",
        "WITH t AS (SELECT 1) SELECT * FROM T",
        "SELECT 1 FROM t LEFT SEMI JOIN u ON true",
    ] {
        assert_eq!(named(sql), None, "{sql}");
    }
}

#[test]
fn a_limit_is_seen_in_every_notation() {
    for sql in ["SELECT 1 LIMIT 1", "SELECT 1 OFFSET 1", "SELECT 1 FETCH FIRST 1 ROWS ONLY"] {
        assert!(is_limited(&parse(sql)), "{sql}");
    }
    assert!(!is_limited(&parse("SELECT 1 FROM t ORDER BY 1")));
}

#[test]
fn groups_by_place_are_not_named() {
    let query = parse("SELECT a, count(*) FROM t GROUP BY 1, lower(a)");
    let groups = groups_named(query.body.as_select().unwrap());
    assert_eq!(groups.iter().map(ToString::to_string).collect::<Vec<_>>(), ["lower(a)"]);
}
