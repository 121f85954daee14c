//! Chunks that no row of can pass the scan's predicates, by the smallest and largest values of their cached columns.
//!
//! All chunks that are still to come are judged at once, since one judgement costs as much as a thousand; again when dynamic filters (joins', TopK's)
//! have learned something, but not for each row that TopK finds.
//!
//! Invariant: a judgement is about the columns that it looked at. A chunk is left out only while the cache gives these same columns for
//! it, and the caller has proven them.

use crate::cache::CachedColumn;
use crate::error::Result;
use datafusion::arrow::array::{ArrayRef, BooleanArray, UInt64Array, new_null_array};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr_common::physical_expr::snapshot_generation;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Chunks after which a filter that has changed is looked at again.
const PATIENCE: u32 = 16;

/// Columns of a chunk as the cache gives them.
pub(super) type Found = Vec<Option<Arc<CachedColumn>>>;

/// See the head of this file.
pub(super) struct Pruner {
    predicate: Arc<dyn PhysicalExpr>,
    /// The columns that a chunk gives, in order.
    schema: SchemaRef,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Of the dynamic filters when the chunks were judged.
    generation: Option<u64>,
    since: u32,
    /// Chunks that may be left out, with the columns that were looked at.
    pruned: HashMap<u32, Found>,
}

impl fmt::Debug for Pruner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pruner({})", self.predicate)
    }
}

impl Pruner {
    /// By `predicate`, over the columns of `schema`, which are those that a chunk gives; None where none of them has an order that is kept.
    pub(super) fn new(predicate: Arc<dyn PhysicalExpr>, schema: SchemaRef) -> Option<Self> {
        let has_zone = |column: &datafusion::physical_expr::expressions::Column| {
            let data_type = schema.fields().get(column.index()).map(|field| field.data_type());
            data_type.is_some_and(|data_type| {
                data_type.is_integer()
                    || matches!(data_type, DataType::Date32 | DataType::Timestamp(..))
                    || matches!(data_type, DataType::Decimal64(..) | DataType::Decimal128(..))
            })
        };
        let columns = datafusion::physical_expr::utils::collect_columns(&predicate);
        columns.iter().any(has_zone).then(|| Self { predicate, schema, state: Mutex::default() })
    }

    /// Whether the chunk `number`, of which the cache gave `found`, may be left out. `chunks` is the number of all, `look` gives the columns of one.
    pub(super) fn prunes(&self, number: u32, found: &Found, chunks: u32, look: impl Fn(u32) -> Found) -> Result<bool> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.since += 1;
        let is_due = state.generation.is_none() || state.since >= PATIENCE;
        if is_due {
            let generation = snapshot_generation(&self.predicate);
            if state.generation != Some(generation) {
                state.pruned = self.judge((number..chunks).map(|number| (number, look(number))))?;
                state.generation = Some(generation);
            }
            state.since = 0;
        }
        let is_same = |(known, found): (&Option<Arc<CachedColumn>>, &Option<Arc<CachedColumn>>)| match (known, found) {
            (Some(known), Some(found)) => Arc::ptr_eq(known, found),
            _ => false,
        };
        Ok(state.pruned.get(&number).is_some_and(|known| known.iter().zip(found).all(is_same)))
    }

    fn judge(&self, chunks: impl Iterator<Item = (u32, Found)>) -> Result<HashMap<u32, Found>> {
        let chunks: Vec<(u32, Found)> = chunks.filter(|(_, found)| found.iter().all(Option::is_some)).collect();
        if chunks.is_empty() {
            return Ok(HashMap::new());
        }
        let zones = Zones { schema: Arc::clone(&self.schema), chunks: chunks.iter().map(|(_, found)| found).collect() };
        let predicate = PruningPredicateBuilder::new().with_file_schema(Arc::clone(&self.schema));
        let predicate = predicate.try_build(Arc::clone(&self.predicate))?;
        if predicate.always_true() {
            return Ok(HashMap::new());
        }
        let may_pass = predicate.prune(&zones)?;
        Ok(chunks.into_iter().zip(may_pass).filter(|(_, may_pass)| !may_pass).map(|(chunk, _)| chunk).collect())
    }
}

/// What is known of the columns of chunks, one container per chunk.
struct Zones<'a> {
    schema: SchemaRef,
    chunks: Vec<&'a Found>,
}

impl Zones<'_> {
    fn of(&self, column: &Column) -> Option<(usize, &DataType)> {
        let index = self.schema.index_of(&column.name).ok()?;
        Some((index, self.schema.field(index).data_type()))
    }

    fn bounds(&self, column: &Column, bound: impl Fn(&(ScalarValue, ScalarValue)) -> &ScalarValue) -> Option<ArrayRef> {
        let (index, data_type) = self.of(column)?;
        let null = ScalarValue::try_from(data_type).ok()?;
        let values = self.chunks.iter().map(|found| {
            let zone = found.get(index).and_then(Option::as_ref).and_then(|column| column.zone());
            zone.map_or(null.clone(), |zone| bound(zone).clone())
        });
        ScalarValue::iter_to_array(values).ok().or_else(|| Some(new_null_array(data_type, self.chunks.len())))
    }
}

impl PruningStatistics for Zones<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |(min, _)| min)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |(_, max)| max)
    }

    fn num_containers(&self) -> usize {
        self.chunks.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let (index, _) = self.of(column)?;
        let count = |found: &&Found| found.get(index)?.as_ref().map(|column| column.array.null_count() as u64);
        Some(Arc::new(self.chunks.iter().map(count).collect::<UInt64Array>()))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let count = |found: &&Found| found.first()?.as_ref().map(|column| column.array.len() as u64);
        Some(Arc::new(self.chunks.iter().map(count).collect::<UInt64Array>()))
    }

    fn contained(&self, _column: &Column, _values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::blocks::{BlockTable, RowMap};
    use datafusion::arrow::array::Int32Array;
    use datafusion::arrow::datatypes::{Field, Schema};
    use datafusion::logical_expr::Operator;
    use datafusion::physical_expr::expressions::{DynamicFilterPhysicalExpr, binary, col, lit};
    use fusion_common::RelationFile;
    use fusion_proto::message::CacheInfo;
    use std::cell::RefCell;

    fn chunk(values: Vec<Option<i32>>) -> Found {
        let file = RelationFile { tablespace: 1663, database: 5, number: 16384 };
        let info = CacheInfo { relation: 1, file, map_lsns: vec![], all_visible: vec![] };
        let table = BlockTable::new(0, [(1, RowMap::First(values.len() as u16), true)].into_iter(), &info);
        vec![Some(Arc::new(CachedColumn::new(Arc::new(table), Arc::new(Int32Array::from(values)), 0, 0)))]
    }

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("a", DataType::Int32, true)]))
    }

    fn greater(than: i32) -> Arc<dyn PhysicalExpr> {
        binary(col("a", &schema()).unwrap(), Operator::Gt, lit(than), &schema()).unwrap()
    }

    #[test]
    fn chunks_out_of_range_are_left_out() {
        let chunks = [chunk(vec![Some(1), Some(5)]), chunk(vec![Some(6), None]), chunk(vec![None, None])];
        let pruner = Pruner::new(greater(5), schema()).unwrap();
        let prunes = |number: u32| {
            let found = &chunks[number as usize];
            pruner.prunes(number, found, 3, |number| chunks[number as usize].clone()).unwrap()
        };
        assert_eq!([0, 1, 2].map(prunes), [true, false, true]);
    }

    #[test]
    fn a_judgement_is_about_the_columns_it_saw() {
        let pruner = Pruner::new(greater(5), schema()).unwrap();
        let old = chunk(vec![Some(1)]);
        assert!(pruner.prunes(0, &old, 1, |_| old.clone()).unwrap());
        // Another query has put a newer state of the chunk into the cache.
        assert!(!pruner.prunes(0, &chunk(vec![Some(9)]), 1, |_| old.clone()).unwrap());
    }

    #[test]
    fn filters_that_learn_are_looked_at_again() {
        let filter = Arc::new(DynamicFilterPhysicalExpr::new(vec![col("a", &schema()).unwrap()], lit(true)));
        let pruner = Pruner::new(Arc::clone(&filter) as _, schema()).unwrap();
        let chunks = RefCell::new(vec![chunk(vec![Some(1)]); 100]);
        let prunes = |number: u32| {
            let found = chunks.borrow()[number as usize].clone();
            pruner.prunes(number, &found, 100, |number| chunks.borrow()[number as usize].clone()).unwrap()
        };
        assert!(!prunes(0));
        filter.update(greater(5)).unwrap();
        assert!(!(1..PATIENCE).any(prunes));
        assert!((PATIENCE..99).all(prunes));
    }

    #[test]
    fn text_has_no_zones() {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Utf8View, true)]));
        let predicate =
            binary(col("a", &schema).unwrap(), Operator::Gt, lit(ScalarValue::Utf8View(Some("x".into()))), &schema);
        assert!(Pruner::new(predicate.unwrap(), schema).is_none());
    }
}
