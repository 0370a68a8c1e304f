//! The compiled form of an expression, and its evaluation.
//!
//! Truth values have three states, `None` being SQL's unknown. Evaluation cannot fail: whatever
//! could is not compiled. NULL stands for a combination of types that compiling rules out.

use std::borrow::Cow;
use std::cmp::Ordering;

use datafusion::common::DFSchemaRef;
use datafusion::logical_expr::Expr;
use kalamdb_commons::{DataType, Value};
use kalamdb_store::StoredRow;
use kalamdb_system::TableDef;

use super::compile;
use super::convert::{Arithmetic, Conversion};
use super::like::LikePattern;

/// An expression over the rows of one table.
///
/// Two scalars whose `Debug` texts are equal evaluate alike.
#[derive(Debug, Clone)]
pub struct Scalar {
    pub(super) node: Node,
    /// What it gives.
    pub(super) data_type: DataType,
}

impl Scalar {
    /// Compiles the planner's analysed expression over `schema`, the columns of `table`.
    ///
    /// `None` where the evaluator does not know an expression, or where it could fail on some row.
    #[must_use]
    pub fn compile(expr: &Expr, schema: &DFSchemaRef, table: &TableDef) -> Option<Scalar> {
        compile::compile(expr, schema, table)
    }

    /// The type of its values.
    #[must_use]
    pub fn data_type(&self) -> DataType {
        self.data_type
    }

    /// Its value for a row.
    #[must_use]
    pub fn eval(&self, row: &StoredRow) -> Value {
        self.node.eval(row).into_owned()
    }

    /// Is it true for a row? Unknown is not.
    #[must_use]
    pub fn holds(&self, row: &StoredRow) -> bool {
        self.node.truth(row) == Some(true)
    }

    /// Every `column = constant` that must hold for the expression to be true, by slot.
    #[must_use]
    pub fn equalities(&self) -> Vec<(u16, Value)> {
        let conjuncts = match &self.node {
            Node::Test(test) => match test.as_ref() {
                Test::All(tests) => tests.as_slice(),
                test => std::slice::from_ref(test),
            },
            Node::Column(column) => return vec![(column.slot, Value::Bool(true))],
            _ => &[],
        };
        conjuncts.iter().filter_map(Test::equality).collect()
    }
}

/// A column of the table.
#[derive(Debug, Clone)]
pub(super) struct ColumnRef {
    pub slot: u16,
    /// What rows older than the column hold.
    pub fill: Value,
}

impl ColumnRef {
    fn of<'a>(&'a self, row: &'a StoredRow) -> &'a Value {
        row.row.at(usize::from(self.slot)).unwrap_or(&self.fill)
    }
}

/// An expression that gives a value.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Constant(Value),
    Column(ColumnRef),
    /// A JSON column as the planner sees it.
    JsonAsText(ColumnRef),
    /// A UUID column as the planner sees it.
    UuidAsText(ColumnRef),
    /// The row's `_seq`.
    Seq,
    Test(Box<Test>),
    Arithmetic(Arithmetic, Box<Node>, Box<Node>),
    Negate(Box<Node>),
    Convert(Conversion, Box<Node>),
    Text(TextFunction, Box<Node>),
    Concat(Box<Node>, Box<Node>),
    NullIf(Box<Node>, Box<Node>),
    /// `CASE WHEN … THEN … ELSE … END`.
    Choose(Vec<(Test, Node)>, Option<Box<Node>>),
    /// `CASE … WHEN … THEN … ELSE … END`.
    Switch(Box<Node>, Vec<(Node, Node)>, Option<Box<Node>>),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum TextFunction {
    Lower,
    Upper,
    /// In characters.
    Length,
}

/// An expression that is true, false or unknown.
#[derive(Debug, Clone)]
pub(super) enum Test {
    Known(Option<bool>),
    /// A column and a constant that is not NULL.
    ColumnIs(ColumnRef, Comparison, Value),
    Compare(Node, Comparison, Node),
    /// `IS NOT DISTINCT FROM`.
    Same(Node, Node),
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    IsNull(Node),
    /// `IS TRUE`, `IS FALSE`, `IS UNKNOWN`.
    Is(Box<Test>, Option<bool>),
    In(Node, Members),
    Like(Node, LikePattern),
    Value(Box<Node>),
}

/// The constants of an IN list.
#[derive(Debug, Clone)]
pub(super) struct Members {
    /// Ascending, none of them NULL.
    pub values: Vec<Value>,
    pub has_null: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Eq,
    NotEq,
    Less,
    LessEq,
    Greater,
    GreaterEq,
}

impl Comparison {
    fn accepts(self, ordering: Ordering) -> bool {
        match self {
            Comparison::Eq => ordering.is_eq(),
            Comparison::NotEq => ordering.is_ne(),
            Comparison::Less => ordering.is_lt(),
            Comparison::LessEq => ordering.is_le(),
            Comparison::Greater => ordering.is_gt(),
            Comparison::GreaterEq => ordering.is_ge(),
        }
    }

    /// The same comparison with its sides exchanged.
    pub fn flipped(self) -> Comparison {
        match self {
            Comparison::Eq | Comparison::NotEq => self,
            Comparison::Less => Comparison::Greater,
            Comparison::LessEq => Comparison::GreaterEq,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterEq => Comparison::LessEq,
        }
    }
}

impl Node {
    pub fn eval<'a>(&'a self, row: &'a StoredRow) -> Cow<'a, Value> {
        Cow::Owned(match self {
            Node::Constant(value) => return Cow::Borrowed(value),
            Node::Column(column) => return Cow::Borrowed(column.of(row)),
            Node::JsonAsText(column) | Node::UuidAsText(column) => match column.of(row) {
                Value::Json(text) => Value::Text(text.clone()),
                Value::Null => Value::Null,
                other => Value::text(other.to_text()),
            },
            // A SeqId leaves the range of a BIGINT after 9·10^18 changes.
            Node::Seq => Value::BigInt(row.seq.0.cast_signed()),
            Node::Test(test) => test.eval(row).map_or(Value::Null, Value::Bool),
            Node::Arithmetic(operation, left, right) => operation.apply(&left.eval(row), &right.eval(row)),
            Node::Negate(of) => Arithmetic::negate(&of.eval(row)),
            Node::Convert(conversion, of) => conversion.apply(&of.eval(row)),
            Node::Text(function, of) => function.apply(&of.eval(row)),
            Node::Concat(left, right) => match (left.eval(row).as_ref(), right.eval(row).as_ref()) {
                (Value::Text(left), Value::Text(right)) => Value::text(format!("{left}{right}")),
                _ => Value::Null,
            },
            Node::NullIf(left, right) => {
                let left = left.eval(row);
                match compare(&left, &right.eval(row)) {
                    Some(Ordering::Equal) => Value::Null,
                    _ => return left,
                }
            }
            Node::Choose(branches, otherwise) => {
                let chosen = branches.iter().find(|(test, _)| test.eval(row) == Some(true));
                return Node::result(chosen.map(|(_, node)| node), otherwise.as_deref(), row);
            }
            Node::Switch(of, branches, otherwise) => {
                let of = of.eval(row);
                let is_equal = |when: &Node| compare(&of, &when.eval(row)) == Some(Ordering::Equal);
                let chosen = branches.iter().find(|(when, _)| is_equal(when));
                return Node::result(chosen.map(|(_, node)| node), otherwise.as_deref(), row);
            }
        })
    }

    fn result<'a>(chosen: Option<&'a Node>, otherwise: Option<&'a Node>, row: &'a StoredRow) -> Cow<'a, Value> {
        chosen.or(otherwise).map_or(Cow::Owned(Value::Null), |node| node.eval(row))
    }

    fn truth(&self, row: &StoredRow) -> Option<bool> {
        match self {
            Node::Test(test) => test.eval(row),
            other => match other.eval(row).as_ref() {
                Value::Bool(truth) => Some(*truth),
                _ => None,
            },
        }
    }
}

impl Test {
    pub fn eval(&self, row: &StoredRow) -> Option<bool> {
        match self {
            Test::Known(truth) => *truth,
            Test::ColumnIs(column, comparison, constant) => {
                compare(column.of(row), constant).map(|ordering| comparison.accepts(ordering))
            }
            Test::Compare(left, comparison, right) => {
                compare(&left.eval(row), &right.eval(row)).map(|ordering| comparison.accepts(ordering))
            }
            Test::Same(left, right) => {
                let (left, right) = (left.eval(row), right.eval(row));
                Some(match compare(&left, &right) {
                    Some(ordering) => ordering.is_eq(),
                    None => left.is_null() && right.is_null(),
                })
            }
            Test::All(tests) => chain(tests, row, false),
            Test::Any(tests) => chain(tests, row, true),
            Test::Not(test) => test.eval(row).map(|truth| !truth),
            Test::IsNull(node) => Some(node.eval(row).is_null()),
            Test::Is(test, wanted) => Some(test.eval(row) == *wanted),
            Test::In(node, members) => {
                let value = node.eval(row);
                match members.values.binary_search(&value) {
                    _ if value.is_null() => None,
                    Ok(_) => Some(true),
                    Err(_) => (!members.has_null).then_some(false),
                }
            }
            Test::Like(node, pattern) => match node.eval(row).as_ref() {
                Value::Text(text) => Some(pattern.matches(text)),
                _ => None,
            },
            Test::Value(node) => node.truth(row),
        }
    }

    fn equality(&self) -> Option<(u16, Value)> {
        match self {
            Test::ColumnIs(column, Comparison::Eq, constant) => Some((column.slot, constant.clone())),
            Test::Value(node) => match node.as_ref() {
                Node::Column(column) => Some((column.slot, Value::Bool(true))),
                _ => None,
            },
            Test::Not(test) => match test.as_ref() {
                Test::Value(node) => match node.as_ref() {
                    Node::Column(column) => Some((column.slot, Value::Bool(false))),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        }
    }
}

/// AND with `decisive` false, OR with true: one decisive test decides, an unknown one leaves it open.
fn chain(tests: &[Test], row: &StoredRow, decisive: bool) -> Option<bool> {
    let mut result = Some(!decisive);
    for test in tests {
        match test.eval(row) {
            Some(truth) if truth == decisive => return Some(decisive),
            Some(_) => {}
            None => result = None,
        }
    }
    result
}

/// Compares two values of one type; `None` if one of them is NULL.
///
/// Floats are ordered by `total_cmp`, except that both zeros are one.
pub(super) fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Null, _) | (_, Value::Null) => None,
        (Value::Float(left), Value::Float(right)) => {
            let one_zero = |x: &f32| if *x == 0.0 { 0.0 } else { *x };
            Some(one_zero(left).total_cmp(&one_zero(right)))
        }
        (Value::Double(left), Value::Double(right)) => {
            let one_zero = |x: &f64| if *x == 0.0 { 0.0 } else { *x };
            Some(one_zero(left).total_cmp(&one_zero(right)))
        }
        _ => Some(left.cmp(right)),
    }
}

impl TextFunction {
    fn apply(self, value: &Value) -> Value {
        let Value::Text(text) = value else {
            return Value::Null;
        };
        match self {
            TextFunction::Lower => Value::text(text.to_lowercase()),
            TextFunction::Upper => Value::text(text.to_uppercase()),
            // A row is far smaller than the range of an INT.
            TextFunction::Length => Value::Int(i32::try_from(text.chars().count()).unwrap_or(i32::MAX)),
        }
    }
}

#[cfg(test)]
mod tests;
