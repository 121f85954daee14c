//! The variance family: count, sum and sum of squares of numerics and integers (numeric_accum), and Youngs and Cramer's sums of floats
//! (float8_accum, float8_combine of float.c).
//!
//! Invariants: a group of no values, or of one for a sample, gives NULL; sums of integers and numerics are exact or an error; the
//! display scale of a group's sum is the largest one seen in it.

use super::primitive::{each_row, only_column};
use super::single::as_indices;
use crate::function::decimal::{checked_mul, power};
use crate::function::failure::Failure;
use crate::function::number::Number;
use crate::function::variable::{Numbers, PayloadBuilder};
use crate::function::wide;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use fusion_proto::plan::Spread;
use std::sync::Arc;

/// What is known of a group of numerics.
#[derive(Clone, Copy, Default)]
struct Moments {
    count: i64,
    /// At `scale`.
    sum: i128,
    /// At twice `scale`.
    squares: i128,
    scale: u16,
}

impl Moments {
    /// At a display scale that is not smaller.
    fn widen(&mut self, scale: u16) -> Result<(), Failure> {
        let by = power(u32::from(scale - self.scale));
        let widened =
            by.and_then(|by| Some((checked_mul(self.sum, by)?, checked_mul(checked_mul(self.squares, by)?, by)?)));
        (self.sum, self.squares) = match widened {
            Some(widened) => widened,
            None if self.sum == 0 && self.squares == 0 => (0, 0),
            None => return Err(Failure::NumericDigits),
        };
        self.scale = scale;
        Ok(())
    }

    #[inline(always)]
    fn add(&mut self, number: Number) -> Result<(), Failure> {
        if number.scale > self.scale {
            self.widen(number.scale)?;
        }
        let value = if number.scale == self.scale { number.unscaled } else { number.at_scale(self.scale)? };
        let square = checked_mul(value, value).and_then(|square| self.squares.checked_add(square));
        match (self.sum.checked_add(value), square) {
            (Some(sum), Some(squares)) => (self.sum, self.squares) = (sum, squares),
            _ => return Err(Failure::NumericDigits),
        }
        self.count += 1;
        Ok(())
    }

    fn combine(&mut self, mut other: Self) -> Result<(), Failure> {
        let scale = self.scale.max(other.scale);
        self.widen(scale)?;
        other.widen(scale)?;
        let sums = (self.sum.checked_add(other.sum), self.squares.checked_add(other.squares));
        let (Some(sum), Some(squares)) = sums else { return Err(Failure::NumericDigits) };
        *self = Self { count: self.count + other.count, sum, squares, scale };
        Ok(())
    }
}

/// All groups of integers or numerics. Partial state: count, sum, squares; numerics as variable ones.
pub struct NumericMoments {
    spread: Spread,
    groups: Vec<Moments>,
}

impl NumericMoments {
    /// No groups yet.
    pub fn new(spread: Spread) -> Self {
        Self { spread, groups: Vec::new() }
    }
}

/// Integers as numerics, other numerics as they are.
fn numerics(column: &ArrayRef) -> Result<ArrayRef> {
    match column.data_type() {
        DataType::Int16 | DataType::Int32 | DataType::Int64 => {
            let wide = cast(column, &DataType::Int64)?;
            let values = wide.as_primitive::<Int64Type>().unary::<_, arrow::datatypes::Decimal128Type>(i128::from);
            Ok(Arc::new(values.with_data_type(DataType::Decimal128(19, 0))))
        }
        _ => Ok(Arc::clone(column)),
    }
}

fn three(values: &[ArrayRef]) -> Result<[&ArrayRef; 3]> {
    match values {
        [first, second, third] => Ok([first, second, third]),
        _ => Err(DataFusionError::Internal(format!("a partial state of {} columns", values.len()))),
    }
}

impl GroupsAccumulator for NumericMoments {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups.resize(total_num_groups, Moments::default());
        let column = numerics(only_column(values)?)?;
        let (numbers, groups) = (Numbers::of(&column)?, &mut self.groups);
        each_row(&column, opt_filter, group_indices, |row, group| Ok(groups[group].add(numbers.at(row)?)?))
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let groups = emit_to.take_needed(&mut self.groups);
        let Spread { sample, root } = self.spread;
        let mut out = PayloadBuilder::new(groups.len());
        for Moments { count, sum, squares, scale } in groups {
            let defined = count > i64::from(sample);
            out.append(defined.then(|| wide::spread(count, sum, squares, scale, sample, root)).transpose()?);
        }
        Ok(out.finish())
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = emit_to.take_needed(&mut self.groups);
        let (mut sums, mut squares) = (PayloadBuilder::new(groups.len()), PayloadBuilder::new(groups.len()));
        for group in &groups {
            sums.append(Some(Number { unscaled: group.sum, scale: group.scale }));
            squares.append(Some(Number { unscaled: group.squares, scale: 2 * group.scale }));
        }
        let counts: Int64Array = groups.iter().map(|group| Some(group.count)).collect();
        Ok(vec![Arc::new(counts), sums.finish(), squares.finish()])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.groups.resize(total_num_groups, Moments::default());
        let [counts, sums, squares] = three(values)?;
        let (numbers, squared, groups) = (Numbers::of(sums)?, Numbers::of(squares)?, &mut self.groups);
        let counts = counts.as_primitive::<Int64Type>();
        each_row(counts, None, group_indices, |row, group| {
            let (sum, squares) = (numbers.at(row)?, squared.at(row)?);
            let part =
                Moments { count: counts.value(row), sum: sum.unscaled, squares: squares.unscaled, scale: sum.scale };
            Ok(groups[group].combine(part)?)
        })
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = only_column(values)?.len();
        let mut each = Self::new(self.spread);
        each.update_batch(values, &as_indices(rows), opt_filter, rows)?;
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.groups.capacity() * size_of::<Moments>()
    }
}

/// What is known of a group of floats.
#[derive(Clone, Copy, Default)]
struct FloatMoments {
    count: f64,
    sum: f64,
    /// Sum of squares of the distances from the average.
    squares: f64,
}

impl FloatMoments {
    #[inline(always)]
    fn add(&mut self, value: f64) -> Result<(), Failure> {
        let before = *self;
        self.count += 1.0;
        self.sum += value;
        if before.count > 0.0 {
            let distance = value * self.count - self.sum;
            self.squares += distance * distance / (self.count * before.count);
            if self.sum.is_infinite() || self.squares.is_infinite() {
                if !before.sum.is_infinite() && !value.is_infinite() {
                    return Err(Failure::FloatOverflow);
                }
                self.squares = f64::NAN;
            }
        } else if !value.is_finite() {
            self.squares = f64::NAN;
        }
        Ok(())
    }

    fn combine(&mut self, other: Self) -> Result<(), Failure> {
        if self.count == 0.0 {
            *self = other;
        } else if other.count != 0.0 {
            let count = self.count + other.count;
            let sum = self.sum + other.sum;
            let distance = self.sum / self.count - other.sum / other.count;
            let squares = self.squares + other.squares + self.count * other.count * distance * distance / count;
            let overflow = |result: f64, a: f64, b: f64| result.is_infinite() && !a.is_infinite() && !b.is_infinite();
            if overflow(sum, self.sum, other.sum) || overflow(squares, self.squares, other.squares) {
                return Err(Failure::FloatOverflow);
            }
            *self = Self { count, sum, squares };
        }
        Ok(())
    }
}

/// All groups of floats. Partial state: the three sums as float8.
pub struct FloatSpreads {
    spread: Spread,
    groups: Vec<FloatMoments>,
}

impl FloatSpreads {
    /// No groups yet.
    pub fn new(spread: Spread) -> Self {
        Self { spread, groups: Vec::new() }
    }
}

impl GroupsAccumulator for FloatSpreads {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups.resize(total_num_groups, FloatMoments::default());
        // From float4 this is exact.
        let column = cast(only_column(values)?, &DataType::Float64)?;
        let (floats, groups) = (column.as_primitive::<Float64Type>(), &mut self.groups);
        each_row(&column, opt_filter, group_indices, |row, group| Ok(groups[group].add(floats.value(row))?))
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let Spread { sample, root } = self.spread;
        let result = |group: FloatMoments| {
            let divisor = if sample { group.count - 1.0 } else { group.count };
            let variance = group.squares / divisor;
            (divisor > 0.0).then(|| if root { variance.sqrt() } else { variance })
        };
        let groups = emit_to.take_needed(&mut self.groups);
        Ok(Arc::new(groups.into_iter().map(result).collect::<Float64Array>()))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = emit_to.take_needed(&mut self.groups);
        let part = |of: fn(&FloatMoments) -> f64| -> ArrayRef {
            Arc::new(groups.iter().map(of).map(Some).collect::<Float64Array>())
        };
        Ok(vec![part(|group| group.count), part(|group| group.sum), part(|group| group.squares)])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.groups.resize(total_num_groups, FloatMoments::default());
        let [counts, sums, squares] = three(values)?.map(|column| column.as_primitive::<Float64Type>());
        let groups = &mut self.groups;
        each_row(counts, None, group_indices, |row, group| {
            let part = FloatMoments { count: counts.value(row), sum: sums.value(row), squares: squares.value(row) };
            Ok(groups[group].combine(part)?)
        })
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = only_column(values)?.len();
        let mut each = Self::new(self.spread);
        each.update_batch(values, &as_indices(rows), opt_filter, rows)?;
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.groups.capacity() * size_of::<FloatMoments>()
    }
}
