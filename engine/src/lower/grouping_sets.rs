//! GROUPING SETS, ROLLUP and CUBE.
//!
//! Every input row is taken once per set, with the set's number (a cross join with the numbers, which copies no columns), and grouped by the
//! number and by all expressions, NULL where the set lacks them. So one pass over the input does for all sets, and groups are what they are
//! in [`super::aggregate`]. The number tells NULLs of the data from NULLs of the set, and a set from another one like it.
//!
//! Invariant: the empty set has its row also over no rows: a full join with the numbers of the empty sets adds what is missing.

use super::Lowering;
use super::aggregate::Building;
use super::estimate::Estimate;
use super::expr::Scope;
use super::held::Held;
use super::relation::Relation;
use crate::{Error, Result};
use datafusion::common::JoinType;
use datafusion::functions::expr_fn::coalesce;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit, when};
use fusion_common::ColumnType;
use fusion_proto::plan::{self as ir, Aggregate};

/// Columns: groups, aggregates, the set's number.
pub fn grouping_sets(
    lowering: &mut Lowering<'_>,
    input: &ir::Rel,
    (groups, sets): (&[ir::Expr], &[Vec<u32>]),
    aggregates: &[ir::AggregateCall],
    depth: usize,
) -> Result<Relation> {
    let (input, keys) = with_keys(lowering, input, groups, depth)?;
    let all = (0..sets.len()).map(|set| set as i32);
    let (numbers, number) = numbers(lowering, all)?;
    let rows = input.estimate.rows * sets.len() as f64;
    let Relation { plan, columns, .. } = input;
    let plan = LogicalPlanBuilder::new(numbers).cross_join(plan)?.build()?;
    let estimate = Estimate::unknown(rows, columns.len());
    let input = Relation { plan, columns, estimate };

    let mut building = Building::default();
    let mut outputs = Vec::with_capacity(groups.len() + aggregates.len() + 1);
    for (position, key) in keys.into_iter().enumerate() {
        outputs.push(building.group(of_sets(key, &number, position as u32, sets)?)?);
    }
    let scope = Scope { columns: &input.columns, params: lowering.params, depth };
    outputs.extend(building.calls_of(scope, aggregates)?);
    let set = Held { nullable: false, ..Held::new(number, ColumnType::Int4) };
    outputs.push(building.group(set)?);
    let grouped = building.finish(lowering, input, outputs)?;

    let empty: Vec<i32> =
        sets.iter().enumerate().filter(|(_, set)| set.is_empty()).map(|(number, _)| number as i32).collect();
    if empty.is_empty() { Ok(grouped) } else { with_empty_sets(lowering, grouped, &empty, aggregates) }
}

/// The input with the grouping expressions as columns.
fn with_keys(
    lowering: &mut Lowering<'_>,
    input: &ir::Rel,
    groups: &[ir::Expr],
    depth: usize,
) -> Result<(Relation, Vec<Held>)> {
    let mut input = lowering.rel(input, depth)?;
    let scope = Scope { columns: &input.columns, params: lowering.params, depth };
    let keys = groups.iter().map(|group| scope.expr(group)).collect::<Result<Vec<_>>>()?;
    let width = input.columns.len();
    input.columns.extend(keys);
    let mut input = lowering.project_columns(input)?;
    let keys = input.columns.split_off(width);
    Ok((input, keys))
}

/// A relation of these numbers, and its column.
fn numbers(lowering: &mut Lowering<'_>, numbers: impl Iterator<Item = i32>) -> Result<(LogicalPlan, Expr)> {
    let rows: Vec<Vec<Expr>> = numbers.map(|number| vec![lit(number)]).collect();
    let values = LogicalPlanBuilder::values(rows)?;
    let column = values.schema().columns().into_iter().next();
    let column = column.ok_or_else(|| Error::internal("numbers of no grouping sets"))?;
    let (expr, reference) = lowering.names.alias(Expr::Column(column), "set");
    Ok((values.project(vec![expr])?.build()?, reference))
}

/// A grouping expression: NULL in the sets that lack it.
fn of_sets(key: Held, number: &Expr, position: u32, sets: &[Vec<u32>]) -> Result<Held> {
    let with: Vec<Expr> =
        sets.iter().enumerate().filter(|(_, set)| set.contains(&position)).map(|(set, _)| lit(set as i32)).collect();
    if with.len() == sets.len() {
        return Ok(key);
    }
    let expr = when(number.clone().in_list(with, false), key.expr).end()?;
    Ok(Held::new(expr, key.column_type))
}

/// Adds the rows of empty sets that found no input.
fn with_empty_sets(
    lowering: &mut Lowering<'_>,
    grouped: Relation,
    empty: &[i32],
    aggregates: &[ir::AggregateCall],
) -> Result<Relation> {
    let (numbers, number) = numbers(lowering, empty.iter().copied())?;
    let Some((set, _)) = grouped.columns.split_last() else {
        return Err(Error::internal("grouping sets without their number"));
    };
    let set = set.expr.clone();
    let keys = (vec![number.clone()], vec![set.clone()]);
    let plan =
        LogicalPlanBuilder::new(numbers).join_with_expr_keys(grouped.plan, JoinType::Full, keys, None)?.build()?;
    let width = grouped.columns.len();
    let first_aggregate = width - 1 - aggregates.len();
    let mut columns = grouped.columns;
    for (position, column) in columns.iter_mut().enumerate() {
        column.nullable = true;
        let function = position.checked_sub(first_aggregate).and_then(|call| aggregates.get(call));
        let function = function.map(|call| call.function);
        if position + 1 == width {
            column.expr = coalesce(vec![set.clone(), number.clone()]);
        } else if matches!(function, Some(Aggregate::CountStar | Aggregate::Count)) {
            column.expr = coalesce(vec![column.expr.clone(), lit(0i64)]);
        }
    }
    lowering.project_columns(Relation { plan, columns, estimate: grouped.estimate })
}
