//! All groups of an [`Operation`]: the hot loops of aggregation.
//!
//! Invariants: `states` and `seen` have one entry per group; `seen` says whether the group had a value, without which its result is
//! NULL. The partial state is one nullable column of the result's type.

use super::operation::Operation;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use std::sync::Arc;

type Input<O> = <<O as Operation>::Input as ArrowPrimitiveType>::Native;
type Output<O> = <<O as Operation>::Output as ArrowPrimitiveType>::Native;

/// States of all groups.
pub struct PrimitiveGroups<O: Operation> {
    states: Vec<Output<O>>,
    seen: Vec<bool>,
    data_type: DataType,
}

impl<O: Operation> PrimitiveGroups<O> {
    /// No groups yet; results are of `data_type`.
    pub fn new(data_type: DataType) -> Self {
        Self { states: Vec::new(), seen: Vec::new(), data_type }
    }

    /// Folds `values` into the groups by `step`; only the rows of `valid`, if there is one.
    fn fold<V: Copy>(
        &mut self,
        values: &[V],
        valid: Option<&NullBuffer>,
        groups: &[usize],
        total: usize,
        step: impl Fn(Output<O>, V) -> (Output<O>, bool),
    ) -> Result<()> {
        self.states.resize(total, O::IDENTITY);
        self.seen.resize(total, false);
        let mut sound = true;
        match (valid, self.states.as_mut_slice(), self.seen.as_mut_slice()) {
            // One group: the state stays in registers.
            (None, [state], [seen]) => {
                let mut sum = *state;
                for &value in values {
                    let (next, ok) = step(sum, value);
                    sum = next;
                    sound &= ok;
                }
                *state = sum;
                *seen |= !values.is_empty();
            }
            (None, states, seen) => {
                for (&value, &group) in values.iter().zip(groups) {
                    let (next, ok) = step(states[group], value);
                    states[group] = next;
                    seen[group] = true;
                    sound &= ok;
                }
            }
            (Some(valid), states, seen) => {
                for row in valid.valid_indices() {
                    let group = groups[row];
                    let (next, ok) = step(states[group], values[row]);
                    states[group] = next;
                    seen[group] = true;
                    sound &= ok;
                }
            }
        }
        if sound { Ok(()) } else { Err(O::FAILURE.into()) }
    }

    fn emit(&mut self, emit_to: EmitTo) -> (Vec<Output<O>>, Option<NullBuffer>) {
        let states = emit_to.take_needed(&mut self.states);
        let seen = emit_to.take_needed(&mut self.seen);
        let nulls = seen.contains(&false).then(|| NullBuffer::from(seen));
        (states, nulls)
    }

    fn array(&self, states: Vec<Output<O>>, nulls: Option<NullBuffer>) -> ArrayRef {
        let array = PrimitiveArray::<O::Output>::new(states.into(), nulls);
        Arc::new(array.with_data_type(self.data_type.clone()))
    }
}

/// The rows to take: those that are not NULL and that the filter lets through.
pub fn valid_rows(values: &dyn Array, filter: Option<&BooleanArray>) -> Option<NullBuffer> {
    let nulls = values.nulls().filter(|nulls| nulls.null_count() > 0);
    let filter = filter.map(|filter| {
        let passed: BooleanBuffer = match filter.nulls() {
            Some(nulls) => filter.values() & nulls.inner(),
            None => filter.values().clone(),
        };
        NullBuffer::new(passed)
    });
    NullBuffer::union(nulls, filter.as_ref())
}

/// Calls `take` with row and group of every row to take.
pub fn each_row(
    column: &dyn Array,
    filter: Option<&BooleanArray>,
    groups: &[usize],
    mut take: impl FnMut(usize, usize) -> Result<()>,
) -> Result<()> {
    match valid_rows(column, filter) {
        None => groups.iter().enumerate().try_for_each(|(row, &group)| take(row, group)),
        Some(valid) => valid.valid_indices().try_for_each(|row| take(row, groups[row])),
    }
}

/// The only column of an aggregate's input or state.
pub fn only_column(values: &[ArrayRef]) -> Result<&ArrayRef> {
    match values {
        [column] => Ok(column),
        _ => Err(DataFusionError::Internal(format!("an aggregate of {} columns", values.len()))),
    }
}

/// A column as an array of its type.
pub fn primitive<T: ArrowPrimitiveType>(array: &ArrayRef) -> Result<&PrimitiveArray<T>> {
    array.as_primitive_opt::<T>().ok_or_else(|| {
        DataFusionError::Internal(format!("aggregate of {} was given {}", T::DATA_TYPE, array.data_type()))
    })
}

impl<O: Operation> GroupsAccumulator for PrimitiveGroups<O> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        let column = only_column(values)?;
        let values: &[Input<O>] = primitive::<O::Input>(column)?.values();
        let valid = valid_rows(column, opt_filter);
        self.fold(values, valid.as_ref(), group_indices, total_num_groups, O::step)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (states, nulls) = self.emit(emit_to);
        if states.iter().all(|&state| O::is_result(state)) {
            Ok(self.array(states, nulls))
        } else {
            Err(O::FAILURE.into())
        }
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (states, nulls) = self.emit(emit_to);
        Ok(vec![self.array(states, nulls)])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        let column = only_column(values)?;
        let states: &[Output<O>] = primitive::<O::Output>(column)?.values();
        let valid = valid_rows(column, None);
        self.fold(states, valid.as_ref(), group_indices, total_num_groups, O::combine)
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = only_column(values)?.len();
        let mut groups = Self::new(self.data_type.clone());
        let indices: Vec<usize> = (0..rows).collect();
        groups.update_batch(values, &indices, opt_filter, rows)?;
        groups.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.states.capacity() * size_of::<Output<O>>() + self.seen.capacity()
    }
}
