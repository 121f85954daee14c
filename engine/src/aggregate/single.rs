//! Aggregation without groups, and over distinct values: [`Accumulator`]s on top of the grouped ones.

use super::primitive::only_column;
use crate::function::float;
use crate::function::number::append_key;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use datafusion::common::{HashSet, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use std::mem::size_of_val;

/// An aggregate's groups, as an [`Accumulator`] may hold them.
pub type Groups = Box<dyn GroupsAccumulator + Sync>;

/// Every row a group of its own.
pub fn as_indices(rows: usize) -> Vec<usize> {
    (0..rows).collect()
}

/// One group. Its partial state is NULLs if no batch ever came, whatever the state of a group without values is.
pub struct Single {
    groups: Groups,
    /// Zeros, as many as the longest batch had rows.
    indices: Vec<usize>,
}

impl std::fmt::Debug for Single {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Single").finish_non_exhaustive()
    }
}

impl Single {
    /// Over the groups of an aggregate that has none yet.
    pub fn new(groups: Groups) -> Self {
        Self { groups, indices: Vec::new() }
    }

    fn zeros(&mut self, rows: usize) -> Vec<usize> {
        self.indices.resize(rows.max(self.indices.len()), 0);
        let mut zeros = std::mem::take(&mut self.indices);
        zeros.truncate(rows);
        zeros
    }
}

/// The only group's value; NULL if no row ever came.
fn first_or_null(column: &ArrayRef) -> Result<ScalarValue> {
    match column.is_empty() {
        true => ScalarValue::try_from(column.data_type()),
        false => ScalarValue::try_from_array(column, 0),
    }
}

impl Accumulator for Single {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let zeros = self.zeros(only_column(values)?.len());
        let result = self.groups.update_batch(values, &zeros, None, 1);
        self.indices = zeros;
        result
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let zeros = self.zeros(states.first().map_or(0, |column| column.len()));
        let result = self.groups.merge_batch(states, &zeros, 1);
        self.indices = zeros;
        result
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        first_or_null(&self.groups.evaluate(EmitTo::All)?)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let columns = self.groups.state(EmitTo::All)?;
        columns.iter().map(first_or_null).collect()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.groups.size() + self.indices.capacity() * size_of::<usize>()
    }
}

/// One group over distinct values; its partial state is the list of the values.
#[derive(Debug)]
pub struct Distinct {
    values: HashSet<ScalarValue>,
    data_type: DataType,
    inner: Single,
}

impl Distinct {
    /// Of values of `data_type` into `inner`.
    pub fn new(data_type: DataType, inner: Single) -> Self {
        Self { values: HashSet::default(), data_type, inner }
    }

    fn insert(&mut self, values: &dyn Array) -> Result<()> {
        for row in (0..values.len()).filter(|&row| values.is_valid(row)) {
            self.values.insert(ScalarValue::try_from_array(values, row)?);
        }
        Ok(())
    }
}

/// The values in the order in which PostgreSQL, which sorts for DISTINCT, takes them; one of those that are equal though their bits differ.
/// Where sums are exact the order does not matter.
fn in_order(values: HashSet<ScalarValue>) -> Result<Vec<ScalarValue>> {
    let values: Vec<ScalarValue> = values.into_iter().collect();
    let key = |value: &ScalarValue| -> Result<Option<Vec<u8>>> {
        Ok(match value {
            ScalarValue::Float32(Some(value)) => Some(float::order_key(f64::from(*value))),
            ScalarValue::Float64(Some(value)) => Some(float::order_key(*value)),
            ScalarValue::BinaryView(Some(payload)) => {
                let mut key = Vec::new();
                append_key(payload, &mut key).map_err(crate::error::external)?;
                Some(key)
            }
            _ => None,
        })
    };
    if values.first().map(key).transpose()?.flatten().is_none() {
        return Ok(values);
    }
    let mut keyed = Vec::with_capacity(values.len());
    for value in values {
        keyed.push((key(&value)?, value));
    }
    keyed.sort_by(|(left, _), (right, _)| left.cmp(right));
    keyed.dedup_by(|(left, _), (right, _)| left == right);
    Ok(keyed.into_iter().map(|(_, value)| value).collect())
}

impl Accumulator for Distinct {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.insert(only_column(values)?)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = only_column(states)?.as_list::<i32>();
        lists.iter().flatten().try_for_each(|list| self.insert(&list))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let values = std::mem::take(&mut self.values);
        if !values.is_empty() {
            let values = ScalarValue::iter_to_array(in_order(values)?)?;
            self.inner.update_batch(&[values])?;
        }
        self.inner.evaluate()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values: Vec<ScalarValue> = self.values.drain().collect();
        Ok(vec![ScalarValue::List(ScalarValue::new_list_nullable(&values, &self.data_type))])
    }

    fn size(&self) -> usize {
        let values: usize = self.values.iter().map(ScalarValue::size).sum();
        size_of_val(self) + values + self.inner.size()
    }
}
