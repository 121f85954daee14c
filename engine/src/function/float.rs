//! Float arithmetic: PostgreSQL's float.c. What becomes infinite or zero without reason is an error; and the canonical key that
//! orders, groups and joins floats as PostgreSQL does.

use super::failure::Failure;
use super::kernel::{Argument, binary, unary};
use arrow::array::{ArrayRef, ArrowPrimitiveType};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use datafusion::error::{DataFusionError, Result};
use fusion_proto::plan::{ArithOp, FloatFunction, NumberType};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A float type of PostgreSQL.
trait Float:
    Copy
    + Default
    + PartialEq
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    const ZERO: Self;
    const NAN: Self;
    fn infinite(self) -> bool;
    fn nan(self) -> bool;
    fn absolute(self) -> Self;
}

macro_rules! float {
    ($native:ty) => {
        impl Float for $native {
            const ZERO: Self = 0.0;
            const NAN: Self = <$native>::NAN;
            fn infinite(self) -> bool {
                self.is_infinite()
            }
            fn nan(self) -> bool {
                self.is_nan()
            }
            fn absolute(self) -> Self {
                self.abs()
            }
        }
    };
}

float!(f32);
float!(f64);

/// An infinite result of finite operands is an overflow.
fn finite<F: Float>(result: F, left: F, right: F) -> Result<F, Failure> {
    if result.infinite() && !left.infinite() && !right.infinite() { Err(Failure::FloatOverflow) } else { Ok(result) }
}

fn mul<F: Float>(left: F, right: F) -> Result<F, Failure> {
    let result = finite(left * right, left, right)?;
    if result == F::ZERO && left != F::ZERO && right != F::ZERO { Err(Failure::FloatUnderflow) } else { Ok(result) }
}

fn div<F: Float>(left: F, right: F) -> Result<F, Failure> {
    if right == F::ZERO && !left.nan() {
        return Err(Failure::DivisionByZero);
    }
    let result = left / right;
    if result.infinite() && !left.infinite() {
        Err(Failure::FloatOverflow)
    } else if result == F::ZERO && left != F::ZERO && !right.infinite() {
        Err(Failure::FloatUnderflow)
    } else {
        Ok(result)
    }
}

fn arith_of<T: ArrowPrimitiveType>(op: ArithOp, left: &Argument, right: &Argument) -> Result<ArrayRef>
where
    T::Native: Float,
{
    let (left, right) = (left.primitive::<T>()?, right.primitive::<T>()?);
    let out = &T::DATA_TYPE;
    match op {
        ArithOp::Add => binary::<T, T, T>(left, right, out, |l, r| finite(Add::add(l, r), l, r)),
        ArithOp::Sub => binary::<T, T, T>(left, right, out, |l, r| finite(Sub::sub(l, r), l, r)),
        ArithOp::Mul => binary::<T, T, T>(left, right, out, mul),
        ArithOp::Div => binary::<T, T, T>(left, right, out, div),
        ArithOp::Mod => Err(DataFusionError::Internal("PostgreSQL has no % of floats".into())),
    }
}

/// `+ - * /` of two floats of one type.
pub fn arith(op: ArithOp, number: NumberType, left: &Argument, right: &Argument) -> Result<ArrayRef> {
    match number {
        NumberType::Float4 => arith_of::<Float32Type>(op, left, right),
        NumberType::Float8 => arith_of::<Float64Type>(op, left, right),
        _ => not_a_float(number),
    }
}

fn sign_of<T: ArrowPrimitiveType>(absolute: bool, argument: &Argument) -> Result<ArrayRef>
where
    T::Native: Float,
{
    unary::<T, T>(argument.primitive::<T>()?, &T::DATA_TYPE, |value| {
        Ok(if absolute { value.absolute() } else { Neg::neg(value) })
    })
}

/// `- x`, or `abs(x)` where `absolute`.
pub fn sign(absolute: bool, number: NumberType, argument: &Argument) -> Result<ArrayRef> {
    match number {
        NumberType::Float4 => sign_of::<Float32Type>(absolute, argument),
        NumberType::Float8 => sign_of::<Float64Type>(absolute, argument),
        _ => not_a_float(number),
    }
}

/// Functions of float8.
pub fn function(function: FloatFunction, argument: &Argument) -> Result<ArrayRef> {
    let of = |kernel: fn(f64) -> Result<f64, Failure>| {
        unary::<Float64Type, Float64Type>(argument.primitive()?, &DataType::Float64, kernel)
    };
    match function {
        FloatFunction::Round => of(|value| Ok(value.round_ties_even())),
        FloatFunction::Trunc => of(|value| Ok(value.trunc())),
        FloatFunction::Ceil => of(|value| Ok(value.ceil())),
        FloatFunction::Floor => of(|value| Ok(value.floor())),
        // NaN is not less than, nor greater than, zero: sign(NaN) is 0.
        FloatFunction::Sign => of(|value| {
            Ok(if value > 0.0 {
                1.0
            } else if value < 0.0 {
                -1.0
            } else {
                0.0
            })
        }),
        FloatFunction::Sqrt => of(|value| if value < 0.0 { Err(Failure::NegativeRoot) } else { Ok(value.sqrt()) }),
    }
}

/// float4 to float8.
pub fn widen(argument: &Argument) -> Result<ArrayRef> {
    unary::<Float32Type, Float64Type>(argument.primitive()?, &DataType::Float64, |value| Ok(value.into()))
}

fn canonical<F: Float>(value: F) -> F {
    // Adding 0 turns -0 into 0 and changes nothing else.
    if value.nan() { F::NAN } else { value + F::ZERO }
}

/// The canonical value: one NaN, which Arrow's total order has above infinity, and one zero.
pub fn key_of(value: f64) -> f64 {
    canonical(value)
}

/// As [`key_of`].
pub fn key_of_f32(value: f32) -> f32 {
    canonical(value)
}

/// Bytes that compare as PostgreSQL compares floats.
pub fn order_key(value: f64) -> Vec<u8> {
    let bits = canonical(value).to_bits();
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    ordered.to_be_bytes().to_vec()
}

/// The values as keys: equal bits for what PostgreSQL calls equal, Arrow's total order for PostgreSQL's order.
pub fn key(argument: &Argument) -> Result<ArrayRef> {
    match argument.array.data_type() {
        DataType::Float32 => {
            unary::<Float32Type, Float32Type>(argument.primitive()?, &DataType::Float32, |v| Ok(canonical(v)))
        }
        DataType::Float64 => {
            unary::<Float64Type, Float64Type>(argument.primitive()?, &DataType::Float64, |v| Ok(canonical(v)))
        }
        other => Err(DataFusionError::Internal(format!("float key of {other}"))),
    }
}

#[cold]
fn not_a_float<T>(number: NumberType) -> Result<T> {
    Err(DataFusionError::Internal(format!("{number:?} is not a float")))
}
