//! Comparisons, IN lists and keys: two expressions brought to one type whose order in Arrow is PostgreSQL's order.
//!
//! Where one side is a constant it is brought to the column's type, rounded if it must be, so that the column stays bare and its filter can
//! be pushed down. Floats and variable numerics are compared by keys.

use super::held::{Constant, Held, decimal, literal, numeric_key};
use crate::function::date::{DAY_MICROS, date_to_timestamp};
use crate::function::decimal::power;
use crate::function::{Kernel, call, call_into, float};
use crate::{Error, Result};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, Operator, binary_expr, lit};
use fusion_common::ColumnType;
use fusion_common::limits::{DECIMAL64_PRECISION, DECIMAL128_PRECISION};
use fusion_proto::plan::{CompareOp, Function, Value};

/// A constant among the values of a column's type.
enum Beside {
    /// It is one of them.
    Equal(ScalarValue),
    /// It lies between this one and the next.
    Above(ScalarValue),
    /// It is greater than all of them.
    Greater,
    /// It is less than all of them.
    Less,
}

/// `left op right`.
pub fn compare(op: CompareOp, left: Held, right: Held) -> Result<Expr> {
    if op == CompareOp::Same {
        return same(left, right);
    }
    if left.is_null() || right.is_null() {
        return Ok(unknown());
    }
    if let Constant::Value(value) = &right.constant
        && let Some(beside) = beside(left.column_type, value)?
    {
        return Ok(compare_constant(op, left, beside));
    }
    if let Constant::Value(value) = &left.constant
        && let Some(beside) = beside(right.column_type, value)?
    {
        return Ok(compare_constant(turned(op), right, beside));
    }
    let (left, right) = unify(left, right)?;
    Ok(binary(op, left, right))
}

/// `left IS NOT DISTINCT FROM right`.
fn same(left: Held, right: Held) -> Result<Expr> {
    if left.is_null() {
        return Ok(right.expr.is_null());
    }
    if right.is_null() {
        return Ok(left.expr.is_null());
    }
    let (left, right) = unify(left, right)?;
    Ok(binary(CompareOp::Same, left, right))
}

/// The operator for exchanged sides.
fn turned(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Eq => CompareOp::Eq,
        CompareOp::Ne => CompareOp::Ne,
        CompareOp::Lt => CompareOp::Gt,
        CompareOp::Le => CompareOp::Ge,
        CompareOp::Gt => CompareOp::Lt,
        CompareOp::Ge => CompareOp::Le,
        CompareOp::Same => CompareOp::Same,
    }
}

fn binary(op: CompareOp, left: Expr, right: Expr) -> Expr {
    match op {
        CompareOp::Eq => left.eq(right),
        CompareOp::Ne => left.not_eq(right),
        CompareOp::Lt => left.lt(right),
        CompareOp::Le => left.lt_eq(right),
        CompareOp::Gt => left.gt(right),
        CompareOp::Ge => left.gt_eq(right),
        CompareOp::Same => binary_expr(left, Operator::IsNotDistinctFrom, right),
    }
}

/// NULL of type bool.
pub fn unknown() -> Expr {
    lit(ScalarValue::Boolean(None))
}

/// `truth`, but NULL where `expr` is.
fn unless_null(expr: Expr, truth: bool) -> Expr {
    if truth { expr.is_not_null().or(unknown()) } else { expr.is_null().and(unknown()) }
}

fn compare_constant(op: CompareOp, column: Held, constant: Beside) -> Expr {
    use CompareOp::{Eq, Ge, Gt, Le, Lt, Ne, Same};
    let bare = ordered(column);
    match (constant, op) {
        (Beside::Equal(value), op) => binary(op, bare, lit(value)),
        (Beside::Above(value), Lt | Le) => binary(Le, bare, lit(value)),
        (Beside::Above(value), Gt | Ge) => binary(Gt, bare, lit(value)),
        (Beside::Greater, Lt | Le | Ne) | (Beside::Less, Gt | Ge | Ne) | (Beside::Above(_), Ne) => {
            unless_null(bare, true)
        }
        (Beside::Greater, Gt | Ge | Eq) | (Beside::Less, Lt | Le | Eq) | (Beside::Above(_), Eq) => {
            unless_null(bare, false)
        }
        // A constant that no value of the column equals.
        (_, Same) => lit(false),
    }
}

/// The expression whose order and equality in Arrow are PostgreSQL's.
pub fn ordered(held: Held) -> Expr {
    match (held.column_type, &held.constant) {
        (ColumnType::Float4 | ColumnType::Float8, _) => call(Kernel::FloatKey, vec![held.expr], held.column_type),
        (ColumnType::NumericVar, _) => call_into(Kernel::NumericKey, vec![held.expr], DataType::BinaryView),
        _ => held.expr,
    }
}

/// As [`ordered`], in a type at which DataFusion's hash tables are at their best: only equality counts.
pub fn hashed(held: Held) -> Expr {
    match held.column_type {
        ColumnType::Numeric { precision, .. } if precision <= DECIMAL64_PRECISION => {
            call_into(Kernel::NumericReinterpret, vec![held.expr], DataType::Int64)
        }
        _ => ordered(held),
    }
}

/// Where `value` lies among values held as `column_type`; None where that cannot be said here.
fn beside(column_type: ColumnType, value: &Value) -> Result<Option<Beside>> {
    use ColumnType as T;
    let equal = |scalar| Ok(Some(Beside::Equal(scalar)));
    match (column_type, value) {
        (T::Int2 | T::Int4 | T::Int8, Value::Int2(_) | Value::Int4(_) | Value::Int8(_)) => {
            Ok(Some(integer_beside(column_type, value)))
        }
        (T::Float8, Value::Float4(v)) => equal(ScalarValue::Float64(Some(float::key_of((*v).into())))),
        (T::Float8, Value::Float8(v)) => equal(ScalarValue::Float64(Some(float::key_of(*v)))),
        (T::Float4, Value::Float4(v)) => equal(ScalarValue::Float32(Some(float::key_of_f32(*v)))),
        (T::Numeric { precision, scale }, Value::Numeric { unscaled, scale: of }) => {
            numeric_beside(precision, scale, *unscaled, *of).map(Some)
        }
        (T::NumericVar, value) => Ok(numeric_key(value)?.map(Beside::Equal)),
        (T::Date, Value::Timestamp(v)) => Ok(Some(date_beside(*v))),
        (T::Timestamp, Value::Date(v)) => {
            Ok(date_to_timestamp(*v).ok().map(|v| Beside::Equal(ScalarValue::TimestampMicrosecond(Some(v), None))))
        }
        (T::Bool, Value::Bool(_))
        | (T::Text | T::Bpchar { .. }, Value::Text(_))
        | (T::Date, Value::Date(_))
        | (T::Timestamp, Value::Timestamp(_))
        | (T::Timestamptz, Value::Timestamptz(_)) => equal(literal(value, column_type)?),
        _ => Ok(None),
    }
}

fn integer_beside(column_type: ColumnType, value: &Value) -> Beside {
    let value: i64 = match value {
        Value::Int2(v) => (*v).into(),
        Value::Int4(v) => (*v).into(),
        Value::Int8(v) => *v,
        _ => 0,
    };
    let scalar = match column_type {
        ColumnType::Int2 => i16::try_from(value).ok().map(|v| ScalarValue::Int16(Some(v))),
        ColumnType::Int4 => i32::try_from(value).ok().map(|v| ScalarValue::Int32(Some(v))),
        _ => Some(ScalarValue::Int64(Some(value))),
    };
    match scalar {
        Some(scalar) => Beside::Equal(scalar),
        None if value > 0 => Beside::Greater,
        None => Beside::Less,
    }
}

fn numeric_beside(precision: u8, scale: u8, unscaled: i128, of: u8) -> Result<Beside> {
    let overflow = if unscaled > 0 { Beside::Greater } else { Beside::Less };
    let (value, exact) = match scale.checked_sub(of) {
        Some(up) => match power(up.into()).and_then(|by| unscaled.checked_mul(by)) {
            Some(value) => (value, true),
            None => return Ok(overflow),
        },
        None => {
            let by = power(u32::from(of - scale)).ok_or_else(|| Error::internal("scale of a constant"))?;
            (unscaled.div_euclid(by), unscaled.rem_euclid(by) == 0)
        }
    };
    let limit = power(precision.into()).ok_or_else(|| Error::internal("precision of a column"))?;
    if value >= limit || value < -limit || (exact && value == -limit) {
        return Ok(overflow);
    }
    if value == -limit {
        // Between the least value and nothing below it: less than all.
        return Ok(Beside::Less);
    }
    let scalar = decimal(value, precision, scale)?;
    Ok(if exact { Beside::Equal(scalar) } else { Beside::Above(scalar) })
}

fn date_beside(timestamp: i64) -> Beside {
    match timestamp {
        i64::MAX => Beside::Equal(ScalarValue::Date32(Some(i32::MAX))),
        i64::MIN => Beside::Equal(ScalarValue::Date32(Some(i32::MIN))),
        _ => {
            let day = ScalarValue::Date32(Some(timestamp.div_euclid(DAY_MICROS) as i32));
            if timestamp.rem_euclid(DAY_MICROS) == 0 { Beside::Equal(day) } else { Beside::Above(day) }
        }
    }
}

/// Two comparable expressions, held as one type.
fn common(left: Held, right: Held) -> Result<(Held, Held)> {
    use ColumnType as T;
    let both = |to: ColumnType, left: Held, right: Held| Ok((left.convert(to)?, right.convert(to)?));
    match (left.column_type, right.column_type) {
        (T::Opaque, _) | (_, T::Opaque) => {
            Err(Error::Unsupported("comparison of a type that is only passed through".into()))
        }
        (l, r) if l == r => Ok((left, right)),
        (T::Bpchar { .. }, T::Bpchar { .. }) => Ok((left, right)),
        (T::Int2 | T::Int4 | T::Int8, T::Int8) | (T::Int8, T::Int2 | T::Int4) => both(T::Int8, left, right),
        (T::Int2, T::Int4) | (T::Int4, T::Int2) => both(T::Int4, left, right),
        (T::Float4, T::Float8) | (T::Float8, T::Float4) => both(T::Float8, left, right),
        (T::Numeric { precision: p1, scale: s1 }, T::Numeric { precision: p2, scale: s2 }) => {
            let scale = s1.max(s2);
            let precision = (p1 - s1).max(p2 - s2) + scale;
            let to = if precision <= DECIMAL128_PRECISION { T::Numeric { precision, scale } } else { T::NumericVar };
            both(to, left, right)
        }
        (T::Numeric { .. }, T::NumericVar) | (T::NumericVar, T::Numeric { .. }) => both(T::NumericVar, left, right),
        (T::Date, T::Timestamp) => Ok((as_timestamp(left), right)),
        (T::Timestamp, T::Date) => Ok((left, as_timestamp(right))),
        (l, r) => Err(Error::Unsupported(format!("comparison of {l:?} and {r:?}"))),
    }
}

fn as_timestamp(date: Held) -> Held {
    let kernel = Kernel::Function(Function::DateToTimestamp, None);
    Held::new(call(kernel, vec![date.expr], ColumnType::Timestamp), ColumnType::Timestamp)
}

/// Two comparable expressions, of one type in Arrow and in PostgreSQL's order.
fn unify(left: Held, right: Held) -> Result<(Expr, Expr)> {
    let (left, right) = common(left, right)?;
    Ok((ordered(left), ordered(right)))
}

/// The two sides of an equality as keys of a hash join.
pub fn join_keys(left: Held, right: Held) -> Result<(Expr, Expr)> {
    let (left, right) = common(left, right)?;
    Ok((hashed(left), hashed(right)))
}

/// `arg = ANY (list)`, or `arg <> ALL (list)`.
pub fn in_list(arg: Held, list: Vec<Held>, negated: bool) -> Result<Expr> {
    if arg.is_null() && !list.is_empty() {
        return Ok(unknown());
    }
    let has_null = list.iter().any(Held::is_null);
    // Literals of the argument's type go to one list; the rest is compared one by one.
    let (mut literals, mut truth) = (Vec::new(), None);
    let or = |truth: &mut Option<Expr>, next: Expr| {
        *truth = Some(match truth.take() {
            Some(truth) => truth.or(next),
            None => next,
        })
    };
    for item in list.into_iter().filter(|item| !item.is_null()) {
        let beside = match &item.constant {
            Constant::Value(value) => beside(arg.column_type, value)?,
            _ => None,
        };
        match beside {
            Some(Beside::Equal(scalar)) => literals.push(lit(scalar)),
            Some(_) => or(&mut truth, unless_null(arg.expr.clone(), false)),
            None => or(&mut truth, compare(CompareOp::Eq, arg.clone(), item)?),
        }
    }
    if !literals.is_empty() {
        or(&mut truth, ordered(arg).in_list(literals, false));
    }
    if has_null {
        or(&mut truth, unknown());
    }
    let truth = truth.unwrap_or_else(|| lit(false));
    Ok(if negated { datafusion::logical_expr::not(truth) } else { truth })
}
