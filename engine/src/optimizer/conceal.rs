//! What DataFusion takes over from the inputs of joins and unions though it does not hold for their rows (55.2, `join_equivalence_properties`):
//!
//! - of the side of an outer join that may be filled with NULLs, that a column is constant, or equal to an expression: rows were not sorted by such a column;
//! - of the build side of a hash join, its order, as a second key after the probe side's: rows of the probe side that are equal in the first key
//!   each begin with it anew (apache/datafusion#25052);
//! - and what it forgets, after a sort was found needless for it (`SanityCheckPlan` refuses the plan then): what is constant on the right side of a join, and what is
//!   constant or equal in one input of a union. (A top-k sort of such an input by fewer keys lost rows besides: the inputs share one threshold.)
//!
//! A [`ConcealExec`] below keeps these to itself. [`Conceal`] puts one wherever it could matter before sorts are planned, since orders come up by that only;
//! [`Reveal`] takes away those that have concealed nothing, nearly all of them, before the rules that look for operators they know.
//!
//! Invariants: rows pass as they are, in their order. What an operator knows of its rows decides which sorts there are, and nothing else here.
//! Joins are hash joins and nested loops: `prefer_hash_join` plans no others.

use super::transparent::transparent;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{JoinType, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::equivalence::{EquivalenceClass, EquivalenceGroup};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::{CardinalityEffect, ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::filter_pushdown::{FilterDescription, FilterPushdownPhase};
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::projection::{ProjectionExec, make_with_child};
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties};
use std::fmt;
use std::sync::Arc;

/// What is concealed of an input, if there is any of it; then also its order, so that no sort is asked for below which would not be seen above.
#[derive(Clone, Copy, Debug)]
struct Concealed {
    values: Values,
    order: bool,
}

/// Which of the columns and expressions that are constant or equal.
#[derive(Clone, Copy, Debug)]
enum Values {
    None,
    /// Those that are not so in a row of NULLs.
    NotOfNulls,
    All,
}

impl Values {
    fn has(self, group: &EquivalenceGroup, class: &EquivalenceClass) -> bool {
        match self {
            Self::None => false,
            Self::NotOfNulls => !holds_for_nulls(group, class),
            Self::All => true,
        }
    }
}

impl Concealed {
    /// Of each input of a join or union.
    fn of_inputs(plan: &Arc<dyn ExecutionPlan>) -> Option<Vec<Self>> {
        if plan.is::<UnionExec>() {
            return Some(vec![Self { values: Values::All, order: false }; plan.children().len()]);
        }
        let hash_join = plan.downcast_ref::<HashJoinExec>();
        let join_type = match plan.downcast_ref::<NestedLoopJoinExec>() {
            Some(join) => join.join_type(),
            None => hash_join?.join_type(),
        };
        let left = match join_type {
            JoinType::Right | JoinType::Full => Values::NotOfNulls,
            _ => Values::None,
        };
        let right = Self { values: Values::NotOfNulls, order: false };
        Some(vec![Self { values: left, order: hash_join.is_some() }, right])
    }

    /// What is left of what is known.
    fn apply(self, known: &EquivalenceProperties) -> EquivalenceProperties {
        let (mut left, group) = (EquivalenceProperties::new(Arc::clone(known.schema())), known.eq_group());
        let classes = group.iter().filter(|class| !self.values.has(group, class));
        // This fails for none that the input had, and what is not known does no harm.
        let _ = left.add_equivalence_group(EquivalenceGroup::new(classes.cloned()));
        left
    }

    /// Whether there is any of it.
    fn matters(self, known: &EquivalenceProperties) -> bool {
        let group = known.eq_group();
        (self.order && !known.oeq_class().is_empty()) || group.iter().any(|class| self.values.has(group, class))
    }
}

/// Whether the expressions of a class are equal in a row of NULLs as well: columns, and not constant.
fn holds_for_nulls(group: &EquivalenceGroup, class: &EquivalenceClass) -> bool {
    class.iter().all(|expr| expr.is::<Column>() && group.is_expr_constant(expr).is_none())
}

/// The rule before sorts are planned.
#[derive(Debug)]
pub struct Conceal;

impl PhysicalOptimizerRule for Conceal {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            let Some(concealed) = Concealed::of_inputs(&plan) else { return Ok(Transformed::no(plan)) };
            // Orders come up when sorts are planned.
            let conceal = |(input, concealed): (&Arc<dyn ExecutionPlan>, Concealed)| match concealed.order
                || concealed.matters(input.equivalence_properties())
            {
                true => Arc::new(ConcealExec::new(Arc::clone(input), concealed)),
                false => Arc::clone(input),
            };
            let inputs = plan.children().into_iter().zip(concealed).map(conceal);
            let inputs = inputs.collect();
            plan.replace_children(inputs, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
                .map(Transformed::yes)
        })
        .data()
    }

    fn name(&self) -> &str {
        "Conceal"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The rule after it.
#[derive(Debug)]
pub struct Reveal;

impl PhysicalOptimizerRule for Reveal {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            let Some(ConcealExec { input, concealed, .. }) = plan.downcast_ref() else {
                return Ok(Transformed::no(plan));
            };
            if concealed.matters(input.equivalence_properties()) {
                return Ok(Transformed::no(plan));
            }
            Ok(Transformed::yes(Arc::clone(input)))
        })
        .data()
    }

    fn name(&self) -> &str {
        "Reveal"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// See the head of this file.
#[derive(Debug)]
pub struct ConcealExec {
    input: Arc<dyn ExecutionPlan>,
    concealed: Concealed,
    properties: Arc<PlanProperties>,
}

impl ConcealExec {
    fn new(input: Arc<dyn ExecutionPlan>, concealed: Concealed) -> Self {
        let known = PlanProperties::clone(input.properties());
        let properties = known.with_eq_properties(concealed.apply(input.equivalence_properties()));
        Self { input, concealed, properties: Arc::new(properties) }
    }

    fn with_input(&self, input: Arc<dyn ExecutionPlan>) -> Self {
        Self::new(input, self.concealed)
    }
}

impl DisplayAs for ConcealExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConcealExec")
    }
}

impl ExecutionPlan for ConcealExec {
    fn name(&self) -> &'static str {
        "ConcealExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    transparent!();

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }

    fn supports_limit_pushdown(&self) -> bool {
        true
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }

    fn try_swapping_with_projection(&self, projection: &ProjectionExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        if projection.expr().len() >= self.schema().fields().len() {
            return Ok(None);
        }
        let input = make_with_child(projection, &self.input)?;
        Ok(Some(Arc::new(self.with_input(input))))
    }

    fn gather_filters_for_pushdown(
        &self,
        _phase: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        _config: &ConfigOptions,
    ) -> Result<FilterDescription> {
        FilterDescription::from_children(parent_filters, &self.children())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizer::{CancelFlag, session_state};
    use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
    use datafusion::arrow::datatypes::Int64Type;
    use datafusion::common::ScalarValue;
    use datafusion::execution::runtime_env::RuntimeEnv;
    use datafusion::functions_aggregate::count::count_udaf;
    use datafusion::logical_expr::expr::WindowFunction;
    use datafusion::logical_expr::{Expr, ExprFunctionExt, WindowFrame};
    use datafusion::physical_plan::{collect, displayable};
    use datafusion::prelude::{DataFrame, SessionConfig, SessionContext, col, lit};

    /// Two tables, and where they are.
    async fn tables() -> (SessionContext, DataFrame, DataFrame) {
        let config = SessionConfig::new().with_target_partitions(2);
        let state = session_state(config, Arc::new(RuntimeEnv::default()), &CancelFlag::default());
        let context = SessionContext::new_with_state(state);
        let tables = [("t", "a", "b", [1, 2, 3, 4], [1, 1, 2, 2]), ("u", "c", "d", [2, 1, 3, 5], [0, 0, 1, 1])];
        for (table, first, second, keys, values) in tables {
            let column = |values: [i64; 4]| Arc::new(Int64Array::from_iter_values(values)) as ArrayRef;
            let batch = RecordBatch::try_from_iter([(first, column(keys)), (second, column(values))]).unwrap();
            context.register_batch(table, batch).unwrap();
        }
        let (t, u) = (context.table("t").await.unwrap(), context.table("u").await.unwrap());
        (context, t, u)
    }

    /// The values of a column, and the plan's operators.
    async fn column(rows: DataFrame, context: &SessionContext) -> (Vec<i64>, String) {
        let plan = rows.create_physical_plan().await.unwrap();
        let shown = displayable(plan.as_ref()).indent(false).to_string();
        let batches = collect(plan, context.task_ctx()).await.unwrap();
        let values = batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec());
        (values.collect(), shown)
    }

    /// What a query with a LIMIT gives, and a constant beside it.
    fn with_constant(table: DataFrame, key: &str) -> DataFrame {
        table.limit(0, Some(2)).unwrap().select([col(key), lit(7_i64).alias("x"), lit(8_i64).alias("y")]).unwrap()
    }

    #[tokio::test]
    async fn a_constant_beside_nulls_is_none() {
        let (context, t, u) = tables().await;
        let order = [col("x").sort(true, true), col("a").sort(true, true)];
        let constant = with_constant(u.clone(), "c");
        for (left, right, join_type, keys) in [
            (t.clone(), constant.clone(), JoinType::Left, ["a", "c"]),
            (constant.clone(), t.clone(), JoinType::Right, ["c", "a"]),
            (constant, t, JoinType::Full, ["c", "a"]),
        ] {
            let joined = left.join(right, join_type, &keys[..1], &keys[1..], None).unwrap();
            let sorted = joined.select_columns(&["a", "x"]).unwrap().sort(order.to_vec()).unwrap();
            let (values, plan) = column(sorted, &context).await;
            assert_eq!(values, [3, 4, 1, 2], "{plan}");
        }
    }

    #[tokio::test]
    async fn the_build_side_is_in_order_for_each_probed_row_only() {
        let (context, t, u) = tables().await;
        let first =
            |table: DataFrame, key| table.sort(vec![col(key).sort(true, true)]).unwrap().limit(0, Some(4)).unwrap();
        let joined = first(t, "a").join(first(u, "d"), JoinType::Inner, &["b"], &["c"], None).unwrap();
        let order = vec![col("d").sort(true, true), col("a").sort(true, true)];
        let sorted = joined.select_columns(&["a", "d"]).unwrap().sort(order).unwrap();
        let (values, plan) = column(sorted, &context).await;
        assert_eq!(values, [1, 2, 3, 4]);
        let [sort, join] = ["SortExec: expr=[d@1 ASC, a@0 ASC]", "HashJoinExec"].map(|operator| plan.find(operator));
        assert!(sort.is_some() && sort < join, "{plan}");
    }

    /// Without [`Conceal`] there is no plan.
    #[tokio::test]
    async fn what_a_join_forgets_is_not_relied_upon() {
        let (context, t, u) = tables().await;
        let joined = t.join(with_constant(u, "c"), JoinType::Inner, &["a"], &["c"], None).unwrap();
        let call = Expr::from(WindowFunction::new(count_udaf(), vec![col("a")]));
        let call = call.order_by(vec![col("y").sort(true, true), col("x").sort(true, true)]);
        let call = call.window_frame(WindowFrame::new(Some(false))).build().unwrap();
        let counted = joined.window(vec![call.alias("peers")]).unwrap().select_columns(&["peers"]).unwrap();
        let (values, plan) = column(counted, &context).await;
        assert_eq!(values, [2, 2], "{plan}");
    }

    /// Without [`Conceal`] there is no plan.
    #[tokio::test]
    async fn the_inputs_of_a_union_are_sorted_by_all_keys() {
        let (context, t, u) = tables().await;
        let columns = |a: Expr, b: Expr, c: Expr, d: Expr| [a.alias("a"), b.alias("b"), c.alias("c"), d.alias("d")];
        let [null, lit] = [lit(ScalarValue::Int64(None)), lit(3_i64)];
        let first = t.select(columns(col("b"), col("a") + lit.clone(), col("a") + lit.clone(), null.clone())).unwrap();
        let second = u.select(columns(lit.clone(), null.clone(), null, lit)).unwrap();
        let order = ["a", "b", "c", "d"].map(|key| col(key).sort(true, false)).to_vec();
        let (values, plan) = column(first.union(second).unwrap().sort(order).unwrap(), &context).await;
        assert_eq!(values, [1, 1, 2, 2, 3, 3, 3, 3], "{plan}");
    }

    #[tokio::test]
    async fn where_nothing_is_concealed_nothing_stays() {
        let (context, t, u) = tables().await;
        let joined = t.join(u, JoinType::Full, &["a"], &["c"], None).unwrap();
        let (_, plan) = column(joined.sort(vec![col("b").sort(true, true)]).unwrap(), &context).await;
        assert!(plan.contains("HashJoinExec") && !plan.contains("ConcealExec"), "{plan}");
    }
}
