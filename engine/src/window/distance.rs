//! Distances of RANGE frames: the `in_range` functions of int.c, float.c, numeric.c, date.c and timestamp.c.

use crate::function::date::{add_interval, date_to_timestamp};
use crate::function::failure::Failure;
use crate::function::variable::Numbers;
use crate::optimizer::cancel::check_at;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use datafusion::error::{DataFusionError, Result};

/// The offset of a frame's bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Distance {
    /// Rows or groups.
    Count(usize),
    /// `unscaled * 10^-scale`; not negative.
    Exact {
        /// Unscaled value.
        unscaled: i128,
        /// Scale.
        scale: u16,
    },
    /// The bits of an f64 that is neither negative nor NaN.
    Float(u64),
    /// An interval that is not negative.
    Interval {
        /// Months.
        months: i32,
        /// Days.
        days: i32,
        /// Microseconds.
        micros: i64,
    },
}

/// The values of a partition's order key, with what each is compared with.
pub enum Keys {
    /// Numbers and distance as integers of one scale.
    Exact(Vec<Option<i128>>, i128),
    /// Floats.
    Float(Vec<Option<f64>>, f64),
    /// Timestamps, with those so much earlier and later.
    Time { values: Vec<Option<i64>>, earlier: Vec<i64>, later: Vec<i64> },
}

fn options<T: ArrowPrimitiveType, V>(array: &ArrayRef, value: impl Fn(T::Native) -> V) -> Vec<Option<V>> {
    array.as_primitive::<T>().iter().map(|native| native.map(&value)).collect()
}

impl Keys {
    /// Values of a type that has distances like `distance`.
    pub fn new(array: &ArrayRef, distance: Distance) -> Result<Self> {
        match (array.data_type(), distance) {
            (DataType::Int16, Distance::Exact { unscaled, scale: 0 }) => {
                Ok(Self::Exact(options::<Int16Type, _>(array, i128::from), unscaled))
            }
            (DataType::Int32, Distance::Exact { unscaled, scale: 0 }) => {
                Ok(Self::Exact(options::<Int32Type, _>(array, i128::from), unscaled))
            }
            (DataType::Int64, Distance::Exact { unscaled, scale: 0 }) => {
                Ok(Self::Exact(options::<Int64Type, _>(array, i128::from), unscaled))
            }
            (DataType::Float32, Distance::Float(bits)) => {
                Ok(Self::Float(options::<Float32Type, _>(array, f64::from), f64::from_bits(bits)))
            }
            (DataType::Float64, Distance::Float(bits)) => {
                Ok(Self::Float(options::<Float64Type, _>(array, |value| value), f64::from_bits(bits)))
            }
            (DataType::Date32, Distance::Interval { .. }) => {
                let values = options::<Date32Type, _>(array, date_to_timestamp);
                let values = values.into_iter().map(Option::transpose).collect::<Result<_, Failure>>()?;
                Self::times(values, distance)
            }
            (DataType::Timestamp(TimeUnit::Microsecond, _), Distance::Interval { .. }) => {
                Self::times(options::<TimestampMicrosecondType, _>(array, |value| value), distance)
            }
            (_, Distance::Exact { unscaled, scale }) => Self::numerics(array, unscaled, scale),
            (found, distance) => Err(DataFusionError::Internal(format!("{distance:?} from values of {found}"))),
        }
    }

    fn numerics(array: &ArrayRef, distance: i128, scale: u16) -> Result<Self> {
        let numbers = Numbers::of(array)?;
        let number = |row| {
            check_at(row)?;
            if array.is_null(row) { Ok(None) } else { Ok(Some(numbers.at(row)?)) }
        };
        let numbers = (0..array.len()).map(number).collect::<Result<Vec<_>>>()?;
        let common = numbers.iter().flatten().map(|number| number.scale).fold(scale, u16::max);
        let values = numbers.into_iter().map(|number| number.map(|number| number.at_scale(common)).transpose());
        let distance = crate::function::number::Number { unscaled: distance, scale }.at_scale(common)?;
        Ok(Self::Exact(values.collect::<Result<_, Failure>>()?, distance))
    }

    fn times(values: Vec<Option<i64>>, distance: Distance) -> Result<Self> {
        let Distance::Interval { months, days, micros } = distance else {
            return Err(DataFusionError::Internal(format!("{distance:?} from timestamps")));
        };
        let shifted = |sign: i64| -> Result<Vec<i64>, Failure> {
            let (months, days) = (i64::from(months) * sign, i64::from(days) * sign);
            let shift = |value: &Option<i64>| match value {
                Some(value) => add_interval(*value, months, days, micros.checked_mul(sign).ok_or(Failure::DateRange)?),
                None => Ok(0),
            };
            values.iter().map(shift).collect()
        };
        let (earlier, later) = (shifted(-1)?, shifted(1)?);
        Ok(Self::Time { values, earlier, later })
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        match self {
            Self::Exact(values, _) => values.len(),
            Self::Float(values, _) => values.len(),
            Self::Time { values, .. } => values.len(),
        }
    }

    /// Whether a row's value is NULL.
    pub fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Exact(values, _) => values[row].is_none(),
            Self::Float(values, _) => values[row].is_none(),
            Self::Time { values, .. } => values[row].is_none(),
        }
    }

    /// Whether the value of `row` is at most (`less`; else at least) that of `base` less (`subtract`; else plus) the distance. Neither
    /// is NULL.
    pub fn in_range(&self, row: usize, base: usize, subtract: bool, less: bool) -> bool {
        match self {
            Self::Exact(values, distance) => {
                let (value, base) = (values[row].unwrap_or(0), values[base].unwrap_or(0));
                // Saturation is as good as infinity: no value of 38 digits is so large.
                let sum = if subtract { base.saturating_sub(*distance) } else { base.saturating_add(*distance) };
                if less { value <= sum } else { value >= sum }
            }
            Self::Float(values, distance) => {
                float_in_range(values[row].unwrap_or(0.0), values[base].unwrap_or(0.0), *distance, subtract, less)
            }
            Self::Time { values, earlier, later } => {
                let value = values[row].unwrap_or(0);
                let sum = if subtract { earlier[base] } else { later[base] };
                if less { value <= sum } else { value >= sum }
            }
        }
    }
}

/// `in_range_float8_float8`.
fn float_in_range(value: f64, base: f64, distance: f64, subtract: bool, less: bool) -> bool {
    if value.is_nan() {
        return base.is_nan() || !less;
    }
    if base.is_nan() {
        return less;
    }
    let away = if subtract { base > 0.0 } else { base < 0.0 };
    if distance.is_infinite() && base.is_infinite() && away {
        return true;
    }
    let sum = if subtract { base - distance } else { base + distance };
    if less { value <= sum } else { value >= sum }
}
