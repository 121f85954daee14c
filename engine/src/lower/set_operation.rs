//! INTERSECT and EXCEPT.
//!
//! Both are a union of the sides that marks each row with its side, grouped by all columns: a group's least and greatest mark tell which sides have it. With ALL, equal rows of a side are numbered first and the
//! number is one more column to group by: the n-th of the left side then meets the n-th of the right side, or nothing.
//!
//! Invariant: rows are equal as in DISTINCT (see [`super::aggregate`]).

use super::Lowering;
use super::aggregate::{Building, Output};
use super::compare::hashed;
use super::estimate::Estimate;
use super::held::Held;
use super::relation::Relation;
use super::union::concatenate;
use crate::{Error, Result};
use datafusion::functions_aggregate::min_max;
use datafusion::functions_window::row_number::row_number;
use datafusion::logical_expr::{ExprFunctionExt, LogicalPlanBuilder, lit};
use fusion_common::types::oid;
use fusion_common::{ColumnType, TypeRef};
use fusion_heapscan::arrow_type;
use fusion_proto::plan::{Rel, SetKind};

/// What rows of the left and of the right side are marked with.
const SIDES: [i32; 2] = [0, 1];

/// INTERSECT and EXCEPT.
pub fn counted(
    lowering: &mut Lowering<'_>,
    (kind, all): (SetKind, bool),
    (left, right): (&Rel, &Rel),
    types: &[TypeRef],
    depth: usize,
) -> Result<Relation> {
    let mut sides = vec![lowering.rel(left, depth)?, lowering.rel(right, depth)?];
    let mut all_types = types.to_vec();
    if all {
        all_types.push(TypeRef::plain(oid::INT8));
    }
    all_types.push(TypeRef::plain(oid::INT4));
    for (side, mark) in sides.iter_mut().zip(SIDES) {
        if all {
            *side = numbered(lowering, side.clone())?;
        }
        side.columns.push(Held { nullable: false, ..Held::new(lit(mark), ColumnType::Int4) });
    }
    let rows = match kind {
        SetKind::Intersect => sides.iter().map(|side| side.estimate.rows).fold(f64::MAX, f64::min),
        SetKind::Except => sides.first().map_or(1.0, |side| side.estimate.rows),
    };
    let input = concatenate(lowering, sides, &all_types)?;

    let mut building = Building::default();
    let Some((mark, columns)) = input.columns.split_last() else {
        return Err(Error::internal("a set operation without marks"));
    };
    let mark = mark.expr.clone();
    let mut outputs = columns.iter().map(|column| building.group(column.clone())).collect::<Result<Vec<_>>>()?;
    for extreme in [min_max::min_udaf(), min_max::max_udaf()] {
        outputs.push(Output::Call(building.call(extreme, mark.clone(), false, None), ColumnType::Int4));
    }
    let mut relation = building.finish(lowering, input, outputs)?;
    let (Some(greatest), Some(least)) = (relation.columns.pop(), relation.columns.pop()) else {
        return Err(Error::internal("a set operation without marks"));
    };
    let [of_left, of_right] = SIDES.map(lit);
    let wanted = match kind {
        SetKind::Intersect => least.expr.eq(of_left).and(greatest.expr.eq(of_right)),
        SetKind::Except => greatest.expr.eq(of_left),
    };
    relation.plan = LogicalPlanBuilder::new(relation.plan).filter(wanted)?.build()?;
    relation.columns.truncate(types.len());
    relation.estimate = Estimate::unknown(rows, types.len());
    Ok(relation)
}

/// A relation with the number of each row among its equals as one more column.
fn numbered(lowering: &mut Lowering<'_>, relation: Relation) -> Result<Relation> {
    let mut relation = lowering.project_columns(relation)?;
    let keys = relation.columns.iter().map(|column| hashed(column.clone())).collect();
    let (number, reference) = lowering.names.alias(row_number().partition_by(keys).build()?, "n");
    relation.plan = LogicalPlanBuilder::new(relation.plan).window(vec![number])?.build()?;
    let number = datafusion::logical_expr::cast(reference, arrow_type(ColumnType::Int8));
    relation.columns.push(Held { nullable: false, ..Held::new(number, ColumnType::Int8) });
    Ok(relation)
}
