//! DataFusion's `ExtractEquijoinPredicate`, kept from joins whose keys are equal where both are NULL.
//!
//! A join has one way to compare all its keys. DataFusion makes `a IS NOT DISTINCT FROM b` a key, and the join one for which NULL equals NULL; when a
//! condition `c = d` comes down to that join later, the rule adds it to the keys, and `c = d` is true where both are NULL. Here it stays a condition of
//! the join beside its keys. The soak found it: `t JOIN LATERAL (SELECT min(x) ... WHERE ... t.a) s ON t.b = s.min`.

use datafusion::common::tree_node::Transformed;
use datafusion::common::{NullEquality, Result};
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// The name of the rule that this one stands for.
pub const NAME: &str = "extract_equijoin_predicate";

#[derive(Debug, Default)]
pub struct GuardedEquijoin(ExtractEquijoinPredicate);

impl OptimizerRule for GuardedEquijoin {
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
        match &plan {
            LogicalPlan::Join(join) if !join.on.is_empty() && join.null_equality == NullEquality::NullEqualsNull => {
                Ok(Transformed::no(plan))
            }
            _ => self.0.rewrite(plan, config),
        }
    }
}
