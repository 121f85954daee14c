//! Window functions whose result is a position, or the value of a row at some position: windowfuncs.c.

use super::frame::{Frames, Peers};
use crate::error::external;
use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, PrimitiveArray, UInt64Array, new_null_array,
};
use arrow::compute::{interleave, take};
use arrow::datatypes::Int32Type;
use datafusion::error::{DataFusionError, Result};
use fusion_common::{SqlError, SqlState};
use std::sync::Arc;

/// row_number.
pub fn row_number(rows: usize) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(1..=rows as i64))
}

/// rank.
pub fn rank(peers: &Peers) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values((0..peers.rows()).map(|row| peers.of(row).start as i64 + 1)))
}

/// dense_rank.
pub fn dense_rank(peers: &Peers) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values((0..peers.rows()).map(|row| peers.group_of(row) as i64 + 1)))
}

/// percent_rank.
pub fn percent_rank(peers: &Peers) -> ArrayRef {
    let others = peers.rows().saturating_sub(1);
    let share = |row: usize| if others == 0 { 0.0 } else { peers.of(row).start as f64 / others as f64 };
    Arc::new(Float64Array::from_iter_values((0..peers.rows()).map(share)))
}

/// cume_dist.
pub fn cume_dist(peers: &Peers) -> ArrayRef {
    let rows = peers.rows() as f64;
    Arc::new(Float64Array::from_iter_values((0..peers.rows()).map(|row| peers.of(row).end as f64 / rows)))
}

fn int4(array: &ArrayRef) -> Result<&PrimitiveArray<Int32Type>> {
    let found = || DataFusionError::Internal(format!("a window function was called with {}", array.data_type()));
    array.as_primitive_opt::<Int32Type>().ok_or_else(found)
}

fn not_positive(state: [u8; 5], function: &str) -> DataFusionError {
    external(SqlError::new(SqlState(state), format!("argument of {function} must be greater than zero")))
}

/// ntile: its argument counts in the first row where it is not NULL.
pub fn ntile(buckets: &ArrayRef) -> Result<ArrayRef> {
    let buckets = int4(buckets)?;
    let rows = buckets.len();
    let (mut tile, mut in_tile, mut boundary, mut remainder) = (0i32, 0usize, 0usize, 0usize);
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        if tile == 0 {
            if buckets.is_null(row) {
                out.push(None);
                continue;
            }
            let count = usize::try_from(buckets.value(row)).ok().filter(|count| *count > 0);
            let count = count.ok_or_else(|| not_positive(*b"22014", "ntile"))?;
            (tile, boundary) = (1, rows / count);
            if boundary == 0 {
                boundary = 1;
            } else {
                remainder = rows % count;
                boundary += usize::from(remainder != 0);
            }
        }
        in_tile += 1;
        if boundary < in_tile {
            if remainder != 0 && tile as usize == remainder {
                remainder = 0;
                boundary -= 1;
            }
            tile += 1;
            in_tile = 1;
        }
        out.push(Some(tile));
    }
    Ok(Arc::new(Int32Array::from(out)))
}

/// lag, lead: value, then offset and default where they are given.
pub fn shifted(arguments: &[ArrayRef], forward: bool) -> Result<ArrayRef> {
    let (value, offsets, default) = match arguments {
        [value] => (value, None, None),
        [value, offset] => (value, Some(int4(offset)?), None),
        [value, offset, default] => (value, Some(int4(offset)?), Some(default)),
        _ => return Err(DataFusionError::Internal("lag of so many arguments".into())),
    };
    let rows = value.len();
    let null = new_null_array(value.data_type(), 1);
    let default = default.unwrap_or(&null);
    let mut picks = Vec::with_capacity(rows);
    for row in 0..rows {
        let offset = match offsets {
            Some(offsets) if offsets.is_null(row) => {
                picks.push((2, 0));
                continue;
            }
            Some(offsets) => i64::from(offsets.value(row)),
            None => 1,
        };
        let target = row as i64 + if forward { offset } else { -offset };
        let inside = usize::try_from(target).ok().filter(|target| *target < rows);
        picks.push(match inside {
            Some(target) => (0, target),
            None => (1, if default.len() == rows { row } else { 0 }),
        });
    }
    Ok(interleave(&[value.as_ref(), default.as_ref(), null.as_ref()], &picks)?)
}

fn pick(values: &ArrayRef, rows: impl Iterator<Item = Option<usize>>) -> Result<ArrayRef> {
    let rows: UInt64Array = rows.map(|row| row.map(|row| row as u64)).collect();
    Ok(take(values, &rows, None)?)
}

/// first_value.
pub fn first_value(values: &ArrayRef, frames: &Frames<'_>) -> Result<ArrayRef> {
    let first = |row| frames.ranges(row).into_iter().find(|range| !range.is_empty()).map(|range| range.start);
    pick(values, (0..frames.rows()).map(first))
}

/// last_value.
pub fn last_value(values: &ArrayRef, frames: &Frames<'_>) -> Result<ArrayRef> {
    let last = |row| frames.ranges(row).into_iter().rev().find(|range| !range.is_empty()).map(|range| range.end - 1);
    pick(values, (0..frames.rows()).map(last))
}

/// nth_value.
pub fn nth_value(values: &ArrayRef, numbers: &ArrayRef, frames: &Frames<'_>) -> Result<ArrayRef> {
    let numbers = int4(numbers)?;
    let mut rows = Vec::with_capacity(frames.rows());
    for row in 0..frames.rows() {
        if numbers.is_null(row) {
            rows.push(None);
            continue;
        }
        let number = usize::try_from(numbers.value(row)).ok().and_then(|number| number.checked_sub(1));
        let mut left = number.ok_or_else(|| not_positive(*b"22016", "nth_value"))?;
        let mut found = None;
        for range in frames.ranges(row) {
            if left < range.len() {
                found = Some(range.start + left);
                break;
            }
            left -= range.len();
        }
        rows.push(found);
    }
    pick(values, rows.into_iter())
}
