//! What may be evaluated for which rows, where row security or a security-barrier view applies?
//!
//! What row security lets a user see, and what a security-barrier view gives, stands below a [`Rel::Barrier`]: conditions of the query that may
//! leak come above it, the others below. Policies are conditions in the order in which PostgreSQL evaluates them.

use super::from::{InnerInputs, push_conjuncts};
use super::scope::{Bound, Column, Scope, Source};
use super::sublink::semi_join;
use super::{Result, Translator};
use crate::pg::node::{Node, NodeRef};
use fusion_common::TypeRef;
use fusion_proto::plan::{ExprKind, Rel};

impl<'q> Translator<'q, '_> {
    /// The rows of `bound` that `policies` let through, below a barrier. One that may leak sees no rows that those before it take away.
    pub(super) fn secured(&mut self, mut bound: Bound<'q>, policies: &[NodeRef<'q>]) -> Result<Bound<'q>> {
        for (level, &policy) in policies.iter().enumerate() {
            if level > 0 && policy.may_leak() {
                bound = bound.behind_barrier();
            }
            let mut conjuncts = Vec::new();
            push_conjuncts(policy, &mut conjuncts);
            for conjunct in conjuncts {
                bound = match semi_join(conjunct) {
                    Some(join) => self.join_sublink(bound, join)?,
                    None => self.filtered(bound, conjunct)?,
                };
            }
        }
        let mut bound = bound.behind_barrier();
        self.estimate(&mut bound.rel, &[], 0);
        Ok(bound)
    }

    /// Brings conjuncts that cannot leak below the barrier of the input that they are about.
    pub(super) fn pass_barriers(&mut self, inner: &mut InnerInputs<'q>) -> Result<()> {
        for input in &mut inner.inputs {
            if !matches!(input.rel, Rel::Barrier { .. }) {
                continue;
            }
            let columns = input.columns.clone();
            let is_own = |node: NodeRef<'q>| {
                !node.any(|node| match node.view() {
                    Node::Var(var) => {
                        !columns.iter().any(|known| matches!(known.source, Source::Column(own) if own == var))
                    }
                    _ => false,
                })
            };
            let passes = |node: &NodeRef<'q>| node.has_columns_of_level(0) && is_own(*node) && !node.may_leak();
            let (passing, staying): (Vec<_>, Vec<_>) = inner.plain.iter().copied().partition(passes);
            inner.plain = staying;
            let scope = Scope::new(columns.clone());
            let predicates = passing.into_iter().map(|conjunct| self.condition(conjunct, &scope));
            let predicates = predicates.collect::<Result<Vec<_>>>()?;
            if let (Rel::Barrier { input: below }, false) = (&mut input.rel, predicates.is_empty()) {
                let secured = std::mem::replace(below.as_mut(), Rel::Values { types: Vec::new(), rows: Vec::new() });
                **below = Rel::Filter { input: Box::new(secured), predicates };
            }
        }
        Ok(())
    }

    /// Some columns of a table behind a barrier (a fusion table whose heap relation has row security) as the table behind the barrier, so that
    /// conditions find it.
    pub(super) fn raise_barrier(&self, bound: Bound<'q>) -> Bound<'q> {
        let Rel::Project { input, exprs } = &bound.rel else { return bound };
        let types = match input.as_ref() {
            Rel::Barrier { input } => self.table_types(input),
            _ => None,
        };
        let Some(types) = types else { return bound };
        let hidden = |ty: TypeRef| Column { source: Source::Hidden, ty, held: ty.column_type() };
        let mut columns: Vec<Column<'q>> = types.into_iter().map(hidden).collect();
        for (expr, column) in exprs.iter().zip(&bound.columns) {
            let position = match expr.kind {
                ExprKind::Column(position) => position as usize,
                _ => return bound,
            };
            match columns.get_mut(position) {
                Some(place) if matches!(place.source, Source::Hidden) && place.held == column.held => {
                    *place = column.clone()
                }
                _ => return bound,
            }
        }
        match bound.rel {
            Rel::Project { input, .. } => Bound { rel: *input, columns },
            rel => Bound { rel, columns: bound.columns },
        }
    }

    /// Types of the columns of a table, with filters or without.
    fn table_types(&self, rel: &Rel) -> Option<Vec<TypeRef>> {
        match rel {
            Rel::Scan { scan, .. } => {
                let scan = self.scans.get(usize::from(scan.0))?;
                Some(scan.columns.iter().map(|column| column.ty).collect())
            }
            Rel::UnionAll { types, .. } => Some(types.clone()),
            Rel::Filter { input, .. } | Rel::Barrier { input } => self.table_types(input),
            _ => None,
        }
    }
}

impl Bound<'_> {
    /// The same rows, which what comes above looks at only where what is below has let them through.
    fn behind_barrier(self) -> Self {
        Self { rel: Rel::Barrier { input: Box::new(self.rel) }, columns: self.columns }
    }
}
