//! How the engine will hold the result of a call: one rule for both sides.
//!
//! The translation asks, so that it refuses what cannot be held exactly; the lowering asks again with what it knows by then
//! (a parameter's value has a scale, its declaration has none). Mirrors the display-scale rules of numeric.c.

use super::function::{Aggregate, ArithOp, Function, NumberType, TextFunction};
use fusion_common::limits::DECIMAL128_PRECISION;
use fusion_common::{ColumnType, TypeRef, types::oid};

/// Why a call cannot be held: ends the translation with this reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unsupported(pub String);

fn unsupported<T>(what: impl std::fmt::Debug, args: &[ColumnType]) -> Result<T, Unsupported> {
    Err(Unsupported(format!("{what:?} of {args:?} is not supported")))
}

/// A fixed numeric of these digits, its precision capped at what 128 bits hold: the kernels check, so that a value
/// beyond the cap is an error (and the query runs natively), never a wrong digit.
fn fixed(integer_digits: u16, scale: u16) -> ColumnType {
    let limit = u16::from(DECIMAL128_PRECISION);
    if scale > limit {
        return ColumnType::NumericVar;
    }
    ColumnType::Numeric { precision: (integer_digits + scale).clamp(1, limit) as u8, scale: scale as u8 }
}

/// Precision of an integer as numeric.
fn integer_digits(number: NumberType) -> u16 {
    match number {
        NumberType::Int2 => 5,
        NumberType::Int4 => 10,
        _ => 19,
    }
}

fn number(number_type: NumberType) -> ColumnType {
    match number_type {
        NumberType::Int2 => ColumnType::Int2,
        NumberType::Int4 => ColumnType::Int4,
        NumberType::Int8 => ColumnType::Int8,
        NumberType::Float4 => ColumnType::Float4,
        NumberType::Float8 => ColumnType::Float8,
        NumberType::Numeric => ColumnType::NumericVar,
    }
}

fn is_numeric(column_type: &ColumnType) -> bool {
    matches!(column_type, ColumnType::Numeric { .. } | ColumnType::NumericVar)
}

fn numeric_arith(op: ArithOp, left: ColumnType, right: ColumnType) -> Result<ColumnType, Unsupported> {
    use ColumnType::Numeric;
    let (Numeric { precision: p1, scale: s1 }, Numeric { precision: p2, scale: s2 }) = (left, right) else {
        return if is_numeric(&left) && is_numeric(&right) {
            Ok(ColumnType::NumericVar)
        } else {
            unsupported(op, &[left, right])
        };
    };
    let (p1, s1, p2, s2) = (u16::from(p1), u16::from(s1), u16::from(p2), u16::from(s2));
    match op {
        ArithOp::Add | ArithOp::Sub => Ok(fixed((p1 - s1).max(p2 - s2) + 1, s1.max(s2))),
        ArithOp::Mul => Ok(fixed(p1 - s1 + p2 - s2, s1 + s2)),
        ArithOp::Div => Ok(ColumnType::NumericVar),
        ArithOp::Mod => Ok(fixed((p1 - s1).min(p2 - s2), s1.max(s2))),
    }
}

/// How the result of `function` over arguments held as `args` is held; `ty` is the call's own type.
pub fn call_type(function: Function, args: &[ColumnType], ty: TypeRef) -> Result<ColumnType, Unsupported> {
    use ColumnType as T;
    let text_like = |t: &T| matches!(t, T::Text | T::Bpchar { .. });
    Ok(match (function, args) {
        (Function::Arith(op, NumberType::Numeric), &[left, right]) => numeric_arith(op, left, right)?,
        (Function::Arith(_, n), [_, _]) => number(n),
        (Function::Neg(NumberType::Numeric) | Function::Abs(NumberType::Numeric), &[arg]) if is_numeric(&arg) => arg,
        (Function::Neg(n) | Function::Abs(n), [_]) if n != NumberType::Numeric => number(n),
        (Function::Cast(from, NumberType::Numeric), [_]) if from != NumberType::Numeric => {
            if matches!(from, NumberType::Float4 | NumberType::Float8) {
                T::NumericVar
            } else {
                fixed(integer_digits(from), 0)
            }
        }
        (Function::Cast(NumberType::Numeric, to), [arg]) if is_numeric(arg) => number(to),
        (Function::Cast(from, to), [_]) if from != NumberType::Numeric => number(to),
        (Function::NumericTypmod, &[arg]) if is_numeric(&arg) => match ty.column_type() {
            fixed @ T::Numeric { .. } => fixed,
            _ => return unsupported(function, args),
        },
        (Function::DateAddDays | Function::DateSubDays, &[T::Date, T::Int4]) => T::Date,
        (Function::DateDiff, &[T::Date, T::Date]) => T::Int4,
        (Function::DateToTimestamp, &[T::Date]) => T::Timestamp,
        (Function::TimestampToDate, &[T::Timestamp]) => T::Date,
        (Function::ExtractDate(field), &[T::Date]) => fixed(field.digits(true).0, field.digits(true).1),
        (Function::ExtractTimestamp(field), &[T::Timestamp]) => fixed(field.digits(false).0, field.digits(false).1),
        (Function::DatePart(_), &[T::Timestamp]) => T::Float8,
        (Function::DateTrunc(_), &[T::Timestamp]) => T::Timestamp,
        (Function::TimestampAddInterval | Function::TimestampSubInterval, &[T::Timestamp, T::Opaque]) => T::Timestamp,
        (Function::DateAddInterval | Function::DateSubInterval, &[T::Date, T::Opaque]) => T::Timestamp,
        (Function::TimestampDiff, &[T::Timestamp, T::Timestamp]) => T::Opaque,
        (Function::MakeDate, &[T::Int4, T::Int4, T::Int4]) => T::Date,
        (Function::Substring, &[T::Text, T::Int4] | &[T::Text, T::Int4, T::Int4]) => T::Text,
        (Function::Like | Function::NotLike, [left, T::Text]) if text_like(left) => T::Bool,
        (Function::BpcharToText, [T::Bpchar { .. }]) => T::Text,
        (Function::CharLength, [arg]) if text_like(arg) => T::Int4,
        (Function::OctetLength, &[T::Text]) => T::Int4,
        (Function::AtMostOne, &[T::Int8]) => T::Int8,
        (Function::Text(function), args) => text_type(function, args)?,
        (Function::Varchar { .. }, &[T::Text]) => T::Text,
        (Function::Bpchar { length, .. }, [arg]) if text_like(arg) => T::Bpchar { length },
        (Function::ToText, [arg]) if is_numeric(arg) || matches!(arg, T::Bool | T::Int2 | T::Int4 | T::Int8) => T::Text,
        (Function::ParseNumber(n), &[T::Text]) => number(n),
        (Function::ParseDate, &[T::Text]) => T::Date,
        (Function::Float(_), &[T::Float8]) => T::Float8,
        (Function::NumericRound { digits, .. }, &[arg]) if is_numeric(&arg) => rounded(arg, digits),
        (Function::NumericCeil | Function::NumericFloor, &[arg]) if is_numeric(&arg) => rounded(arg, 0),
        (Function::NumericSign, [arg]) if is_numeric(arg) => fixed(1, 0),
        (Function::NumericDiv, &[T::Numeric { precision, scale }, T::Numeric { scale: by, .. }]) => {
            fixed(u16::from(precision - scale) + u16::from(by), 0)
        }
        (Function::NumericDiv, [left, right]) if is_numeric(left) && is_numeric(right) => T::NumericVar,
        (Function::Bits(_, n), &[left, right]) if left == number(n) && right == left => left,
        (Function::BitNot(n), &[arg]) if arg == number(n) => arg,
        (Function::ShiftLeft(n) | Function::ShiftRight(n), &[arg, T::Int4]) if arg == number(n) => arg,
        (Function::BoolToInt, &[T::Bool]) => T::Int4,
        (Function::IntToBool, &[T::Int4]) => T::Bool,
        _ => return unsupported(function, args),
    })
}

/// A numeric rounded to so many digits behind the point: they are its display scale; one more digit before it for the carry.
fn rounded(arg: ColumnType, digits: i16) -> ColumnType {
    match arg {
        ColumnType::Numeric { precision, scale } => fixed(u16::from(precision - scale) + 1, digits.max(0) as u16),
        other => other,
    }
}

/// How the result of a function of text is held.
fn text_type(function: TextFunction, args: &[ColumnType]) -> Result<ColumnType, Unsupported> {
    use ColumnType::{Bool, Int4, Text};
    use TextFunction as F;
    Ok(match (function, args) {
        (F::Concat, [Text, Text])
        | (F::Upper | F::Lower | F::UpperAscii | F::LowerAscii | F::Reverse, [Text])
        | (F::TrimBoth | F::TrimLeft | F::TrimRight, [Text] | [Text, Text])
        | (F::Left | F::Right | F::Repeat, [Text, Int4])
        | (F::Replace | F::Translate, [Text, Text, Text])
        | (F::PadLeft | F::PadRight, [Text, Int4, Text])
        | (F::SplitPart, [Text, Text, Int4])
        | (F::Chr, [Int4]) => Text,
        (F::Position, [Text, Text]) | (F::Ascii, [Text]) => Int4,
        (F::StartsWith, [Text, Text]) => Bool,
        _ => return unsupported(function, args),
    })
}

/// How the result of CASE, COALESCE and the like over branches held as `branches` is held. NULL constants are not branches.
/// Numerics of different scales give the variable form, since each value keeps the display scale of its branch.
pub fn case_type(branches: &[ColumnType], ty: TypeRef) -> Result<ColumnType, Unsupported> {
    use ColumnType::{Numeric, NumericVar};
    let Some((&first, rest)) = branches.split_first() else {
        return Ok(ty.column_type());
    };
    rest.iter().try_fold(first, |held, &branch| match (held, branch) {
        (a, b) if a == b => Ok(a),
        (Numeric { precision: p1, scale: s1 }, Numeric { precision: p2, scale: s2 }) if s1 == s2 => {
            Ok(Numeric { precision: p1.max(p2), scale: s1 })
        }
        (a, b) if is_numeric(&a) && is_numeric(&b) => Ok(NumericVar),
        (a, b) => Err(Unsupported(format!("CASE over {a:?} and {b:?} is not supported"))),
    })
}

/// How the result of an aggregate over a (first) argument held as `arg` is held.
pub fn aggregate_type(function: Aggregate, arg: Option<ColumnType>) -> Result<ColumnType, Unsupported> {
    use ColumnType as T;
    let is_of = |n, arg: ColumnType| if n == NumberType::Numeric { is_numeric(&arg) } else { arg == number(n) };
    Ok(match (function, arg) {
        (Aggregate::Sum(n) | Aggregate::Avg(n) | Aggregate::Spread(_, n), Some(arg)) if !is_of(n, arg) => {
            return unsupported(function, &[arg]);
        }
        (Aggregate::CountStar, None) | (Aggregate::Count, Some(_)) => T::Int8,
        (Aggregate::Sum(NumberType::Int2 | NumberType::Int4), Some(_)) => T::Int8,
        (Aggregate::Sum(NumberType::Int8), Some(_)) => fixed(38, 0),
        (Aggregate::Sum(NumberType::Numeric), Some(T::Numeric { scale, .. })) => {
            T::Numeric { precision: DECIMAL128_PRECISION, scale }
        }
        (Aggregate::Sum(NumberType::Numeric), Some(T::NumericVar)) => T::NumericVar,
        (Aggregate::Sum(n @ (NumberType::Float4 | NumberType::Float8)), Some(_)) => number(n),
        (Aggregate::Avg(NumberType::Float4 | NumberType::Float8), Some(_)) => T::Float8,
        (Aggregate::Avg(_), Some(_)) => T::NumericVar,
        (Aggregate::Min | Aggregate::Max, Some(arg)) if !matches!(arg, T::Opaque | T::Bool) => arg,
        (Aggregate::BoolAnd | Aggregate::BoolOr, Some(T::Bool)) => T::Bool,
        (Aggregate::Only, Some(arg)) => arg,
        (Aggregate::Bits(_, n), Some(arg)) if arg == number(n) => arg,
        (Aggregate::Spread(_, NumberType::Float4 | NumberType::Float8), Some(_)) => T::Float8,
        (Aggregate::Spread(..), Some(_)) => T::NumericVar,
        (Aggregate::StringAgg, Some(T::Text)) => T::Text,
        (Aggregate::ArrayAgg, Some(arg)) if arg != T::Opaque => T::Opaque,
        (_, arg) => return unsupported(function, arg.as_slice()),
    })
}

/// Whether values held so can be compared, sorted, grouped and joined.
pub fn is_comparable(column_type: ColumnType) -> bool {
    column_type != ColumnType::Opaque
}

/// Whether `ty` is one of the types with a collation that decides its order.
pub fn is_collatable(ty: TypeRef) -> bool {
    matches!(ty.oid, oid::TEXT | oid::VARCHAR | oid::BPCHAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICE: ColumnType = ColumnType::Numeric { precision: 15, scale: 2 };
    const NUMERIC: TypeRef = TypeRef::plain(oid::NUMERIC);

    #[test]
    fn numeric_scales_are_postgresqls() {
        let arith = |op, a, b| call_type(Function::Arith(op, NumberType::Numeric), &[a, b], NUMERIC).unwrap();
        let one = ColumnType::Numeric { precision: 1, scale: 0 };
        let difference = arith(ArithOp::Sub, one, PRICE);
        assert_eq!(difference, ColumnType::Numeric { precision: 16, scale: 2 });
        assert_eq!(arith(ArithOp::Mul, PRICE, difference), ColumnType::Numeric { precision: 31, scale: 4 });
        assert_eq!(arith(ArithOp::Div, PRICE, PRICE), ColumnType::NumericVar);
    }

    #[test]
    fn branches_of_different_scale_keep_theirs() {
        let zero = ColumnType::Numeric { precision: 1, scale: 0 };
        assert_eq!(case_type(&[PRICE, zero], NUMERIC), Ok(ColumnType::NumericVar));
        assert_eq!(case_type(&[PRICE, PRICE], NUMERIC), Ok(PRICE));
        assert!(case_type(&[PRICE, ColumnType::Text], NUMERIC).is_err());
    }

    #[test]
    fn aggregates_are_of_their_type() {
        assert!(aggregate_type(Aggregate::Avg(NumberType::Numeric), Some(PRICE)).is_ok());
        assert!(aggregate_type(Aggregate::Sum(NumberType::Int8), Some(PRICE)).is_err());
        assert!(aggregate_type(Aggregate::Avg(NumberType::Float8), Some(ColumnType::Float4)).is_err());
    }
}
