//! sum of variable numerics: exact, shown with the largest display scale among the values (numeric_sum, numeric_avg of numeric.c).

use super::primitive::{only_column, valid_rows};
use super::single::as_indices;
use crate::function::number::Number;
use crate::function::variable::{Numbers, PayloadBuilder};
use arrow::array::{Array, ArrayRef, BooleanArray};
use datafusion::error::Result;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

/// Sums of all groups; None where there was no value.
#[derive(Default)]
pub struct VariableSums {
    sums: Vec<Option<Number>>,
}

impl VariableSums {
    fn add(&mut self, column: &ArrayRef, filter: Option<&BooleanArray>, groups: &[usize], total: usize) -> Result<()> {
        self.sums.resize(total, None);
        let valid = valid_rows(column, filter);
        let numbers = Numbers::of(column)?;
        for (row, &group) in groups.iter().enumerate() {
            if valid.as_ref().is_some_and(|valid| valid.is_null(row)) {
                continue;
            }
            let number = numbers.at(row)?;
            let sum = &mut self.sums[group];
            *sum = Some(match *sum {
                Some(sum) => sum.checked_add(number)?,
                None => number,
            });
        }
        Ok(())
    }

    fn emit(&mut self, emit_to: EmitTo) -> ArrayRef {
        let sums = emit_to.take_needed(&mut self.sums);
        let mut out = PayloadBuilder::new(sums.len());
        sums.into_iter().for_each(|sum| out.append(sum));
        out.finish()
    }
}

impl GroupsAccumulator for VariableSums {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.add(only_column(values)?, opt_filter, group_indices, total_num_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(self.emit(emit_to))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.emit(emit_to)])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.add(only_column(values)?, None, group_indices, total_num_groups)
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let column = only_column(values)?;
        let mut sums = Self::default();
        sums.add(column, opt_filter, &as_indices(column.len()), column.len())?;
        sums.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<Option<Number>>()
    }
}
