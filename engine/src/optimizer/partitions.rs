//! More partitions than threads for large groupings and windows. DataFusion makes a partition per thread, so that a table of groups, or the rows
//! that a window sorts, grow with the data. A hash table doubles in one piece, which no cancellation ends; and what fits the processor's caches is faster.
//!
//! How many: by the rows that go in ([`ROWS`]), but no more than the memory has room for ([`BYTES`]), and not more than keys there are ([`KEYS`]).
//!
//! Joins stay as they are: what a join derives for the scan of its other side has a branch per partition, which costs more than smaller tables save.
//!
//! Invariants: the two sides of a join, and the inputs of a union, keep their number of partitions. Answers do not depend on it.

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{Partitioning, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use std::sync::Arc;

/// Estimated rows of a partition.
const ROWS: usize = 1 << 19;
/// Memory for each partition, bytes: a sort, for one, keeps some of it for its merge from the beginning.
const BYTES: usize = 128 << 20;
/// Keys of a partition, where their number is known: a partition of one large key has no more memory than the others.
const KEYS: usize = 16;
/// The most, unless there are more threads: each has channels from each partition of the input.
const MOST: usize = 64;

/// See the head of this file.
#[derive(Debug)]
pub struct Partitions {
    most: usize,
}

impl Partitions {
    /// Of queries that may take so many bytes.
    pub fn new(memory: usize) -> Self {
        Self { most: (memory / BYTES).min(MOST) }
    }

    /// How many partitions are right for what is repartitioned here.
    fn wanted(&self, Hashed { repartition, keys, .. }: &Hashed<'_>) -> Result<usize> {
        let statistics = StatisticsContext::new().compute(repartition.input().as_ref(), &StatisticsArgs::new())?;
        let known = |value: &Precision<usize>| value.get_value().copied();
        let mut distinct = keys.iter().map(|key| {
            let column = key.downcast_ref::<Column>()?;
            known(&statistics.column_statistics.get(column.index())?.distinct_count)
        });
        let combinations = distinct.try_fold(1usize, |all, one| Some(all.saturating_mul(one?)));
        let rows = known(&statistics.num_rows).unwrap_or(0);
        Ok((rows / ROWS).min(combinations.unwrap_or(usize::MAX) / KEYS).min(self.most))
    }

    /// `plan` with more partitions where they are right; `joined` with others, whose number theirs must be.
    fn widen(&self, plan: Arc<dyn ExecutionPlan>, joined: bool) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
        let apart = plan.is::<RepartitionExec>() || plan.output_partitioning().partition_count() == 1;
        let below = plan.children().len() > 1 || (joined && !apart);
        let widened = plan.map_children(|child| self.widen(child, below))?;
        let Some(hashed) = Hashed::of(&widened.data).filter(|_| !joined) else { return Ok(widened) };
        let count = self.wanted(&hashed)?;
        if count <= hashed.count {
            return Ok(widened);
        }
        hashed.in_partitions(count).map(Transformed::yes)
    }
}

impl PhysicalOptimizerRule for Partitions {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        self.widen(plan, false).data()
    }

    fn name(&self) -> &str {
        "Partitions"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// What is repartitioned by the hash of its keys.
struct Hashed<'a> {
    repartition: &'a RepartitionExec,
    keys: &'a [Arc<dyn PhysicalExpr>],
    /// Into so many partitions.
    count: usize,
}

impl<'a> Hashed<'a> {
    fn of(node: &'a Arc<dyn ExecutionPlan>) -> Option<Self> {
        let repartition = node.downcast_ref::<RepartitionExec>()?;
        match repartition.partitioning() {
            Partitioning::Hash(keys, count) => Some(Self { repartition, keys, count: *count }),
            _ => None,
        }
    }

    /// The same, into so many.
    fn in_partitions(&self, count: usize) -> Result<Arc<dyn ExecutionPlan>> {
        let keys = Partitioning::Hash(self.keys.to_vec(), count);
        let repartition = RepartitionExec::try_new(Arc::clone(self.repartition.input()), keys)?;
        Ok(Arc::new(if self.repartition.preserve_order() { repartition.with_preserve_order() } else { repartition }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
    use datafusion::arrow::datatypes::Int64Type;
    use datafusion::common::JoinType;
    use datafusion::common::tree_node::TreeNodeRecursion;
    use datafusion::functions_aggregate::expr_fn::count;
    use datafusion::physical_optimizer::sanity_checker::SanityCheckPlan;
    use datafusion::physical_plan::{collect, displayable};
    use datafusion::prelude::{SessionConfig, SessionContext, col, lit};

    /// Two million rows joined with themselves, and counted by a column, with what the rule makes of it.
    async fn plans(most: usize) -> (Arc<dyn ExecutionPlan>, Arc<dyn ExecutionPlan>, SessionContext) {
        let mut config = SessionConfig::new().with_target_partitions(2);
        // Both sides of the join are partitioned.
        config.options_mut().optimizer.hash_join_single_partition_threshold_rows = 0;
        config.options_mut().optimizer.hash_join_single_partition_threshold = 0;
        let context = SessionContext::new_with_config(config);
        let numbers =
            |value: fn(i64) -> i64| Arc::new(Int64Array::from_iter_values((0..1 << 21).map(value))) as ArrayRef;
        let batch = RecordBatch::try_from_iter([("id", numbers(|id| id)), ("half", numbers(|id| id / 2))]).unwrap();
        context.register_batch("t", batch).unwrap();
        let [a, b] = [context.table("t").await.unwrap(), context.table("t").await.unwrap()];
        let (a, b) = (a.alias("a").unwrap(), b.alias("b").unwrap());
        let joined = a.join(b, JoinType::Inner, &["a.id"], &["b.id"], None).unwrap();
        let grouped = joined.aggregate(vec![col("a.half")], vec![count(lit(1_i64))]).unwrap();
        let counted = grouped.aggregate(vec![], vec![count(lit(1_i64))]).unwrap();
        let plain = counted.create_physical_plan().await.unwrap();
        let more = Partitions { most }.optimize(Arc::clone(&plain), &ConfigOptions::default()).unwrap();
        (plain, more, context)
    }

    fn counts(plan: &Arc<dyn ExecutionPlan>) -> Vec<usize> {
        let mut counts = Vec::new();
        plan.apply(|node| {
            counts.extend(Hashed::of(node).map(|hashed| hashed.count));
            Ok(TreeNodeRecursion::Continue)
        })
        .unwrap();
        counts
    }

    #[tokio::test]
    async fn large_groupings_have_more_partitions_and_the_same_answer() {
        let (plain, more, context) = plans(MOST).await;
        assert_eq!(counts(&plain), [2; 3], "{}", displayable(plain.as_ref()).indent(false));
        assert_eq!(counts(&more), [4, 2, 2], "the groups; not the sides of the join below");
        let more = SanityCheckPlan::new().optimize(more, &ConfigOptions::default()).unwrap();
        let batches = collect(more, context.task_ctx()).await.unwrap();
        assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().value(0), 1 << 20);
    }

    #[tokio::test]
    async fn memory_bounds_them() {
        assert_eq!((Partitions::new(384 << 20).most, Partitions::new(usize::MAX).most), (3, MOST));
        let (_, three, _) = plans(3).await;
        assert_eq!(counts(&three), [3, 2, 2]);
        let (_, none, _) = plans(0).await;
        assert_eq!(counts(&none), [2; 3], "never fewer than before");
    }
}
