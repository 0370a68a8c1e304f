use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::*;

fn expr(text: &str) -> Expr {
    Parser::new(&PostgreSqlDialect {}).try_with_sql(text).unwrap().parse_expr().unwrap()
}

#[test]
fn constants_read_nothing() {
    for text in [
        "1",
        "'x'",
        "NULL",
        "true",
        "$1",
        "1 + 2 * -3",
        "(1)",
        "now()",
        "current_user",
        "upper('x') || $2",
        "CAST('1' AS INT)",
        "DATE '2020-01-01'",
        "CASE WHEN $1 THEN 1 ELSE 2 END",
        "1 IN (1, 2)",
        "1 BETWEEN 0 AND $1",
        "'a' LIKE 'b'",
        "$1 IS NULL",
        "DEFAULT",
    ] {
        assert!(!reads(&expr(text)), "{text}");
    }
}

#[test]
fn names_and_subqueries_read() {
    for text in [
        "a",
        "t.a",
        "\"a\"",
        "a + 1",
        "upper(a)",
        "count(*)",
        "count(t.*)",
        "CASE WHEN true THEN a END",
        "1 IN (1, a)",
        "(SELECT 1)",
        "(SELECT count(*) FROM t)",
        "1 IN (SELECT 1)",
        "EXISTS (SELECT 1)",
        "ARRAY[a]",
        "a IS NULL",
        "coalesce(NULL, a)",
        "CAST(a AS TEXT)",
        "max(1) OVER (ORDER BY a)",
        "count(1) FILTER (WHERE a > 1)",
        "string_agg('x', ',' ORDER BY a)",
        "(a, 1) = (1, 1)",
        "a.b.c",
        "a[1]",
        "doc ->> 'name'",
        "EXTRACT(YEAR FROM a)",
        "_seq",
    ] {
        assert!(reads(&expr(text)), "{text}");
    }
}
