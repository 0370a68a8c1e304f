use datafusion::sql::sqlparser::ast::SetExpr;
use kalamdb_commons::DataType;

use super::*;
use crate::options::Limits;
use crate::sql::grammar::parse_live_query;

fn parse(sql: &str) -> Box<Query> {
    parse_live_query(sql, &Limits::default()).unwrap()
}

fn fields(names: &[&str]) -> Vec<SchemaField> {
    let field = |(at, name): (usize, &&str)| SchemaField {
        name: (*name).to_owned(),
        data_type: DataType::Int,
        index: u32::try_from(at).unwrap(),
        flags: vec![],
    };
    names.iter().enumerate().map(field).collect()
}

/// Each term: its place, or what is selected besides; then whether it descends and where NULLs are.
fn told(sql: &str, names: &[&str]) -> Option<Vec<(String, bool, bool)>> {
    let term = |term: &Term| {
        let column = match &term.column {
            TermColumn::Selected(at) => at.to_string(),
            TermColumn::Besides(expr) => expr.to_string(),
        };
        (column, term.desc, term.nulls_first)
    };
    Some(terms(&parse(sql), &fields(names), &[])?.iter().map(term).collect())
}

fn columns(sql: &str, names: &[&str]) -> Option<Vec<String>> {
    Some(told(sql, names)?.into_iter().map(|(column, ..)| column).collect())
}

#[test]
fn a_query_without_order_has_none_to_tell() {
    assert_eq!(told("SELECT a FROM t", &["a"]), None);
}

#[test]
fn nulls_come_last_and_when_descending_first_unless_said() {
    let sql = "SELECT a, b, c FROM t ORDER BY a, b DESC, c NULLS FIRST";
    let column = |name: &str, desc, nulls_first| (name.to_owned(), desc, nulls_first);
    let wanted = vec![column("0", false, false), column("1", true, true), column("2", false, true)];
    assert_eq!(told(sql, &["a", "b", "c"]), Some(wanted));
    let mut query = parse(sql);
    make_explicit(&mut query);
    assert!(query.to_string().ends_with("ORDER BY a NULLS LAST, b DESC NULLS FIRST, c NULLS FIRST"), "{query}");
}

#[test]
fn a_term_is_found_by_place_by_name_and_by_expression() {
    for (sql, names, wanted) in [
        ("SELECT a, b FROM t ORDER BY 2", vec!["a", "b"], "1"),
        ("SELECT a AS x FROM t ORDER BY X", vec!["x"], "0"),
        ("SELECT b AS a, a AS c FROM t ORDER BY a", vec!["a", "c"], "0"),
        ("SELECT a AS x FROM t ORDER BY a", vec!["x"], "0"),
        ("SELECT a + 1 FROM t ORDER BY a + 1", vec!["t.a + Int64(1)"], "0"),
        ("SELECT *, a + 1 FROM t ORDER BY a + 1", vec!["a", "b", "t.a + Int64(1)"], "2"),
        ("SELECT * FROM t ORDER BY b", vec!["a", "b"], "1"),
        ("SELECT count(*) AS c FROM t GROUP BY a ORDER BY count(*)", vec!["c"], "0"),
        ("SELECT a FROM t UNION SELECT a FROM u ORDER BY a", vec!["a"], "0"),
        ("SELECT DISTINCT lower(a) FROM t ORDER BY lower(a)", vec!["lower(t.a)"], "0"),
    ] {
        assert_eq!(columns(sql, &names), Some(vec![wanted.to_owned()]), "{sql}");
    }
}

#[test]
fn a_column_of_the_table_is_found_where_it_shows() {
    let shown = [None, Some("a".to_owned()), Some("b".to_owned())];
    for (sql, wanted) in [
        ("SELECT t.* FROM t ORDER BY t.b", TermColumn::Selected(2)),
        ("SELECT t.* FROM t ORDER BY a", TermColumn::Selected(1)),
    ] {
        let told = terms(&parse(sql), &fields(&["x", "y", "z"]), &shown).unwrap();
        assert_eq!(told[0].column, wanted, "{sql}");
    }
}

#[test]
fn what_is_not_selected_is_selected_besides_with_given_names_written_out() {
    let besides = |sql: &str, names: &[&str]| columns(sql, names).unwrap().pop().unwrap();
    assert_eq!(besides("SELECT a FROM t ORDER BY b", &["a"]), "b");
    assert_eq!(besides("SELECT a + 1 AS m FROM t ORDER BY m * 2", &["m"]), "(a + 1) * 2");
    assert_eq!(besides("SELECT a, a + 1 AS m FROM t ORDER BY 'x'", &["a", "m"]), "'x'");
}

#[test]
fn an_order_that_cannot_be_told_is_not_half_told() {
    for sql in [
        "SELECT DISTINCT a AS x FROM t ORDER BY t.a",
        "SELECT a FROM t UNION SELECT a FROM u ORDER BY a + 1",
        "VALUES (1), (2) ORDER BY column1 + 1",
    ] {
        assert_eq!(told(sql, &["x"]), None, "{sql}");
    }
}

#[test]
fn only_items_whose_place_is_certain_have_one() {
    let query = parse("SELECT a, t.*, b, u.*, c FROM t, u");
    let SetExpr::Select(select) = query.body.as_ref() else { panic!() };
    let places: Vec<_> = items(select, 9).iter().map(|(at, expr)| (*at, expr.to_string())).collect();
    assert_eq!(places, [(0, "a".to_owned()), (8, "c".to_owned())]);
}
