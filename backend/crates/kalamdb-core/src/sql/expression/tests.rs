//! Our evaluator against the planner's: random expressions on random rows must agree to the bit.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::Schema;
use datafusion::common::tree_node::{TransformedResult as _, TreeNode as _};
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use kalamdb_commons::value::Decimal;
use kalamdb_commons::{DataType, Name, Row, SeqId, TableId, TableName, Value};
use kalamdb_store::{ManualClock, RowKey, StoredRow};
use kalamdb_system::{AccessLevel, ColumnDef, TableDef, TableKind};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::Scalar;
use crate::sql::functions;
use crate::sql::functions::checked::checked;
use crate::sql::functions::ids::IdSource;
use crate::tables::arrow::{arrow_field, value_at, values_to_array};

/// Columns of every type; `y` holds no NaN and no infinity, and `late` came after the first rows.
const COLUMNS: [(&str, DataType); 17] = [
    ("b", DataType::Boolean),
    ("s", DataType::SmallInt),
    ("i", DataType::Int),
    ("l", DataType::BigInt),
    ("f", DataType::Float),
    ("x", DataType::Double),
    ("y", DataType::Double),
    ("d", DataType::Decimal { precision: 10, scale: 2 }),
    ("e", DataType::Decimal { precision: 20, scale: 5 }),
    ("t", DataType::Text),
    ("u", DataType::Text),
    ("at", DataType::Timestamp),
    ("zt", DataType::DateTime),
    ("day", DataType::Date),
    ("id", DataType::Uuid),
    ("doc", DataType::Json),
    ("late", DataType::Int),
];

pub(in crate::sql) fn table() -> TableDef {
    let column = |(slot, (name, data_type)): (usize, &(&str, DataType))| ColumnDef {
        name: Name::new(name).unwrap(),
        data_type: *data_type,
        not_null: false,
        default: None,
        slot: u16::try_from(slot).unwrap(),
        fill: if *name == "late" { Value::Int(7) } else { Value::Null },
    };
    TableDef {
        id: TableId(1),
        name: TableName { namespace: Name::new("default").unwrap(), table: Name::new("t").unwrap() },
        kind: TableKind::Shared,
        access: AccessLevel::Public,
        ttl_secs: None,
        columns: COLUMNS.iter().enumerate().map(column).collect(),
        primary_key: vec![],
        indexes: vec![],
        grants: Vec::new(),
        next_slot: 17,
        version: 1,
        created_at: 0,
    }
}

pub(in crate::sql) fn stored(values: Vec<Value>) -> StoredRow {
    StoredRow { key: RowKey::new(&[]), seq: SeqId(9), row: Row::new(values) }
}

/// The planner with our functions and rules, over a table of these rows.
struct Planner {
    context: SessionContext,
    runtime: tokio::runtime::Runtime,
}

impl Planner {
    fn new(rows: &[StoredRow]) -> Planner {
        let mut config = SessionConfig::new().with_target_partitions(1);
        config.options_mut().sql_parser.map_string_types_to_utf8view = false;
        let mut state = SessionStateBuilder::new().with_config(config).with_default_features().build();
        let ids = Arc::new(IdSource::new(Arc::new(ManualClock::new(0))));
        functions::register(&mut state, &ids).unwrap();
        let context = SessionContext::new_with_state(state);
        let table = table();
        let fields: Vec<_> =
            table.columns.iter().map(|column| arrow_field(column.name.as_str(), &column.data_type, true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let array = |column: &ColumnDef| -> ArrayRef {
            values_to_array(&column.data_type, rows.iter().map(|row| TableDef::value(column, &row.row)))
        };
        let batch = RecordBatch::try_new(schema.clone(), table.columns.iter().map(array).collect()).unwrap();
        context.register_table("t", Arc::new(MemTable::try_new(schema, vec![vec![batch]]).unwrap())).unwrap();
        Planner { context, runtime: tokio::runtime::Builder::new_current_thread().build().unwrap() }
    }

    /// The analysed expression and what it is over; `None` if it makes no sense.
    fn analysed(&self, sql: &str) -> Option<(Expr, Arc<LogicalPlan>)> {
        let state = self.context.state();
        let plan = self.runtime.block_on(state.create_logical_plan(&format!("SELECT {sql} AS r FROM t"))).ok()?;
        match state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {}).ok()? {
            LogicalPlan::Projection(projection) => Some((projection.expr[0].clone(), projection.input.clone())),
            other => panic!("{sql}: {other}"),
        }
    }

    /// Our form of an expression, if we take it.
    fn compiled(&self, sql: &str) -> Option<Scalar> {
        let (expr, input) = self.analysed(sql)?;
        Scalar::compile(&expr, input.schema(), &table())
    }

    /// What the planner computes: as a query is run, with checked arithmetic and optimised.
    fn computed(&self, sql: &str, data_type: DataType) -> Result<Vec<Value>, String> {
        let (expr, input) = self.analysed(sql).ok_or("it makes no sense")?;
        let computed = || {
            let expr = expr.transform_up(|expr| checked(expr, input.schema())).data()?.alias("r");
            let plan = LogicalPlanBuilder::from(input).project([expr])?.build()?;
            self.runtime.block_on(async { self.context.execute_logical_plan(plan).await?.collect().await })
        };
        let batches = computed().map_err(|error: DataFusionError| error.to_string())?;
        let cells = batches
            .iter()
            .flat_map(|batch| (0..batch.num_rows()).map(move |at| value_at(batch.column(0), at, &data_type)));
        Ok(cells.collect())
    }
}

/// NaN equals NaN whatever its bits: arithmetic may make either.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) if a.is_nan() && b.is_nan() => true,
        (Value::Double(a), Value::Double(b)) if a.is_nan() && b.is_nan() => true,
        _ => a == b,
    }
}

fn text() -> BoxedStrategy<String> {
    prop_oneof![
        3 => prop::sample::select(vec!["", "a", "b", "ab", "A", "ABC", "abc", "ö", "Ö", "x%", "a_b", "\u{212a}", "\u{17f}s", "a\nb", "\\", "5", "true"])
            .prop_map(str::to_owned),
        1 => "[abAB%_\\\\ö]{0,6}",
    ]
    .boxed()
}

fn double() -> impl Strategy<Value = f64> {
    prop::sample::select(vec![0.0, -0.0, 1.0, -1.0, 1.5, 5.0, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY])
}

fn cell(name: &str, data_type: DataType) -> BoxedStrategy<Value> {
    let small = || -3..8_i32;
    let value = match (name, data_type) {
        (_, DataType::Boolean) => any::<bool>().prop_map(Value::Bool).boxed(),
        (_, DataType::SmallInt) => {
            prop_oneof![4 => (-3..8_i16).boxed(), 1 => Just(i16::MIN).boxed(), 1 => Just(i16::MAX).boxed()]
                .prop_map(Value::SmallInt)
                .boxed()
        }
        (_, DataType::Int) => {
            prop_oneof![4 => small().boxed(), 1 => Just(i32::MIN).boxed(), 1 => Just(i32::MAX).boxed()]
                .prop_map(Value::Int)
                .boxed()
        }
        (_, DataType::BigInt) => {
            prop_oneof![4 => (-3..8_i64).boxed(), 1 => Just(i64::MIN).boxed(), 1 => Just(i64::MAX).boxed()]
                .prop_map(Value::BigInt)
                .boxed()
        }
        (_, DataType::Float) => double().prop_map(|x| Value::Float(x as f32)).boxed(),
        ("y", _) => (-4..9_i32).prop_map(|n| Value::Double(f64::from(n) / 2.0)).boxed(),
        (_, DataType::Double) => double().prop_map(Value::Double).boxed(),
        (_, DataType::Decimal { scale, .. }) => {
            (-500..500_i128).prop_map(move |unscaled| Value::Decimal(Decimal { unscaled, scale })).boxed()
        }
        (_, DataType::Text) => text().prop_map(|text| Value::text(text.as_str())).boxed(),
        (_, DataType::Timestamp) => (0..4_i64).prop_map(|n| Value::Timestamp(n * 500_000)).boxed(),
        (_, DataType::DateTime) => (0..4_i64).prop_map(|n| Value::DateTime(n * 500_000)).boxed(),
        (_, DataType::Date) => (-2..3_i32).prop_map(Value::Date).boxed(),
        (_, DataType::Uuid) => (0..3_u128).prop_map(|n| Value::Uuid(n << 100)).boxed(),
        (_, DataType::Json) => {
            prop::sample::select(vec!["{}", "[1]", "\"x\""]).prop_map(|text| Value::Json(text.into())).boxed()
        }
        (_, DataType::Time | DataType::Bytes) => unreachable!(),
    };
    prop_oneof![1 => Just(Value::Null), 4 => value].boxed()
}

/// Rows of all columns; some end before the last one, which came later.
fn row() -> impl Strategy<Value = StoredRow> {
    let cells: Vec<_> = COLUMNS.iter().map(|(name, data_type)| cell(name, *data_type)).collect();
    (cells, any::<bool>()).prop_map(|(mut cells, old)| {
        if old {
            cells.pop();
        }
        stored(cells)
    })
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn whole_number() -> BoxedStrategy<String> {
    prop_oneof![
        3 => prop::sample::select(vec!["s", "i", "l", "late"]).prop_map(str::to_owned),
        2 => (-3..8_i32).prop_map(|n| n.to_string()),
        1 => Just("NULL".to_owned()),
        1 => Just("9223372036854775807".to_owned()),
    ]
    .prop_recursive(2, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), prop::sample::select(vec!["+", "-", "*"]), inner.clone())
                .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (inner.clone(), prop::sample::select(vec!["/", "%"]), prop::sample::select(vec!["2", "3", "-7"]))
                .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            inner.clone().prop_map(|a| format!("(- {a})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("nullif({a}, {b})")),
            inner.clone().prop_map(|a| format!("CAST({a} AS BIGINT)")),
            text_expr().prop_map(|t| format!("length({t})")),
        ]
    })
    .boxed()
}

fn number() -> BoxedStrategy<String> {
    prop_oneof![
        3 => whole_number(),
        2 => prop::sample::select(vec!["f", "x", "y", "d", "e", "1.5", "0.0", "-0.0", "(y + 1)", "(y * 2.5)", "(y - i)", "(y / 2)"])
            .prop_map(str::to_owned),
    ]
    .boxed()
}

fn text_expr() -> BoxedStrategy<String> {
    prop_oneof![
        3 => prop::sample::select(vec!["t", "u", "id", "doc", "lower(t)", "upper(u)", "(t || u)", "CAST(i AS TEXT)", "CAST(b AS TEXT)"])
            .prop_map(str::to_owned),
        2 => text().prop_map(|text| quoted(&text)),
        1 => Just("'10000000-0000-0000-0000-000000000000'".to_owned()),
        1 => Just("nullif(t, u)".to_owned()),
        1 => Just("coalesce(t, u, 'none')".to_owned()),
        1 => Just("CASE t WHEN 'a' THEN 'b' WHEN u THEN NULL ELSE t END".to_owned()),
    ]
    .boxed()
}

fn moment() -> BoxedStrategy<String> {
    prop::sample::select(vec![
        "at",
        "zt",
        "'1970-01-01T00:00:00.5'",
        "TIMESTAMP '1970-01-01T00:00:01'",
        "TIMESTAMP '1970-01-01T00:00:00.000000001'",
    ])
    .prop_map(str::to_owned)
    .boxed()
}

fn compare_op() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"])
}

fn condition() -> BoxedStrategy<String> {
    let pair = |side: BoxedStrategy<String>| {
        (side.clone(), compare_op(), side).prop_map(|(a, op, b)| format!("({a} {op} {b})")).boxed()
    };
    let like = prop::sample::select(vec!["LIKE", "NOT LIKE", "ILIKE", "NOT ILIKE"]);
    let leaf = prop_oneof![
        4 => pair(number()),
        3 => pair(text_expr()),
        2 => pair(moment()),
        1 => pair(prop::sample::select(vec!["day", "DATE '1970-01-02'", "'1969-12-31'"]).prop_map(str::to_owned).boxed()),
        1 => Just("b".to_owned()),
        1 => Just("NULL".to_owned()),
        3 => (text_expr(), like, text()).prop_map(|(a, op, p)| format!("({a} {op} {})", quoted(&p))),
        2 => (number(), prop::collection::vec(number(), 1..5), any::<bool>())
            .prop_map(|(a, list, not)| format!("({a} {} ({}))", if not { "NOT IN" } else { "IN" }, list.join(", "))),
        2 => (text_expr(), prop::collection::vec(text(), 1..6), any::<bool>()).prop_map(|(a, list, not)| {
            let list: Vec<_> = list.iter().map(|text| quoted(text)).collect();
            format!("({a} {} ({}))", if not { "NOT IN" } else { "IN" }, list.join(", "))
        }),
        1 => (number(), number(), number()).prop_map(|(a, b, c)| format!("({a} NOT BETWEEN {b} AND {c})")),
        1 => (number(), number(), number()).prop_map(|(a, b, c)| format!("({a} BETWEEN {b} AND {c})")),
        1 => text_expr().prop_map(|a| format!("({a} IS NULL)")),
        1 => number().prop_map(|a| format!("({a} IS NOT NULL)")),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" AND "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|any| format!("({})", any.join(" OR "))),
            inner.clone().prop_map(|a| format!("(NOT {a})")),
            (
                inner.clone(),
                prop::sample::select(vec![
                    "IS TRUE",
                    "IS NOT TRUE",
                    "IS FALSE",
                    "IS NOT FALSE",
                    "IS UNKNOWN",
                    "IS NOT UNKNOWN"
                ])
            )
                .prop_map(|(a, is)| format!("({a} {is})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("(CASE WHEN {a} THEN {b} ELSE {c} END)")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("coalesce({a}, {b})")),
        ]
    })
    .boxed()
}

fn expression() -> BoxedStrategy<String> {
    prop_oneof![4 => condition(), 2 => number(), 2 => text_expr(), 1 => moment()].boxed()
}

#[test]
fn whatever_is_compiled_gives_what_the_planner_computes_and_never_fails() {
    let (seen, taken) = (std::cell::Cell::new(0_usize), std::cell::Cell::new(0_usize));
    let config = Config { cases: 300, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let input = (prop::collection::vec(row(), 1..5), prop::collection::vec(expression(), 6));
    let outcome = TestRunner::new(config).run(&input, |(rows, expressions)| {
        let planner = Planner::new(&rows);
        for sql in expressions {
            seen.set(seen.get() + 1);
            let Some(scalar) = planner.compiled(&sql) else { continue };
            taken.set(taken.get() + 1);
            let ours: Vec<_> = rows.iter().map(|row| scalar.eval(row)).collect();
            let theirs = planner.computed(&sql, scalar.data_type());
            let theirs = theirs.map_err(|error| TestCaseError::fail(format!("{sql} fails: {error}")))?;
            let agree = ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|(a, b)| alike(a, b));
            prop_assert!(agree, "{sql}\nours:   {ours:?}\ntheirs: {theirs:?}");
            if scalar.data_type() == DataType::Boolean {
                let holds: Vec<_> = rows.iter().map(|row| scalar.holds(row)).collect();
                let wanted: Vec<_> = theirs.iter().map(|value| *value == Value::Bool(true)).collect();
                prop_assert_eq!(holds, wanted, "{}", sql);
            }
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    // If hardly anything were compiled, agreeing would mean nothing.
    let (seen, taken) = (seen.get(), taken.get());
    assert!(taken * 2 > seen, "{taken} of {seen} expressions were compiled");
}

#[test]
fn equalities_are_those_that_a_true_condition_implies() {
    let planner = Planner::new(&[]);
    let equalities = |sql: &str| planner.compiled(sql).map(|scalar| scalar.equalities());
    assert_eq!(equalities("i = 5"), Some(vec![(2, Value::Int(5))]));
    assert_eq!(equalities("'a' = t AND l > 3 AND i = 5"), Some(vec![(9, Value::text("a")), (2, Value::Int(5))]));
    assert_eq!(equalities("b"), Some(vec![(0, Value::Bool(true))]));
    assert_eq!(equalities("NOT b AND s = 1"), Some(vec![(0, Value::Bool(false)), (1, Value::SmallInt(1))]));
    assert_eq!(equalities("i = 5 OR t = 'a'"), Some(vec![]));
    assert_eq!(equalities("NOT (i = 5)"), Some(vec![]));
    let uuid = "10000000-0000-0000-0000-000000000000";
    assert_eq!(equalities(&format!("id = '{uuid}'")), Some(vec![(14, Value::Uuid(1 << 124))]));
}

#[test]
fn what_could_fail_or_depends_on_more_than_the_row_is_left_to_the_planner() {
    let planner = Planner::new(&[]);
    for sql in [
        "l + 1",
        "i * l * l",
        "- l",
        "9223372036854775807 + 1",
        "10 / i",
        "i / 0",
        "i % l",
        "d * e",
        "CAST(t AS INT)",
        "CAST(l AS INT)",
        "now()",
        "random() > 0.5",
        "at > now()",
        "t LIKE u",
        "t SIMILAR TO 'a'",
        "t ~ 'a+b'",
        "x IN (0.0, 1.0, 2.0, 3.0, 4.0)",
        "sqrt(x)",
    ] {
        assert!(planner.compiled(sql).is_none(), "{sql}");
    }
}

#[test]
fn s16_a_long_chain_is_one_level_and_a_deep_expression_is_left_to_the_planner() {
    let planner = Planner::new(&[]);
    let chain: Vec<String> = (0..300).map(|n| format!("(i <> {n} OR t = 'x{n}')")).collect();
    let scalar = planner.compiled(&chain.join(" AND ")).unwrap();
    assert!(!scalar.holds(&stored(vec![Value::Null])));
    let deep = format!("{}i{} > 3", "(l + ".repeat(60), ")".repeat(60));
    assert!(planner.compiled(&deep).is_none());
}
