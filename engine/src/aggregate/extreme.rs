//! min and max of variable numerics, by PostgreSQL's order: NaN is the largest, display scales do not count.
//!
//! Invariant: of values that are equal a group keeps the last, as numeric_larger and numeric_smaller do.

use super::primitive::{only_column, valid_rows};
use crate::function::number::append_key;
use arrow::array::{ArrayRef, AsArray, BinaryViewBuilder, BooleanArray};
use datafusion::error::Result;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use std::sync::Arc;

/// A value as key and payload.
type Value = (Box<[u8]>, Box<[u8]>);

/// The extreme values of all groups; None where there was no value.
pub struct VariableExtremes {
    greatest: bool,
    groups: Vec<Option<Value>>,
}

impl VariableExtremes {
    /// No groups yet.
    pub fn new(greatest: bool) -> Self {
        Self { greatest, groups: Vec::new() }
    }

    fn add(&mut self, column: &ArrayRef, filter: Option<&BooleanArray>, groups: &[usize], total: usize) -> Result<()> {
        self.groups.resize(total, None);
        let valid = valid_rows(column, filter);
        let (payloads, mut key) = (column.as_binary_view(), Vec::with_capacity(64));
        for (row, &group) in groups.iter().enumerate() {
            if valid.as_ref().is_some_and(|valid| valid.is_null(row)) {
                continue;
            }
            key.clear();
            append_key(payloads.value(row), &mut key).map_err(crate::error::external)?;
            let group = &mut self.groups[group];
            let better = match group {
                None => true,
                Some((known, _)) if self.greatest => *key >= **known,
                Some((known, _)) => *key <= **known,
            };
            if better {
                *group = Some((key.as_slice().into(), payloads.value(row).into()));
            }
        }
        Ok(())
    }

    fn emit(&mut self, emit_to: EmitTo) -> ArrayRef {
        let groups = emit_to.take_needed(&mut self.groups);
        let mut out = BinaryViewBuilder::with_capacity(groups.len());
        groups.into_iter().for_each(|group| out.append_option(group.map(|(_, payload)| payload)));
        Arc::new(out.finish())
    }
}

impl GroupsAccumulator for VariableExtremes {
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
        // A row that the filter stops is a group without a value.
        Ok(vec![match valid_rows(column, opt_filter) {
            None => Arc::clone(column),
            Some(valid) => nulled(column, &BooleanArray::new(valid.into_inner(), None))?,
        }])
    }

    fn size(&self) -> usize {
        let values = |group: &Option<Value>| group.as_ref().map_or(0, |(key, payload)| key.len() + payload.len());
        self.groups.capacity() * size_of::<Option<Value>>() + self.groups.iter().map(values).sum::<usize>()
    }
}

/// The column with NULL where `keep` is false.
fn nulled(column: &ArrayRef, keep: &BooleanArray) -> Result<ArrayRef> {
    Ok(arrow::compute::nullif(column, &arrow::compute::not(keep)?)?)
}
