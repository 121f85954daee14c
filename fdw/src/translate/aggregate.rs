//! What do GROUP BY and the aggregates compute?
//!
//! Everything above is an expression over GROUP BY expressions and aggregates, which are found again by
//! [`Source::Computed`]. A column that is neither is one that the parser found to depend on a primary key in GROUP BY: it becomes
//! one more grouping column, which changes no group.

use super::expr::is_parameter;
use super::grouping;
use super::scope::{Bound, Column, Scope, Source};
use super::select::check_grouping;
use super::{Refusal, Result, Translator, check_width, collation, operator};
use crate::pg::names;
use crate::pg::node::{AggregateKey, AggregateNode, Node, NodeRef, Var, Walk};
use crate::pg::query::{QueryRef, Target};
use fusion_common::ColumnType;
use fusion_proto::plan::{Aggregate, AggregateCall, BitOp, CompareOp, Expr, ExprKind, Rel, SortKey, aggregate_type};

impl<'q> Translator<'q, '_> {
    /// Groups `input`, also by what is `carried`, computes the aggregates, and applies HAVING. Where all rows of each row of a
    /// `domain` are one group, each has that group.
    pub(super) fn aggregate(
        &mut self,
        query: QueryRef<'q>,
        input: Bound<'q>,
        carried: &[Source<'q>],
        domain: Option<Bound<'q>>,
    ) -> Result<Bound<'q>> {
        let mut bound = self.grouped(query, input, carried)?;
        if let Some(domain) = domain.filter(|_| query.is_one_group()) {
            bound = self.with_empty_groups(domain, bound)?;
        }
        let Some(having) = query.having() else { return Ok(bound) };
        let bound = self.with_sublinks(bound, [having])?;
        let scope = Scope { grouped: true, ..Scope::new(bound.columns.clone()) };
        let having = self.condition(having, &scope)?;
        Ok(bound.filter(match having {
            Expr { kind: ExprKind::And(conjuncts), .. } => conjuncts,
            other => vec![other],
        }))
    }

    /// Groups and aggregates, before HAVING: the carried columns first.
    pub(super) fn grouped(
        &mut self,
        query: QueryRef<'q>,
        input: Bound<'q>,
        carried: &[Source<'q>],
    ) -> Result<Bound<'q>> {
        let input = self.with_sublinks(input, evaluated_below(query))?;
        let (mut columns, mut groups) = (Vec::new(), Vec::new());
        for &source in carried {
            let Some(position) = input.position(source) else { continue };
            columns.push(input.columns[position].clone());
            groups.push(input.columns[position].at(position).expr);
        }
        let scope = Scope::new(input.columns);
        let sets = grouping::sets(query)?;
        if sets.is_some() && !groups.is_empty() {
            return Err(Refusal::unsupported("grouping sets in a subquery that refers to an outer query"));
        }
        groups.extend(self.groups(query, &scope, sets.is_some(), &mut columns)?);
        let clauses = groups.len();

        let used = Used::find(query, &columns);
        for var in used.outer {
            let source = Source::Column(var);
            let Some(column) =
                scope.columns.iter().position(|column| matches!(column.source, Source::Column(known) if known == var))
            else {
                continue;
            };
            groups.push(scope.columns[column].at(column).expr);
            columns.push(Column { source, ..scope.columns[column].clone() });
        }
        for node in used.dependent {
            let key = self.expr(node, &scope)?;
            if key.held == ColumnType::Opaque {
                let name = names::type_name(node.type_ref().oid);
                return Err(Refusal::unsupported(format_args!("an ungrouped column of type {name}")));
            }
            columns.push(column_of(node, key.held));
            groups.push(key.expr);
        }
        let mut aggregates = Vec::with_capacity(used.aggregates.len());
        for (node, call) in used.aggregates {
            let (call, held) = self.aggregate_call(node, &call, &scope)?;
            columns.push(Column { source: Source::Computed(node), ty: call.ty, held });
            aggregates.push(call);
        }
        if columns.is_empty() {
            return Err(Refusal::unsupported("HAVING without GROUP BY and aggregates"));
        }
        check_width(columns.len())?;

        if let Some(sets) =
            sets.filter(|sets| !(groups.is_empty() && sets.iter().all(Vec::is_empty) && sets.len() == 1))
        {
            let order = query.group_by();
            // What depends on a primary key belongs to every set that has the key: the parser looked that all have it.
            let others = clauses as u32..groups.len() as u32;
            let position = |reference: &u32| order.iter().position(|clause| clause.reference == *reference);
            let positions = |set: &Vec<u32>| -> Option<Vec<u32>> {
                let set = set.iter().map(|reference| Some(position(reference)? as u32));
                set.chain(others.clone().map(Some)).collect()
            };
            let Some(positions) = sets.iter().map(positions).collect::<Option<Vec<_>>>() else {
                return Err(Refusal::unsupported("this form of grouping sets"));
            };
            if aggregates.iter().any(|call: &AggregateCall| is_special_without_rows(call.function))
                && sets.iter().any(Vec::is_empty)
            {
                return Err(Refusal::unsupported("this aggregate with an empty grouping set"));
            }
            let rel = Rel::GroupingSets { input: Box::new(input.rel), groups, sets: positions, aggregates };
            return Ok(grouping::with_grouping(query, Bound { rel, columns }, &sets));
        }
        let rel = Rel::Aggregate { input: Box::new(input.rel), groups, aggregates };
        Ok(Bound { rel, columns })
    }

    /// GROUP BY, as written.
    fn groups(
        &mut self,
        query: QueryRef<'q>,
        scope: &Scope<'q>,
        in_sets: bool,
        columns: &mut Vec<Column<'q>>,
    ) -> Result<Vec<Expr>> {
        let targets = query.targets();
        let clauses = query.group_by();
        let mut groups = Vec::with_capacity(clauses.len());
        let (mut constant, mut any_constant) = (true, false);
        for clause in &clauses {
            let Some(target) = targets.iter().find(|target| target.reference == clause.reference) else {
                return Err(Refusal::unsupported("this form of GROUP BY"));
            };
            let key = self.expr(target.expr, scope)?;
            let ty = target.expr.type_ref();
            check_grouping("GROUP BY", clause.equality, key.held, ty)?;
            constant &= is_parameter(target.expr);
            any_constant |= is_parameter(target.expr);
            columns.push(column_of(target.expr, key.held));
            groups.push(key.expr);
        }
        // No rows give no group, while the engine may take constants away and then give one.
        if (constant && !clauses.is_empty()) || (in_sets && any_constant) {
            return Err(Refusal::unsupported("GROUP BY constants"));
        }
        Ok(groups)
    }

    fn aggregate_call(
        &mut self,
        node: NodeRef<'q>,
        call: &AggregateNode<'q>,
        scope: &Scope<'q>,
    ) -> Result<(AggregateCall, ColumnType)> {
        let name = || names::function(call.function);
        let refused = |how: &str| Refusal::unsupported(format_args!("aggregate {}{how}", name()));
        let mut function = Aggregate::from_oid(call.function).ok_or_else(|| refused(""))?;
        if call.level != 0 || call.special {
            return Err(refused(" in this form"));
        }
        let distinct = !call.distinct.is_empty();
        let mut args = call.args.iter().map(|&arg| self.expr(arg, scope)).collect::<Result<Vec<_>>>()?;
        if args.len() > 1 && function != Aggregate::StringAgg {
            return Err(refused(" of several arguments"));
        }
        if distinct && matches!(function, Aggregate::Bits(BitOp::Xor, _)) {
            return Err(refused(" with DISTINCT"));
        }
        for key in &call.distinct {
            let held = self.expr(key.expr, scope)?.held;
            check_grouping("DISTINCT", key.equality, held, key.expr.type_ref())?;
        }
        if let Some(arg) = args.first() {
            let counts = function == Aggregate::Count && !distinct;
            if arg.held == ColumnType::Opaque && !counts {
                return Err(refused(" over values of this type"));
            }
            if matches!(function, Aggregate::Min | Aggregate::Max) {
                collation::check_order(&format!("aggregate {}", name()), arg.held, call.collation)?;
            }
        }
        // count(1) counts rows.
        if function == Aggregate::Count
            && !distinct
            && matches!(&args[..], [arg] if matches!(arg.expr.kind, ExprKind::Const(Some(_))))
        {
            (function, args) = (Aggregate::CountStar, Vec::new());
        }
        let order_by = self.aggregate_order(function, call, &name(), scope)?;
        let held = aggregate_type(function, args.first().map(|arg| arg.held))?;
        let filter = call.filter.map(|filter| self.condition(filter, scope)).transpose()?;
        let args = args.into_iter().map(|arg| arg.expr).collect();
        let call = AggregateCall { function, args, distinct, order_by, filter, ty: node.type_ref() };
        Ok((call, held))
    }

    /// ORDER BY inside the call, and what DISTINCT sorts by; nothing where the order does not matter.
    fn aggregate_order(
        &mut self,
        function: Aggregate,
        call: &AggregateNode<'q>,
        name: &str,
        scope: &Scope<'q>,
    ) -> Result<Vec<SortKey>> {
        let refused = |how: &str| Refusal::unsupported(format_args!("aggregate {name}{how}"));
        if !function.is_ordered() {
            // Keys that cannot fail need not be looked at.
            let harmless = |key: &AggregateKey<'_>| {
                matches!(key.expr.view(), Node::Var(_)) || call.args.iter().any(|arg| arg.equals(key.expr))
            };
            return if call.order_by.iter().all(harmless) { Ok(Vec::new()) } else { Err(refused(" with ORDER BY")) };
        }
        let floats = !matches!(function, Aggregate::StringAgg | Aggregate::ArrayAgg);
        let keys = if call.distinct.is_empty() { &call.order_by } else { &call.distinct };
        match (floats, keys.is_empty()) {
            // The order of the rows, which is nobody's promise.
            (true, true) => return Ok(Vec::new()),
            (false, true) => return Err(refused(" without ORDER BY")),
            // DISTINCT takes the values in ascending order.
            (true, false) if call.order_by.is_empty() => return Ok(Vec::new()),
            (true, false) => return Err(refused(" of floats with ORDER BY")),
            (false, false) => {}
        }
        let key = |key: &AggregateKey<'q>| {
            let typed = self.expr(key.expr, scope)?;
            let ty = key.expr.type_ref();
            let descending = match operator::comparison(names::operator_function(key.ordering)) {
                Some(CompareOp::Lt) => false,
                Some(CompareOp::Gt) => true,
                _ => return Err(refused(&format!(" ordered by type {}", names::type_name(ty.oid)))),
            };
            if !operator::is_comparable_with(typed.held, typed.held) {
                return Err(refused(&format!(" ordered by type {}", names::type_name(ty.oid))));
            }
            collation::check_order(&format!("the order of aggregate {name}"), typed.held, ty.collation)?;
            Ok(SortKey { expr: typed.expr, descending, nulls_first: key.nulls_first })
        };
        keys.iter().map(key).collect()
    }
}

/// What the clauses above grouping use: each aggregate and each column once.
struct Used<'q> {
    aggregates: Vec<(NodeRef<'q>, AggregateNode<'q>)>,
    dependent: Vec<NodeRef<'q>>,
    /// Ungrouped columns that sub-selects name.
    outer: Vec<Var>,
}

/// Expressions that are computed before rows are grouped: GROUP BY, arguments and filters of aggregates.
fn evaluated_below(query: QueryRef<'_>) -> Vec<NodeRef<'_>> {
    let targets = query.targets();
    let clauses = query.group_by();
    let is_group = |target: &&Target<'_>| clauses.iter().any(|clause| clause.reference == target.reference);
    let mut below: Vec<NodeRef<'_>> = targets.iter().filter(is_group).map(|target| target.expr).collect();
    for node in targets.iter().map(|target| target.expr).chain(query.having()) {
        node.walk(|node| match node.view() {
            Node::Aggregate(call) => {
                below.extend(call.args.into_iter().chain(call.filter));
                Walk::Over
            }
            // Sub-selects in aggregates of a comparison with a sub-select are refused where they are found.
            Node::SubLink(_) => Walk::Over,
            _ => Walk::Into,
        });
    }
    below
}

impl<'q> Used<'q> {
    fn find(query: QueryRef<'q>, groups: &[Column<'q>]) -> Self {
        let mut used = Self { aggregates: Vec::new(), dependent: Vec::new(), outer: Vec::new() };
        let scope = Scope::new(groups.to_vec());
        let mut tests: Vec<NodeRef<'q>> =
            query.targets().into_iter().map(|target| target.expr).chain(query.having()).collect();
        // Grows by the comparisons of sub-selects.
        let mut next = 0;
        while let Some(&node) = tests.get(next) {
            next += 1;
            node.walk(|node| {
                if scope.find(node).is_some() {
                    return Walk::Over;
                }
                match node.view() {
                    Node::Aggregate(call) => {
                        if !used.aggregates.iter().any(|(known, _)| known.equals(node)) {
                            used.aggregates.push((node, call));
                        }
                        Walk::Over
                    }
                    Node::Var(var) if var.level == 0 => {
                        if !used.dependent.iter().any(|known| known.equals(node)) {
                            used.dependent.push(node);
                        }
                        Walk::Over
                    }
                    Node::SubLink(link) => {
                        for var in link.query.node().outer_columns().into_iter().filter(|var| var.level == 1) {
                            let var = Var { level: 0, ..var };
                            let known = scope
                                .columns
                                .iter()
                                .any(|column| matches!(column.source, Source::Column(known) if known == var));
                            if !known && !used.outer.contains(&var) {
                                used.outer.push(var);
                            }
                        }
                        match link.test {
                            // Its aggregates and columns are this query's; those of the sub-select are not.
                            Some(test) => {
                                tests.push(test);
                                Walk::Over
                            }
                            None => Walk::Over,
                        }
                    }
                    _ => Walk::Into,
                }
            });
        }
        used
    }
}

/// Whether an aggregate gives something else than NULL, or 0 for a count, over no rows.
fn is_special_without_rows(function: Aggregate) -> bool {
    !matches!(
        function,
        Aggregate::CountStar
            | Aggregate::Count
            | Aggregate::Sum(_)
            | Aggregate::Avg(_)
            | Aggregate::Min
            | Aggregate::Max
            | Aggregate::BoolAnd
            | Aggregate::BoolOr
    )
}

/// The output column of a grouping expression.
fn column_of(node: NodeRef<'_>, held: ColumnType) -> Column<'_> {
    let source = match node.view() {
        Node::Var(var) => Source::Column(var),
        _ => Source::Computed(node),
    };
    Column { source, ty: node.type_ref(), held }
}
