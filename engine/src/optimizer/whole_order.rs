//! A top-k sort below a merge sorts by all that the merge compares.
//!
//! DataFusion leaves a key out of the sort of a partition if it is constant there, as in
//! `SELECT a, 1 FROM x UNION ALL SELECT b, 2 FROM y ORDER BY 1, 2 LIMIT 3`. That would do for each partition on its own. But the partitions of a
//! top-k sort share their threshold, and rows that are equal in the shortened key, yet come first in the whole one, would be thrown away.
//!
//! Invariant: runs before the thresholds are handed to the scans.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;

/// The rule that this one comes before.
pub const BEFORE: &str = "EnsureCooperative";

#[derive(Debug)]
pub struct WholeOrder;

impl PhysicalOptimizerRule for WholeOrder {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| Ok(widened(&node).map_or_else(|| Transformed::no(node), Transformed::yes))).data()
    }

    fn name(&self) -> &str {
        "WholeOrder"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The merge above a sort by its whole order, where that is longer than the sort's.
fn widened(node: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let merge = node.downcast_ref::<SortPreservingMergeExec>()?;
    let sort = merge.input().downcast_ref::<SortExec>().filter(|sort| sort.fetch().is_some())?;
    if sort.expr().len() == merge.expr().len() {
        return None;
    }
    let sort = SortExec::new(merge.expr().clone(), Arc::clone(sort.input()))
        .with_fetch(sort.fetch())
        .with_preserve_partitioning(sort.preserve_partitioning());
    let merge = SortPreservingMergeExec::new(merge.expr().clone(), Arc::new(sort)).with_fetch(merge.fetch());
    Some(Arc::new(merge))
}
