//! count(DISTINCT x) of many groups: DataFusion's count, with groups of its own.
//!
//! DataFusion counts distinct texts, dates and decimals by one hash table per group. One for texts has room for 512 values from the start, which it
//! does not account for: 20,000 groups took 2 GB, and each row a call. Here one table holds the pairs of group and value of all groups.
//!
//! The partial state is the same as DataFusion's, a list of the distinct values per group.

use super::primitive::only_column;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, UInt32Array, UInt64Array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{and_kleene, concat, filter, is_not_null, take};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::error::{DataFusionError, Result};
use datafusion::functions_aggregate::count::Count;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature,
};
use datafusion::physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion::physical_plan::aggregates::order::GroupOrdering;
use datafusion::scalar::ScalarValue;
use std::sync::Arc;

/// A group index that is none.
const NOWHERE: u64 = u64::MAX;

/// The aggregate; rules of DataFusion see its count.
pub fn distinct_count() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(DistinctCount { count: Count::new() }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DistinctCount {
    count: Count,
}

impl AggregateUDFImpl for DistinctCount {
    fn name(&self) -> &str {
        self.count.name()
    }

    fn signature(&self) -> &Signature {
        self.count.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.count.return_type(types)
    }

    fn is_nullable(&self) -> bool {
        self.count.is_nullable()
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.count.state_fields(args)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.count.accumulator(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        args.exprs.len() == 1
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        match args.expr_fields {
            // DataFusion's own are as good.
            [field] if args.is_distinct && !field.data_type().is_integer() => {
                Ok(Box::new(DistinctCounts::new(field.data_type().clone())?))
            }
            _ => self.count.create_groups_accumulator(args),
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.count.reverse_expr()
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        self.count.default_value(data_type)
    }
}

/// The distinct values of all groups.
struct DistinctCounts {
    data_type: DataType,
    /// Pairs of group and value, numbered as they came.
    pairs: Box<dyn GroupValues>,
    /// The group of each pair.
    groups: Vec<u64>,
    /// Pairs of each group.
    counts: Vec<i64>,
    /// Numbers of the pairs of a batch.
    numbers: Vec<usize>,
}

fn new_pairs(data_type: &DataType) -> Result<Box<dyn GroupValues>> {
    let fields = [("group", DataType::UInt64), ("value", data_type.clone())];
    let schema = Schema::new(fields.map(|(name, data_type)| Field::new(name, data_type, true)).to_vec());
    new_group_values(Arc::new(schema), &GroupOrdering::None)
}

impl DistinctCounts {
    fn new(data_type: DataType) -> Result<Self> {
        let pairs = new_pairs(&data_type)?;
        Ok(Self { data_type, pairs, groups: Vec::new(), counts: Vec::new(), numbers: Vec::new() })
    }

    /// Adds values, none of which is NULL, to their groups.
    fn add(&mut self, groups: UInt64Array, values: &ArrayRef) -> Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        let groups: ArrayRef = Arc::new(groups);
        self.pairs.intern(&[Arc::clone(&groups), Arc::clone(values)], &mut self.numbers)?;
        self.groups.resize(self.pairs.len(), NOWHERE);
        let groups = groups.as_primitive::<arrow::datatypes::UInt64Type>();
        for (&number, &group) in self.numbers.iter().zip(groups.values()) {
            let Some(known) = self.groups.get_mut(number).filter(|known| **known == NOWHERE) else { continue };
            *known = group;
            if let Some(count) = self.counts.get_mut(group as usize) {
                *count += 1;
            }
        }
        Ok(())
    }

    /// Adds those of `values` that are not NULL and that `wanted` names.
    fn add_some(&mut self, groups: UInt64Array, values: &ArrayRef, wanted: Option<&BooleanArray>) -> Result<()> {
        match mask(values, wanted)? {
            None => self.add(groups, values),
            Some(mask) => {
                let groups = filter(&groups, &mask)?;
                self.add(groups.as_primitive().clone(), &filter(values, &mask)?)
            }
        }
    }

    /// The state of groups with so many values each.
    fn lists(&self, lengths: impl IntoIterator<Item = usize>, values: ArrayRef) -> Result<Vec<ArrayRef>> {
        let field = Arc::new(Field::new_list_field(self.data_type.clone(), true));
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(vec![Arc::new(ListArray::try_new(field, offsets, values, None)?)])
    }

    /// Takes the values of the first groups, or of all: per group as many as its count, one group after the other.
    fn take(&mut self, emit_to: EmitTo) -> Result<(Vec<i64>, ArrayRef)> {
        let counts = emit_to.take_needed(&mut self.counts);
        let groups = std::mem::take(&mut self.groups);
        let values = match self.pairs.emit(EmitTo::All)?.pop() {
            Some(values) => values,
            None => return Err(DataFusionError::Internal("pairs without values".to_owned())),
        };
        self.pairs = new_pairs(&self.data_type)?;
        let mut next = Vec::with_capacity(counts.len());
        let mut total = 0;
        for count in &counts {
            next.push(total);
            total += *count as usize;
        }
        let mut taken = vec![0u32; total];
        let mut kept = (Vec::new(), Vec::new());
        for (number, group) in groups.into_iter().enumerate() {
            let number = u32::try_from(number)
                .map_err(|_| DataFusionError::ResourcesExhausted("too many distinct values".to_owned()))?;
            match next.get_mut(group as usize) {
                Some(place) => {
                    taken[*place] = number;
                    *place += 1;
                }
                None => {
                    kept.0.push(group - counts.len() as u64);
                    kept.1.push(number);
                }
            }
        }
        if !kept.0.is_empty() {
            self.counts.iter_mut().for_each(|count| *count = 0);
            let values = take(&values, &UInt32Array::from(kept.1), None)?;
            self.add(kept.0.into(), &values)?;
        }
        Ok((counts, take(&values, &UInt32Array::from(taken), None)?))
    }
}

/// Which values count; None: all.
fn mask(values: &ArrayRef, wanted: Option<&BooleanArray>) -> Result<Option<BooleanArray>> {
    Ok(match (values.logical_null_count(), wanted) {
        (0, None) => None,
        (0, Some(wanted)) => Some(wanted.clone()),
        (_, None) => Some(is_not_null(values)?),
        (_, Some(wanted)) => Some(and_kleene(&is_not_null(values)?, wanted)?),
    })
}

fn as_groups(indices: impl Iterator<Item = usize>) -> UInt64Array {
    indices.map(|index| index as u64).collect::<Vec<_>>().into()
}

impl GroupsAccumulator for DistinctCounts {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.counts.resize(total_num_groups, 0);
        self.add_some(as_groups(group_indices.iter().copied()), only_column(values)?, opt_filter)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.counts.resize(total_num_groups, 0);
        let lists = only_column(values)?.as_list::<i32>();
        let mut groups = Vec::new();
        let mut parts = Vec::new();
        for (row, &group) in group_indices.iter().enumerate() {
            if lists.is_valid(row) {
                let list = lists.value(row);
                groups.extend(std::iter::repeat_n(group as u64, list.len()));
                parts.push(list);
            }
        }
        // Mostly all of them, one after the other.
        let all = lists.value_offsets();
        let values = match (all.first(), all.last()) {
            (Some(&first), Some(&last)) if groups.len() == (last - first) as usize => {
                lists.values().slice(first as usize, groups.len())
            }
            _ => {
                let parts: Vec<&dyn Array> = parts.iter().map(|part| part.as_ref()).collect();
                if parts.is_empty() {
                    return Ok(());
                }
                concat(&parts)?
            }
        };
        self.add_some(groups.into(), &values, None)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(Arc::new(Int64Array::from(self.take(emit_to)?.0)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (counts, values) = self.take(emit_to)?;
        self.lists(counts.into_iter().map(|count| count as usize), values)
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let values = only_column(values)?;
        let (lengths, values) = match mask(values, opt_filter)? {
            None => (vec![1; values.len()], Arc::clone(values)),
            Some(mask) => {
                let counts = |row: usize| usize::from(mask.is_valid(row) && mask.value(row));
                ((0..values.len()).map(counts).collect(), filter(values, &mask)?)
            }
        };
        self.lists(lengths, values)
    }

    fn size(&self) -> usize {
        self.pairs.size()
            + (self.groups.capacity() + self.counts.capacity()) * size_of::<u64>()
            + self.numbers.capacity() * size_of::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::StringViewArray;
    use std::collections::BTreeSet;

    const GROUPS: usize = 50;

    /// Values with NULLs and duplicates, and the group of each.
    fn rows(seed: usize) -> (ArrayRef, Vec<usize>, BooleanArray) {
        let count = 2000;
        let value = |row: usize| (row % 13 != 5).then(|| format!("a value longer than inline {}", row * seed % 37));
        let values: StringViewArray = (0..count).map(value).collect();
        let groups = (0..count).map(|row| row * 31 % GROUPS).collect();
        (Arc::new(values), groups, (0..count).map(|row| Some(row % 7 != 2)).collect())
    }

    fn expected(of: &[(ArrayRef, Vec<usize>, BooleanArray)]) -> Vec<i64> {
        let mut sets = vec![BTreeSet::new(); GROUPS];
        for (values, groups, wanted) in of {
            let values = values.as_string_view();
            for (row, group) in groups.iter().enumerate() {
                if wanted.value(row) && values.is_valid(row) {
                    sets[*group].insert(values.value(row).to_owned());
                }
            }
        }
        sets.iter().map(|set| set.len() as i64).collect()
    }

    fn new() -> DistinctCounts {
        DistinctCounts::new(DataType::Utf8View).unwrap()
    }

    fn update(counts: &mut DistinctCounts, (values, groups, wanted): &(ArrayRef, Vec<usize>, BooleanArray)) {
        counts.update_batch(&[Arc::clone(values)], groups, Some(wanted), GROUPS).unwrap();
    }

    #[test]
    fn counts_are_of_distinct_values() {
        let batches = [rows(3), rows(11)];
        let mut counts = new();
        batches.iter().for_each(|batch| update(&mut counts, batch));
        let got = counts.evaluate(EmitTo::All).unwrap();
        assert_eq!(got.as_primitive::<arrow::datatypes::Int64Type>().values().to_vec(), expected(&batches));
    }

    #[test]
    fn states_merge_and_the_first_groups_may_go() {
        let batches = [rows(3), rows(11)];
        let mut last = new();
        for batch in &batches {
            let mut part = new();
            update(&mut part, batch);
            // In two pieces, the second one with the groups that then are the first.
            for (first, emit_to) in [(0, EmitTo::First(20)), (20, EmitTo::All)] {
                let state = part.state(emit_to).unwrap();
                let groups: Vec<usize> = (first..first + state[0].len()).collect();
                last.merge_batch(&state, &groups, GROUPS).unwrap();
            }
        }
        let mut got = Vec::new();
        for emit_to in [EmitTo::First(7), EmitTo::All] {
            let counts = last.evaluate(emit_to).unwrap();
            got.extend(counts.as_primitive::<arrow::datatypes::Int64Type>().values().to_vec());
        }
        assert_eq!(got, expected(&batches));
    }

    #[test]
    fn rows_become_states() {
        let batch = rows(3);
        let state = new().convert_to_state(&[Arc::clone(&batch.0)], Some(&batch.2)).unwrap();
        let mut last = new();
        last.merge_batch(&state, &batch.1, GROUPS).unwrap();
        let got = last.evaluate(EmitTo::All).unwrap();
        assert_eq!(got.as_primitive::<arrow::datatypes::Int64Type>().values().to_vec(), expected(&[batch]));
    }

    #[test]
    fn memory_is_counted() {
        let mut counts = new();
        let before = counts.size();
        update(&mut counts, &rows(3));
        assert!(counts.size() > before + 1000 * 16, "{} {before}", counts.size());
    }
}
