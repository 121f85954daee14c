//! DataFusion's `ExtractEquijoinPredicate`, kept from joins whose keys take NULL for equal to NULL.
//!
//! A join has one rule about NULLs for all of its keys. Where that is "equal" (`IS NOT DISTINCT FROM`), DataFusion would make a key of a plain `=` that has come
//! into the join's filter as well, and NULLs would then fulfil it.
//!
//! Invariant: the rule is applied one node at a time, so a filter that stays here is not taken apart by the rule inside.

use datafusion::common::tree_node::Transformed;
use datafusion::common::{NullEquality, Result};
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// The name of the rule that this one stands for.
pub const NAME: &str = "extract_equijoin_predicate";

#[derive(Debug, Default)]
pub struct GuardedEquijoins(ExtractEquijoinPredicate);

impl OptimizerRule for GuardedEquijoins {
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
        if matches!(&plan, LogicalPlan::Join(join) if join.null_equality == NullEquality::NullEqualsNull) {
            return Ok(Transformed::no(plan));
        }
        self.0.rewrite(plan, config)
    }
}
