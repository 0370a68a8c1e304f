//! From the planner's expressions to ours.
//!
//! The expression is first simplified by the planner's own rules, as it would be for a query: casts
//! move from columns to constants, constants are folded, and what is left compares columns with
//! constants of their own type. Both sides of everything compiled have the same type; a construct
//! whose result the planner computes by other rules than we do is left out.

use datafusion::arrow::datatypes::{DataType as ArrowType, TimeUnit};
use datafusion::common::tree_node::{TransformedResult as _, TreeNode as _};
use datafusion::common::{DFSchemaRef, ScalarValue};
use datafusion::logical_expr::expr::{Between, BinaryExpr, Case, InList, Like, ScalarFunction};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, Operator, Volatility};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use kalamdb_commons::{DataType, Value};
use kalamdb_system::TableDef;

use super::convert::{Arithmetic, Conversion, Range};
use super::like::LikePattern;
use super::scalar::{ColumnRef, Comparison, Members, Node, Scalar, Test, TextFunction};
use crate::sql::functions::checked::checked;
use crate::sql::functions::guards::{BYTES_MAX, guarded};
use crate::tables::arrow::value_of_scalar;
use crate::tables::provider::SEQ_COLUMN;

/// Levels of an expression; what is deeper is not compiled. A chain of ANDs or ORs is one level.
const DEPTH_MAX: usize = 48;

pub(super) fn compile(expr: &Expr, schema: &DFSchemaRef, table: &TableDef) -> Option<Scalar> {
    let expr = without_alias(expr);
    if let Expr::Column(column) = expr
        && let Some(column) = table.column(&column.name)
    {
        let node = Node::Column(ColumnRef { slot: column.slot, fill: column.fill.clone() });
        return Some(Scalar { node, data_type: column.data_type });
    }
    if !is_timeless(expr) {
        return None;
    }
    let Typed { node, data_type, .. } = Compiler { table }.node(&simplify(expr, schema)?, 0)?;
    Some(Scalar { node, data_type: data_type? })
}

/// The expression as it would be run: with checked arithmetic, and simplified by the planner's optimiser.
#[must_use]
pub fn simplify(expr: &Expr, schema: &DFSchemaRef) -> Option<Expr> {
    let safe = |expr: Expr| checked(expr, schema)?.transform_data(|expr| Ok(guarded(expr, BYTES_MAX)));
    let expr = expr.clone().transform_up(safe).data().ok()?;
    let context = SimplifyContext::builder().with_schema(schema.clone()).build();
    ExprSimplifier::new(context).simplify(expr).ok()
}

/// Does the expression give the same for equal rows, whoever asks and whenever?
fn is_timeless(expr: &Expr) -> bool {
    let depends = |expr: &Expr| {
        Ok(match expr {
            Expr::ScalarFunction(function) => function.func.signature().volatility != Volatility::Immutable,
            _ => false,
        })
    };
    !expr.exists(depends).unwrap_or(true)
}

fn without_alias(mut expr: &Expr) -> &Expr {
    while let Expr::Alias(alias) = expr {
        expr = &alias.expr;
    }
    expr
}

/// A node and the type of its values; `None` for a NULL that is of no type.
struct Typed {
    node: Node,
    data_type: Option<DataType>,
    /// What a whole number may be.
    range: Range,
}

impl Typed {
    fn new(node: Node, data_type: DataType) -> Typed {
        let range = match &node {
            Node::Constant(value) => Range::of_value(value),
            _ => Range::of_type(data_type),
        };
        Typed { node, data_type: Some(data_type), range }
    }

    fn within(self, range: Range) -> Typed {
        Typed { range, ..self }
    }

    fn of_test(test: Test) -> Typed {
        Typed::new(Node::Test(Box::new(test)), DataType::Boolean)
    }

    fn is_float(&self) -> bool {
        matches!(self.data_type, Some(DataType::Float | DataType::Double))
    }
}

struct Compiler<'a> {
    table: &'a TableDef,
}

impl Compiler<'_> {
    fn node(&self, expr: &Expr, depth: usize) -> Option<Typed> {
        let depth = depth.checked_add(1).filter(|&depth| depth <= DEPTH_MAX)?;
        match expr {
            Expr::Alias(alias) => self.node(&alias.expr, depth),
            Expr::Column(column) => self.column(&column.name),
            Expr::Literal(scalar, _) => literal(scalar),
            Expr::Negative(of) => {
                let of = self.node(of, depth).filter(Typed::is_float)?;
                Some(Typed::new(Node::Negate(Box::new(of.node)), of.data_type?))
            }
            Expr::Cast(cast) if cast.field.metadata().is_empty() => {
                let of = self.node(&cast.expr, depth)?;
                convert(of, type_of(cast.field.data_type())?)
            }
            Expr::Case(case) => self.case(case, depth),
            Expr::ScalarFunction(function) => self.function(function, depth),
            Expr::BinaryExpr(binary) => match arithmetic(binary.op) {
                Some(operation) => self.arithmetic(operation, [&binary.left, &binary.right], depth),
                None if binary.op == Operator::StringConcat => {
                    let (left, right) = (self.text(&binary.left, depth)?, self.text(&binary.right, depth)?);
                    Some(Typed::new(Node::Concat(Box::new(left), Box::new(right)), DataType::Text))
                }
                None => self.binary_test(binary, depth).map(Typed::of_test),
            },
            _ => self.unary_test(expr, depth).map(Typed::of_test),
        }
    }

    fn column(&self, name: &str) -> Option<Typed> {
        let Some(column) = self.table.column(name) else {
            return (name == SEQ_COLUMN).then_some(Typed::new(Node::Seq, DataType::BigInt));
        };
        let reference = ColumnRef { slot: column.slot, fill: column.fill.clone() };
        Some(match column.data_type {
            DataType::Json => Typed::new(Node::JsonAsText(reference), DataType::Text),
            DataType::Uuid => Typed::new(Node::UuidAsText(reference), DataType::Text),
            data_type => Typed::new(Node::Column(reference), data_type),
        })
    }

    /// An expression of type TEXT.
    fn text(&self, expr: &Expr, depth: usize) -> Option<Node> {
        let typed = self.node(expr, depth)?;
        matches!(typed.data_type, None | Some(DataType::Text)).then_some(typed.node)
    }

    fn arithmetic(&self, operation: Arithmetic, sides: [&Expr; 2], depth: usize) -> Option<Typed> {
        let [left, right] = sides;
        let (left, right) = (self.node(left, depth)?, self.node(right, depth)?);
        let data_type = left.data_type.filter(|_| left.data_type == right.data_type)?;
        let range = operation.range(data_type, left.range, right.range)?;
        let node = Node::Arithmetic(operation, Box::new(left.node), Box::new(right.node));
        Some(Typed::new(node, data_type).within(range))
    }

    fn function(&self, function: &ScalarFunction, depth: usize) -> Option<Typed> {
        match (function.name(), function.args.as_slice()) {
            ("plus", [left, right]) => self.arithmetic(Arithmetic::Plus, [left, right], depth),
            ("minus", [left, right]) => self.arithmetic(Arithmetic::Minus, [left, right], depth),
            ("times", [left, right]) => self.arithmetic(Arithmetic::Times, [left, right], depth),
            ("lower", [of]) => {
                Some(Typed::new(Node::Text(TextFunction::Lower, Box::new(self.text(of, depth)?)), DataType::Text))
            }
            ("upper", [of]) => {
                Some(Typed::new(Node::Text(TextFunction::Upper, Box::new(self.text(of, depth)?)), DataType::Text))
            }
            ("character_length", [of]) => {
                Some(Typed::new(Node::Text(TextFunction::Length, Box::new(self.text(of, depth)?)), DataType::Int))
            }
            ("nullif", [left, right]) => {
                let (left, right) = (self.node(left, depth)?, self.node(right, depth)?);
                // Its equality takes the two zeros for different ones.
                let data_type = left.data_type.filter(|_| left.data_type == right.data_type && !left.is_float())?;
                let range = left.range;
                Some(Typed::new(Node::NullIf(Box::new(left.node), Box::new(right.node)), data_type).within(range))
            }
            _ => None,
        }
    }

    fn case(&self, case: &Case, depth: usize) -> Option<Typed> {
        let mut results = Vec::new();
        for (_, then) in &case.when_then_expr {
            results.push(self.node(then, depth)?);
        }
        let otherwise = match &case.else_expr {
            Some(otherwise) => Some(self.node(otherwise, depth)?),
            None => None,
        };
        let mut types = results.iter().chain(&otherwise).filter_map(|typed| typed.data_type);
        let data_type = types.next()?;
        if types.any(|other| other != data_type) {
            return None;
        }
        let otherwise = otherwise.map(|typed| Box::new(typed.node));
        let whens = case.when_then_expr.iter().map(|(when, _)| when);
        let thens = results.into_iter().map(|typed| typed.node);
        let node = match &case.expr {
            None => {
                let tests = whens.map(|when| self.test(when, depth)).collect::<Option<Vec<_>>>()?;
                Node::Choose(tests.into_iter().zip(thens).collect(), otherwise)
            }
            Some(of) => {
                // Its equality takes the two zeros for different ones.
                let of = self.node(of, depth).filter(|of| !of.is_float())?;
                let same_type = |when: &Expr| {
                    let when = self.node(when, depth)?;
                    (when.data_type == of.data_type).then_some(when.node)
                };
                let whens = whens.map(|when| same_type(when)).collect::<Option<Vec<_>>>()?;
                Node::Switch(Box::new(of.node), whens.into_iter().zip(thens).collect(), otherwise)
            }
        };
        Some(Typed::new(node, data_type))
    }

    /// An expression of type BOOLEAN.
    fn test(&self, expr: &Expr, depth: usize) -> Option<Test> {
        let typed = self.node(expr, depth)?;
        if !matches!(typed.data_type, None | Some(DataType::Boolean)) {
            return None;
        }
        Some(match typed.node {
            Node::Test(test) => *test,
            Node::Constant(Value::Bool(truth)) => Test::Known(Some(truth)),
            Node::Constant(Value::Null) => Test::Known(None),
            node => Test::Value(Box::new(node)),
        })
    }

    fn unary_test(&self, expr: &Expr, depth: usize) -> Option<Test> {
        let is = |of: &Expr, wanted| Some(Test::Is(Box::new(self.test(of, depth)?), wanted));
        match expr {
            Expr::Not(of) => Some(not(self.test(of, depth)?)),
            Expr::IsNull(of) => Some(Test::IsNull(self.node(of, depth)?.node)),
            Expr::IsNotNull(of) => Some(not(Test::IsNull(self.node(of, depth)?.node))),
            Expr::IsTrue(of) => is(of, Some(true)),
            Expr::IsNotTrue(of) => is(of, Some(true)).map(not),
            Expr::IsFalse(of) => is(of, Some(false)),
            Expr::IsNotFalse(of) => is(of, Some(false)).map(not),
            Expr::IsUnknown(of) => is(of, None),
            Expr::IsNotUnknown(of) => is(of, None).map(not),
            Expr::Between(between) => self.between(between, depth),
            Expr::InList(list) => self.in_list(list, depth),
            Expr::Like(like) => self.like(like, depth),
            _ => None,
        }
    }

    fn binary_test(&self, binary: &BinaryExpr, depth: usize) -> Option<Test> {
        if let Operator::And | Operator::Or = binary.op {
            let tests = operands(binary).into_iter().map(|expr| self.test(expr, depth)).collect::<Option<Vec<_>>>()?;
            return Some(if binary.op == Operator::And { Test::All(tests) } else { Test::Any(tests) });
        }
        let (left, right) = (self.node(&binary.left, depth)?, self.node(&binary.right, depth)?);
        match binary.op {
            Operator::IsNotDistinctFrom => same(left, right),
            Operator::IsDistinctFrom => same(left, right).map(not),
            operator => comparison(left, comparison_of(operator)?, right),
        }
    }

    fn between(&self, between: &Between, depth: usize) -> Option<Test> {
        let low = comparison(self.node(&between.expr, depth)?, Comparison::GreaterEq, self.node(&between.low, depth)?)?;
        let high = comparison(self.node(&between.expr, depth)?, Comparison::LessEq, self.node(&between.high, depth)?)?;
        let within = Test::All(vec![low, high]);
        Some(if between.negated { not(within) } else { within })
    }

    fn in_list(&self, list: &InList, depth: usize) -> Option<Test> {
        // Its equality takes the two zeros for different ones.
        let of = self.node(&list.expr, depth).filter(|of| !of.is_float())?;
        let mut members = Members { values: Vec::with_capacity(list.list.len()), has_null: false };
        for member in &list.list {
            let Expr::Literal(scalar, _) = without_alias(member) else {
                return None;
            };
            let member = literal(scalar)?;
            match member.node {
                Node::Constant(Value::Null) => members.has_null = true,
                Node::Constant(value) if member.data_type == of.data_type => members.values.push(value),
                _ => return None,
            }
        }
        members.values.sort_unstable();
        let within = Test::In(of.node, members);
        Some(if list.negated { not(within) } else { within })
    }

    fn like(&self, like: &Like, depth: usize) -> Option<Test> {
        if !matches!(like.escape_char, None | Some('\\')) {
            return None;
        }
        let of = self.text(&like.expr, depth)?;
        let test = match self.text(&like.pattern, depth)? {
            Node::Constant(Value::Null) => Test::Known(None),
            Node::Constant(Value::Text(pattern)) => {
                Test::Like(of, LikePattern::compile(&pattern, like.case_insensitive)?)
            }
            _ => return None,
        };
        Some(if like.negated { not(test) } else { test })
    }
}

/// All sides of a chain of one operator, without recursing over it.
fn operands(binary: &BinaryExpr) -> Vec<&Expr> {
    let mut found = Vec::new();
    let mut open = vec![binary.right.as_ref(), binary.left.as_ref()];
    while let Some(expr) = open.pop() {
        match expr {
            Expr::BinaryExpr(inner) if inner.op == binary.op => {
                open.push(&inner.right);
                open.push(&inner.left);
            }
            other => found.push(other),
        }
    }
    found
}

fn not(test: Test) -> Test {
    match test {
        Test::Not(inner) => *inner,
        other => Test::Not(Box::new(other)),
    }
}

fn comparison(left: Typed, comparison: Comparison, right: Typed) -> Option<Test> {
    if left.data_type != right.data_type {
        return None;
    }
    Some(match (left.node, right.node) {
        (_, Node::Constant(Value::Null)) | (Node::Constant(Value::Null), _) => Test::Known(None),
        (Node::Column(column), Node::Constant(value)) => Test::ColumnIs(column, comparison, value),
        (Node::Constant(value), Node::Column(column)) => Test::ColumnIs(column, comparison.flipped(), value),
        (Node::UuidAsText(column), Node::Constant(value)) => uuid_comparison(column, comparison, value),
        (Node::Constant(value), Node::UuidAsText(column)) => uuid_comparison(column, comparison.flipped(), value),
        (left, right) => Test::Compare(left, comparison, right),
    })
}

/// A UUID is equal to a text exactly if the text is its own notation.
fn uuid_comparison(column: ColumnRef, comparison: Comparison, value: Value) -> Test {
    if let (Comparison::Eq | Comparison::NotEq, Value::Text(text)) = (comparison, &value)
        && let Ok(uuid) = Value::from_text(text, &DataType::Uuid)
        && uuid.to_text() == **text
    {
        return Test::ColumnIs(column, comparison, uuid);
    }
    Test::Compare(Node::UuidAsText(column), comparison, Node::Constant(value))
}

fn same(left: Typed, right: Typed) -> Option<Test> {
    match (&left.node, &right.node) {
        (_, Node::Constant(Value::Null)) => Some(Test::IsNull(left.node)),
        (Node::Constant(Value::Null), _) => Some(Test::IsNull(right.node)),
        _ => (left.data_type == right.data_type).then_some(Test::Same(left.node, right.node)),
    }
}

fn convert(of: Typed, wanted: DataType) -> Option<Typed> {
    let Some(data_type) = of.data_type else {
        return Some(Typed::new(of.node, wanted));
    };
    if data_type == wanted {
        return Some(of);
    }
    let (conversion, range) = (Conversion::between(data_type, wanted)?, of.range);
    Some(Typed::new(Node::Convert(conversion, Box::new(of.node)), wanted).within(range))
}

fn arithmetic(operator: Operator) -> Option<Arithmetic> {
    Some(match operator {
        Operator::Plus => Arithmetic::Plus,
        Operator::Minus => Arithmetic::Minus,
        Operator::Multiply => Arithmetic::Times,
        Operator::Divide => Arithmetic::Divide,
        Operator::Modulo => Arithmetic::Modulo,
        _ => return None,
    })
}

fn comparison_of(operator: Operator) -> Option<Comparison> {
    Some(match operator {
        Operator::Eq => Comparison::Eq,
        Operator::NotEq => Comparison::NotEq,
        Operator::Lt => Comparison::Less,
        Operator::LtEq => Comparison::LessEq,
        Operator::Gt => Comparison::Greater,
        Operator::GtEq => Comparison::GreaterEq,
        _ => return None,
    })
}

/// The type that an Arrow type stands for among values.
fn type_of(arrow: &ArrowType) -> Option<DataType> {
    Some(match arrow {
        ArrowType::Boolean => DataType::Boolean,
        ArrowType::Int16 => DataType::SmallInt,
        ArrowType::Int32 => DataType::Int,
        ArrowType::Int64 => DataType::BigInt,
        ArrowType::Float32 => DataType::Float,
        ArrowType::Float64 => DataType::Double,
        ArrowType::Utf8 | ArrowType::Utf8View => DataType::Text,
        ArrowType::Timestamp(TimeUnit::Microsecond, None) => DataType::Timestamp,
        ArrowType::Timestamp(TimeUnit::Microsecond, Some(zone)) if is_utc(zone) => DataType::DateTime,
        ArrowType::Date32 => DataType::Date,
        ArrowType::Time64(TimeUnit::Microsecond) => DataType::Time,
        ArrowType::Binary | ArrowType::BinaryView => DataType::Bytes,
        ArrowType::Decimal128(precision, scale) => {
            DataType::Decimal { precision: *precision, scale: u8::try_from(*scale).ok()? }
        }
        _ => return None,
    })
}

fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "+00:00")
}

fn literal(scalar: &ScalarValue) -> Option<Typed> {
    if matches!(scalar, ScalarValue::Null) {
        return Some(Typed { node: Node::Constant(Value::Null), data_type: None, range: Range::NONE });
    }
    let data_type = type_of(&scalar.data_type())?;
    let value = value_of_scalar(scalar, &data_type)?;
    Some(Typed::new(Node::Constant(value), data_type))
}
