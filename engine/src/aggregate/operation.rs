//! What is done with one value: sums, minima and maxima of primitive values, as PostgreSQL's transition functions do it.

use crate::function::decimal::LIMIT;
use crate::function::failure::Failure;
use arrow::array::ArrowPrimitiveType;
use arrow::datatypes::{Decimal128Type, Float32Type, Float64Type, Int64Type};
use std::marker::PhantomData;

/// A fold over values with a state of the result's type; associative and commutative.
pub trait Operation: Send + Sync + 'static {
    /// Values.
    type Input: ArrowPrimitiveType;
    /// Result and state.
    type Output: ArrowPrimitiveType;
    /// The state of no values: changes nothing it is combined with.
    const IDENTITY: <Self::Output as ArrowPrimitiveType>::Native;
    /// What it means that a step failed.
    const FAILURE: Failure;

    /// State and value to state; false if that failed.
    fn step(
        state: <Self::Output as ArrowPrimitiveType>::Native,
        value: <Self::Input as ArrowPrimitiveType>::Native,
    ) -> (<Self::Output as ArrowPrimitiveType>::Native, bool);

    /// Two states to one; false if that failed.
    fn combine(
        left: <Self::Output as ArrowPrimitiveType>::Native,
        right: <Self::Output as ArrowPrimitiveType>::Native,
    ) -> (<Self::Output as ArrowPrimitiveType>::Native, bool);

    /// Whether a state is a result.
    fn is_result(_state: <Self::Output as ArrowPrimitiveType>::Native) -> bool {
        true
    }
}

/// sum(int2), sum(int4): an int8.
pub struct SumInteger<I>(PhantomData<fn(I)>);

impl<I: ArrowPrimitiveType> Operation for SumInteger<I>
where
    I::Native: Into<i64>,
{
    type Input = I;
    type Output = Int64Type;
    const IDENTITY: i64 = 0;
    const FAILURE: Failure = Failure::BigintRange;

    #[inline(always)]
    fn step(state: i64, value: I::Native) -> (i64, bool) {
        let (sum, overflow) = state.overflowing_add(value.into());
        (sum, !overflow)
    }

    #[inline(always)]
    fn combine(left: i64, right: i64) -> (i64, bool) {
        let (sum, overflow) = left.overflowing_add(right);
        (sum, !overflow)
    }
}

/// sum(int8) and sum of fixed numerics: an integer of 128 bits.
pub struct SumDecimal<I>(PhantomData<fn(I)>);

impl<I: ArrowPrimitiveType> Operation for SumDecimal<I>
where
    I::Native: Into<i128>,
{
    type Input = I;
    type Output = Decimal128Type;
    const IDENTITY: i128 = 0;
    const FAILURE: Failure = Failure::NumericDigits;

    #[inline(always)]
    fn step(state: i128, value: I::Native) -> (i128, bool) {
        let (sum, overflow) = state.overflowing_add(value.into());
        (sum, !overflow)
    }

    #[inline(always)]
    fn combine(left: i128, right: i128) -> (i128, bool) {
        let (sum, overflow) = left.overflowing_add(right);
        (sum, !overflow)
    }

    fn is_result(state: i128) -> bool {
        state < LIMIT && state > -LIMIT
    }
}

/// sum(float4), sum(float8): in the type itself.
pub struct SumFloat<I>(PhantomData<fn(I)>);

/// The sum of avg(float): float8, of values so small that the sum of squares which PostgreSQL keeps beside it (and whose overflow it
/// reports) stays finite.
pub struct AverageSum;

/// Beyond it a value may be what makes PostgreSQL's sum of squares overflow.
const AVERAGE_LIMIT: f64 = 1e140;

/// min or max of floats; NaN is the largest.
pub struct Extreme<I, const MAX: bool>(PhantomData<fn(I)>);

macro_rules! float_operations {
    ($arrow:ty, $native:ty) => {
        impl Operation for SumFloat<$arrow> {
            type Input = $arrow;
            type Output = $arrow;
            // Unlike 0, it keeps the sign of a sum of nothing but -0.
            const IDENTITY: $native = -0.0;
            const FAILURE: Failure = Failure::FloatOverflow;

            #[inline(always)]
            fn step(state: $native, value: $native) -> ($native, bool) {
                let sum = state + value;
                (sum, !sum.is_infinite() || state.is_infinite() || value.is_infinite())
            }

            #[inline(always)]
            fn combine(left: $native, right: $native) -> ($native, bool) {
                Self::step(left, right)
            }
        }

        impl<const MAX: bool> Operation for Extreme<$arrow, MAX> {
            type Input = $arrow;
            type Output = $arrow;
            const IDENTITY: $native = if MAX { <$native>::NEG_INFINITY } else { <$native>::NAN };
            const FAILURE: Failure = Failure::FloatOverflow;

            #[inline(always)]
            fn step(state: $native, value: $native) -> ($native, bool) {
                let value_wins = if MAX {
                    value >= state || value.is_nan()
                } else {
                    // Also over the NaN that stands for no values.
                    value <= state || state.is_nan()
                };
                (if value_wins { value } else { state }, true)
            }

            #[inline(always)]
            fn combine(left: $native, right: $native) -> ($native, bool) {
                Self::step(left, right)
            }
        }
    };
}

float_operations!(Float32Type, f32);
float_operations!(Float64Type, f64);

impl Operation for AverageSum {
    type Input = Float64Type;
    type Output = Float64Type;
    const IDENTITY: f64 = -0.0;
    const FAILURE: Failure = Failure::FloatOverflow;

    #[inline(always)]
    fn step(state: f64, value: f64) -> (f64, bool) {
        (state + value, value.abs() <= AVERAGE_LIMIT || !value.is_finite())
    }

    #[inline(always)]
    fn combine(left: f64, right: f64) -> (f64, bool) {
        SumFloat::<Float64Type>::step(left, right)
    }
}
