//! Aggregates over frames.
//!
//! Counts and exact sums come from running totals: a range's is the difference of two, so that any frame costs the same. The least and the
//! greatest value of frames that only grow are carried along; of others they come from a tree. Floats are added in the order
//! of the frame, each frame anew unless it only grew, as PostgreSQL does: their sums depend on it.
//!
//! Invariant: a row counts where its value is not NULL and the filter, if there is one, is true. The display scale of a sum is the
//! largest among the values in the frame. Every loop over the rows of a partition looks whether the query was cancelled ([`check_at`]).

use super::Function;
use super::frame::Frames;
use crate::aggregate::operation::{AverageSum, Operation, SumFloat};
use crate::function::decimal::LIMIT;
use crate::function::failure::Failure;
use crate::function::float;
use crate::function::kernel::Argument;
use crate::function::number::Number;
use crate::function::variable::{Numbers, PayloadBuilder, average};
use crate::optimizer::cancel::check_at;
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Decimal128Array, Int64Array, PrimitiveArray,
    UInt64Array, make_comparator,
};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type};
use datafusion::error::{DataFusionError, Result};
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

/// An aggregate's argument in a partition, and which rows of it count.
struct Values<'a> {
    array: &'a ArrayRef,
    filter: Option<&'a BooleanArray>,
}

impl Values<'_> {
    fn counts(&self, row: usize) -> bool {
        self.array.is_valid(row) && self.filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
    }
}

/// Totals of the rows before each row.
struct Totals(Vec<i128>);

impl Totals {
    fn new(rows: usize, value: impl Fn(usize) -> Result<i128>) -> Result<Self> {
        let mut totals = Vec::with_capacity(rows + 1);
        let mut total = 0i128;
        totals.push(total);
        for row in 0..rows {
            check_at(row)?;
            total = total.checked_add(value(row)?).ok_or(Failure::NumericDigits)?;
            totals.push(total);
        }
        Ok(Self(totals))
    }

    fn over(&self, ranges: &[Range<usize>]) -> Result<i128> {
        let mut sum = 0i128;
        for range in ranges {
            // A difference of two totals that fit may itself be too large.
            let part = self.0[range.end].checked_sub(self.0[range.start]);
            sum = part.and_then(|part| sum.checked_add(part)).ok_or(Failure::NumericDigits)?;
        }
        Ok(sum)
    }
}

/// The aggregate over the frame of every row.
pub fn aggregate(
    function: Function,
    value: &ArrayRef,
    filter: Option<&BooleanArray>,
    frames: &Frames<'_>,
    output: &DataType,
) -> Result<ArrayRef> {
    let values = Values { array: value, filter };
    let counts = || counts(&values, frames);
    match (function, value.data_type()) {
        (Function::Count, _) => Ok(Arc::new(Int64Array::from(counts()?))),
        (Function::Sum, DataType::Float32) => float_sum::<SumFloat<Float32Type>>(&values, frames),
        (Function::Sum, DataType::Float64) => float_sum::<SumFloat<Float64Type>>(&values, frames),
        (Function::FloatAverage, DataType::Float64) => {
            let sums = float_sum::<AverageSum>(&values, frames)?;
            let sums = sums.as_primitive::<Float64Type>();
            let counts = counts()?;
            let average = |(sum, count): (Option<f64>, i64)| sum.map(|sum| sum / count as f64);
            Ok(Arc::new(sums.iter().zip(counts).map(average).collect::<PrimitiveArray<Float64Type>>()))
        }
        (Function::Sum, _) => sum(&values, &counts()?, frames, output),
        (Function::Average, _) => {
            let counts = counts()?;
            let sums = sum(&values, &counts, frames, &average_sum_type(value.data_type()))?;
            let counts: ArrayRef = Arc::new(Int64Array::from(counts));
            let argument = |array| Argument { array, constant: false };
            average(&argument(sums), &argument(counts))
        }
        (Function::Min | Function::Max, _) => extreme(function == Function::Max, &values, frames),
        (Function::BoolAnd | Function::BoolOr, DataType::Boolean) => bool_aggregate(function, &values, frames),
        (function, found) => Err(DataFusionError::Internal(format!("{function:?} of {found} over a window"))),
    }
}

fn counts(values: &Values<'_>, frames: &Frames<'_>) -> Result<Vec<i64>> {
    let totals = Totals::new(frames.rows(), |row| Ok(values.counts(row).into()))?;
    let count = |row| {
        check_at(row)?;
        Ok(totals.over(&frames.ranges(row))? as i64)
    };
    (0..frames.rows()).map(count).collect()
}

/// What avg adds up in, by the type of its argument.
fn average_sum_type(argument: &DataType) -> DataType {
    match argument {
        DataType::Int16 | DataType::Int32 => DataType::Int64,
        DataType::Decimal64(_, scale) | DataType::Decimal128(_, scale) => DataType::Decimal128(38, *scale),
        DataType::BinaryView => DataType::BinaryView,
        _ => DataType::Decimal128(38, 0),
    }
}

/// Sums of integers and numerics.
fn sum(values: &Values<'_>, counts: &[i64], frames: &Frames<'_>, output: &DataType) -> Result<ArrayRef> {
    let array = values.array;
    let integer = |row: usize| -> Result<i128> {
        Ok(match array.data_type() {
            DataType::Int16 => array.as_primitive::<Int16Type>().value(row).into(),
            DataType::Int32 => array.as_primitive::<Int32Type>().value(row).into(),
            DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
            DataType::BinaryView => return variable_error(),
            _ => Numbers::of(array)?.at(row)?.unscaled,
        })
    };
    if *array.data_type() == DataType::BinaryView {
        return variable_sum(values, counts, frames);
    }
    let totals = Totals::new(frames.rows(), |row| if values.counts(row) { integer(row) } else { Ok(0) })?;
    let sums = counts.iter().enumerate().map(|(row, count)| {
        check_at(row)?;
        match count {
            0 => Ok(None),
            _ => totals.over(&frames.ranges(row)).map(Some),
        }
    });
    let sums = sums.collect::<Result<Vec<_>>>()?;
    if *output == DataType::Int64 {
        let narrow = |sum: i128| i64::try_from(sum).map_err(|_| Failure::BigintRange);
        let sums = sums.into_iter().map(|sum| sum.map(narrow).transpose()).collect::<Result<Vec<_>, Failure>>()?;
        return Ok(Arc::new(Int64Array::from(sums)));
    }
    if sums.iter().flatten().any(|sum| *sum >= LIMIT || *sum <= -LIMIT) {
        return Err(Failure::NumericDigits.into());
    }
    Ok(Arc::new(sums.into_iter().collect::<Decimal128Array>().with_data_type(output.clone())))
}

fn variable_error<T>() -> Result<T> {
    Err(DataFusionError::Internal("a variable numeric among fixed ones".into()))
}

/// Sums of variable numerics.
fn variable_sum(values: &Values<'_>, counts: &[i64], frames: &Frames<'_>) -> Result<ArrayRef> {
    let rows = frames.rows();
    let numbers = Numbers::of(values.array)?;
    let number = |row| {
        check_at(row)?;
        if values.counts(row) { Ok(Some(numbers.at(row)?)) } else { Ok(None) }
    };
    let numbers = (0..rows).map(number).collect::<Result<Vec<Option<Number>>>>()?;
    let largest = numbers.iter().flatten().map(|number| number.scale).max().unwrap_or(0);
    let totals = Totals::new(rows, |row| Ok(numbers[row].map_or(Ok(0), |number| number.at_scale(largest))?))?;
    let scale_order = |left: usize, right: usize| {
        let scale = |row: usize| numbers[row].map(|number| number.scale);
        scale(left).cmp(&scale(right))
    };
    let widest = greatest(rows, frames, |row| numbers[row].is_some(), scale_order)?;
    let mut out = PayloadBuilder::new(rows);
    for (row, widest) in widest.into_iter().enumerate() {
        check_at(row)?;
        let scale = match widest.and_then(|widest| numbers[widest]) {
            Some(number) if counts[row] > 0 => number.scale,
            _ => {
                out.append(None);
                continue;
            }
        };
        let sum = totals.over(&frames.ranges(row))?;
        // No value in the frame has more digits than its largest scale.
        let extra = crate::function::decimal::power(u32::from(largest - scale)).ok_or(Failure::NumericDigits)?;
        out.append(Some(Number { unscaled: sum / extra, scale }));
    }
    Ok(out.finish())
}

/// Sums of floats, one value after the other.
fn float_sum<O: Operation>(values: &Values<'_>, frames: &Frames<'_>) -> Result<ArrayRef>
where
    <O::Output as ArrowPrimitiveType>::Native: Copy,
{
    let array = values.array.as_primitive::<O::Input>();
    let step = |(state, seen): (<O::Output as ArrowPrimitiveType>::Native, bool), row: usize| {
        if !values.counts(row) {
            return Ok((state, seen));
        }
        match O::step(state, array.value(row)) {
            (state, true) => Ok((state, true)),
            (_, false) => Err(DataFusionError::from(O::FAILURE)),
        }
    };
    let sums = fold(frames, (O::IDENTITY, false), step)?;
    let sums = sums.into_iter().map(|(sum, seen)| seen.then_some(sum));
    Ok(Arc::new(sums.collect::<PrimitiveArray<O::Output>>()))
}

/// What `step` makes of the rows of each frame, in order, from `empty`.
fn fold<S: Copy>(frames: &Frames<'_>, empty: S, step: impl Fn(S, usize) -> Result<S>) -> Result<Vec<S>> {
    // A frame may have any number of rows.
    let step = |state: S, row: usize| {
        check_at(row)?;
        step(state, row)
    };
    let mut states = Vec::with_capacity(frames.rows());
    let mut last = (0..0, empty);
    for row in 0..frames.rows() {
        check_at(row)?;
        let ranges = frames.ranges(row);
        if frames.is_whole() {
            let [range, ..] = ranges;
            let (mut state, from) = match &last {
                (before, state) if before.start == range.start && before.end <= range.end => (*state, before.end),
                _ => (empty, range.start),
            };
            for row in from..range.end {
                state = step(state, row)?;
            }
            last = (range, state);
        } else {
            let mut state = empty;
            for row in ranges.into_iter().flatten() {
                state = step(state, row)?;
            }
            last.1 = state;
        }
        states.push(last.1);
    }
    Ok(states)
}

/// min and max.
fn extreme(max: bool, values: &Values<'_>, frames: &Frames<'_>) -> Result<ArrayRef> {
    let keys = match values.array.data_type() {
        DataType::Float32 | DataType::Float64 => {
            float::key(&Argument { array: Arc::clone(values.array), constant: false })?
        }
        _ => Arc::clone(values.array),
    };
    let compare = make_comparator(&keys, &keys, SortOptions::default())?;
    let order = |left: usize, right: usize| if max { compare(left, right) } else { compare(right, left) };
    let rows = greatest(frames.rows(), frames, |row| values.counts(row), order)?;
    let rows: UInt64Array = rows.into_iter().map(|row| row.map(|row| row as u64)).collect();
    Ok(take(values.array, &rows, None)?)
}

/// The greatest row of each frame, among those that count.
fn greatest(
    rows: usize,
    frames: &Frames<'_>,
    counts: impl Fn(usize) -> bool,
    order: impl Fn(usize, usize) -> Ordering,
) -> Result<Vec<Option<usize>>> {
    let better = |left: Option<usize>, right: Option<usize>| match (left, right) {
        (Some(left), Some(right)) if order(left, right) == Ordering::Less => Some(right),
        (None, right) => right,
        (left, _) => left,
    };
    let leaf = |row: usize| counts(row).then_some(row);
    if frames.only_grows() {
        let mut best = None;
        let mut end = 0;
        let grown = |row: usize| {
            let [range, ..] = frames.ranges(row);
            for row in end..range.end {
                check_at(row)?;
                best = better(best, leaf(row));
            }
            end = range.end;
            check_at(row)?;
            Ok(best)
        };
        return (0..rows).map(grown).collect();
    }
    // The node of rows [a, b) at `at` is the better of its children at `2 * at` and `2 * at + 1`; leaves begin at `rows`.
    let mut tree = vec![None; 2 * rows];
    for row in 0..rows {
        check_at(row)?;
        tree[rows + row] = leaf(row);
    }
    for at in (1..rows).rev() {
        check_at(at)?;
        tree[at] = better(tree[2 * at], tree[2 * at + 1]);
    }
    let over = |range: Range<usize>| {
        let (mut low, mut high) = (range.start + rows, range.end + rows);
        let mut best = None;
        while low < high {
            if low % 2 == 1 {
                best = better(best, tree[low]);
                low += 1;
            }
            if high % 2 == 1 {
                high -= 1;
                best = better(best, tree[high]);
            }
            low /= 2;
            high /= 2;
        }
        best
    };
    let best = |row| {
        check_at(row)?;
        Ok(frames.ranges(row).into_iter().map(over).fold(None, better))
    };
    (0..rows).map(best).collect()
}

/// bool_and, bool_or.
fn bool_aggregate(function: Function, values: &Values<'_>, frames: &Frames<'_>) -> Result<ArrayRef> {
    let array = values.array.as_boolean();
    // What decides: a false among ANDs, a true among ORs.
    let deciding = function == Function::BoolOr;
    let decides = |row: usize| values.counts(row) && array.value(row) == deciding;
    let totals = Totals::new(frames.rows(), |row| Ok(decides(row).into()))?;
    let counts = counts(values, frames)?;
    let mut out = Vec::with_capacity(counts.len());
    for (row, count) in counts.into_iter().enumerate() {
        check_at(row)?;
        let decided = totals.over(&frames.ranges(row))? > 0;
        out.push((count > 0).then_some(decided == deciding));
    }
    Ok(Arc::new(BooleanArray::from(out)))
}
