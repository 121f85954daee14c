//! Which sub-selects in WHERE are semi and anti joins?
//!
//! A conjunct of WHERE that is `EXISTS (…)`, `NOT EXISTS (…)` or `x op ANY (SELECT …)` keeps or drops whole rows, so that it is
//! a join of what FROM gives (left) with the sub-select's rows (right). `NOT IN` is none of these: a NULL on the right would
//! make it NULL for every row.
//!
//! A correlated sub-select must be a plain `SELECT … FROM … WHERE …`: its conjuncts that refer to the outer query become the
//! join's. An uncorrelated one of ANY may be any query that translates.

use super::from::From;
use super::scope::{Bound, Column, Scope, Source, Typed, visit_columns};
use super::select::Place;
use super::{Refusal, Result, Translator, check_depth};
use crate::pg::node::{BoolOp, Node, NodeRef, SubLinkNode, Var};
use fusion_proto::plan::{Expr, ExprKind, JoinKind, Rel};
use pgrx::pg_sys::SubLinkType;

/// A conjunct that is a semi or anti join.
#[derive(Clone, Copy)]
pub(super) struct SemiJoin<'q> {
    kind: JoinKind,
    link: SubLinkNode<'q>,
}

/// The semi or anti join that a conjunct is, if it is one.
pub(super) fn semi_join(conjunct: NodeRef<'_>) -> Option<SemiJoin<'_>> {
    match conjunct.view() {
        Node::SubLink(link) if matches!(link.kind, SubLinkType::EXISTS_SUBLINK | SubLinkType::ANY_SUBLINK) => {
            Some(SemiJoin { kind: JoinKind::Semi, link })
        }
        Node::Bool { op: BoolOp::Not, args } => match args.first()?.view() {
            Node::SubLink(link) if link.kind == SubLinkType::EXISTS_SUBLINK => {
                Some(SemiJoin { kind: JoinKind::Anti, link })
            }
            _ => None,
        },
        _ => None,
    }
}

impl<'q> Translator<'q, '_> {
    /// Joins `left` with the sub-select.
    pub(super) fn join_sublink(&mut self, left: Bound<'q>, join: SemiJoin<'q>) -> Result<Bound<'q>> {
        let query = join.link.query;
        let correlated = query.node().has_columns_of_level(1);
        if query.node().has_columns_of_level(2) {
            return Err(Refusal::unsupported("a reference from a subquery to a query further out than the next"));
        }
        let (right, predicates) = match join.link.test {
            None if !correlated => {
                return Err(Refusal::unsupported("EXISTS (subquery) that does not refer to the outer query"));
            }
            Some(test) if !correlated => self.uncorrelated(&left, join.link, test)?,
            test => self.correlated(&left, join.link, test)?,
        };
        let width = left.columns.len() as u32;
        let relates = |predicate: &Expr| {
            let (mut outer, mut inner) = (false, false);
            visit_columns(predicate, &mut |column| if column < width { outer = true } else { inner = true });
            outer && inner
        };
        if !predicates.iter().any(relates) {
            return Err(Refusal::unsupported("a subquery whose rows have no condition in common with the outer row"));
        }
        let rel = Rel::Join { kind: join.kind, left: Box::new(left.rel), right: Box::new(right), predicates };
        Ok(Bound { rel, columns: left.columns })
    }

    /// `x op ANY (any query)`.
    fn uncorrelated(&mut self, left: &Bound<'q>, link: SubLinkNode<'q>, test: NodeRef<'q>) -> Result<(Rel, Vec<Expr>)> {
        let output = self.select(link.query, None, Place::Sublink)?;
        let width = left.columns.len();
        let outputs = output.columns.iter().enumerate().map(|(position, column)| Typed {
            expr: Expr::column(column.ty, (width + position) as u32),
            held: column.held,
        });
        let scope = Scope { sublink: outputs.collect(), ..Scope::new(left.columns.clone()) };
        let predicates = self.conjuncts(test, &scope)?;
        Ok((output.rel, predicates))
    }

    /// EXISTS or ANY over a plain sub-select that refers to the outer query.
    fn correlated(
        &mut self,
        left: &Bound<'q>,
        link: SubLinkNode<'q>,
        test: Option<NodeRef<'q>>,
    ) -> Result<(Rel, Vec<Expr>)> {
        let query = link.query;
        if let Some(clause) = query.unsupported_clause() {
            return Err(Refusal::unsupported(clause));
        }
        if test.is_none() {
            query.reduce_to_existence();
        }
        if !query.is_simple() {
            return Err(Refusal::unsupported("a correlated subquery with aggregates, grouping, LIMIT or WITH"));
        }
        query.normalise();
        check_depth(query.node())?;
        let From { bound: right, correlated } = self.in_level(query, |t| t.rows_of(query, true))?;

        // The sub-select's own conjuncts: the outer query is one level up.
        let outer = left.columns.iter().map(Column::seen_below);
        let below = Scope::new(outer.chain(right.columns.iter().cloned()).collect());
        let mut predicates =
            correlated.into_iter().map(|conjunct| self.condition(conjunct, &below)).collect::<Result<Vec<_>>>()?;

        if let Some(test) = test {
            let targets = query.targets().into_iter().filter(|target| !target.junk);
            let outputs = targets.map(|target| self.expr(target.expr, &below)).collect::<Result<_>>()?;
            // The comparison belongs to the outer query; the columns of the sub-select come through its parameters only.
            let hidden = right.columns.iter().map(|column| Column { source: HIDDEN, ..column.clone() });
            let columns = left.columns.iter().cloned().chain(hidden).collect();
            let above = Scope { sublink: outputs, ..Scope::new(columns) };
            predicates.extend(self.conjuncts(test, &above)?);
        }
        Ok((right.rel, predicates))
    }

    /// The conjuncts of a condition.
    fn conjuncts(&mut self, test: NodeRef<'q>, scope: &Scope<'q>) -> Result<Vec<Expr>> {
        Ok(match self.condition(test, scope)? {
            Expr { kind: ExprKind::And(conjuncts), .. } => conjuncts,
            other => vec![other],
        })
    }
}

/// A column that no expression names.
const HIDDEN: Source<'static> = Source::Column(Var { rtindex: 0, attnum: 0, level: u32::MAX });
