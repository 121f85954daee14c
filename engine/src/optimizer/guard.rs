//! A rule of DataFusion, kept from some plans.
//!
//! Invariant: only rules that are applied one node at a time (`apply_order`) are guarded, so what stays here is not rewritten by the rule inside.

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};
use std::sync::Arc;

/// See the head of this file; goes by the name of the rule.
#[derive(Debug)]
pub struct Guarded {
    rule: Arc<dyn OptimizerRule + Send + Sync>,
    stays: fn(&LogicalPlan) -> bool,
}

impl Guarded {
    /// `rule`, but for plans that stay as they are.
    pub fn new(rule: Arc<dyn OptimizerRule + Send + Sync>, stays: fn(&LogicalPlan) -> bool) -> Self {
        Self { rule, stays }
    }
}

impl OptimizerRule for Guarded {
    fn name(&self) -> &str {
        self.rule.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.rule.apply_order()
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        if (self.stays)(&plan) { Ok(Transformed::no(plan)) } else { self.rule.rewrite(plan, config) }
    }
}
