//! DataFusion's `PushDownFilter`, kept from the input of an aggregate whose groups do not come from its rows.
//!
//! DataFusion pushes a condition through an aggregate if all of its columns are grouping columns. A condition without columns
//! (`false`, which simplification makes, or NULL) has no others, so it would also go below an aggregate without GROUP BY: that
//! gives one row for no input, where the condition above it gives none. The same holds for the empty grouping set.
//!
//! Invariant: the rule is applied top-down, one node at a time, so a filter that stays here is not pushed by the rule inside.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// The name of the rule that this one stands for.
pub const NAME: &str = "push_down_filter";

#[derive(Debug, Default)]
pub struct GuardedPushDown(PushDownFilter);

impl OptimizerRule for GuardedPushDown {
    fn name(&self) -> &str {
        NAME
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        if stays(&plan) {
            return Ok(Transformed::no(plan));
        }
        self.0.rewrite(plan, config)
    }
}

/// Whether the plan is a filter, or several, over an aggregate that gives rows for no input.
fn stays(plan: &LogicalPlan) -> bool {
    let LogicalPlan::Filter(filter) = plan else { return false };
    match Arc::as_ref(&filter.input) {
        LogicalPlan::Aggregate(aggregate) => {
            aggregate.group_expr.is_empty() || matches!(aggregate.group_expr[..], [Expr::GroupingSet(_)])
        }
        below => stays(below),
    }
}
