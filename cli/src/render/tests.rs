use expect_test::{Expect, expect};
use serde_json::json;

use super::*;

fn column(name: &str, data_type: DataType) -> Column {
    Column { name: name.to_owned(), data_type }
}

/// A row of each kind of trouble: NULL, a text that reads NULL, wide characters, control characters.
fn sample() -> Grid {
    Grid {
        columns: vec![
            column("id", DataType::BigInt),
            column("price", DataType::Decimal { precision: 8, scale: 2 }),
            column("name", DataType::Text),
            column("at", DataType::DateTime),
            column("ok", DataType::Boolean),
        ],
        rows: vec![
            vec![json!("1"), json!("12.50"), json!("pen"), json!(1_356_998_400_000_000_i64), json!(true)],
            vec![json!("9007199254740993"), json!(null), json!("NULL"), json!(null), json!(false)],
            vec![json!("-3"), json!("0.00"), json!("日本\tx\u{1b}[31m"), json!(1_356_998_400_250_000_i64), json!(null)],
        ],
    }
}

#[track_caller]
fn check(grid: &Grid, style: &Style, wanted: Expect) {
    let mut out = Vec::new();
    write(&mut out, grid, style).unwrap();
    wanted.assert_eq(&String::from_utf8(out).unwrap());
}

#[test]
fn a_table_is_aligned_and_shows_null_apart_from_a_text() {
    check(
        &sample(),
        &Style::plain(Format::Table),
        expect![[r#"
                       id | price | name              | at                          | ok
        ------------------+-------+-------------------+-----------------------------+-------
                        1 | 12.50 | pen               | 2013-01-01 00:00:00Z        | true
         9007199254740993 |  NULL | 'NULL'            | NULL                        | false
                       -3 |  0.00 | 日本\tx\u{1b}[31m | 2013-01-01 00:00:00.250000Z | NULL
        (3 rows)
    "#]],
    );
}

#[test]
fn a_table_is_cut_to_the_terminal() {
    let mut grid = sample();
    grid.rows[0][2] = json!("a very long text that is longer than there is room for it");
    let style = Style { width: Some(80), ..Style::plain(Format::Table) };
    check(
        &grid,
        &style,
        expect![[r#"
                           id | price | name          | at                          | ok
            ------------------+-------+---------------+-----------------------------+-------
                            1 | 12.50 | a very long … | 2013-01-01 00:00:00Z        | true
             9007199254740993 |  NULL | 'NULL'        | NULL                        | false
                           -3 |  0.00 | 日本\tx\u{1b… | 2013-01-01 00:00:00.250000Z | NULL
            (3 rows)
        "#]],
    );
    let mut out = Vec::new();
    write(&mut out, &grid, &style).unwrap();
    assert!(String::from_utf8(out).unwrap().lines().all(|line| table::width(line) <= 80));
}

#[test]
fn what_does_not_fit_side_by_side_is_expanded() {
    let style = Style { width: Some(30), ..Style::plain(Format::Table) };
    check(
        &sample(),
        &style,
        expect![[r#"
        -- row 1 --
        id    | 1
        price | 12.50
        name  | pen
        at    | 2013-01-01 00:00:00Z
        ok    | true
        -- row 2 --
        id    | 9007199254740993
        price | NULL
        name  | 'NULL'
        at    | NULL
        ok    | false
        -- row 3 --
        id    | -3
        price | 0.00
        name  | 日本\tx\u{1b}[31m
        at    | 2013-01-01 00:00:00.250000Z
        ok    | NULL
        (3 rows)
    "#]],
    );
}

#[test]
fn a_table_without_rows_still_has_its_header() {
    let grid = Grid { rows: Vec::new(), ..sample() };
    check(
        &grid,
        &Style::plain(Format::Table),
        expect![[r#"
         id | price | name | at | ok
        ----+-------+------+----+----
        (0 rows)
    "#]],
    );
}

#[test]
fn csv_holds_whole_values_and_a_word_for_null() {
    let style = Style { csv_null: "\\N".to_owned(), ..Style::plain(Format::Csv) };
    let mut grid = sample();
    grid.rows[2][2] = json!("two\nlines, \"quoted\"");
    check(
        &grid,
        &style,
        expect![[r#"
        id,price,name,at,ok
        1,12.50,pen,2013-01-01T00:00:00Z,true
        9007199254740993,\N,NULL,\N,false
        -3,0.00,"two
        lines, ""quoted""",2013-01-01T00:00:00.250000Z,\N
    "#]],
    );
}

#[test]
fn json_has_cells_as_on_the_wire() {
    check(
        &sample(),
        &Style::plain(Format::Json),
        expect![[r#"
        [
          {"id":"1","price":"12.50","name":"pen","at":1356998400000000,"ok":true},
          {"id":"9007199254740993","price":null,"name":"NULL","at":null,"ok":false},
          {"id":"-3","price":"0.00","name":"日本\tx\u001b[31m","at":1356998400250000,"ok":null}
        ]
    "#]],
    );
    check(
        &Grid::default(),
        &Style::plain(Format::Json),
        expect![[r#"
        []
    "#]],
    );
    check(
        &sample(),
        &Style::plain(Format::Ndjson),
        expect![[r#"
        {"id":"1","price":"12.50","name":"pen","at":1356998400000000,"ok":true}
        {"id":"9007199254740993","price":null,"name":"NULL","at":null,"ok":false}
        {"id":"-3","price":"0.00","name":"日本\tx\u001b[31m","at":1356998400250000,"ok":null}
    "#]],
    );
}

#[test]
fn columns_of_one_name_are_kept_apart_in_json() {
    let columns = [column("id", DataType::Int), column("id", DataType::Int), column("id", DataType::Int)];
    assert_eq!(json_object(&columns, &[json!(1), json!(2), json!(3)]), r#"{"id":1,"id_2":2,"id_3":3}"#);
}

#[test]
fn colours_are_used_only_where_they_may_be() {
    let style = Style { colour: true, ..Style::plain(Format::Table) };
    let mut out = Vec::new();
    write(&mut out, &sample(), &style).unwrap();
    assert!(String::from_utf8(out).unwrap().contains("\x1b[2m"));
}

#[test]
fn no_format_lets_control_characters_of_the_data_reach_a_terminal() {
    let evil = "\x1b]0;title\x07 \u{9b}31m \u{202e}txt\r\n\x7f\0";
    let grid = Grid { columns: vec![column(evil, DataType::Text)], rows: vec![vec![json!(evil)]] };
    for format in [Format::Table, Format::Csv, Format::Json, Format::Ndjson] {
        for expanded in [Expanded::On, Expanded::Off] {
            let style = Style { expanded, terminal: true, width: Some(80), ..Style::plain(format) };
            let mut out = Vec::new();
            write(&mut out, &grid, &style).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(!text.contains(|c| cell::is_dangerous(c) && c != '\n'), "{format:?} {text:?}");
        }
    }
    let object: serde_json::Value = serde_json::from_str(&json_object(&grid.columns, &grid.rows[0])).unwrap();
    assert_eq!(object[evil], json!(evil), "the escapes say the same");
}

#[test]
fn csv_to_a_file_keeps_every_character() {
    let grid = Grid { columns: vec![column("a", DataType::Text)], rows: vec![vec![json!("x\ty\n\u{9b}")]] };
    let mut out = Vec::new();
    write(&mut out, &grid, &Style::plain(Format::Csv)).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "a\n\"x\ty\n\u{9b}\"\n");
}

#[test]
fn marks_stand_before_rows() {
    let grid = Grid { columns: vec![column("n", DataType::Int)], rows: vec![vec![json!(1)], vec![json!(2)]] };
    let mut out = Vec::new();
    write_marked(&mut out, &grid, &Style::plain(Format::Table), &['+', ' ']).unwrap();
    expect![[r#"
           n
          ---
        +  1
           2
    "#]]
    .assert_eq(&String::from_utf8(out).unwrap());
}
