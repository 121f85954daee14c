//! Which rows do UNION, INTERSECT and EXCEPT give?
//!
//! The sides are sub-selects of the range table. Where the type of a side's column is not that of the result, the planner converts it, and so
//! does the translation, through PostgreSQL's own `coerce_to_common_type`. How a column is held is settled as for the
//! branches of a CASE.
//!
//! Invariant: nested UNIONs whose columns have the same types are one [`Rel::UnionAll`]: an outer DISTINCT makes an inner one
//! superfluous.

use super::scope::{Bound, Column, Scope, Source};
use super::select::{Place, check_grouping};
use super::{Refusal, Result, Translator, check_width};
use crate::pg::node::Var;
use crate::pg::query::{QueryRef, RangeKind, SET_OPERATION_SIDE, SetOperation, SetTree};
use fusion_common::{ColumnType, TypeRef};
use fusion_proto::plan::{Rel, SetKind, case_type};
use pgrx::pg_sys;

/// A side of a set operation.
struct Side {
    rel: Rel,
    columns: Vec<(TypeRef, ColumnType)>,
}

impl<'q> Translator<'q, '_> {
    /// The rows of `tree`, the set operations of `query`. Their columns are those of the leftmost sub-select.
    pub(super) fn set_operations(&mut self, query: QueryRef<'q>, tree: SetTree<'q>) -> Result<Bound<'q>> {
        let mut leftmost = &tree;
        let rtindex = loop {
            match leftmost {
                SetTree::Leaf(rtindex) => break *rtindex,
                SetTree::Operation(operation) => leftmost = &operation.left,
            }
        };
        let side = self.set_tree(query, tree)?;
        let column = |(position, (ty, held)): (usize, (TypeRef, ColumnType))| Column {
            source: Source::Column(Var { rtindex, attnum: position as i16 + 1, level: 0 }),
            ty,
            held,
        };
        Ok(Bound { rel: side.rel, columns: side.columns.into_iter().enumerate().map(column).collect() })
    }

    fn set_tree(&mut self, query: QueryRef<'q>, tree: SetTree<'q>) -> Result<Side> {
        match tree {
            SetTree::Leaf(rtindex) => self.set_leaf(query, rtindex),
            SetTree::Operation(operation) => self.nested(|translator| translator.set_operation(query, *operation)),
        }
    }

    fn set_leaf(&mut self, query: QueryRef<'q>, rtindex: u32) -> Result<Side> {
        let Some(RangeKind::Subquery(select)) = query.range_entry(rtindex).map(|entry| entry.kind) else {
            return Err(Refusal::unsupported("a side of a set operation that is not a SELECT"));
        };
        let output = self.select(select, None, Place::From)?;
        Ok(Side { rel: output.rel, columns: output.columns.iter().map(|column| (column.ty, column.held)).collect() })
    }

    fn set_operation(&mut self, query: QueryRef<'q>, operation: SetOperation<'q>) -> Result<Side> {
        let SetOperation { kind, all, left, right, types, equalities, .. } = operation;
        check_width(types.len())?;
        let (name, kind) = match kind {
            pg_sys::SetOperation::SETOP_UNION => ("UNION", None),
            pg_sys::SetOperation::SETOP_INTERSECT => ("INTERSECT", Some(SetKind::Intersect)),
            pg_sys::SetOperation::SETOP_EXCEPT => ("EXCEPT", Some(SetKind::Except)),
            _ => return Err(Refusal::unsupported("this set operation")),
        };
        let left = self.set_tree(query, left)?;
        let left = self.coerced(query, left, &types)?;
        let right = self.set_tree(query, right)?;
        let right = self.coerced(query, right, &types)?;

        let mut columns: Vec<(TypeRef, ColumnType)> = Vec::with_capacity(types.len());
        for ((ty, (_, left)), (_, right)) in types.iter().zip(&left.columns).zip(&right.columns) {
            let held = case_type(&[*left, *right], *ty).map_err(|_| {
                Refusal::unsupported(format_args!("{name} of columns that the engine holds in different ways"))
            })?;
            columns.push((*ty, held));
        }
        if columns.len() != types.len() {
            return Err(Refusal("a side of a set operation lacks a column".to_owned()));
        }
        if kind.is_some() || !all {
            if equalities.len() != columns.len() || columns.is_empty() {
                return Err(Refusal::unsupported(format_args!("this form of {name}")));
            }
            for (equality, (ty, held)) in equalities.into_iter().zip(&columns) {
                check_grouping(name, equality, *held, *ty)?;
            }
        }
        let rel = match kind {
            Some(kind) => Rel::SetOperation { kind, all, left: Box::new(left.rel), right: Box::new(right.rel), types },
            None => union(all, left.rel, right.rel, types),
        };
        Ok(Side { rel, columns })
    }

    /// `side` with columns of the types `to`.
    fn coerced(&mut self, query: QueryRef<'q>, side: Side, to: &[TypeRef]) -> Result<Side> {
        if side.columns.iter().zip(to).all(|((from, _), to)| from.oid == to.oid) {
            return Ok(side);
        }
        let column = |(position, (ty, held)): (usize, &(TypeRef, ColumnType))| Column {
            source: Source::Column(Var { rtindex: SET_OPERATION_SIDE, attnum: position as i16 + 1, level: 0 }),
            ty: *ty,
            held: *held,
        };
        let scope = Scope::new(side.columns.iter().enumerate().map(column).collect());
        let mut exprs = Vec::with_capacity(to.len());
        let mut columns = Vec::with_capacity(to.len());
        for (position, (&to, &(from, _))) in to.iter().zip(&side.columns).enumerate() {
            let typed = self.expr(query.coerced_column(position as i16 + 1, from, to), &scope)?;
            columns.push((to, typed.held));
            exprs.push(typed.expr);
        }
        Ok(Side { rel: Rel::Project { input: Box::new(side.rel), exprs }, columns })
    }
}

/// The UNION of both, those of the same types inside taken apart.
fn union(all: bool, left: Rel, right: Rel, types: Vec<TypeRef>) -> Rel {
    let mut inputs = Vec::new();
    for side in [left, right] {
        match side {
            Rel::UnionAll { inputs: inner, types: inner_types } if same_types(&inner_types, &types) => {
                inputs.extend(inner)
            }
            Rel::Distinct { input } if !all => match *input {
                Rel::UnionAll { inputs: inner, types: inner_types } if same_types(&inner_types, &types) => {
                    inputs.extend(inner);
                }
                other => inputs.push(Rel::Distinct { input: Box::new(other) }),
            },
            other => inputs.push(other),
        }
    }
    let union = Rel::UnionAll { inputs, types };
    if all { union } else { Rel::Distinct { input: Box::new(union) } }
}

fn same_types(left: &[TypeRef], right: &[TypeRef]) -> bool {
    left.iter().zip(right).all(|(left, right)| left.oid == right.oid && left.typmod == right.typmod)
}
