//! A lowered relation: a DataFusion plan, and where in it each column of the IR is.

use super::estimate::Estimate;
use super::held::Held;
use datafusion::common::Column;
use datafusion::logical_expr::{Expr, LogicalPlan};
use fusion_common::ColumnType;

/// Invariant: every column is a column reference to `plan`, whose names are unique in the whole query.
#[derive(Clone, Debug)]
pub struct Relation {
    /// The plan; its schema may have more columns, in another order.
    pub plan: LogicalPlan,
    /// Columns of the IR's relation by position.
    pub columns: Vec<Held>,
    /// Estimates; columns as in `columns`.
    pub estimate: Estimate,
}

impl Relation {
    /// All columns of `plan`, held as `types`.
    pub fn of_plan(plan: LogicalPlan, types: impl IntoIterator<Item = ColumnType>, estimate: Estimate) -> Self {
        let columns = plan.schema().columns().into_iter().zip(types);
        let columns = columns.map(|(column, column_type)| Held::new(Expr::Column(column), column_type)).collect();
        Self { plan, columns, estimate }
    }
}

/// Gives names that occur once in a query.
#[derive(Debug, Default)]
pub struct Names {
    next: usize,
}

impl Names {
    /// The next one.
    pub fn fresh(&mut self, prefix: &str) -> String {
        self.next += 1;
        format!("{prefix}{}", self.next)
    }

    /// An expression under a name of its own, and the column that it becomes.
    pub fn alias(&mut self, expr: Expr, prefix: &str) -> (Expr, Expr) {
        let name = self.fresh(prefix);
        (expr.alias(&name), Expr::Column(Column::new_unqualified(name)))
    }
}
