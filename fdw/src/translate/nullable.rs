//! Can this expression be NULL?
//!
//! Asked where a sub-select costs more if it can. Only what is certain counts: a column that its relation declares NOT NULL and no
//! outer join has filled since, and counts.

use super::Translator;
use fusion_proto::plan::{Aggregate, Expr, ExprKind, JoinKind, Rel};

impl Translator<'_, '_> {
    /// Whether `expr` over the columns of `rels`, one after another, is never NULL.
    pub(super) fn is_never_null(&self, expr: &Expr, rels: &[(&Rel, usize)]) -> bool {
        match &expr.kind {
            ExprKind::Const(value) => value.is_some(),
            ExprKind::Column(column) => {
                let mut column = *column as usize;
                for &(rel, width) in rels {
                    if column < width {
                        return self.is_never_null_column(rel, column);
                    }
                    column -= width;
                }
                false
            }
            ExprKind::IsNull { .. } | ExprKind::IsBool { .. } => true,
            _ => false,
        }
    }

    fn is_never_null_column(&self, rel: &Rel, column: usize) -> bool {
        match rel {
            Rel::Scan { scan, .. } => {
                let def = self.scans.get(usize::from(scan.0));
                def.and_then(|def| def.columns.get(column)).is_some_and(|column| column.not_null)
            }
            Rel::Shared { id } => {
                self.shared.get(*id as usize).is_some_and(|shared| self.is_never_null_column(shared, column))
            }
            Rel::UnionAll { inputs, .. } => inputs.iter().all(|input| self.is_never_null_column(input, column)),
            Rel::Filter { input, .. }
            | Rel::Distinct { input }
            | Rel::Barrier { input }
            | Rel::Sort { input, .. }
            | Rel::Limit { input, .. } => self.is_never_null_column(input, column),
            Rel::Project { input, exprs } => {
                exprs.get(column).is_some_and(|expr| self.is_never_null(expr, &[(input, usize::MAX)]))
            }
            Rel::InnerJoin { inputs, .. } => {
                let widths: Option<Vec<(&Rel, usize)>> =
                    inputs.iter().map(|input| Some((input, self.width(input)?))).collect();
                let mut column = column;
                for (input, width) in widths.unwrap_or_default() {
                    if column < width {
                        return self.is_never_null_column(input, column);
                    }
                    column -= width;
                }
                false
            }
            Rel::Join { kind: JoinKind::Semi | JoinKind::Anti, left, .. } => self.is_never_null_column(left, column),
            Rel::Join { kind: JoinKind::Left | JoinKind::Mark, left, .. } => {
                self.width(left).is_some_and(|width| column < width && self.is_never_null_column(left, column))
            }
            Rel::Aggregate { input, groups, aggregates } => match groups.get(column) {
                Some(group) => self.is_never_null(group, &[(input, usize::MAX)]),
                None => aggregates
                    .get(column - groups.len())
                    .is_some_and(|call| matches!(call.function, Aggregate::CountStar | Aggregate::Count)),
            },
            _ => false,
        }
    }

    /// How many columns a relation has; None where that is not known here.
    fn width(&self, rel: &Rel) -> Option<usize> {
        Some(match rel {
            Rel::Scan { scan, .. } => self.scans.get(usize::from(scan.0))?.columns.len(),
            Rel::Shared { id } => self.width(self.shared.get(*id as usize)?)?,
            Rel::Values { types, .. } | Rel::UnionAll { types, .. } | Rel::SetOperation { types, .. } => types.len(),
            Rel::Filter { input, .. }
            | Rel::Distinct { input }
            | Rel::Barrier { input }
            | Rel::Sort { input, .. }
            | Rel::Limit { input, .. }
            | Rel::LimitWithTies { input, .. } => self.width(input)?,
            Rel::Window { input, calls } => self.width(input)? + calls.len(),
            Rel::Project { exprs, .. } => exprs.len(),
            Rel::InnerJoin { inputs, .. } => inputs.iter().map(|input| self.width(input)).sum::<Option<usize>>()?,
            Rel::Join { kind: JoinKind::Semi | JoinKind::Anti, left, .. } => self.width(left)?,
            Rel::Join { kind: JoinKind::Mark, left, .. } => self.width(left)? + 1,
            Rel::Join { kind: JoinKind::Left | JoinKind::Full, left, right, .. } => {
                self.width(left)? + self.width(right)?
            }
            Rel::Aggregate { groups, aggregates, .. } => groups.len() + aggregates.len(),
            Rel::GroupingSets { groups, aggregates, .. } => groups.len() + aggregates.len() + 1,
        })
    }
}
