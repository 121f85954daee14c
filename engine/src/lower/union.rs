//! UNION ALL: the rows of all inputs, in any order.
//!
//! Invariant: all inputs are projected to the same columns, held the same way and under the same names, so that DataFusion's Union,
//! which goes by position and by the first input's names, changes nothing.

use super::Lowering;
use super::estimate::Estimate;
use super::expr::unsupported;
use super::held::Held;
use super::relation::Relation;
use crate::{Error, Result};
use datafusion::common::Column;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Union, lit};
use fusion_common::{ColumnType, TypeRef};
use fusion_proto::plan::{self as ir, Rel};
use std::sync::Arc;

/// Lowers `Rel::UnionAll`.
pub fn union_all(lowering: &mut Lowering<'_>, inputs: &[Rel], types: &[TypeRef], depth: usize) -> Result<Relation> {
    let inputs = inputs.iter().map(|input| lowering.rel(input, depth)).collect::<Result<Vec<_>>>()?;
    concatenate(lowering, inputs, types)
}

/// The rows of lowered inputs, whose columns are expressions over their plans.
pub fn concatenate(lowering: &mut Lowering<'_>, inputs: Vec<Relation>, types: &[TypeRef]) -> Result<Relation> {
    if inputs.is_empty() || inputs.iter().any(|input| input.columns.len() != types.len()) {
        return Err(Error::internal("inputs of UNION ALL have another number of columns than it"));
    }
    let held = |(index, ty): (usize, &TypeRef)| {
        let column = inputs.iter().filter_map(|input| input.columns.get(index));
        let held: Vec<ColumnType> = column.filter(|held| !held.is_null()).map(|held| held.column_type).collect();
        ir::case_type(&held, *ty).map_err(unsupported)
    };
    let held = types.iter().enumerate().map(held).collect::<Result<Vec<_>>>()?;
    let names: Vec<String> = types.iter().map(|_| lowering.names.fresh("u")).collect();
    let column = |index: usize| inputs.iter().filter_map(move |input| input.columns.get(index));
    let nullable: Vec<bool> = (0..types.len()).map(|index| column(index).any(|held| held.nullable)).collect();
    let estimate = sum(&inputs);

    let mut plans = Vec::with_capacity(inputs.len());
    for input in inputs {
        let columns = input.columns.into_iter().zip(&held).zip(&names);
        let mut exprs = columns
            .map(|((column, held), name)| Ok(column.convert(*held)?.expr.alias(name)))
            .collect::<Result<Vec<_>>>()?;
        if exprs.is_empty() {
            // Rows without columns are rows all the same; nobody refers to this one.
            exprs.push(lit(true).alias("u"));
        }
        plans.push(Arc::new(LogicalPlanBuilder::new(input.plan).project(exprs)?.build()?));
    }
    let plan =
        if plans.len() == 1 { plans.remove(0).as_ref().clone() } else { LogicalPlan::Union(Union::try_new(plans)?) };
    let columns = names.into_iter().zip(held).zip(nullable).map(|((name, held), nullable)| Held {
        nullable,
        ..Held::new(Expr::Column(Column::new_unqualified(name)), held)
    });
    Ok(Relation { plan, columns: columns.collect(), estimate })
}

/// Rows and distinct values add up, the latter up to the rows; what is unique in each input need not be so in all.
fn sum(inputs: &[Relation]) -> Estimate {
    let total = |rows: fn(&Estimate) -> f64| inputs.iter().map(|input| rows(&input.estimate)).sum::<f64>();
    let columns = inputs.first().map_or(0, |input| input.columns.len());
    let base_rows = total(|estimate| estimate.base_rows).max(1.0);
    let distinct = |column: usize| {
        let each: Option<Vec<f64>> =
            inputs.iter().map(|input| input.estimate.distinct.get(column).copied().flatten()).collect();
        // Between all the same and all different: the largest at least.
        each.map(|each| each.iter().copied().fold(1.0, f64::max).max(each.iter().sum::<f64>() / 2.0).min(base_rows))
    };
    Estimate {
        rows: total(|estimate| estimate.rows).max(1.0),
        base_rows,
        distinct: (0..columns).map(distinct).collect(),
        unique: Vec::new(),
        filtered: inputs.iter().all(|input| input.estimate.filtered),
        single_row: false,
    }
}
