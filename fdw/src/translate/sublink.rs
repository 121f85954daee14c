//! Which joins compute the sub-selects of expressions?
//!
//! | sub-select | as a conjunct of WHERE | in any other expression |
//! | --- | --- | --- |
//! | `EXISTS` | semi join, anti join where negated | mark join |
//! | `x op ANY`, `x op ALL` | semi join with a row that decides, or anti join with rows that decide or are unknown | two marks: such a row, an unknown one |
//! | scalar | an input of the inner join, if the conjunct is false where the sub-select has no row | left join with its rows by group |
//!
//! A row of ANY *decides* where the comparison is true, one of ALL where it is false. All are three-valued: where no row decides, an
//! unknown one makes the result NULL. Instead of a mark for unknown rows, an equality without outer columns counts the rows and the NULLs
//! among them, once for all.
//!
//! In expressions the sub-select becomes a column ([`Source::Computed`]) before the expression is translated
//! ([`Translator::with_sublinks`]); each clause asks for those that it evaluates. A sub-select of more rows than one where one is allowed
//! fails in the engine (`AtMostOne`), as does PostgreSQL, whose error the native plan then raises.

use super::correlate::{Key, Need, Outer, correlated_conjuncts, counts};
use super::from::InnerInputs;
use super::scope::{Bound, Column, Scope, Source, Typed, shift_columns, visit_columns};
use super::select::{Output, Place};
use super::{Refusal, Result, Translator};
use crate::pg::names;
use crate::pg::node::{BoolOp, Node, NodeRef, SubLinkNode, Walk};
use crate::pg::query::QueryRef;
use fusion_common::types::oid;
use fusion_common::{ColumnType, TypeRef};
use fusion_proto::plan::{
    Aggregate, AggregateCall, CompareOp, Expr, ExprKind, Function, JoinKind, Rel, Value, case_type,
};
use pgrx::pg_sys::SubLinkType;

const INT8: TypeRef = TypeRef::plain(oid::INT8);

/// A conjunct that is a sub-select, negated or not.
#[derive(Clone, Copy)]
pub(super) struct SemiJoin<'q> {
    link: SubLinkNode<'q>,
    negated: bool,
}

/// A scalar sub-select as an input of an inner join.
pub(super) struct Scalar<'q> {
    pub bound: Bound<'q>,
    /// Its columns that equal something of the other inputs.
    pub keys: Vec<(usize, Key<'q>)>,
}

/// A sub-select beside the rows it is compared with: what decides for a row, and what relates the rows.
struct Comparison<'q> {
    left: Bound<'q>,
    right: Rel,
    width: usize,
    predicates: Vec<Expr>,
    /// A row for which this is true decides: ANY is true, ALL is false.
    decides: Expr,
}

/// The semi or anti join that a conjunct is, if it is one.
pub(super) fn semi_join(conjunct: NodeRef<'_>) -> Option<SemiJoin<'_>> {
    let is_truth =
        |kind| matches!(kind, SubLinkType::EXISTS_SUBLINK | SubLinkType::ANY_SUBLINK | SubLinkType::ALL_SUBLINK);
    match conjunct.view() {
        Node::SubLink(link) if is_truth(link.kind) => Some(SemiJoin { link, negated: false }),
        Node::Bool { op: BoolOp::Not, args } => match args.first()?.view() {
            Node::SubLink(link) if is_truth(link.kind) => Some(SemiJoin { link, negated: true }),
            _ => None,
        },
        _ => None,
    }
}

impl<'q> SemiJoin<'q> {
    /// Whether it is `x op ANY (…)` where only `x` has columns of the query, all of one range-table entry.
    pub fn tests_only(&self, rtindex: u32) -> bool {
        let is_own = |test: NodeRef<'q>| {
            !test.any(|node| match node.view() {
                Node::Var(var) => var.rtindex != rtindex || var.level > 0,
                Node::SubLink(_) => true,
                _ => false,
            })
        };
        !self.negated
            && self.link.kind == SubLinkType::ANY_SUBLINK
            && self.link.query.node().outer_columns().is_empty()
            && self.link.test.is_some_and(is_own)
    }
}

impl<'q> Translator<'q, '_> {
    /// The rows of `left` for which the conjunct is true.
    pub(super) fn join_sublink(&mut self, left: Bound<'q>, join: SemiJoin<'q>) -> Result<Bound<'q>> {
        let SemiJoin { link, negated } = join;
        if link.kind == SubLinkType::EXISTS_SUBLINK {
            let related = self.relate(left, link.query, Need::Existence)?;
            let width = related.left.columns.len();
            if !related.predicates.iter().any(|predicate| relates(predicate, width)) {
                let (bound, exists) = self.exists(related.left, related.right, related.predicates)?;
                return Ok(bound.filter(vec![if negated { not(exists) } else { exists }]));
            }
            let kind = if negated { JoinKind::Anti } else { JoinKind::Semi };
            return Ok(join_keeping(kind, related.left, related.right, related.predicates));
        }
        let comparison = self.comparison(left, link)?;
        // ANY wants a row that decides, ALL none; negated the other way round.
        let wants_row = (link.kind == SubLinkType::ANY_SUBLINK) != negated;
        let width = comparison.left.columns.len();
        let all = comparison.predicates.iter().chain([&comparison.decides]);
        if !all.into_iter().any(|predicate| relates(predicate, width)) {
            let (bound, truth) = self.quantified(comparison, link.kind)?;
            return Ok(bound.filter(vec![if negated { not(truth) } else { truth }]));
        }
        if wants_row {
            let Comparison { left, right, mut predicates, decides, .. } = comparison;
            predicates.extend(conjuncts(decides));
            return Ok(join_keeping(JoinKind::Semi, left, right, predicates));
        }
        self.without_row(comparison)
    }

    /// The rows for which every row of the sub-select says no: none decides, none is unknown.
    fn without_row(&mut self, comparison: Comparison<'q>) -> Result<Bound<'q>> {
        let is_known = self.is_never_unknown(&comparison);
        let Comparison { left, right, width, mut predicates, decides } = comparison;
        if is_known {
            predicates.extend(conjuncts(decides));
            return Ok(join_keeping(JoinKind::Anti, left, right, predicates));
        }
        let Some((own, other)) = sides(&decides, left.columns.len()).filter(|_| predicates.is_empty()) else {
            refuse_unknown_rows(&predicates, &decides)?;
            predicates.push(truth(decides, Some(false), true));
            return Ok(join_keeping(JoinKind::Anti, left, right, predicates));
        };
        // NOT IN: nothing is in no rows; else a NULL on either side says nothing of what is not found.
        let right = self.share_rel(right);
        let statistics = null_statistics(right.clone(), other);
        let left_width = left.columns.len();
        let bound = join_keeping(JoinKind::Anti, left, right, vec![decides]);
        debug_assert!(width > 0);
        let (rows, values) = (column(INT8, left_width), column(INT8, left_width + 1));
        let known = and(vec![is_null(own, true), compare(CompareOp::Eq, values, rows.clone())]);
        let predicate = or(vec![compare(CompareOp::Eq, rows, int8(0)), known]);
        Ok(with_row(bound, statistics, &[(INT8, ColumnType::Int8); 2]).filter(vec![predicate]))
    }

    /// Adds a column for each sub-select in `nodes` that `bound` does not know.
    pub(super) fn with_sublinks(
        &mut self,
        mut bound: Bound<'q>,
        nodes: impl IntoIterator<Item = NodeRef<'q>>,
    ) -> Result<Bound<'q>> {
        let mut links: Vec<(NodeRef<'q>, SubLinkNode<'q>)> = Vec::new();
        let scope = Scope::new(bound.columns.clone());
        for node in nodes {
            node.walk(|node| match node.view() {
                _ if scope.find(node).is_some() => Walk::Over,
                Node::SubLink(link) => {
                    if !links.iter().any(|(known, _)| known.equals(node)) {
                        links.push((node, link));
                    }
                    Walk::Over
                }
                _ => Walk::Into,
            });
        }
        for (node, link) in links {
            bound = self.nested(|translator| translator.sublink_column(bound, node, link))?;
        }
        Ok(bound)
    }

    /// Adds the value of a sub-select.
    fn sublink_column(&mut self, left: Bound<'q>, node: NodeRef<'q>, link: SubLinkNode<'q>) -> Result<Bound<'q>> {
        let (bound, value) = match link.kind {
            SubLinkType::EXPR_SUBLINK => {
                let (bound, mut values) = self.scalar(left, link.query)?;
                match (values.pop(), values.is_empty()) {
                    (Some(value), true) => (bound, value),
                    _ => return Err(Refusal::unsupported("a scalar subquery of several columns")),
                }
            }
            SubLinkType::ROWCOMPARE_SUBLINK => {
                let Some(test) = link.test else { return Err(Refusal::unsupported("this kind of subquery")) };
                let left = self.with_sublinks(left, [test])?;
                let (bound, values) = self.scalar(left, link.query)?;
                let scope = Scope { sublink: values, ..Scope::new(bound.columns.clone()) };
                let value = self.expr(test, &scope)?;
                (bound, value)
            }
            SubLinkType::EXISTS_SUBLINK => {
                let related = self.relate(left, link.query, Need::Existence)?;
                let (bound, exists) = self.exists(related.left, related.right, related.predicates)?;
                (bound, boolean(exists))
            }
            SubLinkType::ANY_SUBLINK | SubLinkType::ALL_SUBLINK => {
                let comparison = self.comparison(left, link)?;
                let (bound, value) = self.quantified(comparison, link.kind)?;
                (bound, boolean(value))
            }
            SubLinkType::ARRAY_SUBLINK => return Err(Refusal::unsupported("ARRAY(subquery)")),
            _ => return Err(Refusal::unsupported("this kind of subquery")),
        };
        let mut exprs = bound.all();
        let mut columns = bound.columns;
        columns.push(Column { source: Source::Computed(node), ty: value.expr.ty, held: value.held });
        exprs.push(value.expr);
        Ok(Bound { rel: Rel::Project { input: Box::new(bound.rel), exprs }, columns })
    }

    /// A sub-select beside what it is compared with.
    fn comparison(&mut self, left: Bound<'q>, link: SubLinkNode<'q>) -> Result<Comparison<'q>> {
        let Some(test) = link.test else { return Err(Refusal::unsupported("this kind of subquery")) };
        let left = self.with_sublinks(left, [test])?;
        let related = self.relate(left, link.query, Need::Match)?;
        // The comparison belongs to the outer query; the sub-select's columns come through its parameters only.
        let scope = Scope { sublink: related.outputs, ..Scope::new(related.left.columns.clone()) };
        let test = self.condition(test, &scope)?;
        let decides = if link.kind == SubLinkType::ALL_SUBLINK { opposite(test) } else { test };
        Ok(Comparison {
            left: related.left,
            right: related.right,
            width: related.width,
            predicates: related.predicates,
            decides,
        })
    }

    /// The three-valued result of ANY or ALL.
    fn quantified(&mut self, mut comparison: Comparison<'q>, kind: SubLinkType::Type) -> Result<(Bound<'q>, Expr)> {
        let decided = kind == SubLinkType::ANY_SUBLINK;
        let is_known = self.is_never_unknown(&comparison);
        if !is_known {
            refuse_unknown_rows(&comparison.predicates, &comparison.decides)?;
            comparison.right = self.share_rel(comparison.right);
        }
        let Comparison { left, right, predicates, decides, .. } = comparison;
        let width = left.columns.len();
        let mut deciding = predicates.clone();
        deciding.extend(conjuncts(decides.clone()));
        let (bound, found) = self.exists(left, right.clone(), deciding)?;
        let result = |value: Option<bool>| Expr::boolean(ExprKind::Const(value.map(Value::Bool)));
        if is_known {
            return Ok((bound, if decided { found } else { not(found) }));
        }
        let (bound, unknown) = match sides(&decides, width).filter(|_| predicates.is_empty()) {
            Some((own, other)) => {
                let at = bound.columns.len();
                let bound = with_row(bound, null_statistics(right, other), &[(INT8, ColumnType::Int8); 2]);
                let (rows, values) = (column(INT8, at), column(INT8, at + 1));
                let null = or(vec![is_null(own, false), compare(CompareOp::Lt, values, rows.clone())]);
                (bound, and(vec![compare(CompareOp::Gt, rows, int8(0)), null]))
            }
            None => {
                let mut unknown = predicates;
                unknown.push(truth(decides, None, false));
                let by = (bound.columns.len() - width) as u32;
                unknown.iter_mut().for_each(|predicate| shift_columns(predicate, width as u32, by));
                self.exists(bound, right, unknown)?
            }
        };
        let branches = vec![(found, result(Some(decided))), (unknown, result(None))];
        let kind = ExprKind::Case { branches, otherwise: Some(Box::new(result(Some(!decided)))) };
        Ok((bound, Expr::boolean(kind)))
    }

    /// Whether the comparison is never NULL.
    fn is_never_unknown(&self, comparison: &Comparison<'q>) -> bool {
        let rels = [(&comparison.left.rel, comparison.left.columns.len()), (&comparison.right, comparison.width)];
        conjuncts(comparison.decides.clone()).iter().all(|conjunct| match &conjunct.kind {
            ExprKind::Compare { left, right, .. } => {
                self.is_never_null(left, &rels) && self.is_never_null(right, &rels)
            }
            _ => self.is_never_null(conjunct, &rels),
        })
    }

    /// Whether rows of `right` pass the predicates beside each row of `left`; never NULL.
    fn exists(&mut self, left: Bound<'q>, right: Rel, predicates: Vec<Expr>) -> Result<(Bound<'q>, Expr)> {
        let width = left.columns.len();
        let mut columns = left.columns.clone();
        if predicates.iter().any(|predicate| relates(predicate, width)) {
            let rel = Rel::Join { kind: JoinKind::Mark, left: Box::new(left.rel), right: Box::new(right), predicates };
            let ty = TypeRef::plain(oid::BOOL);
            columns.push(Column { source: Source::Hidden, ty, held: ColumnType::Bool });
            return Ok((Bound { rel, columns }, column(ty, width)));
        }
        // One answer for all rows, but for conjuncts of the left alone.
        let uses_right = |predicate: &Expr| {
            let mut found = false;
            visit_columns(predicate, &mut |column| found |= column as usize >= width);
            found
        };
        let (mut of_right, of_left): (Vec<Expr>, Vec<Expr>) = predicates.into_iter().partition(uses_right);
        of_right.iter_mut().for_each(|predicate| shift_columns(predicate, 0, 0u32.wrapping_sub(width as u32)));
        let right =
            if of_right.is_empty() { right } else { Rel::Filter { input: Box::new(right), predicates: of_right } };
        let bound = with_row(left, count_up_to(right, 1), &[(INT8, ColumnType::Int8)]);
        let some = compare(CompareOp::Gt, column(INT8, width), int8(0));
        if of_left.is_empty() {
            return Ok((bound, some));
        }
        let all = of_left.into_iter().chain([some]).collect();
        Ok((bound, truth(and(all), Some(true), false)))
    }

    /// A sub-select that gives one row at most: its columns, NULL where it gives none.
    fn scalar(&mut self, left: Bound<'q>, query: QueryRef<'q>) -> Result<(Bound<'q>, Vec<Typed>)> {
        let width = left.columns.len();
        if query.node().outer_columns().is_empty() {
            let output = self.select(query.duplicate(), None, Place::Sublink)?;
            let types: Vec<(TypeRef, ColumnType)> =
                output.columns.iter().map(|column| (column.ty, column.held)).collect();
            let bound = with_row(left, single_row(output, query.is_one_row())?, &types);
            return Ok((bound, typed_columns(width, &types)));
        }
        let prepared = query.duplicate();
        self.prepare_correlated(prepared)?;
        if let Some(keys) = group_keys(prepared) {
            return self.grouped_scalar(left, prepared, &keys);
        }
        let related = self.relate(left, query, Need::Rows)?;
        let outputs: Vec<(TypeRef, ColumnType)> =
            related.outputs.iter().map(|typed| (typed.expr.ty, typed.held)).collect();
        let carried = related.width - outputs.len();
        let (left, mut predicates) = (related.left, related.predicates);
        let mut columns = left.columns.clone();
        let hidden = |ty: TypeRef, held: ColumnType| Column { source: Source::Hidden, ty, held };
        if prepared.is_one_group() {
            columns.extend(outputs.iter().map(|(ty, held)| hidden(*ty, *held)));
            let rel = left_join(left.rel, related.right, predicates);
            let exprs = columns.iter().enumerate().map(|(at, column)| column.at(at).expr).collect();
            let rel = Rel::Project { input: Box::new(rel), exprs };
            return Ok((Bound { rel, columns }, typed_columns(width, &outputs)));
        }
        // A group per carried values: its only row.
        let carried_columns = carried_types(&predicates, width + outputs.len(), carried);
        let groups: Vec<Expr> =
            carried_columns.iter().enumerate().map(|(at, ty)| column(*ty, outputs.len() + at)).collect();
        let rel = Rel::Aggregate { input: Box::new(related.right), groups, aggregates: only_row(&outputs) };
        let down = 0u32.wrapping_sub(outputs.len() as u32);
        predicates.iter_mut().for_each(|predicate| shift_columns(predicate, (width + outputs.len()) as u32, down));
        let joined = left_join(left.rel, rel, predicates);
        let mut exprs: Vec<Expr> = columns.iter().enumerate().map(|(at, column)| column.at(at).expr).collect();
        for (at, (ty, held)) in outputs.iter().enumerate() {
            let rows = column(INT8, width + carried + outputs.len());
            exprs.push(if_one_row(rows, column(*ty, width + carried + at)));
            columns.push(hidden(*ty, *held));
        }
        let rel = Rel::Project { input: Box::new(joined), exprs };
        Ok((Bound { rel, columns }, typed_columns(width, &outputs)))
    }

    /// An aggregation over the rows that equalities relate: grouped by them, and what it gives over no rows where no group is found.
    fn grouped_scalar(
        &mut self,
        left: Bound<'q>,
        query: QueryRef<'q>,
        keys: &[Key<'q>],
    ) -> Result<(Bound<'q>, Vec<Typed>)> {
        self.in_level(query, |translator| {
            let (rows, carried) = translator.carried_rows(query, Outer::Keys { keys: keys.to_vec(), among: None })?;
            let groups = translator.grouped(query, rows, &carried)?;
            let counts = counts(&groups)?;
            let width = left.columns.len();
            let below: Vec<Column<'q>> = left.columns.iter().map(Column::seen_below).collect();
            let outer = Scope::new(below.clone());
            let mut predicates = Vec::with_capacity(keys.len());
            for (at, key) in keys.iter().enumerate() {
                let own = groups.columns[at].at(width + at);
                predicates.push(translator.key_equality(key, own, &outer)?);
            }
            let mut exprs = left.all();
            for (at, of_groups) in groups.columns.iter().enumerate() {
                let value = of_groups.at(width + at).expr;
                exprs.push(if counts.get(at) == Some(&true) { zero_if_null(value) } else { value });
            }
            let joined = left_join(left.rel, groups.rel, predicates);
            let rel = Rel::Project { input: Box::new(joined), exprs };

            let scope = Scope {
                grouped: true,
                ..Scope::new(below.into_iter().chain(groups.columns.iter().cloned()).collect())
            };
            let having = query.having().map(|having| translator.condition(having, &scope)).transpose()?;
            let mut columns = left.columns;
            let mut exprs: Vec<Expr> = columns.iter().enumerate().map(|(at, column)| column.at(at).expr).collect();
            let mut types = Vec::new();
            for target in query.targets().into_iter().filter(|target| !target.junk) {
                let value = translator.expr(target.expr, &scope)?;
                let (ty, held) = (value.expr.ty, value.held);
                exprs.push(match &having {
                    Some(having) => case(having.clone(), value.expr),
                    None => value.expr,
                });
                columns.push(Column { source: Source::Hidden, ty, held });
                types.push((ty, held));
            }
            let rel = Rel::Project { input: Box::new(rel), exprs };
            Ok((Bound { rel, columns }, typed_columns(width, &types)))
        })
    }

    /// The sub-selects of a conjunct as inputs of the inner join; None if it has one that is not a scalar, or that would give a row
    /// where it has none. Rows of an input that the other conjuncts make few are looked at first (see [`InnerInputs::few_rows`]).
    pub(super) fn scalars_to_join(
        &mut self,
        conjunct: NodeRef<'q>,
        component: &mut InnerInputs<'q>,
    ) -> Result<Option<Vec<Scalar<'q>>>> {
        let mut links: Vec<(NodeRef<'q>, SubLinkNode<'q>)> = Vec::new();
        conjunct.walk(|node| match node.view() {
            Node::SubLink(link) => {
                links.push((node, link));
                Walk::Over
            }
            _ => Walk::Into,
        });
        let mut plans = Vec::with_capacity(links.len());
        for (node, link) in links {
            if link.kind != SubLinkType::EXPR_SUBLINK {
                return Ok(None);
            }
            let query = link.query.duplicate();
            if query.node().outer_columns().is_empty() {
                plans.push((node, query, None));
                continue;
            }
            if !is_strict_in(conjunct, node) {
                return Ok(None);
            }
            self.prepare_correlated(query)?;
            let in_conjuncts: usize =
                correlated_conjuncts(query).iter().map(|conjunct| conjunct.outer_columns().len()).sum();
            let only_there = in_conjuncts == query.node().outer_columns().len();
            let is_null_of_nothing =
                query.targets().iter().any(|target| !target.junk && is_null_without_rows(target.expr));
            match group_keys(query) {
                Some(keys) if only_there && is_null_of_nothing => plans.push((node, query, Some(keys))),
                _ => return Ok(None),
            }
        }
        let mut scalars = Vec::with_capacity(plans.len());
        for (node, query, keys) in plans {
            let computed = |output: &Output| {
                let column = output.columns.first().filter(|_| output.columns.len() == 1);
                let column =
                    column.map(|column| Column { source: Source::Computed(node), ty: column.ty, held: column.held });
                column.ok_or_else(|| Refusal::unsupported("a scalar subquery of several columns"))
            };
            scalars.push(match keys {
                None => {
                    let is_one_row = query.is_one_row();
                    let output = self.select(query, None, Place::Sublink)?;
                    let columns = vec![computed(&output)?];
                    Scalar { bound: Bound { rel: single_row(output, is_one_row)?, columns }, keys: Vec::new() }
                }
                Some(keys) => {
                    let among = self.few_rows(component, &keys)?;
                    let output = self.sub_select(query, Outer::Keys { keys: keys.clone(), among })?;
                    let mut columns = vec![computed(&output)?];
                    columns.extend(output.carried.iter().map(|carried| {
                        let Typed { expr, held } = carried.at(0);
                        Column { source: Source::Hidden, ty: expr.ty, held }
                    }));
                    let keys = keys.into_iter().enumerate().map(|(at, key)| (at + 1, key)).collect();
                    Scalar { bound: Bound { rel: output.rel, columns }, keys }
                }
            });
        }
        Ok(Some(scalars))
    }
}

/// The keys by which an aggregation without GROUP BY is grouped, if its outer columns stand in such equalities, and else only above the
/// aggregation.
fn group_keys<'q>(query: QueryRef<'q>) -> Option<Vec<Key<'q>>> {
    if !query.is_one_group() {
        return None;
    }
    let conjuncts = correlated_conjuncts(query);
    let above: Vec<NodeRef<'q>> = query.targets().iter().map(|target| target.expr).chain(query.having()).collect();
    let is_above = |node: NodeRef<'q>| {
        !node.any(|node| match node.view() {
            Node::SubLink(_) => true,
            Node::Aggregate(_) => !node.outer_columns().is_empty(),
            _ => false,
        })
    };
    let uses = conjuncts.iter().chain(&above).map(|node| node.outer_columns().len()).sum::<usize>();
    if uses != query.node().outer_columns().len() || !above.into_iter().all(is_above) {
        return None;
    }
    conjuncts.into_iter().map(Key::of).collect()
}

/// Whether `expr` is NULL wherever `part` is.
fn is_strict_in(expr: NodeRef<'_>, part: NodeRef<'_>) -> bool {
    if expr.as_ptr() == part.as_ptr() {
        return true;
    }
    match expr.view() {
        Node::Operator(call) | Node::Function(call) => {
            names::is_strict_function(call.function) && call.args.into_iter().any(|arg| is_strict_in(arg, part))
        }
        Node::Relabel(arg) => is_strict_in(arg, part),
        _ => false,
    }
}

/// Whether an expression over aggregates is NULL where there are no rows.
fn is_null_without_rows(expr: NodeRef<'_>) -> bool {
    match expr.view() {
        Node::Aggregate(call) => {
            let function = Aggregate::from_oid(call.function);
            function.is_some_and(|function| !matches!(function, Aggregate::CountStar | Aggregate::Count))
        }
        Node::Operator(call) | Node::Function(call) => {
            names::is_strict_function(call.function) && call.args.into_iter().any(is_null_without_rows)
        }
        Node::Relabel(arg) => is_null_without_rows(arg),
        _ => false,
    }
}

/// Whether a predicate has columns on both sides of a join whose left side has `width`.
fn relates(predicate: &Expr, width: usize) -> bool {
    let (mut left, mut right) = (false, false);
    visit_columns(predicate, &mut |column| if (column as usize) < width { left = true } else { right = true });
    left && right
}

/// The operand of an equality that is of the left alone, and the other, if it is of the right alone: that as an expression over the
/// right.
fn sides(decides: &Expr, width: usize) -> Option<(Expr, Expr)> {
    let ExprKind::Compare { op: CompareOp::Eq, left, right } = &decides.kind else { return None };
    let is_of = |expr: &Expr, of_left: bool| {
        let mut only = true;
        visit_columns(expr, &mut |column| only &= ((column as usize) < width) == of_left);
        only
    };
    let (own, other) = if is_of(left, true) && is_of(right, false) {
        (left, right)
    } else if is_of(right, true) && is_of(left, false) {
        (right, left)
    } else {
        return None;
    };
    let mut other = other.as_ref().clone();
    shift_columns(&mut other, 0, 0u32.wrapping_sub(width as u32));
    Some((own.as_ref().clone(), other))
}

/// Refuses to look for unknown rows by comparing every row with every other, where PostgreSQL hashes.
fn refuse_unknown_rows(predicates: &[Expr], decides: &Expr) -> Result<()> {
    if predicates.is_empty() && matches!(decides.kind, ExprKind::And(_)) {
        return Err(Refusal::unsupported(
            "NOT IN (subquery), or IN inside an expression, over several columns that may be NULL",
        ));
    }
    Ok(())
}

/// A semi or anti join.
fn join_keeping<'q>(kind: JoinKind, left: Bound<'q>, right: Rel, predicates: Vec<Expr>) -> Bound<'q> {
    let rel = Rel::Join { kind, left: Box::new(left.rel), right: Box::new(right), predicates };
    Bound { rel, columns: left.columns }
}

fn left_join(left: Rel, right: Rel, predicates: Vec<Expr>) -> Rel {
    if predicates.is_empty() {
        return Rel::InnerJoin { inputs: vec![left, right], predicates };
    }
    Rel::Join { kind: JoinKind::Left, left: Box::new(left), right: Box::new(right), predicates }
}

/// Each row of `left` with the only row of `row`.
fn with_row<'q>(left: Bound<'q>, row: Rel, types: &[(TypeRef, ColumnType)]) -> Bound<'q> {
    let mut columns = left.columns;
    columns.extend(types.iter().map(|&(ty, held)| Column { source: Source::Hidden, ty, held }));
    Bound { rel: Rel::InnerJoin { inputs: vec![left.rel, row], predicates: Vec::new() }, columns }
}

/// A sub-select as exactly one row: of NULLs if it has none.
fn single_row(output: Output, is_one_row: bool) -> Result<Rel> {
    if is_one_row {
        return Ok(output.rel);
    }
    let outputs: Vec<(TypeRef, ColumnType)> = output.columns.iter().map(|column| (column.ty, column.held)).collect();
    for (_, held) in &outputs {
        case_type(&[*held], INT8)?;
    }
    // Two rows are as wrong as more.
    let input = Rel::Limit { input: Box::new(output.rel), offset: None, count: Some(int8(2)) };
    let input = Rel::Aggregate { input: Box::new(input), groups: Vec::new(), aggregates: only_row(&outputs) };
    let value =
        |(at, (ty, _)): (usize, &(TypeRef, ColumnType))| if_one_row(column(INT8, outputs.len()), column(*ty, at));
    let exprs = outputs.iter().enumerate().map(value).collect();
    Ok(Rel::Project { input: Box::new(input), exprs })
}

/// The aggregates of a group that should have one row: its columns, and how many rows it has.
fn only_row(columns: &[(TypeRef, ColumnType)]) -> Vec<AggregateCall> {
    let only = |(at, (ty, _)): (usize, &(TypeRef, ColumnType))| call(Aggregate::Only, Some(column(*ty, at)), *ty);
    columns.iter().enumerate().map(only).chain([call(Aggregate::CountStar, None, INT8)]).collect()
}

/// `value` of a group of `rows` rows: an error if they are several, NULL if there are none.
fn if_one_row(rows: Expr, value: Expr) -> Expr {
    let kind = ExprKind::Call { function: Function::AtMostOne, args: vec![rows] };
    case(compare(CompareOp::Eq, Expr { ty: INT8, kind }, int8(1)), value)
}

/// How many rows there are, and of how many of them `value` is not NULL: one row.
fn null_statistics(rel: Rel, value: Expr) -> Rel {
    let aggregates = vec![call(Aggregate::CountStar, None, INT8), call(Aggregate::Count, Some(value), INT8)];
    Rel::Aggregate { input: Box::new(rel), groups: Vec::new(), aggregates }
}

/// How many rows there are, counted no further than `limit`: one row.
fn count_up_to(rel: Rel, limit: i64) -> Rel {
    let input = Rel::Limit { input: Box::new(rel), offset: None, count: Some(int8(limit)) };
    let aggregates = vec![call(Aggregate::CountStar, None, INT8)];
    Rel::Aggregate { input: Box::new(input), groups: Vec::new(), aggregates }
}

/// Types of the carried columns, which predicates name.
fn carried_types(predicates: &[Expr], first: usize, count: usize) -> Vec<TypeRef> {
    fn find(expr: &Expr, at: u32) -> Option<TypeRef> {
        match &expr.kind {
            ExprKind::Column(column) => (*column == at).then_some(expr.ty),
            ExprKind::Compare { left, right, .. } => find(left, at).or_else(|| find(right, at)),
            _ => None,
        }
    }
    let ty = |at: usize| predicates.iter().find_map(|predicate| find(predicate, (first + at) as u32)).unwrap_or(INT8);
    (0..count).map(ty).collect()
}

fn typed_columns(first: usize, types: &[(TypeRef, ColumnType)]) -> Vec<Typed> {
    let typed = |(at, &(ty, held)): (usize, &(TypeRef, ColumnType))| Typed { expr: column(ty, first + at), held };
    types.iter().enumerate().map(typed).collect()
}

fn call(function: Aggregate, arg: Option<Expr>, ty: TypeRef) -> AggregateCall {
    AggregateCall { function, args: arg.into_iter().collect(), distinct: false, order_by: Vec::new(), filter: None, ty }
}

fn column(ty: TypeRef, at: usize) -> Expr {
    Expr::column(ty, at as u32)
}

fn int8(value: i64) -> Expr {
    Expr { ty: INT8, kind: ExprKind::Const(Some(Value::Int8(value))) }
}

/// A count, 0 where there is none.
pub(super) fn zero_if_null(count: Expr) -> Expr {
    Expr { ty: count.ty, kind: ExprKind::Coalesce(vec![count, int8(0)]) }
}

fn boolean(expr: Expr) -> Typed {
    Typed { expr, held: ColumnType::Bool }
}

fn compare(op: CompareOp, left: Expr, right: Expr) -> Expr {
    Expr::boolean(ExprKind::Compare { op, left: Box::new(left), right: Box::new(right) })
}

fn not(expr: Expr) -> Expr {
    Expr::boolean(ExprKind::Not(Box::new(expr)))
}

fn and(args: Vec<Expr>) -> Expr {
    Expr::boolean(ExprKind::And(args))
}

fn or(args: Vec<Expr>) -> Expr {
    Expr::boolean(ExprKind::Or(args))
}

fn is_null(arg: Expr, negated: bool) -> Expr {
    Expr::boolean(ExprKind::IsNull { arg: Box::new(arg), negated })
}

fn truth(arg: Expr, value: Option<bool>, negated: bool) -> Expr {
    Expr::boolean(ExprKind::IsBool { arg: Box::new(arg), value, negated })
}

/// `CASE WHEN condition THEN value END`.
fn case(condition: Expr, value: Expr) -> Expr {
    Expr { ty: value.ty, kind: ExprKind::Case { branches: vec![(condition, value)], otherwise: None } }
}

/// The three-valued opposite of a condition.
fn opposite(condition: Expr) -> Expr {
    let Expr { ty, kind } = condition;
    match kind {
        ExprKind::Compare { op, left, right } => {
            let op = match op {
                CompareOp::Eq => CompareOp::Ne,
                CompareOp::Ne => CompareOp::Eq,
                CompareOp::Lt => CompareOp::Ge,
                CompareOp::Le => CompareOp::Gt,
                CompareOp::Gt => CompareOp::Le,
                CompareOp::Ge => CompareOp::Lt,
                CompareOp::Same => return not(Expr { ty, kind: ExprKind::Compare { op, left, right } }),
            };
            Expr { ty, kind: ExprKind::Compare { op, left, right } }
        }
        kind => not(Expr { ty, kind }),
    }
}

/// The conjuncts of a condition.
fn conjuncts(condition: Expr) -> Vec<Expr> {
    match condition {
        Expr { kind: ExprKind::And(conjuncts), .. } => conjuncts,
        other => vec![other],
    }
}
