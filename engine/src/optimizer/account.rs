//! The memory of window functions: DataFusion's operator over whole partitions collects its input without counting it.
//!
//! A physical rule puts [`AccountExec`] below it, which takes memory from the pool for each batch that passes and gives it back when the operator is
//! done. The operator copies its input into one batch, so each row counts twice.
//!
//! Invariant: nothing but memory is looked at; batches pass as they are.

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::WindowAggExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;
use std::fmt;
use std::sync::Arc;

/// Copies of its input that the operator holds.
const COPIES: usize = 2;

/// The rule.
#[derive(Debug)]
pub struct AccountWindows;

impl PhysicalOptimizerRule for AccountWindows {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            let Some(window) = plan.downcast_ref::<WindowAggExec>() else { return Ok(Transformed::no(plan)) };
            let input: Arc<dyn ExecutionPlan> = Arc::new(AccountExec::new(Arc::clone(window.input())));
            plan.replace_children(vec![input], ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
                .map(Transformed::yes)
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

/// Counts what passes; see the head of this file.
#[derive(Debug)]
pub struct AccountExec {
    input: Arc<dyn ExecutionPlan>,
    metrics: ExecutionPlanMetricsSet,
}

impl AccountExec {
    fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        Self { input, metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for AccountExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccountExec")
    }
}

impl ExecutionPlan for AccountExec {
    fn name(&self) -> &'static str {
        "AccountExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(children.pop().map_or(Arc::clone(&self) as Arc<dyn ExecutionPlan>, |input| Arc::new(Self::new(input))))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let memory = MemoryConsumer::new("rows of a window").register(context.memory_pool());
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let batches = self.input.execute(partition, context)?;
        // The operator keeps this stream, and the memory with it, until it is dropped.
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

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{Int64Array, StringViewArray};

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
