//! In which order are the clauses of one SELECT applied?
//!
//! FROM and WHERE, GROUP BY and HAVING, the select list, DISTINCT, ORDER BY, LIMIT. The select list is computed together with
//! the sort keys that are not in it; a last projection drops those.

use super::correlate::Outer;
use super::scope::{Bound, Column, Scope, Source, Typed};
use super::sort::PostSort;
use super::{Refusal, Result, Translator, check_depth, check_width, collation, operator};
use crate::pg::names;
use crate::pg::node::{Node, NodeRef};
use crate::pg::query::{QueryRef, SortGroup, Target};
use fusion_common::{ColumnType, TypeRef};
use fusion_proto::plan::{CompareOp, Expr, Rel};
use std::collections::BTreeSet;

/// Where a SELECT stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The query itself.
    Top,
    /// In FROM, or in WITH.
    From,
    /// In an expression, where the order of rows does not matter.
    Sublink,
}

/// A translated SELECT.
pub(super) struct Output {
    pub rel: Rel,
    pub columns: Vec<OutputField>,
    /// What relates its rows to the rows around (see `correlate`): columns of `rel` after `columns`.
    pub carried: Vec<CarriedField>,
    /// Only at [`Place::Top`].
    pub post_sort: Option<PostSort>,
}

/// A carried column of a translated SELECT.
pub(super) struct CarriedField {
    ty: TypeRef,
    held: ColumnType,
}

impl CarriedField {
    /// The column, where it stands at that position.
    pub fn at(&self, position: usize) -> Typed {
        Typed { expr: Expr::column(self.ty, position as u32), held: self.held }
    }
}

/// A column of a translated SELECT.
pub(super) struct OutputField {
    pub name: String,
    pub ty: TypeRef,
    pub held: ColumnType,
    /// `resno` of the target list entry.
    pub number: i16,
}

impl<'q> Translator<'q, '_> {
    /// Translates a SELECT; only columns in `wanted` are needed of it, or all.
    pub(super) fn select(
        &mut self,
        query: QueryRef<'q>,
        wanted: Option<&BTreeSet<i16>>,
        place: Place,
    ) -> Result<Output> {
        if let Some(clause) = query.unsupported_clause() {
            return Err(Refusal::unsupported(clause));
        }
        if let Some(wanted) = wanted.filter(|_| query.distinct().is_empty()) {
            query.keep_targets(wanted);
        }
        query.normalise();
        check_depth(query.node())?;
        self.in_level(query, |translator| translator.clauses(query, place, Outer::None))
    }

    /// Runs `inner` inside the query level of `query`.
    pub(super) fn in_level<T>(&mut self, query: QueryRef<'q>, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.levels.push(query);
        let result = self.nested(inner);
        self.levels.pop();
        result
    }

    /// The clauses of a normalised SELECT. What `outer` carries, the result has.
    pub(super) fn clauses(&mut self, query: QueryRef<'q>, place: Place, outer: Outer<'q>) -> Result<Output> {
        let domain = match &outer {
            Outer::Domain(domain) => Some(Bound { rel: domain.rel.clone(), columns: domain.columns.clone() }),
            Outer::None | Outer::Keys(_) => None,
        };
        let (bound, carried) = self.carried_rows(query, outer)?;
        let grouped = query.is_grouped();
        let bound = if grouped { self.aggregate(query, bound, &carried, domain)? } else { bound };
        let bound = self.with_sublinks(bound, query.targets().into_iter().map(|target| target.expr))?;
        let scope = Scope { grouped, ..Scope::new(bound.columns.clone()) };
        let targets = query.targets();
        let (visible, junk): (Vec<&Target<'q>>, Vec<&Target<'q>>) = targets.iter().partition(|target| !target.junk);
        if visible.is_empty() {
            return Err(Refusal::unsupported("a select list without columns"));
        }

        let limited = query.limit().is_some() || query.offset().is_some();
        let order = if place == Place::Sublink && !limited { Vec::new() } else { query.order_by() };
        let is_key = |target: &Target<'_>| order.iter().any(|key| key.reference == target.reference);
        let listed: Vec<&Target<'q>> =
            visible.iter().copied().chain(junk.into_iter().filter(|target| is_key(target))).collect();
        check_width(listed.len())?;

        let computed = listed.iter().map(|target| self.expr(target.expr, &scope)).collect::<Result<Vec<Typed>>>()?;
        let field = |(target, typed): (&&Target<'q>, &Typed)| OutputField {
            name: target.name.clone(),
            ty: target.expr.type_ref(),
            held: typed.held,
            number: target.number,
        };
        let mut columns: Vec<OutputField> = listed.iter().zip(&computed).map(field).collect();
        let mut exprs: Vec<Expr> = computed.into_iter().map(|typed| typed.expr).collect();
        let carried = carried_fields(&bound, &carried, &mut exprs)?;
        let mut rel = Rel::Project { input: Box::new(bound.rel), exprs };

        if !query.distinct().is_empty() {
            check_distinct(&query.distinct(), &listed, &columns)?;
            if listed.len() > visible.len() {
                return Err(Refusal::unsupported("DISTINCT ordered by something else than its columns"));
            }
            rel = Rel::Distinct { input: Box::new(rel) };
        }

        let keys = super::sort::keys(&order, &listed, &columns)?;
        if super::sort::needs_postgres(&keys) {
            if place != Place::Top {
                return Err(super::sort::refusal(&keys));
            }
            let post_sort = PostSort::new(&keys, query)?;
            return Ok(Output { rel, columns, carried, post_sort: Some(post_sort) });
        }
        rel = super::sort::sort(rel, &keys, &columns);
        rel = self.limit(rel, query)?;
        if listed.len() > visible.len() {
            columns.truncate(visible.len());
            let mut exprs: Vec<Expr> =
                columns.iter().enumerate().map(|(i, column)| Expr::column(column.ty, i as u32)).collect();
            let after = carried.iter().enumerate().map(|(i, column)| column.at(listed.len() + i).expr);
            exprs.extend(after);
            rel = Rel::Project { input: Box::new(rel), exprs };
        }
        Ok(Output { rel, columns, carried, post_sort: None })
    }

    fn limit(&mut self, input: Rel, query: QueryRef<'q>) -> Result<Rel> {
        let count = self.row_count(query.limit())?;
        let offset = self.row_count(query.offset())?;
        if count.is_none() && offset.is_none() {
            return Ok(input);
        }
        Ok(Rel::Limit { input: Box::new(input), offset, count })
    }

    /// A row count of LIMIT or OFFSET; None where there is none.
    fn row_count(&mut self, node: Option<NodeRef<'q>>) -> Result<Option<Expr>> {
        match node.map(|node| (node, node.view())) {
            None | Some((_, Node::Const(None))) => Ok(None),
            Some((node, _)) => Ok(Some(self.expr(node, &Scope::default())?.expr)),
        }
    }
}

/// Adds the carried columns of `bound` to what is computed.
fn carried_fields<'q>(bound: &Bound<'q>, carried: &[Source<'q>], exprs: &mut Vec<Expr>) -> Result<Vec<CarriedField>> {
    let mut fields = Vec::with_capacity(carried.len());
    for &source in carried {
        let position = bound.position(source);
        let Some((position, column)) = position.and_then(|at| Some((at, bound.columns.get(at)?))) else {
            return Err(Refusal::unsupported("this reference from a subquery to an outer query"));
        };
        let &Column { ty, held, .. } = column;
        exprs.push(column.at(position).expr);
        fields.push(CarriedField { ty, held });
    }
    Ok(fields)
}

impl<'q> Bound<'q> {
    /// The rows for which all of `predicates` are true.
    pub fn filter(self, predicates: Vec<Expr>) -> Self {
        if predicates.is_empty() {
            return self;
        }
        Self { rel: Rel::Filter { input: Box::new(self.rel), predicates }, columns: self.columns }
    }
}

/// Refuses DISTINCT by an equality that is not that of the engine.
fn check_distinct(clauses: &[SortGroup], listed: &[&Target<'_>], columns: &[OutputField]) -> Result<()> {
    for clause in clauses {
        let position = listed.iter().position(|target| target.reference == clause.reference);
        let Some(column) = position.and_then(|position| columns.get(position)) else {
            return Err(Refusal::unsupported("this form of DISTINCT"));
        };
        check_grouping("DISTINCT", clause.equality, column.held, column.ty)?;
    }
    Ok(())
}

/// Refuses equality of values that is not that of the engine.
pub(super) fn check_grouping(what: &str, equality: u32, held: ColumnType, ty: TypeRef) -> Result<()> {
    let is_known = operator::comparison(names::operator_function(equality)) == Some(CompareOp::Eq);
    if !is_known || !operator::is_comparable_with(held, held) {
        return Err(Refusal::unsupported(format_args!("{what} on type {}", names::type_name(ty.oid))));
    }
    collation::check_equality(held, ty.collation)
}
