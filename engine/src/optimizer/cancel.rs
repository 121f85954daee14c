//! Cancellation of what computes for long without awaiting anything. An aborted task stops at its next await that has to wait, and operators whose
//! input is always ready come to none: a join makes a thousand batches of one, a sort takes in what a join makes.
//!
//! So every operator's batches pass a look at the flag ([`WatchedExec`]), where the query also lets others have its thread from time to time; and so do the condition of each join, which is evaluated many times
//! before a batch comes of it, if one ever does, the keys of what it puts into a hash table, and the keys of each sort, which makes a task of each batch to sort:
//! hundreds, for which an aborted one waits.
//! What an operator does with its rows between two batches goes by memory: the query's pool
//! gives none to a cancelled query. Functions of our own that go through a whole partition at once look from row to row ([`check_at`]).
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
use datafusion::physical_expr::{LexOrdering, OrderingRequirements, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, PlanProperties,
};
use futures::Stream;
use std::cell::RefCell;
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

thread_local! {
    /// The flag of the query that this thread computes, in a watched operator.
    static CURRENT: RefCell<Option<CancelFlag>> = const { RefCell::new(None) };
}

/// While it lives the thread computes a query; also a panic ends that.
pub(crate) struct Computing;

impl Computing {
    /// None for an operator below one that has begun: they are of one query.
    pub(crate) fn begin(flag: &CancelFlag) -> Option<Self> {
        CURRENT.with_borrow_mut(|current| {
            current.is_none().then(|| {
                *current = Some(flag.clone());
                Self
            })
        })
    }
}

impl Drop for Computing {
    fn drop(&mut self) {
        CURRENT.set(None);
    }
}

/// 57014 once the query that this thread computes is cancelled, at every so many rows: for loops through what has any number of them.
pub fn check_at(row: usize) -> Result<()> {
    const STEP: usize = 8192;
    if !row.is_multiple_of(STEP) {
        return Ok(());
    }
    CURRENT.with_borrow(|flag| flag.as_ref().map_or(Ok(()), CancelFlag::check)).map_err(external)
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
            Ok(Transformed::yes(WatchedExec::watch(plan, &self.0)? as Arc<dyn ExecutionPlan>))
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

/// A join whose condition looks at the flag, and the keys of what it builds a table of, or a sort whose keys do; None for what has none. A top-k sort
/// keeps few rows, and its keys are with the scans already.
fn watch_expressions(plan: &Arc<dyn ExecutionPlan>, flag: &CancelFlag) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let watched = |inner: &Arc<dyn PhysicalExpr>| Arc::new(Watched { inner: Arc::clone(inner), flag: flag.clone() });
    let condition = |filter: &JoinFilter| {
        let (expression, columns) = (watched(filter.expression()), filter.column_indices().to_vec());
        JoinFilter::new(expression, columns, Arc::clone(filter.schema()))
    };
    if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>()
        && let Some(filter) = join.filter()
    {
        let watching =
            NestedLoopJoinExecBuilder::new(Arc::clone(join.left()), Arc::clone(join.right()), *join.join_type())
                .with_filter(Some(condition(filter)))
                .with_projection_ref(join.projection().clone())
                .build()?;
        return Ok(Some(Arc::new(watching)));
    }
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        // The keys of the build side: they are evaluated for each of its batches, when all of them are there.
        let on = join.on().iter().map(|(left, right)| (watched(left) as Arc<dyn PhysicalExpr>, Arc::clone(right)));
        let watching = join.builder().with_on(on.collect()).with_filter(join.filter().map(condition));
        return watching.build_exec().map(Some);
    }
    if let Some(sort) = plan.downcast_ref::<SortExec>()
        && sort.fetch().is_none()
    {
        let keys = sort.expr().iter().map(|key| PhysicalSortExpr::new(watched(&key.expr), key.options));
        let watching = LexOrdering::new(keys).map(|keys| {
            let sort =
                SortExec::new(keys, Arc::clone(sort.input())).with_preserve_partitioning(sort.preserve_partitioning());
            Arc::new(sort) as Arc<dyn ExecutionPlan>
        });
        return Ok(watching);
    }
    Ok(None)
}

/// An operator whose next batch comes only while the query is not cancelled.
#[derive(Debug)]
struct WatchedExec {
    /// What the plan says of it.
    inner: Arc<dyn ExecutionPlan>,
    /// What runs: the same, but that its expressions look at the flag, too.
    running: Arc<dyn ExecutionPlan>,
    flag: CancelFlag,
}

impl WatchedExec {
    fn watch(inner: Arc<dyn ExecutionPlan>, flag: &CancelFlag) -> Result<Arc<Self>> {
        let running = watch_expressions(&inner, flag)?.unwrap_or_else(|| Arc::clone(&inner));
        Ok(Arc::new(Self { inner, running, flag: flag.clone() }))
    }
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
        Ok(Self::watch(Arc::clone(&self.inner).replace_children(children, options)?, &self.flag)?)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Self::watch(Arc::clone(&self.inner).reset_state()?, &self.flag)?)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let batches = self.running.execute(partition, context)?;
        Ok(Box::pin(WatchedStream { batches, flag: self.flag.clone(), since: None }))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.running.metrics()
    }

    fn fetch(&self) -> Option<usize> {
        self.inner.fetch()
    }
}

/// How long a query may compute before it lets others have its thread.
pub const SLICE: Duration = Duration::from_millis(20);

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
        let computing = Computing::begin(&self.flag);
        let batch = self.batches.as_mut().poll_next(context);
        drop(computing);
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

/// A condition or a key that fails once the query is cancelled.
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
    use datafusion::arrow::compute::SortOptions;
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

    /// What is below is not watched here: that the query is cancelled is seen by the keys alone.
    #[tokio::test]
    async fn keys_of_sorts_and_of_build_sides_look() {
        let flag = CancelFlag::default();
        let (joined, _, context) = plans(&flag, 50).await;
        let mut found = Vec::new();
        joined
            .apply(|node| {
                if let Some(join) = node.downcast_ref::<HashJoinExec>().filter(|join| join.filter().is_none()) {
                    found.push(watch_expressions(node, &flag)?.unwrap());
                    let key = |options| PhysicalSortExpr::new(Arc::clone(&join.on()[0].0), options);
                    let keys = LexOrdering::new([key(SortOptions::default())]).unwrap();
                    let sort: Arc<dyn ExecutionPlan> = Arc::new(SortExec::new(keys, Arc::clone(join.left())));
                    found.push(watch_expressions(&sort, &flag)?.unwrap());
                }
                Ok(TreeNodeRecursion::Continue)
            })
            .unwrap();
        assert_eq!(found.len(), 2);
        for plan in &found {
            let rows = collect(Arc::clone(plan), Arc::clone(&context)).await.unwrap();
            assert!(rows.iter().map(RecordBatch::num_rows).sum::<usize>() >= 50);
        }
        flag.set();
        for plan in found {
            let error = collect(plan.reset_state().unwrap(), Arc::clone(&context)).await.unwrap_err();
            assert_eq!(SqlError::from(Error::from(error)).sqlstate, SqlState::QUERY_CANCELED);
        }
    }

    #[test]
    fn a_thread_looks_at_the_flag_of_the_query_that_it_computes() {
        let flag = CancelFlag::default();
        flag.set();
        check_at(0).unwrap();
        let panic = std::panic::catch_unwind(|| {
            let _computing = Computing::begin(&flag).unwrap();
            assert!(Computing::begin(&CancelFlag::default()).is_none(), "an operator below another");
            assert!(check_at(0).is_err());
            check_at(1).unwrap();
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(panic.is_err());
        check_at(0).unwrap();
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
