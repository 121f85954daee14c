//! Cancellation of what computes for long without awaiting anything. An aborted task stops at its next await that has to wait, and operators whose
//! input is always ready come to none: a join makes a thousand batches of one, a sort takes in what a join makes.
//!
//! So every operator's batches pass a look at the flag ([`WatchedExec`]), where the query also lets others have its thread from time to time; and so does the condition of each join, which is evaluated many times
//! before a batch comes of it, if one ever does. What an operator does with its rows between two batches goes by memory: the query's pool
//! gives none to a cancelled query.
//!
//! Invariant: what is watched gives what it would give by itself, or the error of a cancelled query, and is itself to whoever looks at the plan.

use crate::error::{Error, external};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::{OrderingRequirements, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, PlanProperties,
};
use futures::Stream;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Set once, when a query is cancelled.
#[derive(Clone, Debug, Default)]
pub struct CancelFlag(Arc<AtomicBool>);

impl CancelFlag {
    /// Cancels.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// 57014 once the query is cancelled.
    pub fn check(&self) -> crate::Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(Error::Canceled) } else { Ok(()) }
    }
}

/// The last physical rule: has all operators watch the flag, but for scans, which do so themselves.
#[derive(Debug)]
pub struct Watch(pub CancelFlag);

impl PhysicalOptimizerRule for Watch {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            if plan.children().is_empty() {
                return Ok(Transformed::no(plan));
            }
            let inner = self.watch_condition(&plan)?.unwrap_or(plan);
            Ok(Transformed::yes(Arc::new(WatchedExec { inner, flag: self.0.clone() }) as Arc<dyn ExecutionPlan>))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "watch"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

impl Watch {
    /// A join whose condition looks at the flag; None for what has none.
    fn watch_condition(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let watched = |filter: &JoinFilter| {
            let expression = Watched { inner: Arc::clone(filter.expression()), flag: self.0.clone() };
            JoinFilter::new(Arc::new(expression), filter.column_indices().to_vec(), Arc::clone(filter.schema()))
        };
        if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>()
            && let Some(filter) = join.filter()
        {
            let watching =
                NestedLoopJoinExecBuilder::new(Arc::clone(join.left()), Arc::clone(join.right()), *join.join_type())
                    .with_filter(Some(watched(filter)))
                    .with_projection_ref(join.projection().clone())
                    .build()?;
            return Ok(Some(Arc::new(watching)));
        }
        if let Some(join) = plan.downcast_ref::<HashJoinExec>()
            && let Some(filter) = join.filter()
        {
            return join.builder().with_filter(Some(watched(filter))).build_exec().map(Some);
        }
        Ok(None)
    }
}

/// An operator whose next batch comes only while the query is not cancelled.
#[derive(Debug)]
struct WatchedExec {
    inner: Arc<dyn ExecutionPlan>,
    flag: CancelFlag,
}

impl DisplayAs for WatchedExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_as(format, f)
    }
}

impl ExecutionPlan for WatchedExec {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn downcast_delegate(&self) -> Option<&dyn ExecutionPlan> {
        Some(self.inner.as_ref())
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.inner.properties()
    }

    fn dynamic_expressions_produced(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        self.inner.dynamic_expressions_produced()
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        self.inner.input_distribution_requirements()
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        self.inner.required_input_ordering()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        self.inner.maintains_input_order()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inner.children()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.inner.apply_expressions(f)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let inner = Arc::clone(&self.inner).replace_children(children, options)?;
        Ok(Arc::new(Self { inner, flag: self.flag.clone() }))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        let inner = Arc::clone(&self.inner).reset_state()?;
        Ok(Arc::new(Self { inner, flag: self.flag.clone() }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let batches = self.inner.execute(partition, context)?;
        Ok(Box::pin(WatchedStream { batches, flag: self.flag.clone(), since: None }))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.inner.metrics()
    }

    fn fetch(&self) -> Option<usize> {
        self.inner.fetch()
    }
}

/// How long a query may compute before it lets others have its thread.
const SLICE: Duration = Duration::from_millis(20);

/// The batches of a watched operator.
struct WatchedStream {
    batches: SendableRecordBatchStream,
    flag: CancelFlag,
    /// When it last had to wait, or was asked first.
    since: Option<Instant>,
}

impl Stream for WatchedStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Err(error) = self.flag.check() {
            return Poll::Ready(Some(Err(external(error))));
        }
        if self.since.get_or_insert_with(Instant::now).elapsed() >= SLICE {
            self.since = None;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let batch = self.batches.as_mut().poll_next(context);
        if batch.is_pending() {
            self.since = None;
        }
        batch
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.batches.size_hint()
    }
}

impl RecordBatchStream for WatchedStream {
    fn schema(&self) -> SchemaRef {
        self.batches.schema()
    }
}

/// A condition that fails once the query is cancelled.
#[derive(Debug)]
struct Watched {
    inner: Arc<dyn PhysicalExpr>,
    flag: CancelFlag,
}

impl PartialEq for Watched {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner)
    }
}

impl Eq for Watched {}

impl Hash for Watched {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl PhysicalExpr for Watched {
    fn data_type(&self, input_schema: &Schema) -> Result<DataType> {
        self.inner.data_type(input_schema)
    }

    fn nullable(&self, input_schema: &Schema) -> Result<bool> {
        self.inner.nullable(input_schema)
    }

    fn return_field(&self, input_schema: &Schema) -> Result<FieldRef> {
        self.inner.return_field(input_schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.flag.check().map_err(external)?;
        self.inner.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let [inner] =
            <[_; 1]>::try_from(children).map_err(|_| external(Error::internal("a watched condition has one child")))?;
        Ok(Arc::new(Self { inner, flag: self.flag.clone() }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{Array, AsArray, Int64Array};
    use datafusion::arrow::datatypes::Int64Type;
    use datafusion::common::JoinType;
    use datafusion::functions_aggregate::expr_fn::count;
    use datafusion::physical_plan::aggregates::AggregateExec;
    use datafusion::physical_plan::{collect, displayable};
    use datafusion::prelude::{SessionConfig, SessionContext, col, lit};
    use fusion_common::{SqlError, SqlState};
    use futures::FutureExt;

    /// A count of rows with equal keys, of which none fulfils the condition: no batch comes of them.
    async fn plans(flag: &CancelFlag, rows: i64) -> (Arc<dyn ExecutionPlan>, Arc<dyn ExecutionPlan>, Arc<TaskContext>) {
        let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
        let column = |value: fn(i64) -> i64| Arc::new(Int64Array::from_iter_values((0..rows).map(value))) as _;
        let batch = RecordBatch::try_from_iter([("id", column(|id| id)), ("k", column(|id| id % 2))]).unwrap();
        context.register_batch("t", batch).unwrap();
        let [a, b, c] =
            ["a", "b", "c"].map(|name| context.table("t").now_or_never().unwrap().unwrap().alias(name).unwrap());
        let condition = (col("a.id") + col("b.id") + col("c.id")).lt(lit(0_i64));
        let joined = a.join(b, JoinType::Inner, &["a.k"], &["b.k"], None).unwrap();
        let joined = joined.join(c, JoinType::Inner, &["b.k"], &["c.k"], Some(condition)).unwrap();
        let counted = joined.aggregate(vec![], vec![count(lit(1_i64))]).unwrap();
        let plain = counted.create_physical_plan().await.unwrap();
        let watched = Watch(flag.clone()).optimize(Arc::clone(&plain), &ConfigOptions::default()).unwrap();
        (plain, watched, context.task_ctx())
    }

    #[tokio::test]
    async fn what_is_watched_is_what_it_was() {
        let flag = CancelFlag::default();
        let (plain, watched, context) = plans(&flag, 50).await;
        let text = |plan: &Arc<dyn ExecutionPlan>| displayable(plan.as_ref()).indent(false).to_string();
        assert_eq!(text(&watched), text(&plain));
        assert_eq!(watched.is::<AggregateExec>(), plain.is::<AggregateExec>());
        let batches = collect(Arc::clone(&watched), Arc::clone(&context)).await.unwrap();
        assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().value(0), 0);
        assert_eq!(batches[0].column(0).len(), 1);
        flag.set();
        let error = SqlError::from(Error::from(collect(watched.reset_state().unwrap(), context).await.unwrap_err()));
        assert_eq!(error.sqlstate, SqlState::QUERY_CANCELED);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_computes_stops_soon_and_lets_others_compute() {
        let flag = CancelFlag::default();
        // One for each thread, each of 16 billion pairs.
        let mut running = Vec::new();
        for _ in 0..2 {
            let (_, watched, context) = plans(&flag, 4_000).await;
            running.push(tokio::spawn(collect(watched, context)));
        }
        let since = Instant::now();
        while since.elapsed() < Duration::from_millis(200) {
            // Comes to its turn again and again, which takes at most what all of them take before they look.
            tokio::spawn(async {}).await.unwrap();
        }
        flag.set();
        let since = Instant::now();
        for query in running {
            assert!(query.await.unwrap().is_err());
        }
        assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    }
}
