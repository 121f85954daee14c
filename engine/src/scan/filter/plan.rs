//! Which predicates a scan evaluates, in which order, and what each needs.
//!
//! Invariants
//! - Positions: predicates name columns of their stage's batch (`StagePlan::refs`), `refs`, `fresh`, `rest` and `output` name places in
//!   `needed`, and `needed` names columns of the table. All orders of the same predicates have the same `needed`.
//! - A static predicate that may fail keeps its place among the others.

use super::Rate;
use crate::error::Result;
use crate::scan::Shared;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_expr::expressions::{Column, DynamicFilterPhysicalExpr};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr, conjunction};
use fusion_common::ColumnType;
use fusion_heapscan::Layout;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The predicates of a scan, in the order of their evaluation, and what they need.
#[derive(Debug)]
pub(in crate::scan) struct FilterPlan {
    shared: Arc<Shared>,
    groups: Vec<Group>,
    /// Table columns that come out.
    projection: Vec<usize>,
    /// Table columns that are decoded, ascending.
    pub(super) needed: Vec<usize>,
    /// All of them in one pass.
    pub(super) layout: Arc<Layout>,
    pub(super) stages: Vec<StagePlan>,
    pub(super) rest: Vec<usize>,
    pub(super) rest_layout: Arc<Layout>,
    pub(super) output: Vec<usize>,
    pub(super) schema: SchemaRef,
}

#[derive(Debug)]
pub(super) struct StagePlan {
    pub(super) predicate: Arc<dyn PhysicalExpr>,
    pub(super) dynamic: bool,
    /// Its evaluation may fail.
    pub(super) may_fail: bool,
    pub(super) refs: Vec<usize>,
    pub(super) schema: SchemaRef,
    /// Of `refs`, those that no stage before has decoded.
    pub(super) fresh: Vec<usize>,
    pub(super) layout: Arc<Layout>,
}

/// Whether an expression of this kind is anywhere in `predicate`.
fn contains<T: PhysicalExpr>(predicate: &Arc<dyn PhysicalExpr>) -> bool {
    // The closure does not fail.
    predicate.exists(|expr| Ok(expr.downcast_ref::<T>().is_some())).unwrap_or(false)
}

/// Whether `predicate` holds a filter that changes while the query runs.
pub(in crate::scan) fn is_dynamic(predicate: &Arc<dyn PhysicalExpr>) -> bool {
    contains::<DynamicFilterPhysicalExpr>(predicate)
}

/// `expr` with its columns at other positions.
pub(in crate::scan) fn with_positions(
    expr: &Arc<dyn PhysicalExpr>,
    position: impl Fn(usize) -> Option<usize>,
) -> Result<Arc<dyn PhysicalExpr>> {
    let moved = Arc::clone(expr).transform(|expr| match expr.downcast_ref::<Column>() {
        Some(column) => {
            let index = position(column.index()).ok_or_else(|| {
                datafusion::error::DataFusionError::Internal(format!("a filter names column {}", column.name()))
            })?;
            Ok(Transformed::yes(Arc::new(Column::new(column.name(), index)) as Arc<dyn PhysicalExpr>))
        }
        None => Ok(Transformed::no(expr)),
    })?;
    Ok(moved.data)
}

fn columns_of(expr: &Arc<dyn PhysicalExpr>) -> BTreeSet<usize> {
    collect_columns(expr).iter().map(Column::index).collect()
}

impl FilterPlan {
    /// `predicates` and `projection` name columns of the table.
    pub(in crate::scan) fn try_new(
        shared: &Arc<Shared>,
        predicates: &[Arc<dyn PhysicalExpr>],
        projection: &[usize],
    ) -> Result<Self> {
        let groups = grouped(predicates, |column| decoding_cost(shared, column));
        Self::of_groups(shared, groups, projection)
    }

    fn of_groups(shared: &Arc<Shared>, groups: Vec<Group>, projection: &[usize]) -> Result<Self> {
        let table = shared.schema();
        let mut needed: BTreeSet<usize> = projection.iter().copied().collect();
        needed.extend(groups.iter().flat_map(|group| &group.columns));
        let needed: Vec<usize> = needed.into_iter().collect();
        let place = |column: usize| needed.binary_search(&column).ok();
        let places = |columns: &mut dyn Iterator<Item = usize>| columns.filter_map(place).collect::<Vec<_>>();
        let layout_of = |places: &[usize]| -> Result<Arc<Layout>> {
            let columns: Vec<usize> = places.iter().filter_map(|&place| needed.get(place).copied()).collect();
            Ok(Arc::new(shared.layout(&columns)?))
        };

        let mut decoded = BTreeSet::new();
        let mut stages = Vec::with_capacity(groups.len());
        for Group { predicate, dynamic, columns, stays, .. } in &groups {
            let refs = places(&mut columns.iter().copied());
            let fresh: Vec<usize> = refs.iter().copied().filter(|place| decoded.insert(*place)).collect();
            let predicate = with_positions(predicate, |column| columns.iter().position(|&known| known == column))?;
            let schema = Arc::new(table.project(&columns.iter().copied().collect::<Vec<_>>())?);
            let layout = layout_of(&fresh)?;
            stages.push(StagePlan { predicate, dynamic: *dynamic, may_fail: *stays, refs, schema, fresh, layout });
        }
        let output = places(&mut projection.iter().copied());
        let wanted: BTreeSet<usize> = output.iter().copied().collect();
        let rest: Vec<usize> = wanted.into_iter().filter(|place| !decoded.contains(place)).collect();
        Ok(Self {
            shared: Arc::clone(shared),
            groups,
            projection: projection.to_vec(),
            layout: Arc::new(shared.layout(&needed)?),
            rest_layout: layout_of(&rest)?,
            stages,
            rest,
            output,
            schema: Arc::new(table.project(projection)?),
            needed,
        })
    }

    /// Table columns that are needed, ascending.
    pub(in crate::scan) fn needed(&self) -> &[usize] {
        &self.needed
    }

    /// The order in which predicates with these rates drop most rows for what they cost; those that stay in their place divide the
    /// others.
    pub(super) fn best_order(&self, rates: &[Rate]) -> Vec<usize> {
        // What a row that is not dropped costs for each row that is.
        let rank = |index: &usize| match (self.groups.get(*index), rates.get(*index)) {
            (Some(group), Some(rate)) if rate.passed < rate.seen => {
                let cost = rate.cost().unwrap_or_else(|| f64::from(STAGE_COST + group.cost));
                cost * rate.seen as f64 / (rate.seen - rate.passed) as f64
            }
            _ => f64::INFINITY,
        };
        let all: Vec<usize> = (0..self.groups.len()).collect();
        let movable = |index: &usize| self.groups.get(*index).is_some_and(|group| !group.stays);
        let mut order = Vec::with_capacity(all.len());
        for run in all.chunk_by(|left, right| movable(left) && movable(right)) {
            let mut run = run.to_vec();
            run.sort_by(|left, right| rank(left).total_cmp(&rank(right)));
            order.extend(run);
        }
        order
    }

    pub(super) fn in_order(&self, order: &[usize]) -> Result<Self> {
        let groups = order.iter().filter_map(|&index| self.groups.get(index).cloned()).collect();
        Self::of_groups(&self.shared, groups, &self.projection)
    }
}

/// Going through the tuples of a page once more, in the units of [`decoding_cost`]: about a nanosecond a row.
const STAGE_COST: u32 = 6;
/// Looking a value up in a join's hash table.
const LOOKUP_COST: u32 = 10;

/// What decoding a column costs: the walk over what precedes it, and the value.
fn decoding_cost(shared: &Shared, column: usize) -> u32 {
    let Some(column) = shared.info.columns.get(column) else { return 0 };
    let fixed = shared.info.attributes.iter().take_while(|attribute| attribute.length > 0).count();
    let walk = usize::from(column.attnum).saturating_sub(fixed) as u32;
    let value = match column.column_type {
        ColumnType::Text | ColumnType::Bpchar { .. } | ColumnType::NumericVar | ColumnType::Opaque => 8,
        ColumnType::Numeric { .. } => 6,
        _ => 1,
    };
    walk + value
}

/// Predicates that are evaluated together, over columns of the table.
#[derive(Clone, Debug)]
struct Group {
    predicate: Arc<dyn PhysicalExpr>,
    dynamic: bool,
    columns: BTreeSet<usize>,
    cost: u32,
    /// Keeps its place among the others.
    stays: bool,
}

/// Static predicates over the same columns together, the cheapest first, and dynamic ones before whatever costs more: join keys tend to be
/// the first columns. A static predicate that calls a function may fail on rows that one before it would have dropped, so that it keeps its
/// place, as it does in PostgreSQL.
fn grouped(predicates: &[Arc<dyn PhysicalExpr>], cost: impl Fn(usize) -> u32) -> Vec<Group> {
    let cost_of = |columns: &BTreeSet<usize>| columns.iter().map(|&column| cost(column)).sum::<u32>();
    let (dynamic, fixed): (Vec<_>, Vec<_>) = predicates.iter().partition(|predicate| is_dynamic(predicate));
    let mut groups: Vec<Group> = Vec::new();
    for run in fixed.chunk_by(|left, right| !may_fail(left) && !may_fail(right)) {
        let mut of_run: Vec<Group> = Vec::new();
        for predicate in run {
            let columns = columns_of(predicate);
            match of_run.iter_mut().find(|group| group.columns == columns) {
                Some(group) => {
                    group.predicate = conjunction([Arc::clone(&group.predicate), Arc::clone(predicate)]);
                }
                None => of_run.push(Group {
                    predicate: Arc::clone(predicate),
                    dynamic: false,
                    cost: cost_of(&columns),
                    columns,
                    stays: may_fail(predicate),
                }),
            }
        }
        of_run.sort_by_key(|group| group.cost);
        groups.extend(of_run);
    }
    for predicate in dynamic {
        let columns = columns_of(predicate);
        let cost = cost_of(&columns) + LOOKUP_COST;
        let place = groups.iter().position(|group| group.cost > cost).unwrap_or(groups.len());
        groups.insert(place, Group { predicate: Arc::clone(predicate), dynamic: true, columns, cost, stays: false });
    }
    groups
}

/// Whether a function is called in `predicate`.
fn may_fail(predicate: &Arc<dyn PhysicalExpr>) -> bool {
    contains::<ScalarFunctionExpr>(predicate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::logical_expr::Operator;
    use datafusion::physical_expr::expressions::{binary, lit};

    fn column(index: usize) -> Arc<dyn PhysicalExpr> {
        Arc::new(Column::new(&format!("c{index}"), index))
    }

    #[test]
    fn predicates_over_the_same_columns_are_one_stage_and_the_cheapest_is_first() {
        let schema = datafusion::arrow::datatypes::Schema::new(
            (0..3)
                .map(|index| {
                    datafusion::arrow::datatypes::Field::new(
                        format!("c{index}"),
                        datafusion::arrow::datatypes::DataType::Int32,
                        true,
                    )
                })
                .collect::<Vec<_>>(),
        );
        let compare = |index, op| binary(column(index), op, lit(1i32), &schema).unwrap();
        let predicates = [compare(2, Operator::Gt), compare(0, Operator::Gt), compare(2, Operator::Lt)];
        let groups = grouped(&predicates, |column| column as u32);
        let columns: Vec<Vec<usize>> = groups.iter().map(|group| group.columns.iter().copied().collect()).collect();
        assert_eq!(columns, [vec![0], vec![2]]);
        assert!(groups.iter().all(|group| !group.dynamic));
    }
}
