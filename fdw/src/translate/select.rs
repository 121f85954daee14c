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
        let keeps_rows = query.distinct().is_empty() && !query.has_set_operations();
        if let Some(wanted) = wanted.filter(|_| keeps_rows) {
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
            Outer::None | Outer::Keys { .. } => None,
        };
        let (bound, carried) = match query.set_operations() {
            Some(tree) => (self.set_operations(query, tree)?, Vec::new()),
            None => self.carried_rows(query, outer)?,
        };
        let grouped = query.is_grouped();
        let bound = if grouped { self.aggregate(query, bound, &carried, domain)? } else { bound };
        let bound = self.with_sublinks(bound, query.targets().into_iter().map(|target| target.expr))?;
        let bound = self.windows(query, bound, grouped, &carried)?;
        let scope = Scope { grouped, ..Scope::new(bound.columns.clone()) };
        let targets = query.targets();
        let (visible, junk): (Vec<&Target<'q>>, Vec<&Target<'q>>) = targets.iter().partition(|target| !target.junk);
        if visible.is_empty() {
            return Err(Refusal::unsupported("a select list without columns"));
        }

        let limited = query.limit().is_some() || query.offset().is_some();
        // The order also decides which rows there are.
        let decides = limited || query.is_distinct_on();
        let order = if place == Place::Sublink && !decides { Vec::new() } else { query.order_by() };
        let distinct = query.distinct();
        let among = |list: &[SortGroup], target: &Target<'_>| list.iter().any(|key| key.reference == target.reference);
        let (sorting, other): (Vec<_>, Vec<_>) = junk.into_iter().partition(|target| among(&order, target));
        let kept = visible.len() + sorting.len();
        let other = other.into_iter().filter(|target| among(&distinct, target));
        let listed: Vec<&Target<'q>> = visible.iter().copied().chain(sorting).chain(other).collect();
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

        let keys = super::sort::keys(&order, &listed, &columns)?;
        if query.is_distinct_on() {
            let on = check_distinct(&distinct, &listed, &columns)?;
            rel = super::sort::first_of_each(rel, &on, &keys, &columns, &carried)?;
        } else if !distinct.is_empty() {
            check_distinct(&distinct, &listed, &columns)?;
            if listed.len() > visible.len() {
                return Err(Refusal::unsupported("DISTINCT ordered by something else than its columns"));
            }
            rel = Rel::Distinct { input: Box::new(rel) };
        }
        if listed.len() > kept {
            (rel, columns) = first_columns(rel, columns, kept, &carried);
        }

        if super::sort::needs_postgres(&keys) {
            if place != Place::Top || query.is_with_ties() {
                let place = if query.is_with_ties() { "with ties" } else { "in a subquery" };
                return Err(super::sort::refusal(&keys, place));
            }
            let post_sort = PostSort::new(&keys, query)?;
            return Ok(Output { rel, columns, carried, post_sort: Some(post_sort) });
        }
        let count = self.row_count(query.limit())?;
        rel = match count {
            Some(_) if query.is_with_ties() && !carried.is_empty() => {
                return Err(Refusal::unsupported("WITH TIES in a subquery that refers to an outer query"));
            }
            Some(count) if query.is_with_ties() => {
                let (keys, offset) = (super::sort::sort_keys(&keys, &columns), self.row_count(query.offset())?);
                Rel::LimitWithTies { input: Box::new(rel), keys, offset, count }
            }
            count if !carried.is_empty() && limited => {
                let offset = self.row_count(query.offset())?;
                super::sort::some_of_each(rel, &keys, &columns, &carried, (offset, count))?
            }
            count => self.limit(super::sort::sort(rel, &keys, &columns), count, query)?,
        };
        if columns.len() > visible.len() {
            (rel, columns) = first_columns(rel, columns, visible.len(), &carried);
        }
        Ok(Output { rel, columns, carried, post_sort: None })
    }

    fn limit(&mut self, input: Rel, count: Option<Expr>, query: QueryRef<'q>) -> Result<Rel> {
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

/// The first `count` columns, and those that are carried.
fn first_columns(
    rel: Rel,
    mut columns: Vec<OutputField>,
    count: usize,
    carried: &[CarriedField],
) -> (Rel, Vec<OutputField>) {
    let first = columns.len();
    columns.truncate(count);
    let mut exprs: Vec<Expr> =
        columns.iter().enumerate().map(|(i, column)| Expr::column(column.ty, i as u32)).collect();
    exprs.extend(carried.iter().enumerate().map(|(i, column)| column.at(first + i).expr));
    (Rel::Project { input: Box::new(rel), exprs }, columns)
}

/// The columns that DISTINCT looks at. Refuses DISTINCT by an equality that is not that of the engine.
fn check_distinct(clauses: &[SortGroup], listed: &[&Target<'_>], columns: &[OutputField]) -> Result<Vec<usize>> {
    let mut positions = Vec::with_capacity(clauses.len());
    for clause in clauses {
        let position = listed.iter().position(|target| target.reference == clause.reference);
        let Some((position, column)) = position.and_then(|position| Some((position, columns.get(position)?))) else {
            return Err(Refusal::unsupported("this form of DISTINCT"));
        };
        check_grouping("DISTINCT", clause.equality, column.held, column.ty)?;
        positions.push(position);
    }
    Ok(positions)
}

/// Refuses equality of values that is not that of the engine.
pub(super) fn check_grouping(what: &str, equality: u32, held: ColumnType, ty: TypeRef) -> Result<()> {
    let is_known = operator::comparison(names::operator_function(equality)) == Some(CompareOp::Eq);
    if !is_known || !operator::is_comparable_with(held, held) {
        return Err(Refusal::unsupported(format_args!("{what} on type {}", names::type_name(ty.oid))));
    }
    collation::check_equality(held, ty.collation)
}
