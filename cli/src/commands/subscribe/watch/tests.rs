use expect_test::expect;
use kalamdb_commons::DataType;
use serde_json::json;

use super::*;

fn row(key: &str, count: i64) -> Shown {
    Shown { key: key.to_owned(), cells: vec![json!(key), json!(count.to_string())] }
}

fn drawn(rows: &[Shown], before: Option<&[Shown]>) -> String {
    let columns = vec![
        Column { name: "room".to_owned(), data_type: DataType::Text },
        Column { name: "n".to_owned(), data_type: DataType::BigInt },
    ];
    let before = before.map(|rows| rows.iter().map(|row| (row.key.clone(), row.cells.clone())).collect());
    let style = Style::plain(Format::Ndjson);
    frame(columns, rows, before.as_ref(), &style, Some(40)).join("\n")
}

#[test]
fn rows_that_are_new_or_changed_are_marked_and_those_gone_are_counted() {
    let before = [row("attic", 1), row("lobby", 2), row("yard", 3)];
    let now = [row("lobby", 5), row("cellar", 1), row("yard", 3)];
    expect![[r#"
           room   | n
          --------+---
        ~  lobby  | 5
        +  cellar | 1
           yard   | 3
        (3 rows), 1 gone"#]]
    .assert_eq(&drawn(&now, Some(&before)));
}

#[test]
fn nothing_is_marked_at_first() {
    expect![[r#"
           room  | n
          -------+---
           lobby | 2
        (1 row)"#]]
    .assert_eq(&drawn(&[row("lobby", 2)], None));
    expect![[r#"
           room | n
          ------+---
        (0 rows)"#]]
    .assert_eq(&drawn(&[], None));
}

#[test]
fn a_line_ends_at_the_edge_of_the_screen_and_keeps_its_colours() {
    assert_eq!(fitted("\x1b[2mab日c\x1b[0m", 4), "\x1b[2mab日\x1b[0m");
    assert_eq!(fitted("\x1b[2mab日c\x1b[0m", 3), "\x1b[2mab\x1b[0m");
    assert_eq!(fitted("abc", 3), "abc");
}
