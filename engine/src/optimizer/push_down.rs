//! What DataFusion's `PushDownFilter` is kept from: the input of an aggregate whose groups do not come from its rows.
//!
//! DataFusion pushes a condition through an aggregate if all of its columns are grouping columns. A condition without columns
//! (`false`, which simplification makes, or NULL) has no others, so it would also go below an aggregate without GROUP BY: that
//! gives one row for no input, where the condition above it gives none. The same holds for the empty grouping set.

use datafusion::logical_expr::{Expr, LogicalPlan};
use std::sync::Arc;

/// The name of the rule.
pub const NAME: &str = "push_down_filter";

/// Whether the plan is a filter, or several, over an aggregate that gives rows for no input.
pub fn stays(plan: &LogicalPlan) -> bool {
    let LogicalPlan::Filter(filter) = plan else { return false };
    match Arc::as_ref(&filter.input) {
        LogicalPlan::Aggregate(aggregate) => {
            aggregate.group_expr.is_empty() || matches!(aggregate.group_expr[..], [Expr::GroupingSet(_)])
        }
        below => stays(below),
    }
}
