//! Arithmetic of fixed numerics: scaled integers of 64 or 128 bits, exact or an error.
//!
//! Invariants: an argument's magnitude is below 10^precision of its type; so is every result's. Where the result's precision is not
//! capped (`proto::plan::typing` caps it at 38) no step can overflow; where it is, every step is checked.

use super::failure::Failure;
use super::kernel::{Argument, Operand, binary, unary};
use arrow::array::{ArrayRef, ArrowPrimitiveType};
use arrow::datatypes::{DataType, Decimal64Type, Decimal128Type, DecimalType, Int64Type};
use datafusion::error::{DataFusionError, Result};
use fusion_common::limits::DECIMAL128_PRECISION;
use fusion_proto::plan::ArithOp;

/// 10^38: the least magnitude that no numeric of the engine has.
pub const LIMIT: i128 = 10i128.pow(DECIMAL128_PRECISION as u32);

/// Precision and scale of a decimal type.
pub fn precision_scale(data_type: &DataType) -> Result<(u8, u8)> {
    match data_type {
        DataType::Decimal64(precision, scale) | DataType::Decimal128(precision, scale) if *scale >= 0 => {
            Ok((*precision, *scale as u8))
        }
        other => Err(DataFusionError::Internal(format!("{other} is not a fixed numeric"))),
    }
}

/// 10^`exponent`, if an i128 holds it.
pub fn power(exponent: u32) -> Option<i128> {
    10i128.checked_pow(exponent)
}

/// A power of ten to scale by, between two scales of at most 38.
fn scale_power(from: u8, to: u8) -> Result<i128> {
    to.checked_sub(from)
        .and_then(|digits| power(digits.into()))
        .ok_or_else(|| DataFusionError::Internal(format!("scale {from} does not widen to {to}")))
}

/// Inside the precision of a capped type.
#[inline(always)]
fn within(value: i128) -> Result<i128, Failure> {
    if value < LIMIT && value > -LIMIT { Ok(value) } else { Err(Failure::NumericDigits) }
}

/// Checked product; fast where both factors are of 64 bits.
#[inline(always)]
pub fn checked_mul(left: i128, right: i128) -> Option<i128> {
    if left == i128::from(left as i64) && right == i128::from(right as i64) {
        return Some(i128::from(left as i64) * i128::from(right as i64));
    }
    left.checked_mul(right)
}

/// `+ - *` of two fixed numerics; `out` is the type that `proto::plan::typing` gives.
pub fn arith(op: ArithOp, left: &Argument, right: &Argument, out: &DataType) -> Result<ArrayRef> {
    match (left.array.data_type(), right.array.data_type()) {
        (DataType::Decimal64(..), DataType::Decimal64(..)) => {
            arith_of::<Decimal64Type, Decimal64Type>(op, left, right, out)
        }
        (DataType::Decimal64(..), _) => arith_of::<Decimal64Type, Decimal128Type>(op, left, right, out),
        (_, DataType::Decimal64(..)) => arith_of::<Decimal128Type, Decimal64Type>(op, left, right, out),
        _ => arith_of::<Decimal128Type, Decimal128Type>(op, left, right, out),
    }
}

fn arith_of<L, R>(op: ArithOp, left: &Argument, right: &Argument, out: &DataType) -> Result<ArrayRef>
where
    L: ArrowPrimitiveType,
    R: ArrowPrimitiveType,
    L::Native: Into<i128>,
    R::Native: Into<i128>,
{
    let (_, scale_left) = precision_scale(left.array.data_type())?;
    let (_, scale_right) = precision_scale(right.array.data_type())?;
    let (precision, scale) = precision_scale(out)?;
    let (left, right) = (left.primitive::<L>()?, right.primitive::<R>()?);
    if op == ArithOp::Mul {
        return multiply::<L, R>(left, right, out, precision);
    }
    let (by_left, by_right) = (scale_power(scale_left, scale)?, scale_power(scale_right, scale)?);
    let sign = if op == ArithOp::Sub { -1 } else { 1 };
    match out {
        DataType::Decimal64(..) => {
            // Both powers, and both scaled arguments, are below 10^18.
            let (by_left, by_right) = (by_left as i64, by_right as i64 * sign as i64);
            binary::<L, R, Decimal64Type>(left, right, out, |l, r| {
                let (l, r): (i128, i128) = (l.into(), r.into());
                Ok((l as i64).wrapping_mul(by_left).wrapping_add((r as i64).wrapping_mul(by_right)))
            })
        }
        _ if precision < DECIMAL128_PRECISION => {
            let by_right = by_right * sign;
            binary::<L, R, Decimal128Type>(left, right, out, |l, r| {
                Ok(l.into().wrapping_mul(by_left).wrapping_add(r.into().wrapping_mul(by_right)))
            })
        }
        _ => binary::<L, R, Decimal128Type>(left, right, out, |l, r| {
            let scaled = checked_mul(l.into(), by_left).zip(checked_mul(r.into(), by_right * sign));
            within(scaled.and_then(|(l, r)| l.checked_add(r)).ok_or(Failure::NumericDigits)?)
        }),
    }
}

fn multiply<L, R>(left: Operand<'_, L>, right: Operand<'_, R>, out: &DataType, precision: u8) -> Result<ArrayRef>
where
    L: ArrowPrimitiveType,
    R: ArrowPrimitiveType,
    L::Native: Into<i128>,
    R::Native: Into<i128>,
{
    match out {
        DataType::Decimal64(..) => binary::<L, R, Decimal64Type>(left, right, out, |l, r| {
            let (l, r): (i128, i128) = (l.into(), r.into());
            Ok((l as i64).wrapping_mul(r as i64))
        }),
        _ if precision < DECIMAL128_PRECISION => {
            binary::<L, R, Decimal128Type>(left, right, out, |l, r| Ok(l.into().wrapping_mul(r.into())))
        }
        _ => binary::<L, R, Decimal128Type>(left, right, out, |l, r| {
            within(checked_mul(l.into(), r.into()).ok_or(Failure::NumericDigits)?)
        }),
    }
}

/// `- x`, or `abs(x)` where `absolute`.
pub fn sign(absolute: bool, argument: &Argument, out: &DataType) -> Result<ArrayRef> {
    fn of<T: DecimalType>(absolute: bool, argument: &Argument, out: &DataType) -> Result<ArrayRef>
    where
        T::Native: Copy + std::ops::Neg<Output = T::Native> + PartialOrd + Default,
    {
        unary::<T, T>(argument.primitive::<T>()?, out, |value| {
            Ok(if absolute && value >= T::Native::default() { value } else { -value })
        })
    }
    match out {
        DataType::Decimal64(..) => of::<Decimal64Type>(absolute, argument, out),
        _ => of::<Decimal128Type>(absolute, argument, out),
    }
}

/// Division by a power of ten (at least 1), halves away from zero.
pub fn round_div(value: i128, by: i128) -> i128 {
    let (quotient, rest) = (value / by, (value % by).unsigned_abs());
    let up = rest >= by.unsigned_abs() - rest && rest != 0;
    if up { quotient + value.signum() } else { quotient }
}

/// To another precision and scale, rounding as `numeric(p,s)` does; an error if it does not fit.
pub fn rescale_value(value: i128, from: u16, precision: u8, scale: u8) -> Result<i128, Failure> {
    let scaled = match i32::from(scale) - i32::from(from) {
        up @ 0.. => power(up as u32).and_then(|by| checked_mul(value, by)),
        // More than all digits go: nothing is left, since the magnitude is below 10^39.
        down if down < -39 => Some(0),
        down => Some(power(down.unsigned_abs()).map_or(0, |by| round_div(value, by))),
    };
    let limit = power(precision.into()).unwrap_or(LIMIT);
    scaled.filter(|value| value.unsigned_abs() < limit.unsigned_abs()).ok_or(Failure::NumericField)
}

/// A fixed numeric to another precision and scale; see [`rescale_value`].
pub fn rescale(argument: &Argument, out: &DataType) -> Result<ArrayRef> {
    fn of<T: ArrowPrimitiveType>(argument: &Argument, out: &DataType) -> Result<ArrayRef>
    where
        T::Native: Into<i128>,
    {
        let (_, from) = precision_scale(argument.array.data_type())?;
        let (precision, scale) = precision_scale(out)?;
        let column = argument.primitive::<T>()?;
        match out {
            DataType::Decimal64(..) => unary::<T, Decimal64Type>(column, out, |value| {
                rescale_value(value.into(), from.into(), precision, scale).map(|value| value as i64)
            }),
            _ => unary::<T, Decimal128Type>(column, out, |value| {
                rescale_value(value.into(), from.into(), precision, scale)
            }),
        }
    }
    match argument.array.data_type() {
        DataType::Decimal64(..) => of::<Decimal64Type>(argument, out),
        _ => of::<Decimal128Type>(argument, out),
    }
}

/// The unscaled values of a `Decimal64` as `Int64`, or back: no copy. DataFusion's grouping and hash joins are at their best on
/// integers, and do not know `Decimal64` among several keys.
pub fn reinterpret(argument: &Argument, out: &DataType) -> Result<ArrayRef> {
    use arrow::array::AsArray;
    match (argument.array.data_type(), out) {
        (DataType::Decimal64(..), DataType::Int64) => {
            Ok(std::sync::Arc::new(argument.array.as_primitive::<Decimal64Type>().reinterpret_cast::<Int64Type>()))
        }
        (DataType::Int64, DataType::Decimal64(..)) => {
            let values = argument.array.as_primitive::<Int64Type>().reinterpret_cast::<Decimal64Type>();
            Ok(std::sync::Arc::new(values.with_data_type(out.clone())))
        }
        (from, to) => Err(DataFusionError::Internal(format!("{from} is not {to} by another name"))),
    }
}
