//! Conditions to ranges.

use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::logical_expr::{Expr, and, cast, col, in_list, lit, or};
use kalamdb_commons::{DataType, Name, TableId, TableName};
use kalamdb_system::{AccessLevel, ColumnDef, IndexDef, TableKind};
use proptest::prelude::*;

use super::*;

/// `t (a INT, b TEXT, n BIGINT, s TEXT, ok BOOLEAN, PRIMARY KEY (a, b))`, indexes on `(n)` and `(s, n)`.
fn table() -> TableDef {
    let columns = [
        ("a", DataType::Int),
        ("b", DataType::Text),
        ("n", DataType::BigInt),
        ("s", DataType::Text),
        ("ok", DataType::Boolean),
    ];
    let column = |(slot, (name, data_type)): (usize, (&str, DataType))| ColumnDef {
        name: Name::new(name).unwrap(),
        data_type,
        not_null: false,
        default: None,
        slot: u16::try_from(slot).unwrap(),
        fill: Value::Null,
    };
    let index = |id, slots: &[u16]| IndexDef {
        id: IndexId(id),
        name: Name::new(&format!("i{id}")).unwrap(),
        slots: slots.to_vec(),
        unique: false,
    };
    TableDef {
        id: TableId(1),
        name: TableName { namespace: Name::new("default").unwrap(), table: Name::new("t").unwrap() },
        kind: TableKind::Shared,
        access: AccessLevel::Public,
        ttl_secs: None,
        columns: columns.into_iter().enumerate().map(column).collect(),
        primary_key: vec![0, 1],
        indexes: vec![index(1, &[2]), index(2, &[3, 2])],
        grants: Vec::new(),
        next_slot: 5,
        version: 1,
        created_at: 0,
    }
}

fn of(conditions: &[Expr]) -> Access {
    access(&table(), conditions, true)
}

fn encoded(values: &[Value]) -> Vec<u8> {
    encode_values(values)
}

fn included(values: &[Value]) -> Bound<Vec<u8>> {
    Bound::Included(encoded(values))
}

#[test]
fn equalities_on_the_whole_key_are_single_keys() {
    let key = |a, b: &str| RowKey::new(&[Value::Int(a), Value::text(b)]);
    assert_eq!(of(&[col("a").eq(lit(1_i32)), lit("x").eq(col("b"))]), Access::Keys(vec![key(1, "x")]));
    let both = and(in_list(col("a"), vec![lit(2_i32), lit(1_i32), lit(2_i32)], false), col("b").eq(lit("x")));
    assert_eq!(of(&[both]), Access::Keys(vec![key(1, "x"), key(2, "x")]));
    let either = or(col("a").eq(lit(1_i32)), col("a").eq(lit(3_i32)));
    assert_eq!(of(&[either, col("b").eq(lit("x"))]), Access::Keys(vec![key(1, "x"), key(3, "x")]));
}

#[test]
fn the_first_columns_of_the_key_and_bounds_behind_them_are_ranges() {
    let prefix = encoded(&[Value::Int(1)]);
    assert_eq!(of(&[col("a").eq(lit(1_i32))]), Access::Ranges(vec![KeyRange::prefix(&prefix)]));
    let behind =
        KeyRange { start: Bound::Excluded(encoded(&[Value::Int(1), Value::text("m")])), end: Bound::Included(prefix) };
    assert_eq!(of(&[col("a").eq(lit(1_i32)), col("b").gt(lit("m"))]), Access::Ranges(vec![behind]));
    let between = KeyRange { start: included(&[Value::Int(2)]), end: included(&[Value::Int(5)]) };
    assert_eq!(of(&[col("a").between(lit(2_i32), lit(5_i32))]), Access::Ranges(vec![between]));
}

#[test]
fn a_pattern_is_a_range_up_to_its_first_wildcard() {
    let with_a = |pattern| of(&[col("a").eq(lit(1_i32)), col("b").like(lit(pattern))]);
    let range = KeyRange {
        start: included(&[Value::Int(1), Value::text("ab")]),
        end: Bound::Excluded(encoded(&[Value::Int(1), Value::text("ac")])),
    };
    assert_eq!(with_a("ab%c"), Access::Ranges(vec![range]));
    assert_eq!(with_a("%ab"), Access::Ranges(vec![KeyRange::prefix(&encoded(&[Value::Int(1)]))]));
}

#[test]
fn an_index_serves_where_the_key_tells_less() {
    let by_n = KeyRange::prefix(&encoded(&[Value::BigInt(7)]));
    let wanted = Access::Index { index: IndexId(1), ranges: vec![by_n], exact: true };
    assert_eq!(of(&[col("n").eq(lit(7_i64))]), wanted);
    let by_both = KeyRange::prefix(&encoded(&[Value::text("x"), Value::BigInt(7)]));
    let wanted = Access::Index { index: IndexId(2), ranges: vec![by_both], exact: true };
    assert_eq!(of(&[col("n").eq(lit(7_i64)), col("s").eq(lit("x"))]), wanted);
    let open = KeyRange { start: Bound::Excluded(encoded(&[Value::BigInt(7)])), end: Bound::Unbounded };
    let wanted = Access::Index { index: IndexId(1), ranges: vec![open], exact: false };
    assert_eq!(of(&[col("n").gt(lit(7_i64))]), wanted);
    assert_eq!(access(&table(), &[col("n").gt(lit(7_i64))], false), Access::All);
    let null = KeyRange::prefix(&encoded(&[Value::Null]));
    let wanted = Access::Index { index: IndexId(1), ranges: vec![null], exact: true };
    assert_eq!(of(&[col("n").is_null()]), wanted);
}

#[test]
fn what_no_row_can_meet_reads_nothing() {
    let null = Expr::Literal(datafusion::scalar::ScalarValue::Int32(None), None);
    for conditions in [
        vec![col("a").eq(null.clone())],
        vec![col("a").eq(lit(1_i32)), col("a").eq(lit(2_i32))],
        vec![col("a").gt(lit(5_i32)), col("a").lt(lit(5_i32))],
        vec![col("n").lt(lit(1_i64)), in_list(col("n"), vec![lit(3_i64), lit(4_i64)], false)],
    ] {
        assert_eq!(of(&conditions), Access::Keys(vec![]), "{conditions:?}");
    }
}

#[test]
fn conditions_that_tell_nothing_of_one_column_read_everything() {
    for condition in [
        col("a").not_eq(lit(1_i32)),
        cast(col("a"), ArrowType::Int64).eq(lit(1_i64)),
        col("a").eq(lit(1_i64)),
        or(col("a").eq(lit(1_i32)), col("n").eq(lit(1_i64))),
        or(col("a").eq(lit(1_i32)), col("a").gt(lit(5_i32))),
        col("a").eq(col("n")),
        in_list(col("a"), vec![lit(1_i32)], true),
        col("ok"),
    ] {
        assert_eq!(of(std::slice::from_ref(&condition)), Access::All, "{condition}");
    }
}

#[test]
fn a_long_list_becomes_the_range_around_it() {
    let list = (0..10_000_i32).map(lit).collect();
    let around = KeyRange { start: included(&[Value::Int(0)]), end: included(&[Value::Int(9_999)]) };
    assert_eq!(of(&[in_list(col("a"), list, false)]), Access::Ranges(vec![around]));
}

#[test]
fn placeholders_narrow_as_soon_as_they_are_known() {
    use datafusion::logical_expr::expr::Placeholder;
    let later = Expr::Placeholder(Placeholder::new_with_field("$1".to_owned(), None));
    assert!(narrows(&table(), &col("a").eq(later.clone())));
    assert!(narrows(&table(), &col("n").gt_eq(later.clone())));
    assert!(!narrows(&table(), &col("ok").eq(later.clone())));
    assert!(!narrows(&table(), &col("a").not_eq(later.clone())));
    assert_eq!(of(&[col("a").eq(later)]), Access::All);
}

#[derive(Debug, Clone)]
enum Condition {
    Compare(&'static str, i32),
    List(Vec<i32>),
}

fn condition() -> impl Strategy<Value = Condition> {
    let op = prop::sample::select(vec!["=", "<", "<=", ">", ">="]);
    prop_oneof![
        (op, -3..4_i32).prop_map(|(op, n)| Condition::Compare(op, n)),
        prop::collection::vec(-3..4_i32, 0..4).prop_map(Condition::List),
    ]
}

impl Condition {
    fn expr(&self) -> Expr {
        match self {
            Condition::Compare("=", n) => col("a").eq(lit(*n)),
            Condition::Compare("<", n) => col("a").lt(lit(*n)),
            Condition::Compare("<=", n) => col("a").lt_eq(lit(*n)),
            Condition::Compare(">", n) => col("a").gt(lit(*n)),
            Condition::Compare(_, n) => col("a").gt_eq(lit(*n)),
            Condition::List(list) => in_list(col("a"), list.iter().map(|n| lit(*n)).collect(), false),
        }
    }

    fn holds(&self, a: i32) -> bool {
        match self {
            Condition::Compare("=", n) => a == *n,
            Condition::Compare("<", n) => a < *n,
            Condition::Compare("<=", n) => a <= *n,
            Condition::Compare(">", n) => a > *n,
            Condition::Compare(_, n) => a >= *n,
            Condition::List(list) => list.contains(&a),
        }
    }
}

fn is_read(access: &Access, a: i32) -> bool {
    let key = encoded(&[Value::Int(a), Value::text("x")]);
    let within = |range: &KeyRange| {
        let start = match &range.start {
            Bound::Unbounded => true,
            Bound::Included(start) => key >= *start,
            Bound::Excluded(start) => key > *start && !key.starts_with(start),
        };
        let end = match &range.end {
            Bound::Unbounded => true,
            Bound::Included(end) => key < *end || key.starts_with(end),
            Bound::Excluded(end) => key < *end,
        };
        start && end
    };
    match access {
        Access::All => true,
        Access::Keys(keys) => keys.iter().any(|known| known.as_bytes() == key),
        Access::Ranges(ranges) => ranges.iter().any(within),
        Access::Index { .. } => false,
    }
}

proptest! {
    #[test]
    fn every_row_that_meets_the_conditions_is_read(
        conditions in prop::collection::vec(condition(), 1..4),
        a in -4..5_i32,
    ) {
        let access = of(&conditions.iter().map(Condition::expr).collect::<Vec<_>>());
        if conditions.iter().all(|condition| condition.holds(a)) {
            prop_assert!(is_read(&access, a), "{:?}", access);
        }
    }
}
