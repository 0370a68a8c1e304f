use super::super::tests::{planned, table_t};
use super::*;

fn columns(sql: &str, rows_have_seq: bool) -> Columns {
    let planned = planned(sql);
    Columns::new(&planned.plan, &planned.schema, rows_have_seq)
}

fn names(columns: &Columns) -> Vec<&str> {
    columns.schema.iter().map(|field| field.name.as_str()).collect()
}

#[test]
fn columns_of_one_name_get_numbers() {
    let columns = columns("SELECT t.id, u.id, u.room, t.room FROM t JOIN u ON t.room = u.room", false);
    assert_eq!(names(&columns), ["id", "id_2", "room", "room_2"]);
    assert_eq!(columns.keys, ColumnKeys::new(["id", "id_2", "room", "room_2"]));
}

#[test]
fn a_selected_seq_is_told_of_and_not_sent_twice() {
    let columns = columns("SELECT id, _seq, n FROM t", true);
    assert_eq!(names(&columns), ["id", "_seq", "n"]);
    assert_eq!((columns.seq_at, columns.keys), (Some(1), ColumnKeys::new(["id", "n"])));
}

#[test]
fn another_column_cannot_pose_as_the_seq_of_its_row() {
    let columns = columns("SELECT id, n AS _seq FROM t", true);
    assert_eq!((names(&columns), columns.seq_at), (vec!["id", "_seq_2"], None));
}

#[test]
fn the_key_is_told_under_the_names_its_columns_have_in_the_result() {
    let key = |sql: &str| {
        let planned = planned(sql);
        let columns = Columns::new(&planned.plan, &planned.schema, true);
        columns.key_places(&planned.plan, &table_t()).map(|places| columns.names_at(&places))
    };
    assert_eq!(key("SELECT n, id FROM t"), Some(vec!["id".to_owned()]));
    assert_eq!(key("SELECT id AS number FROM t ORDER BY n"), Some(vec!["number".to_owned()]));
    assert_eq!(key("SELECT id + 0 AS id FROM t"), None);
    assert_eq!(key("SELECT n FROM t"), None);
}

#[test]
fn a_key_of_floats_or_of_no_columns_is_not_told() {
    let mut table = table_t().as_ref().clone();
    let planned = planned("SELECT * FROM t");
    let columns = Columns::new(&planned.plan, &planned.schema, true);
    table.primary_key = vec![3];
    assert_eq!(columns.key_places(&planned.plan, &table), None);
    table.primary_key = vec![];
    assert_eq!(columns.key_places(&planned.plan, &table), None);
}
