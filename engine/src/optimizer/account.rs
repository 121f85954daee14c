//! Window functions over whole partitions. DataFusion's operator collects its input without counting it, and gives all of it back as one batch, which keeps
//! the next operator, and whoever waits for its thread, for as long as it takes, and can be taken by one thread alone.
//!
//! A physical rule puts an [`AccountExec`] on either side of it. The one below takes memory from the pool for each batch that passes; the operator copies its
//! input into one batch, so each row counts twice. The one above hands out batches of the usual size, and gives the memory back with the last of them.
//!
//! Invariants: rows pass as they are, in their order. What comes out shares no memory with the whole batch, which each of a thousand slices would count as its own.

use super::transparent::transparent;
use crate::scan::compact;
use datafusion::arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions, UInt64Array};
use datafusion::arrow::compute::take;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::WindowAggExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Copies of its input that the operator holds.
const COPIES: usize = 2;

/// The rule.
#[derive(Debug)]
pub struct AccountWindows;

impl PhysicalOptimizerRule for AccountWindows {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            let Some(window) = plan.downcast_ref::<WindowAggExec>() else { return Ok(Transformed::no(plan)) };
            let held = Arc::default();
            let below: Arc<dyn ExecutionPlan> =
                Arc::new(AccountExec::new(Arc::clone(window.input()), Side::Below, &held));
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
            let above = AccountExec::new(plan.replace_children(vec![below], options)?, Side::Above, &held);
            Ok(Transformed::yes(Arc::new(above) as Arc<dyn ExecutionPlan>))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "account_windows"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// What the partitions under way have taken: from when they are executed below until that is taken up above.
type HeldMemory = Arc<Mutex<HashMap<usize, Arc<MemoryReservation>>>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Below,
    Above,
}

/// See the head of this file.
#[derive(Debug)]
pub struct AccountExec {
    input: Arc<dyn ExecutionPlan>,
    side: Side,
    held: HeldMemory,
    metrics: ExecutionPlanMetricsSet,
}

impl AccountExec {
    fn new(input: Arc<dyn ExecutionPlan>, side: Side, held: &HeldMemory) -> Self {
        Self { input, side, held: Arc::clone(held), metrics: ExecutionPlanMetricsSet::new() }
    }

    fn with_input(&self, input: Arc<dyn ExecutionPlan>) -> Self {
        Self::new(input, self.side, &self.held)
    }

    fn held(&self) -> MutexGuard<'_, HashMap<usize, Arc<MemoryReservation>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DisplayAs for AccountExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.side {
            Side::Below => "AccountExec",
            Side::Above => "AccountExec: batches",
        })
    }
}

impl ExecutionPlan for AccountExec {
    fn name(&self) -> &'static str {
        "AccountExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    transparent!();

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        if self.side == Side::Above {
            let rows = context.session_config().batch_size();
            let batches = self.input.execute(partition, context)?;
            let memory = self.held().remove(&partition);
            let pieces = batches.map_ok(move |batch| stream::iter(pieces(batch, rows))).try_flatten();
            let pieces = pieces.map(move |batch| {
                let _until_the_end = &memory;
                Ok(batch?.record_output(&metrics))
            });
            return Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), pieces)));
        }
        let memory = Arc::new(MemoryConsumer::new("rows of a window").register(context.memory_pool()));
        self.held().insert(partition, Arc::clone(&memory));
        let batches = self.input.execute(partition, context)?;
        let batches = batches.map(move |batch| {
            let batch = batch?;
            memory.try_grow(COPIES * size(&batch))?;
            Ok(batch.record_output(&metrics))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// Bytes of the rows of a batch, which may be a part of larger arrays.
fn size(batch: &RecordBatch) -> usize {
    let size = |array: &Arc<dyn Array>| match array.as_string_view_opt() {
        Some(texts) => texts.len() * size_of::<u128>() + texts.total_buffer_bytes_used(),
        None => array.to_data().get_slice_memory_size().unwrap_or(0),
    };
    batch.columns().iter().map(size).sum()
}

/// A batch in batches of so many rows, with arrays of their own.
fn pieces(batch: RecordBatch, rows: usize) -> impl Iterator<Item = Result<RecordBatch>> {
    let starts = (0..batch.num_rows()).step_by(rows.max(1));
    starts.map(move |start| {
        let end = start.saturating_add(rows).min(batch.num_rows());
        if start == 0 && end == batch.num_rows() {
            return Ok(batch.clone());
        }
        let rows = UInt64Array::from_iter_values(start as u64..end as u64);
        let columns = batch.columns().iter().map(|column| Ok(compact(&take(column, &rows, None)?)));
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        Ok(RecordBatch::try_new_with_options(batch.schema(), columns.collect::<Result<_>>()?, &options)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{Int64Array, StringViewArray};
    use datafusion::arrow::compute::concat_batches;
    use datafusion::arrow::datatypes::Schema;
    use datafusion::functions_aggregate::count::count_udaf;
    use datafusion::logical_expr::expr::WindowFunction;
    use datafusion::logical_expr::{Expr, ExprFunctionExt, WindowFrame};
    use datafusion::physical_plan::execute_stream;
    use datafusion::prelude::{SessionConfig, SessionContext, col};

    #[test]
    fn a_large_batch_goes_in_pieces_of_their_own() {
        let numbers: Arc<dyn Array> = Arc::new(Int64Array::from_iter_values(0..20));
        let texts: Arc<dyn Array> =
            Arc::new(StringViewArray::from_iter_values((0..20).map(|n| format!("more than twelve bytes, {n}"))));
        let batch = RecordBatch::try_from_iter([("a", numbers), ("t", texts)]).unwrap();
        let parts = pieces(batch.clone(), 8).collect::<Result<Vec<_>>>().unwrap();
        assert_eq!(parts.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [8, 8, 4]);
        assert_eq!(concat_batches(&batch.schema(), &parts).unwrap(), batch);
        assert!(parts.iter().map(RecordBatch::get_array_memory_size).sum::<usize>() < 3000);
        // What is small passes as it is.
        let whole = pieces(batch.clone(), 20).collect::<Result<Vec<_>>>().unwrap();
        assert!(matches!(whole.as_slice(), [one] if Arc::ptr_eq(one.column(0), batch.column(0))));
        // Rows without columns are rows.
        let options = RecordBatchOptions::new().with_row_count(Some(20));
        let bare = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options).unwrap();
        assert_eq!(pieces(bare, 8).map(|piece| piece.unwrap().num_rows()).sum::<usize>(), 20);
    }

    /// The operator drops its input before it computes.
    #[tokio::test]
    async fn memory_is_held_until_the_last_batch_is_out() {
        let context =
            SessionContext::new_with_config(SessionConfig::new().with_batch_size(8).with_target_partitions(1));
        let numbers: Arc<dyn Array> = Arc::new(Int64Array::from_iter_values(0..20));
        context.register_batch("t", RecordBatch::try_from_iter([("a", numbers)]).unwrap()).unwrap();
        let all = WindowFrame::new(None);
        let call = WindowFunction::new(count_udaf(), vec![col("a")]);
        let call = Expr::from(call).window_frame(all).build().unwrap();
        let windowed = context.table("t").await.unwrap().window(vec![call]).unwrap();
        let plan = windowed.create_physical_plan().await.unwrap();
        let plan = AccountWindows.optimize(plan, &ConfigOptions::default()).unwrap();
        let task = context.task_ctx();
        let mut batches = execute_stream(plan, Arc::clone(&task)).unwrap();
        let mut rows = Vec::new();
        while let Some(batch) = batches.next().await {
            assert_eq!(task.memory_pool().reserved(), COPIES * 20 * size_of::<i64>());
            rows.push(batch.unwrap().num_rows());
        }
        assert_eq!(rows, [8, 8, 4]);
        drop(batches);
        assert_eq!(task.memory_pool().reserved(), 0);
    }

    #[test]
    fn a_slice_counts_its_rows_alone() {
        let array: Arc<dyn Array> = Arc::new(Int64Array::from_iter_values(0..1000));
        let batch = RecordBatch::try_from_iter([("a", array)]).unwrap();
        assert_eq!((size(&batch), size(&batch.slice(10, 5))), (8000, 40));
        let texts: Arc<dyn Array> =
            Arc::new(StringViewArray::from_iter_values((0..10).map(|_| "more than twelve bytes")));
        let batch = RecordBatch::try_from_iter([("t", texts)]).unwrap();
        assert_eq!(size(&batch.slice(0, 2)), 2 * (16 + 22));
    }
}
