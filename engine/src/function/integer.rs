//! Integer arithmetic and casts: PostgreSQL's int.c and int8.c. Every overflow is an error, division truncates.

use super::failure::Failure;
use super::kernel::{Argument, binary, unary};
use arrow::array::{ArrayRef, ArrowPrimitiveType, AsArray};
use arrow::datatypes::{
    DataType, Decimal64Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
};
use datafusion::error::{DataFusionError, Result};
use fusion_proto::plan::{ArithOp, BitOp, NumberType};
use std::ops::{BitAnd, BitOr, BitXor};

/// An integer type of PostgreSQL.
trait Integer: Copy + Default + PartialEq {
    const ZERO: Self;
    const RANGE: Failure;
    fn add(self, other: Self) -> Option<Self>;
    fn sub(self, other: Self) -> Option<Self>;
    fn mul(self, other: Self) -> Option<Self>;
    /// None on overflow; the divisor is not 0.
    fn div(self, other: Self) -> Option<Self>;
    /// The divisor is not 0; MIN % -1 is 0.
    fn modulo(self, other: Self) -> Self;
    fn neg(self) -> Option<Self>;
    fn abs(self) -> Option<Self>;
}

macro_rules! integer {
    ($native:ty, $range:ident) => {
        impl Integer for $native {
            const ZERO: Self = 0;
            const RANGE: Failure = Failure::$range;
            fn add(self, other: Self) -> Option<Self> {
                self.checked_add(other)
            }
            fn sub(self, other: Self) -> Option<Self> {
                self.checked_sub(other)
            }
            fn mul(self, other: Self) -> Option<Self> {
                self.checked_mul(other)
            }
            fn div(self, other: Self) -> Option<Self> {
                self.checked_div(other)
            }
            fn modulo(self, other: Self) -> Self {
                self.wrapping_rem(other)
            }
            fn neg(self) -> Option<Self> {
                self.checked_neg()
            }
            fn abs(self) -> Option<Self> {
                self.checked_abs()
            }
        }
    };
}

integer!(i16, SmallintRange);
integer!(i32, IntegerRange);
integer!(i64, BigintRange);

/// A number of rows that may be one at most.
pub fn at_most_one(rows: &Argument) -> Result<ArrayRef> {
    let rows = rows.primitive::<Int64Type>()?;
    unary::<Int64Type, Int64Type>(
        rows,
        &DataType::Int64,
        |rows| if rows > 1 { Err(Failure::SeveralRows) } else { Ok(rows) },
    )
}

fn arith_of<T: ArrowPrimitiveType>(op: ArithOp, left: &Argument, right: &Argument) -> Result<ArrayRef>
where
    T::Native: Integer,
{
    type N<T> = <T as ArrowPrimitiveType>::Native;
    let (left, right) = (left.primitive::<T>()?, right.primitive::<T>()?);
    let range = N::<T>::RANGE;
    let out = &T::DATA_TYPE;
    match op {
        ArithOp::Add => binary::<T, T, T>(left, right, out, |l, r| l.add(r).ok_or(range)),
        ArithOp::Sub => binary::<T, T, T>(left, right, out, |l, r| l.sub(r).ok_or(range)),
        ArithOp::Mul => binary::<T, T, T>(left, right, out, |l, r| l.mul(r).ok_or(range)),
        ArithOp::Div => binary::<T, T, T>(left, right, out, |l, r| match r == N::<T>::ZERO {
            true => Err(Failure::DivisionByZero),
            false => l.div(r).ok_or(range),
        }),
        ArithOp::Mod => binary::<T, T, T>(left, right, out, |l, r| match r == N::<T>::ZERO {
            true => Err(Failure::DivisionByZero),
            false => Ok(l.modulo(r)),
        }),
    }
}

/// `+ - * / %` of two integers of one type.
pub fn arith(op: ArithOp, number: NumberType, left: &Argument, right: &Argument) -> Result<ArrayRef> {
    match number {
        NumberType::Int2 => arith_of::<Int16Type>(op, left, right),
        NumberType::Int4 => arith_of::<Int32Type>(op, left, right),
        NumberType::Int8 => arith_of::<Int64Type>(op, left, right),
        _ => not_an_integer(number),
    }
}

fn sign_of<T: ArrowPrimitiveType>(absolute: bool, argument: &Argument) -> Result<ArrayRef>
where
    T::Native: Integer,
{
    let range = <T::Native as Integer>::RANGE;
    unary::<T, T>(argument.primitive::<T>()?, &T::DATA_TYPE, |value| {
        if absolute { value.abs() } else { value.neg() }.ok_or(range)
    })
}

/// `- x`, or `abs(x)` where `absolute`.
pub fn sign(absolute: bool, number: NumberType, argument: &Argument) -> Result<ArrayRef> {
    match number {
        NumberType::Int2 => sign_of::<Int16Type>(absolute, argument),
        NumberType::Int4 => sign_of::<Int32Type>(absolute, argument),
        NumberType::Int8 => sign_of::<Int64Type>(absolute, argument),
        _ => not_an_integer(number),
    }
}

fn cast_of<T: ArrowPrimitiveType>(to: NumberType, argument: &Argument) -> Result<ArrayRef>
where
    T::Native: Into<i64>,
{
    let column = argument.primitive::<T>()?;
    let wide = |value: T::Native| -> i64 { value.into() };
    match to {
        NumberType::Int2 => unary::<T, Int16Type>(column, &DataType::Int16, |value| {
            i16::try_from(wide(value)).map_err(|_| Failure::SmallintRange)
        }),
        NumberType::Int4 => unary::<T, Int32Type>(column, &DataType::Int32, |value| {
            i32::try_from(wide(value)).map_err(|_| Failure::IntegerRange)
        }),
        NumberType::Int8 => unary::<T, Int64Type>(column, &DataType::Int64, |value| Ok(wide(value))),
        NumberType::Float8 => unary::<T, Float64Type>(column, &DataType::Float64, |value| Ok(wide(value) as f64)),
        NumberType::Float4 => unary::<T, Float32Type>(column, &DataType::Float32, |value| Ok(wide(value) as f32)),
        _ => not_an_integer(to),
    }
}

/// An integer to another integer type or to a float.
pub fn cast(from: NumberType, to: NumberType, argument: &Argument) -> Result<ArrayRef> {
    match from {
        NumberType::Int2 => cast_of::<Int16Type>(to, argument),
        NumberType::Int4 => cast_of::<Int32Type>(to, argument),
        NumberType::Int8 => cast_of::<Int64Type>(to, argument),
        _ => not_an_integer(from),
    }
}

/// `& | #`.
pub fn bits(op: BitOp, number: NumberType, left: &Argument, right: &Argument) -> Result<ArrayRef> {
    fn of<T: ArrowPrimitiveType>(op: BitOp, left: &Argument, right: &Argument) -> Result<ArrayRef>
    where
        T::Native: BitAnd<Output = T::Native> + BitOr<Output = T::Native> + BitXor<Output = T::Native> + Default,
    {
        let (left, right) = (left.primitive::<T>()?, right.primitive::<T>()?);
        binary::<T, T, T>(left, right, &T::DATA_TYPE, |l, r| {
            Ok(match op {
                BitOp::And => l & r,
                BitOp::Or => l | r,
                BitOp::Xor => l ^ r,
            })
        })
    }
    match number {
        NumberType::Int2 => of::<Int16Type>(op, left, right),
        NumberType::Int4 => of::<Int32Type>(op, left, right),
        NumberType::Int8 => of::<Int64Type>(op, left, right),
        _ => not_an_integer(number),
    }
}

/// `~`.
pub fn not(number: NumberType, argument: &Argument) -> Result<ArrayRef> {
    match number {
        NumberType::Int2 => unary::<Int16Type, Int16Type>(argument.primitive()?, &DataType::Int16, |v| Ok(!v)),
        NumberType::Int4 => unary::<Int32Type, Int32Type>(argument.primitive()?, &DataType::Int32, |v| Ok(!v)),
        NumberType::Int8 => unary::<Int64Type, Int64Type>(argument.primitive()?, &DataType::Int64, |v| Ok(!v)),
        _ => not_an_integer(number),
    }
}

/// `<<`, or `>>`: modulo the width, and an int2 is shifted as an int4, as C does both.
pub fn shift(left: bool, number: NumberType, argument: &Argument, by: &Argument) -> Result<ArrayRef> {
    let by = by.primitive::<Int32Type>()?;
    let int4 = |value: i32, by: i32| {
        if left { value.wrapping_shl(by as u32) } else { value.wrapping_shr(by as u32) }
    };
    match number {
        NumberType::Int2 => {
            binary::<Int16Type, Int32Type, Int16Type>(argument.primitive()?, by, &DataType::Int16, |value, by| {
                Ok(int4(value.into(), by) as i16)
            })
        }
        NumberType::Int4 => {
            binary::<Int32Type, Int32Type, Int32Type>(argument.primitive()?, by, &DataType::Int32, |value, by| {
                Ok(int4(value, by))
            })
        }
        NumberType::Int8 => {
            binary::<Int64Type, Int32Type, Int64Type>(argument.primitive()?, by, &DataType::Int64, |value, by| {
                Ok(if left { value.wrapping_shl(by as u32) } else { value.wrapping_shr(by as u32) })
            })
        }
        _ => not_an_integer(number),
    }
}

/// `bool::int4`.
pub fn of_bool(argument: &Argument) -> Result<ArrayRef> {
    let values: arrow::array::Int32Array = argument.array.as_boolean().iter().map(|b| b.map(i32::from)).collect();
    Ok(std::sync::Arc::new(values))
}

/// `int4::bool`.
pub fn to_bool(argument: &Argument) -> Result<ArrayRef> {
    let values = argument.array.as_primitive::<Int32Type>();
    let values: arrow::array::BooleanArray = values.iter().map(|value| value.map(|value| value != 0)).collect();
    Ok(std::sync::Arc::new(values))
}

/// An integer to numeric of scale 0.
pub fn to_numeric(from: NumberType, argument: &Argument, out: &DataType) -> Result<ArrayRef> {
    match from {
        NumberType::Int2 => unary::<Int16Type, Decimal64Type>(argument.primitive()?, out, |value| Ok(value.into())),
        NumberType::Int4 => unary::<Int32Type, Decimal64Type>(argument.primitive()?, out, |value| Ok(value.into())),
        NumberType::Int8 => unary::<Int64Type, Decimal128Type>(argument.primitive()?, out, |value| Ok(value.into())),
        _ => not_an_integer(from),
    }
}

#[cold]
fn not_an_integer<T>(number: NumberType) -> Result<T> {
    Err(DataFusionError::Internal(format!("{number:?} is not an integer")))
}
