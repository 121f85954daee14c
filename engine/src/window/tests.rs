//! Frames, positions and aggregates over one partition, against what PostgreSQL 18 gives.

use super::distance::Distance;
use super::frame::{Bound, Exclusion, Frame, Unit};
use super::{Call, Function};
use crate::optimizer::cancel::{CancelFlag, Computing};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, Int64Array};
use arrow::datatypes::{DataType, Int64Type};
use std::sync::Arc;

/// Peers: (1), (2, 2), (4), (NULL, NULL).
fn keys() -> ArrayRef {
    Arc::new(Int32Array::from(vec![Some(1), Some(2), Some(2), Some(4), None, None]))
}

fn values() -> ArrayRef {
    Arc::new(Int32Array::from(vec![Some(1), Some(10), None, Some(1000), Some(10_000), Some(100_000)]))
}

fn frame(unit: Unit, start: Bound, end: Bound, exclusion: Exclusion) -> Frame {
    Frame { unit, start, end, exclusion }
}

const RANGE: Unit = Unit::Range { descending: false, nulls_first: false };

fn by(count: usize) -> Distance {
    Distance::Count(count)
}

fn evaluate(function: Function, frame: Frame, output: DataType) -> ArrayRef {
    try_evaluate(function, frame, output).unwrap()
}

fn try_evaluate(function: Function, frame: Frame, output: DataType) -> datafusion::error::Result<ArrayRef> {
    let mut arguments = vec![values()];
    if frame.needs_values() {
        arguments.push(keys());
    }
    arguments.push(keys());
    let call = Call { function, frame, arguments: 1, filtered: false, output };
    call.evaluate(&arguments, 6)
}

fn sums(frame: Frame) -> Vec<Option<i64>> {
    evaluate(Function::Sum, frame, DataType::Int64).as_primitive::<Int64Type>().iter().collect()
}

#[test]
fn frames_of_every_unit() {
    use Bound::{CurrentRow, Following, Preceding, Unbounded};
    let all = |sum| vec![Some(sum); 6];
    assert_eq!(sums(frame(Unit::Rows, Unbounded, Unbounded, Exclusion::Nothing)), all(111_011));
    let running = vec![Some(1), Some(11), Some(11), Some(1011), Some(111_011), Some(111_011)];
    assert_eq!(sums(frame(RANGE, Unbounded, CurrentRow, Exclusion::Nothing)), running);
    let rows = vec![Some(11), Some(11), Some(1010), Some(11_000), Some(111_000), Some(110_000)];
    assert_eq!(sums(frame(Unit::Rows, Preceding(by(1)), Following(by(1)), Exclusion::Nothing)), rows);
    let groups = vec![Some(11), Some(1011), Some(1011), Some(111_010), Some(111_000), Some(111_000)];
    assert_eq!(sums(frame(Unit::Groups, Preceding(by(1)), Following(by(1)), Exclusion::Nothing)), groups);
    let one = Distance::Exact { unscaled: 1, scale: 0 };
    let range = vec![Some(11), Some(11), Some(11), Some(1000), Some(110_000), Some(110_000)];
    assert_eq!(sums(frame(RANGE, Preceding(one), Following(one), Exclusion::Nothing)), range);
    let before = vec![None, Some(1), Some(1), None, Some(110_000), Some(110_000)];
    assert_eq!(sums(frame(RANGE, Preceding(one), Preceding(one), Exclusion::Nothing)), before);
    let empty = vec![None, Some(1), Some(11), Some(10), Some(1000), Some(11_000)];
    assert_eq!(sums(frame(Unit::Rows, Preceding(by(2)), Preceding(by(1)), Exclusion::Nothing)), empty);
}

#[test]
fn a_partition_of_a_cancelled_query_is_given_up() {
    let flag = CancelFlag::default();
    flag.set();
    let by_numeric = Distance::Exact { unscaled: 1, scale: 0 };
    for frame in [
        frame(Unit::Rows, Bound::Unbounded, Bound::CurrentRow, Exclusion::Nothing),
        frame(Unit::Rows, Bound::Preceding(by(1)), Bound::Following(by(1)), Exclusion::Ties),
        frame(RANGE, Bound::Preceding(by_numeric), Bound::CurrentRow, Exclusion::Nothing),
    ] {
        for (function, output) in [
            (Function::Count, DataType::Int64),
            (Function::Sum, DataType::Int64),
            (Function::Max, DataType::Int32),
            (Function::LastValue, DataType::Int32),
        ] {
            evaluate(function, frame.clone(), output.clone());
            let _computing = Computing::begin(&flag).unwrap();
            try_evaluate(function, frame.clone(), output).unwrap_err();
        }
    }
}

#[test]
fn exclusions() {
    use Bound::Unbounded;
    let with = |exclusion| sums(frame(Unit::Rows, Unbounded, Unbounded, exclusion));
    let without = |parts: [i64; 6]| parts.iter().map(|part| Some(111_011 - part)).collect::<Vec<_>>();
    assert_eq!(with(Exclusion::CurrentRow), without([1, 10, 0, 1000, 10_000, 100_000]));
    assert_eq!(with(Exclusion::Group), without([1, 10, 10, 1000, 110_000, 110_000]));
    assert_eq!(with(Exclusion::Ties), without([0, 0, 10, 0, 100_000, 10_000]));
}

#[test]
fn extremes_of_frames_that_move() {
    let sliding = frame(Unit::Rows, Bound::Preceding(by(1)), Bound::CurrentRow, Exclusion::Nothing);
    let shown = |function| {
        let out = evaluate(function, sliding.clone(), DataType::Int32);
        (0..out.len()).map(|row| out.as_primitive::<arrow::datatypes::Int32Type>().value(row)).collect::<Vec<_>>()
    };
    assert_eq!(shown(Function::Min), [1, 1, 10, 1000, 1000, 10_000]);
    assert_eq!(shown(Function::Max), [1, 10, 10, 1000, 10_000, 100_000]);
}

fn positions(function: Function, arguments: Vec<ArrayRef>) -> Vec<Option<i64>> {
    let frame = frame(RANGE, Bound::Unbounded, Bound::CurrentRow, Exclusion::Nothing);
    let count = arguments.len();
    let arguments: Vec<ArrayRef> = arguments.into_iter().chain([keys()]).collect();
    let call = Call { function, frame, arguments: count, filtered: false, output: DataType::Int64 };
    let out = call.evaluate(&arguments, 6).unwrap();
    let out = arrow::compute::cast(&out, &DataType::Int64).unwrap();
    out.as_primitive::<Int64Type>().iter().collect()
}

#[test]
fn numbers_of_rows() {
    let some = |numbers: [i64; 6]| numbers.map(Some).to_vec();
    assert_eq!(positions(Function::RowNumber, vec![]), some([1, 2, 3, 4, 5, 6]));
    assert_eq!(positions(Function::Rank, vec![]), some([1, 2, 2, 4, 5, 5]));
    assert_eq!(positions(Function::DenseRank, vec![]), some([1, 2, 2, 3, 4, 4]));
    let buckets = |count| Arc::new(Int32Array::from(vec![count; 6])) as ArrayRef;
    assert_eq!(positions(Function::Ntile, vec![buckets(4)]), some([1, 1, 2, 2, 3, 4]));
    assert_eq!(positions(Function::Ntile, vec![buckets(10)]), some([1, 2, 3, 4, 5, 6]));
    let numbers = || Arc::new(Int64Array::from_iter_values(0..6)) as ArrayRef;
    let offset = Arc::new(Int32Array::from(vec![Some(1), Some(-1), None, Some(3), Some(9), Some(0)])) as ArrayRef;
    let default = Arc::new(Int64Array::from_iter_values(100..106)) as ArrayRef;
    let lagged = vec![Some(100), Some(2), None, Some(0), Some(104), Some(5)];
    assert_eq!(positions(Function::Lag, vec![numbers(), offset, default]), lagged);
    assert_eq!(positions(Function::LastValue, vec![numbers()]), some([0, 2, 2, 3, 5, 5]));
    let third = vec![None, Some(2), Some(2), Some(2), Some(2), Some(2)];
    assert_eq!(positions(Function::NthValue, vec![numbers(), buckets(3)]), third);
}

/// PostgreSQL starts such a sum anew for each frame: nothing of the 1e17 is left.
#[test]
fn floats_are_added_anew() {
    let call = Call {
        function: Function::Sum,
        frame: frame(Unit::Rows, Bound::Preceding(by(1)), Bound::CurrentRow, Exclusion::Nothing),
        arguments: 1,
        filtered: true,
        output: DataType::Float64,
    };
    let values = Arc::new(Float64Array::from(vec![1e17, 0.5, 0.25, 7.0])) as ArrayRef;
    let filter = Arc::new(BooleanArray::from(vec![Some(true), Some(true), Some(true), None])) as ArrayRef;
    let out = call.evaluate(&[values, filter], 4).unwrap();
    let out: Vec<f64> = out.as_primitive::<arrow::datatypes::Float64Type>().values().to_vec();
    assert_eq!(out, [1e17, 1e17, 0.75, 0.25]);
}
