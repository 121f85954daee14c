//! How does a sub-select depend on the rows around it?
//!
//! A sub-select that names columns of the query around it has rows for each of that query's rows. It is said once for all of them,
//! in the cheapest of these ways that says it exactly:
//!
//! | way | where | what relates the rows |
//! | --- | --- | --- |
//! | [`Way::Alone`] | it names no outer column | nothing |
//! | [`Way::Conjuncts`] | a plain SELECT of which only the existence of rows counts | its conjuncts with outer columns |
//! | [`Way::Keys`] | outer columns stand in conjuncts `own expression = outer expression` only | those equalities; the own expressions are *carried* |
//! | [`Way::Domain`] | anything else | the distinct values of the outer columns (the domain) join its FROM and are *carried* |
//!
//! Carried columns go up through its clauses: they are further grouping columns, further columns of DISTINCT and of the result. A
//! domain is computed from the rows around, which are therefore [`Rel::Shared`].
//!
//! Invariant: a sub-select's row belongs to exactly the outer rows that [`Related::predicates`] says. A group without rows is none: who
//! asks for a sub-select that is one group without GROUP BY must say what it gives there (`sublink`, for scalars), or gets a domain,
//! whose every row has its group.

use super::expr::compare;
use super::from::{Correlated, push_conjuncts};
use super::operator::comparison;
use super::scope::{Bound, Column, Scope, Source, Typed};
use super::select::{Output, Place};
use super::{Refusal, Result, Translator, check_depth};
use crate::pg::node::{CallNode, Node, NodeRef, Var};
use crate::pg::query::{JoinTree, QueryRef};
use fusion_proto::plan::{Aggregate, AggregateCall, CompareOp, Expr, ExprKind, JoinKind, Rel};

/// What a sub-select's clauses are told of the rows around.
pub(super) enum Outer<'q> {
    /// Nothing.
    None,
    /// Conjuncts with outer columns are set aside: those of `own expression = outer expression`, whose own sides are carried.
    Keys {
        /// Those conjuncts.
        keys: Vec<Key<'q>>,
        /// Rows around, if they are known before and few: only what equals one of them is needed.
        among: Option<Bound<'q>>,
    },
    /// The domain; its columns are one level up.
    Domain(Bound<'q>),
}

/// A conjunct `own expression = outer expression` of a sub-select.
#[derive(Clone)]
pub(super) struct Key<'q> {
    pub call: CallNode<'q>,
    pub own: NodeRef<'q>,
    pub outer: NodeRef<'q>,
    /// The own expression is the operator's left operand.
    pub own_is_left: bool,
}

/// The ways of the module's table.
enum Way<'q> {
    Alone,
    Conjuncts,
    Keys(Vec<Key<'q>>),
    Domain(Vec<Var>),
}

/// What of a sub-select's rows counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Whether there is one.
    Existence,
    /// Whether there is one that a comparison with the columns of the select list finds.
    Match,
    /// All of them.
    Rows,
}

/// A sub-select beside the rows around it.
pub(super) struct Related<'q> {
    /// The rows around; the same columns as before.
    pub left: Bound<'q>,
    /// The sub-select's rows.
    pub right: Rel,
    /// How many columns `right` has.
    pub width: usize,
    /// The sub-select's columns, over the columns of left and right.
    pub outputs: Vec<Typed>,
    /// Numbers of the outputs in the target list.
    pub numbers: Vec<i16>,
    /// Which rows belong together, over the columns of left and right.
    pub predicates: Vec<Expr>,
}

impl<'q> Translator<'q, '_> {
    /// A sub-select beside `left`.
    pub(super) fn relate(&mut self, left: Bound<'q>, query: QueryRef<'q>, need: Need) -> Result<Related<'q>> {
        let query = query.duplicate();
        let way = self.way(query, need)?;
        let key = |position: usize, keys: &[Key<'q>]| keys.get(position).cloned();
        match way {
            Way::Alone => {
                let nothing = std::collections::BTreeSet::new();
                let wanted = (need == Need::Existence).then_some(&nothing);
                let output = self.select(query, wanted, Place::Sublink)?;
                Ok(Related::of(left, output, Vec::new()))
            }
            Way::Conjuncts => self.by_conjuncts(left, query, need),
            Way::Keys(keys) => {
                let output = self.sub_select(query, Outer::Keys { keys: keys.clone(), among: None })?;
                let scope = Scope::new(left.columns.iter().map(Column::seen_below).collect());
                let first = left.columns.len() + output.columns.len();
                let mut predicates = Vec::with_capacity(keys.len());
                for (position, own) in output.carried.iter().enumerate() {
                    let Some(key) = key(position, &keys) else { continue };
                    let own = own.at(first + position);
                    predicates.push(self.key_equality(&key, own, &scope)?);
                }
                Ok(Related::of(left, output, predicates))
            }
            Way::Domain(vars) => {
                let (left, domain, positions) = self.domain(left, &vars)?;
                let output = self.sub_select(query, Outer::Domain(domain))?;
                let first = left.columns.len() + output.columns.len();
                let same = |(position, outer): (usize, &usize)| {
                    let (l, r) = (left.columns.get(*outer)?, output.carried.get(position)?);
                    let (l, r) = (l.at(*outer).expr, r.at(first + position).expr);
                    let kind = ExprKind::Compare { op: CompareOp::Same, left: Box::new(l), right: Box::new(r) };
                    Some(Expr::boolean(kind))
                };
                let predicates = positions.iter().enumerate().filter_map(same).collect();
                Ok(Related::of(left, output, predicates))
            }
        }
    }

    /// A sub-select in its own query level.
    pub(super) fn sub_select(&mut self, query: QueryRef<'q>, outer: Outer<'q>) -> Result<Output> {
        self.in_level(query, |translator| translator.clauses(query, Place::Sublink, outer))
    }

    /// `outer expression = own`, where `scope` knows the rows around as the sub-select sees them.
    pub(super) fn key_equality(&mut self, key: &Key<'q>, own: Typed, scope: &Scope<'q>) -> Result<Expr> {
        let outer = self.expr(key.outer, scope)?;
        let (left, right) = if key.own_is_left { (own, outer) } else { (outer, own) };
        Ok(compare(CompareOp::Eq, left, right, &key.call)?.expr)
    }

    /// How a sub-select is said; brings it into the form that this way translates.
    fn way(&mut self, query: QueryRef<'q>, need: Need) -> Result<Way<'q>> {
        if query.node().outer_columns().is_empty() {
            return Ok(Way::Alone);
        }
        if need == Need::Existence {
            query.reduce_to_existence();
        }
        self.prepare_correlated(query)?;
        let outer = query.node().outer_columns();
        if outer.is_empty() {
            // Only what existence does not look at named them.
            return Ok(Way::Keys(Vec::new()));
        }
        let conjuncts = correlated_conjuncts(query);
        let count = |nodes: &[NodeRef<'q>]| nodes.iter().map(|node| node.outer_columns().len()).sum::<usize>();
        let in_conjuncts = count(&conjuncts);
        let targets: Vec<NodeRef<'q>> = match need {
            Need::Match => {
                query.targets().into_iter().filter(|target| !target.junk).map(|target| target.expr).collect()
            }
            Need::Existence | Need::Rows => Vec::new(),
        };
        let is_plain = |node: &NodeRef<'q>| !node.any(|node| matches!(node.view(), Node::SubLink(_)));
        if need != Need::Rows
            && query.is_simple()
            && in_conjuncts + count(&targets) == outer.len()
            && conjuncts.iter().chain(&targets).all(is_plain)
        {
            return Ok(Way::Conjuncts);
        }
        if in_conjuncts == outer.len() && !query.is_one_group() {
            let keys: Option<Vec<Key<'q>>> = conjuncts.iter().map(|conjunct| Key::of(*conjunct)).collect();
            if let Some(keys) = keys {
                return Ok(Way::Keys(keys));
            }
        }
        let mut vars: Vec<Var> = Vec::new();
        outer.into_iter().for_each(|var| {
            if !vars.contains(&var) {
                vars.push(var)
            }
        });
        Ok(Way::Domain(vars))
    }

    /// Refuses what cannot be said for all outer rows at once, and normalises the rest.
    pub(super) fn prepare_correlated(&mut self, query: QueryRef<'q>) -> Result<()> {
        if let Some(clause) = query.unsupported_clause() {
            return Err(Refusal::unsupported(clause));
        }
        if let Some(clause) = query.uncorrelatable_clause() {
            return Err(Refusal::unsupported(format_args!("{clause} in a subquery that refers to an outer query")));
        }
        query.normalise();
        check_depth(query.node())
    }

    /// A plain sub-select whose rows are related by its own conjuncts.
    fn by_conjuncts(&mut self, left: Bound<'q>, query: QueryRef<'q>, need: Need) -> Result<Related<'q>> {
        let from = self.in_level(query, |t| t.rows_of(query, Correlated::Aside, None))?;
        let right = from.bound;
        // The outer query is one level up.
        let outer = left.columns.iter().map(Column::seen_below);
        let below = Scope::new(outer.chain(right.columns.iter().cloned()).collect());
        let predicates =
            from.aside.into_iter().map(|conjunct| self.condition(conjunct, &below)).collect::<Result<Vec<_>>>()?;
        let (mut outputs, mut numbers) = (Vec::new(), Vec::new());
        if need == Need::Match {
            for target in query.targets().into_iter().filter(|target| !target.junk) {
                outputs.push(self.expr(target.expr, &below)?);
                numbers.push(target.number);
            }
        }
        Ok(Related { left, width: right.columns.len(), right: right.rel, outputs, numbers, predicates })
    }

    /// The distinct values of outer columns: the rows around, now shared, the domain as a sub-select sees it, and which columns of
    /// the rows around it is made of.
    fn domain(&mut self, left: Bound<'q>, vars: &[Var]) -> Result<(Bound<'q>, Bound<'q>, Vec<usize>)> {
        let mut positions = Vec::with_capacity(vars.len());
        let mut columns = Vec::with_capacity(vars.len());
        for var in vars {
            let at = left.position(Source::Column(Var { level: var.level - 1, ..*var }));
            let Some((position, column)) = at.and_then(|at| Some((at, left.columns.get(at)?))) else {
                return Err(Refusal::unsupported("this reference from a subquery to an outer query"));
            };
            if column.held == fusion_common::ColumnType::Opaque {
                let name = crate::pg::names::type_name(column.ty.oid);
                return Err(Refusal::unsupported(format_args!(
                    "a subquery that refers to an outer column of type {name} in this way"
                )));
            }
            positions.push(position);
            columns.push(column.clone());
        }
        let left = self.share(left);
        let exprs = positions.iter().zip(&columns).map(|(position, column)| column.at(*position).expr).collect();
        let project = Rel::Project { input: Box::new(left.rel.clone()), exprs };
        let columns = columns.iter().map(Column::seen_below).collect();
        let domain = self.share(Bound { rel: Rel::Distinct { input: Box::new(project) }, columns });
        Ok((left, domain, positions))
    }

    /// The same relation, computed once for all places that read it.
    pub(super) fn share(&mut self, bound: Bound<'q>) -> Bound<'q> {
        Bound { rel: self.share_rel(bound.rel), columns: bound.columns }
    }

    /// As [`Self::share`].
    pub(super) fn share_rel(&mut self, rel: Rel) -> Rel {
        if matches!(rel, Rel::Shared { .. }) {
            return rel;
        }
        self.shared.push(rel);
        Rel::Shared { id: self.shared.len() as u32 - 1 }
    }

    /// The rows of a sub-select's FROM and WHERE with the columns that are carried, and the sources of those.
    pub(super) fn carried_rows(
        &mut self,
        query: QueryRef<'q>,
        outer: Outer<'q>,
    ) -> Result<(Bound<'q>, Vec<Source<'q>>)> {
        match outer {
            Outer::None => Ok((self.rows_of(query, Correlated::Here, None)?.bound, Vec::new())),
            Outer::Domain(domain) => {
                let carried = domain.columns.iter().map(|column| column.source).collect();
                Ok((self.rows_of(query, Correlated::Here, Some(domain))?.bound, carried))
            }
            Outer::Keys { keys, among } => {
                let mut bound = self.rows_of(query, Correlated::Aside, None)?.bound;
                if let Some(among) = among {
                    bound = self.only_among(bound, &keys, among)?;
                }
                let scope = Scope::new(bound.columns.clone());
                let (mut exprs, mut columns) = (bound.all(), bound.columns);
                let mut carried = Vec::with_capacity(keys.len());
                for (position, key) in keys.iter().enumerate() {
                    let own = self.expr(key.own, &scope)?;
                    let source = Source::Key(position as u32);
                    columns.push(Column { source, ty: own.expr.ty, held: own.held });
                    exprs.push(own.expr);
                    carried.push(source);
                }
                Ok((Bound { rel: Rel::Project { input: Box::new(bound.rel), exprs }, columns }, carried))
            }
        }
    }

    /// The rows of a sub-select that equal one of `among` by the keys.
    fn only_among(&mut self, bound: Bound<'q>, keys: &[Key<'q>], among: Bound<'q>) -> Result<Bound<'q>> {
        let around = among.columns.iter().map(Column::seen_below);
        let scope = Scope::new(bound.columns.iter().cloned().chain(around).collect());
        let mut predicates = Vec::with_capacity(keys.len());
        for key in keys {
            let own = self.expr(key.own, &scope)?;
            predicates.push(self.key_equality(key, own, &scope)?);
        }
        let rel = Rel::Join { kind: JoinKind::Semi, left: Box::new(bound.rel), right: Box::new(among.rel), predicates };
        Ok(Bound { rel, columns: bound.columns })
    }

    /// Gives each row of the domain its group: what an aggregation without GROUP BY gives over no rows is 0 for counts, else NULL.
    pub(super) fn with_empty_groups(&mut self, domain: Bound<'q>, groups: Bound<'q>) -> Result<Bound<'q>> {
        let counts = counts(&groups)?;
        let width = domain.columns.len();
        let same = |(position, column): (usize, &Column<'q>)| {
            let (left, right) = (column.at(position).expr, column.at(width + position).expr);
            Expr::boolean(ExprKind::Compare { op: CompareOp::Same, left: Box::new(left), right: Box::new(right) })
        };
        let predicates = domain.columns.iter().enumerate().map(same).collect();
        let rel = Rel::Join {
            kind: JoinKind::Left,
            left: Box::new(domain.rel.clone()),
            right: Box::new(groups.rel),
            predicates,
        };
        let joined = domain.columns.iter().chain(groups.columns.iter().skip(width)).enumerate();
        let exprs = joined.map(|(position, column)| {
            if position < width {
                return column.at(position).expr;
            }
            let value = column.at(width + position).expr;
            if counts.get(position).copied().unwrap_or(false) { super::sublink::zero_if_null(value) } else { value }
        });
        let exprs = exprs.collect();
        Ok(Bound { rel: Rel::Project { input: Box::new(rel), exprs }, columns: groups.columns })
    }
}

impl<'q> Key<'q> {
    /// The key that a conjunct is, if it is one.
    pub fn of(conjunct: NodeRef<'q>) -> Option<Self> {
        let Node::Operator(call) = conjunct.view() else { return None };
        if comparison(call.function) != Some(CompareOp::Eq) {
            return None;
        }
        let [left, right] = call.args[..] else { return None };
        let is_plain = |node: NodeRef<'q>| !node.any(|node| matches!(node.view(), Node::SubLink(_)));
        let is_own = |node: NodeRef<'q>| is_plain(node) && node.outer_columns().is_empty();
        let is_outer = |node: NodeRef<'q>| is_plain(node) && !node.has_columns_of_level(0);
        if is_own(left) && is_outer(right) {
            Some(Self { call, own: left, outer: right, own_is_left: true })
        } else if is_own(right) && is_outer(left) {
            Some(Self { call, own: right, outer: left, own_is_left: false })
        } else {
            None
        }
    }
}

impl<'q> Related<'q> {
    /// Of a translated sub-select, whose carried columns come after those of its select list.
    fn of(left: Bound<'q>, output: Output, predicates: Vec<Expr>) -> Self {
        let first = left.columns.len();
        let typed = |(position, column): (usize, &super::select::OutputField)| Typed {
            expr: Expr::column(column.ty, (first + position) as u32),
            held: column.held,
        };
        Self {
            outputs: output.columns.iter().enumerate().map(typed).collect(),
            numbers: output.columns.iter().map(|column| column.number).collect(),
            width: output.columns.len() + output.carried.len(),
            right: output.rel,
            left,
            predicates,
        }
    }
}

/// Which columns of an aggregation are counts: those that are 0 for a group without rows, where all others are NULL.
pub(super) fn counts(groups: &Bound<'_>) -> Result<Vec<bool>> {
    let Rel::Aggregate { groups, aggregates, .. } = &groups.rel else {
        return Err(Refusal::unsupported("a subquery with this kind of aggregate that refers to an outer query"));
    };
    let is_count = |call: &AggregateCall| matches!(call.function, Aggregate::CountStar | Aggregate::Count);
    Ok(groups.iter().map(|_| false).chain(aggregates.iter().map(is_count)).collect())
}

/// Conjuncts of WHERE and of inner joins that name outer columns.
pub(super) fn correlated_conjuncts(query: QueryRef<'_>) -> Vec<NodeRef<'_>> {
    fn gather<'q>(tree: JoinTree<'q>, conjuncts: &mut Vec<NodeRef<'q>>) {
        if let JoinTree::Inner { items, quals } = tree {
            items.into_iter().for_each(|item| gather(item, conjuncts));
            if let Some(quals) = quals {
                push_conjuncts(quals, conjuncts);
            }
        }
    }
    let mut conjuncts = Vec::new();
    gather(query.join_tree(), &mut conjuncts);
    conjuncts.retain(|conjunct| !conjunct.outer_columns().is_empty());
    conjuncts
}
