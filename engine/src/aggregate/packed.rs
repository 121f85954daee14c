//! Sums of fixed numerics of several display scales: what `sum(CASE WHEN … THEN price * (1 - discount) ELSE 0 END)` adds up.
//!
//! The result shows the largest display scale *seen*, so that the values cannot just be brought to one scale. They come packed instead
//! ([`pack`]): as integers at the largest scale of all branches, each with its own scale in the low bits. That is as fast as a
//! sum of fixed numerics, where the variable form goes through a payload per row.
//!
//! Invariants: a packed value has at most [`MAX_PRECISION`] digits, so that packing never overflows; a group's scale is the largest of its
//! values, and its sum has no digits behind it.

use super::primitive::{each_row, only_column, primitive, valid_rows};
use super::single::as_indices;
use crate::function::decimal::{checked_mul, precision_scale};
use crate::function::failure::Failure;
use crate::function::kernel::{Argument, unary};
use crate::function::number::Number;
use crate::function::variable::PayloadBuilder;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Decimal128Array, Int8Array};
use arrow::datatypes::{DataType, Decimal64Type, Decimal128Type, Int8Type};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use std::marker::PhantomData;
use std::sync::Arc;

/// Low bits of a packed value: its display scale.
const SCALE_BITS: u32 = 6;
/// Digits that a packed value may have.
pub const MAX_PRECISION: u8 = 36;
/// Digits of a packed value that an i64 holds.
const MAX_SMALL_PRECISION: u8 = 16;

/// The type of packed values of so many digits at `scale`, the largest of the branches.
pub fn packed_type(precision: u8, scale: u8) -> DataType {
    if precision <= MAX_SMALL_PRECISION {
        DataType::Decimal64(18, scale as i8)
    } else {
        DataType::Decimal128(38, scale as i8)
    }
}

/// `value` at the packed type's scale, shown with `scale` decimals.
pub fn pack_value(value: i128, scale: u8, packed_scale: u8) -> Result<i128, Failure> {
    let by = crate::function::decimal::power(u32::from(packed_scale.saturating_sub(scale)));
    let value = by.and_then(|by| checked_mul(value, by)).ok_or(Failure::NumericDigits)?;
    Ok(value << SCALE_BITS | i128::from(scale))
}

/// Packs a fixed numeric.
pub fn pack(argument: &Argument, out: &DataType) -> Result<ArrayRef> {
    fn of<T: ArrowPrimitiveType>(argument: &Argument, out: &DataType) -> Result<ArrayRef>
    where
        T::Native: Into<i128>,
    {
        let (_, scale) = precision_scale(argument.array.data_type())?;
        let (_, packed_scale) = precision_scale(out)?;
        let column = argument.primitive::<T>()?;
        let by = pack_value(1, 0, packed_scale - scale).map_err(DataFusionError::from)? >> SCALE_BITS;
        // The digits were counted when the type was chosen: nothing overflows.
        match out {
            DataType::Decimal64(..) => {
                let by = by as i64;
                unary::<T, Decimal64Type>(column, out, |value| {
                    let value: i128 = value.into();
                    Ok((value as i64).wrapping_mul(by) << SCALE_BITS | i64::from(scale))
                })
            }
            _ => unary::<T, Decimal128Type>(column, out, |value| {
                Ok(value.into().wrapping_mul(by) << SCALE_BITS | i128::from(scale))
            }),
        }
    }
    match argument.array.data_type() {
        DataType::Decimal64(..) => of::<Decimal64Type>(argument, out),
        _ => of::<Decimal128Type>(argument, out),
    }
}

/// A group's sum at the packed scale, and the largest display scale seen, -1 before there is any.
#[derive(Clone, Copy)]
struct Sum {
    sum: i128,
    scale: i8,
}

const NOTHING: Sum = Sum { sum: 0, scale: -1 };

/// Sums of all groups over packed values `T`. Partial state: sum and scale.
pub struct PackedSums<T> {
    groups: Vec<Sum>,
    packed_scale: u8,
    values: PhantomData<fn(T)>,
}

impl<T: ArrowPrimitiveType> PackedSums<T>
where
    T::Native: Into<i128>,
{
    /// No groups yet.
    pub fn new(packed_scale: u8) -> Self {
        Self { groups: Vec::new(), packed_scale, values: PhantomData }
    }

    fn number(&self, group: Sum) -> Option<Number> {
        let scale = u8::try_from(group.scale).ok()?;
        let by = 10i128.pow(u32::from(self.packed_scale.saturating_sub(scale)));
        Some(Number { unscaled: group.sum / by, scale: scale.into() })
    }
}

impl<T: ArrowPrimitiveType> GroupsAccumulator for PackedSums<T>
where
    T::Native: Into<i128>,
{
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups.resize(total_num_groups, NOTHING);
        let column = only_column(values)?;
        let (packed, groups) = (primitive::<T>(column)?.values(), self.groups.as_mut_slice());
        let mut sound = true;
        let mut add = |row: usize, group: &mut Sum| {
            let value: i128 = packed[row].into();
            let (sum, overflow) = group.sum.overflowing_add(value >> SCALE_BITS);
            *group = Sum { sum, scale: group.scale.max((value & ((1 << SCALE_BITS) - 1)) as i8) };
            sound &= !overflow;
        };
        match (valid_rows(column, opt_filter), groups) {
            (None, [group]) => (0..packed.len()).for_each(|row| add(row, group)),
            (None, groups) => group_indices.iter().enumerate().for_each(|(row, &group)| add(row, &mut groups[group])),
            (Some(valid), groups) => {
                valid.valid_indices().for_each(|row| add(row, &mut groups[group_indices[row]]));
            }
        }
        if sound { Ok(()) } else { Err(Failure::NumericDigits.into()) }
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let groups = emit_to.take_needed(&mut self.groups);
        let mut out = PayloadBuilder::new(groups.len());
        groups.into_iter().for_each(|group| out.append(self.number(group)));
        Ok(out.finish())
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = emit_to.take_needed(&mut self.groups);
        let sums: Decimal128Array = groups.iter().map(|group| Some(group.sum)).collect();
        let scales: Int8Array = groups.iter().map(|group| Some(group.scale)).collect();
        Ok(vec![Arc::new(sums.with_data_type(DataType::Decimal128(38, 0))), Arc::new(scales)])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.groups.resize(total_num_groups, NOTHING);
        let [sums, scales] = values else {
            return Err(DataFusionError::Internal(format!("a packed state of {} columns", values.len())));
        };
        let (sums, scales) = (sums.as_primitive::<Decimal128Type>(), scales.as_primitive::<Int8Type>());
        let groups = &mut self.groups;
        each_row(scales, None, group_indices, |row, group| {
            let group = &mut groups[group];
            let sum = group.sum.checked_add(sums.value(row)).ok_or(Failure::NumericDigits)?;
            *group = Sum { sum, scale: group.scale.max(scales.value(row)) };
            Ok(())
        })
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = only_column(values)?.len();
        let mut each = Self::new(self.packed_scale);
        each.update_batch(values, &as_indices(rows), opt_filter, rows)?;
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.groups.capacity() * size_of::<Sum>()
    }
}
