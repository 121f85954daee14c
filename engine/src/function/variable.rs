//! Kernels that read or write variable numerics, row by row; their arithmetic is that of [`Number`].

use super::decimal::{precision_scale, rescale_value};
use super::failure::Failure;
use super::kernel::Argument;
use super::number::{Number, ReadError, append_key};
use crate::numeric::Payload;
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BinaryViewBuilder, Decimal64Array, Decimal128Array, PrimitiveArray,
};
use arrow::datatypes::{DataType, Decimal64Type, Decimal128Type, Int64Type};
use datafusion::error::{DataFusionError, Result};
use fusion_proto::plan::ArithOp;
use std::sync::Arc;

/// A numeric argument of either form.
pub enum Numbers<'a> {
    /// `Decimal64` and its scale.
    Small(&'a Decimal64Array, u16),
    /// `Decimal128` and its scale.
    Large(&'a Decimal128Array, u16),
    /// Payloads.
    Variable(&'a BinaryViewArray),
}

impl<'a> Numbers<'a> {
    /// Of an array that holds numerics.
    pub fn of(array: &'a dyn Array) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Decimal64(_, scale) => Self::Small(array.as_primitive::<Decimal64Type>(), *scale as u16),
            DataType::Decimal128(_, scale) => Self::Large(array.as_primitive::<Decimal128Type>(), *scale as u16),
            DataType::BinaryView => Self::Variable(array.as_binary_view()),
            other => return Err(DataFusionError::Internal(format!("{other} is not a numeric"))),
        })
    }

    /// The value of a valid row.
    #[inline]
    pub fn at(&self, row: usize) -> Result<Number, ReadError> {
        match self {
            Self::Small(array, scale) => Ok(Number { unscaled: array.value(row).into(), scale: *scale }),
            Self::Large(array, scale) => Ok(Number { unscaled: array.value(row), scale: *scale }),
            Self::Variable(array) => Number::decode(array.value(row)),
        }
    }
}

/// Writes payloads.
pub struct PayloadBuilder(BinaryViewBuilder);

impl PayloadBuilder {
    /// With room for `rows`.
    pub fn new(rows: usize) -> Self {
        Self(BinaryViewBuilder::with_capacity(rows))
    }

    /// One row.
    #[inline]
    pub fn append(&mut self, number: Option<Number>) {
        match number {
            Some(number) => self.0.append_value(Payload::new(number.unscaled, number.scale).as_bytes()),
            None => self.0.append_null(),
        }
    }

    /// The column.
    pub fn finish(mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

/// `kernel` over all rows of two arguments of which at least one may be a column.
fn binary(
    left: &Argument,
    right: &Argument,
    kernel: impl Fn(Number, Number) -> Result<Number, Failure>,
) -> Result<ArrayRef> {
    let (lefts, rights) = (Numbers::of(&left.array)?, Numbers::of(&right.array)?);
    let rows = if left.constant { right.array.len() } else { left.array.len() };
    let (fixed_left, fixed_right) = (constant(left, &lefts)?, constant(right, &rights)?);
    let mut out = PayloadBuilder::new(rows);
    for row in 0..rows {
        if left.nulls().is_some_and(|nulls| nulls.is_null(row)) || right.nulls().is_some_and(|nulls| nulls.is_null(row))
        {
            out.append(None);
            continue;
        }
        let l = fixed_left.map_or_else(|| lefts.at(row), Ok)?;
        let r = fixed_right.map_or_else(|| rights.at(row), Ok)?;
        out.append(Some(kernel(l, r)?));
    }
    Ok(out.finish())
}

fn constant(argument: &Argument, numbers: &Numbers<'_>) -> Result<Option<Number>, ReadError> {
    if argument.constant { numbers.at(0).map(Some) } else { Ok(None) }
}

/// `+ - * /` where the result is variable.
pub fn arith(op: ArithOp, left: &Argument, right: &Argument) -> Result<ArrayRef> {
    match op {
        ArithOp::Add => binary(left, right, Number::checked_add),
        ArithOp::Sub => binary(left, right, Number::checked_sub),
        ArithOp::Mul => binary(left, right, Number::checked_mul),
        ArithOp::Div => binary(left, right, Number::checked_div),
        ArithOp::Mod => binary(left, right, Number::checked_rem),
    }
}

/// `kernel` over all rows of one argument.
fn unary(argument: &Argument, kernel: impl Fn(Number) -> Result<Number, Failure>) -> Result<ArrayRef> {
    let numbers = Numbers::of(&argument.array)?;
    let mut out = PayloadBuilder::new(argument.array.len());
    for row in 0..argument.array.len() {
        let number = if argument.array.is_null(row) { None } else { Some(kernel(numbers.at(row)?)?) };
        out.append(number);
    }
    Ok(out.finish())
}

/// `kernel` over two numerics of either form, into either form.
pub fn binary_into(
    left: &Argument,
    right: &Argument,
    out: &DataType,
    kernel: impl Fn(Number, Number) -> Result<Number, Failure>,
) -> Result<ArrayRef> {
    into(binary(left, right, kernel)?, out)
}

/// `kernel` over numerics of either form, into either form.
pub fn unary_into(
    argument: &Argument,
    out: &DataType,
    kernel: impl Fn(Number) -> Result<Number, Failure>,
) -> Result<ArrayRef> {
    into(unary(argument, kernel)?, out)
}

/// A column of payloads as `out` holds them.
fn into(array: ArrayRef, out: &DataType) -> Result<ArrayRef> {
    if *out == DataType::BinaryView {
        return Ok(array);
    }
    to_fixed(&Argument { array, constant: false }, out)
}

/// `- x`, or `abs(x)` where `absolute`.
pub fn sign(absolute: bool, argument: &Argument) -> Result<ArrayRef> {
    unary(argument, |number| {
        let unscaled = if absolute { number.unscaled.checked_abs() } else { number.unscaled.checked_neg() };
        Ok(Number { unscaled: unscaled.ok_or(Failure::NumericDigits)?, ..number })
    })
}

/// A fixed numeric as a variable one, each value with the display scale of the type.
pub fn from_fixed(argument: &Argument) -> Result<ArrayRef> {
    unary(argument, Ok)
}

/// A variable numeric to `numeric(p,s)`.
pub fn to_fixed(argument: &Argument, out: &DataType) -> Result<ArrayRef> {
    let (precision, scale) = precision_scale(out)?;
    let numbers = Numbers::of(&argument.array)?;
    let rows = argument.array.len();
    let mut values = Vec::with_capacity(rows);
    for row in 0..rows {
        let value = match argument.array.is_null(row) {
            true => 0,
            false => {
                let number = numbers.at(row)?;
                rescale_value(number.unscaled, number.scale, precision, scale)?
            }
        };
        values.push(value);
    }
    let nulls = argument.array.nulls().cloned();
    Ok(match out {
        DataType::Decimal64(..) => {
            let values: Vec<i64> = values.into_iter().map(|value| value as i64).collect();
            Arc::new(Decimal64Array::new(values.into(), nulls).with_data_type(out.clone()))
        }
        _ => Arc::new(Decimal128Array::new(values.into(), nulls).with_data_type(out.clone())),
    })
}

/// Keys that compare by bytes as PostgreSQL compares numerics of any form.
pub fn key(argument: &Argument) -> Result<ArrayRef> {
    let array = &argument.array;
    let numbers = Numbers::of(array)?;
    let mut out = BinaryViewBuilder::with_capacity(array.len());
    let mut bytes = Vec::with_capacity(64);
    for row in 0..array.len() {
        if array.is_null(row) {
            out.append_null();
            continue;
        }
        bytes.clear();
        let appended = match &numbers {
            Numbers::Variable(array) => append_key(array.value(row), &mut bytes),
            numbers => {
                let number = numbers.at(row)?;
                append_key(Payload::new(number.unscaled, number.scale).as_bytes(), &mut bytes)
            }
        };
        appended.map_err(crate::error::external)?;
        out.append_value(&bytes);
    }
    Ok(Arc::new(out.finish()))
}

/// `avg` from its sum and count: NULL where the count is 0 (the sum is NULL then).
pub fn average(sum: &Argument, count: &Argument) -> Result<ArrayRef> {
    let sums = sum.array.data_type().clone();
    // avg of integers: their sum is an int8.
    let widened;
    let sum = if sums == DataType::Int64 {
        widened = Argument { array: int8_as_numeric(sum.array.as_primitive::<Int64Type>()), constant: sum.constant };
        &widened
    } else {
        sum
    };
    let counts = Argument { array: int8_as_numeric(count.array.as_primitive::<Int64Type>()), constant: count.constant };
    binary(sum, &counts, Number::checked_div)
}

fn int8_as_numeric(values: &PrimitiveArray<Int64Type>) -> ArrayRef {
    let values: Decimal128Array = values.unary(i128::from);
    Arc::new(values.with_data_type(DataType::Decimal128(19, 0)))
}
