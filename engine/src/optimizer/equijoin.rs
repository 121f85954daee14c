//! What DataFusion's `ExtractEquijoinPredicate` is kept from: joins whose keys take NULL for equal to NULL.
//!
//! A join has one rule about NULLs for all of its keys. Where that is "equal" (`IS NOT DISTINCT FROM`), DataFusion would make a key of a plain `=` that has come
//! into the join's filter as well, and NULLs would then fulfil it.

use datafusion::common::NullEquality;
use datafusion::logical_expr::LogicalPlan;

/// The name of the rule.
pub const NAME: &str = "extract_equijoin_predicate";

/// Whether the plan is such a join.
pub fn stays(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Join(join) if join.null_equality == NullEquality::NullEqualsNull)
}
