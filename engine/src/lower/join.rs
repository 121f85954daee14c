//! Joins: the order of inner-join components, hash keys, and which side is built.

use super::Lowering;
use super::compare::join_keys;
use super::estimate::{Estimate, UNKNOWN_DISTINCT, UNKNOWN_SELECTIVITY, edge, matched};
use super::expr::Scope;
use super::held::Held;
use super::predicate::{conjuncts, for_each_column, implied};
use super::relation::Relation;
use crate::optimizer::join_order::{Edge, MAX_INPUTS, Tree, order};
use crate::{Error, Result};
use datafusion::common::{JoinType, NullEquality};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, Join, LogicalPlan, LogicalPlanBuilder, lit};
use fusion_common::ColumnType;
use fusion_common::limits::MAX_TUPLE_ATTRIBUTES;
use fusion_proto::plan::{self as ir, CompareOp, ExprKind, JoinKind};

/// A conjunct over several inputs, before it has found its join.
struct Pending {
    conjunct: ir::Expr,
    /// Inputs that it names.
    inputs: u64,
    /// If it is an equality: inputs of its left and of its right side.
    equality: Option<(u64, u64)>,
    placed: bool,
}

/// Which columns of the concatenation belong to which input.
struct Inputs {
    /// Input and its own column, by position in the concatenation; no column where it is one of a single row that was given to the input.
    owners: Vec<(usize, Option<usize>)>,
}

impl Inputs {
    /// Of two sides of a join: `width` columns of the left, where the relation's own begin at `offset`, then the right's.
    fn beside(width: usize, offset: usize, right: &Relation) -> Self {
        let left = (0..width).map(|column| (0, Some(column.wrapping_sub(offset))));
        Self { owners: left.chain((0..right.columns.len()).map(|column| (1, Some(column)))).collect() }
    }

    /// The columns of the left and of the right side that an equality of both equates; None where a side is computed.
    fn equated_columns(&self, conjunct: &ir::Expr) -> Option<(Option<usize>, Option<usize>)> {
        let (l, r) = sides(conjunct)?;
        match (self.of(l), self.of(r)) {
            (0b01, 0b10) => Some((self.column(l), self.column(r))),
            (0b10, 0b01) => Some((self.column(r), self.column(l))),
            _ => None,
        }
    }

    /// The inputs that an expression names.
    fn of(&self, expr: &ir::Expr) -> u64 {
        let mut set = 0;
        for_each_column(expr, &mut |index| {
            if let Some((input, _)) = self.owners.get(index as usize) {
                set |= 1 << input;
            }
        });
        set
    }

    /// The input's own column, if the expression is just that.
    fn column(&self, expr: &ir::Expr) -> Option<usize> {
        match expr.kind {
            ExprKind::Column(index) => self.owners.get(index as usize).and_then(|(_, column)| *column),
            _ => None,
        }
    }

    fn uses_single_row(&self, expr: &ir::Expr) -> bool {
        let mut found = false;
        for_each_column(expr, &mut |index| found |= matches!(self.owners.get(index as usize), Some((_, None))));
        found
    }

    /// Whether an expression has columns of single rows only, or of the input only; None: of both, or of neither.
    fn is_single_row(&self, expr: &ir::Expr) -> Option<bool> {
        let (mut single, mut own) = (false, false);
        for_each_column(expr, &mut |index| match self.owners.get(index as usize) {
            Some((_, None)) => single = true,
            _ => own = true,
        });
        (single != own).then_some(single)
    }
}

/// The two sides of an equality, null-safe or not.
fn sides(conjunct: &ir::Expr) -> Option<(&ir::Expr, &ir::Expr)> {
    match &conjunct.kind {
        ExprKind::Compare { op: CompareOp::Eq | CompareOp::Same, left, right } => Some((left, right)),
        _ => None,
    }
}

/// Hash keys, filter, and how keys that are NULL compare.
type Finished = (Vec<(Expr, Expr)>, Option<Expr>, NullEquality);

/// What rows of two sides are joined by.
#[derive(Default)]
struct Condition {
    /// Sides that are equated, and whether NULL equals NULL.
    equated: Vec<(Held, Held, bool)>,
    filters: Vec<Expr>,
}

impl Condition {
    /// An equality; `conjunct` tells of which kind.
    fn equate(&mut self, conjunct: &ir::Expr, left: Held, right: Held) {
        let null_safe = matches!(conjunct.kind, ExprKind::Compare { op: CompareOp::Same, .. });
        self.equated.push((left, right, null_safe));
    }

    fn exchange(&mut self) {
        self.equated.iter_mut().for_each(|(left, right, _)| std::mem::swap(left, right));
    }

    /// One rule for NULL holds for all keys of a join.
    fn finish(self) -> Result<Finished> {
        let both_null = |left: &Held, right: &Held| left.nullable && right.nullable;
        let null_safe = self.equated.iter().any(|(left, right, null_safe)| *null_safe && both_null(left, right));
        let (mut keys, mut filters) = (Vec::with_capacity(self.equated.len()), self.filters);
        for (left, right, of_nulls) in self.equated {
            let strict = null_safe && !of_nulls && both_null(&left, &right);
            let (left, right) = join_keys(left, right)?;
            if strict {
                filters.push(left.clone().is_not_null());
            }
            keys.push((left, right));
        }
        let nulls = if null_safe { NullEquality::NullEqualsNull } else { NullEquality::NullEqualsNothing };
        Ok((keys, conjunction(filters), nulls))
    }
}

/// An inner-join component. Columns: those of all inputs in the order given.
pub fn inner(
    lowering: &mut Lowering<'_>,
    inputs: &[ir::Rel],
    predicates: &[ir::Expr],
    depth: usize,
) -> Result<Relation> {
    let relations = inputs.iter().map(|input| lowering.rel(input, depth)).collect::<Result<Vec<_>>>()?;
    inner_of(lowering, relations, predicates, depth)
}

/// The same over lowered inputs.
fn inner_of(
    lowering: &mut Lowering<'_>,
    relations: Vec<Relation>,
    predicates: &[ir::Expr],
    depth: usize,
) -> Result<Relation> {
    let columns: Vec<Held> = relations.iter().flat_map(|relation| relation.columns.iter().cloned()).collect();
    let scope = Scope { columns: &columns, params: lowering.params, depth };
    let predicates = conjuncts(predicates);
    let (mut relations, owners) = single_rows_first(relations, &predicates);
    if relations.len() > MAX_INPUTS {
        return Err(Error::Unsupported(format!("a join of more than {MAX_INPUTS} relations")));
    }

    let mut constants = Vec::new();
    let mut alone: Vec<Vec<ir::Expr>> = vec![Vec::new(); relations.len()];
    let mut pending = Vec::new();
    for conjunct in predicates {
        let inputs = owners.of(&conjunct);
        match inputs.count_ones() {
            0 => constants.push(scope.predicate(&conjunct)?),
            1 => push_to(&mut alone, inputs, conjunct),
            _ => {
                for input in 0..relations.len() {
                    if let Some(implied) = implied(&conjunct, |expr| owners.of(expr) == 1 << input) {
                        push_to(&mut alone, 1 << input, implied);
                    }
                }
                let equality = sides(&conjunct).map(|(left, right)| (owners.of(left), owners.of(right)));
                let equality = equality.filter(|(left, right)| left & right == 0 && *left != 0 && *right != 0);
                pending.push(Pending { conjunct, inputs, equality, placed: false });
            }
        }
    }
    let relations = relations
        .drain(..)
        .zip(alone)
        .enumerate()
        .map(|(input, (merged, own))| merged.filter(input, own, &owners, scope))
        .collect::<Result<Vec<Relation>>>()?;

    let edges = edges(&relations, &pending, &owners);
    let rows: Vec<f64> = relations.iter().map(|relation| relation.estimate.rows).collect();
    let tree = order(&rows, &edges).ok_or_else(|| Error::internal("a join of nothing"))?;
    let estimate = joined_estimate(&relations, &edges, &owners);
    let plan = build(&tree, &relations, &mut pending, scope)?;
    let mut relation = Relation { plan, columns: columns.clone(), estimate };
    filter(&mut relation, constants)?;
    Ok(relation)
}

/// An input with the relations of a single row that its own conjuncts compare it with.
struct Merged {
    relation: Relation,
    single_rows: Vec<Relation>,
}

/// Gives each relation of a single row (a scalar subquery) to the input that a conjunct compares with it, so that the conjunct is a
/// filter of that input. What no conjunct needs so stays an input of its own.
fn single_rows_first(relations: Vec<Relation>, predicates: &[ir::Expr]) -> (Vec<Merged>, Inputs) {
    let widths: Vec<usize> = relations.iter().map(|relation| relation.columns.len()).collect();
    let first: Vec<usize> = widths.iter().scan(0, |sum, width| Some(std::mem::replace(sum, *sum + width))).collect();
    let inputs_of = |expr: &ir::Expr| {
        let mut found = Vec::new();
        for_each_column(expr, &mut |column| {
            let input = first.partition_point(|first| *first <= column as usize).saturating_sub(1);
            if !found.contains(&input) {
                found.push(input);
            }
        });
        found
    };
    let is_single: Vec<bool> = relations.iter().map(|relation| relation.estimate.single_row).collect();
    let mut hosts: Vec<Option<usize>> = vec![None; relations.len()];
    for predicate in predicates {
        let (single, others): (Vec<usize>, Vec<usize>) = inputs_of(predicate).into_iter().partition(|i| is_single[*i]);
        if let [host] = others[..] {
            single.into_iter().for_each(|input| _ = hosts[input].get_or_insert(host));
        }
    }
    let (mut merged, mut places) = (Vec::new(), vec![0; relations.len()]);
    for (input, relation) in relations.iter().enumerate().filter(|(input, _)| hosts[*input].is_none()) {
        places[input] = merged.len();
        merged.push(Merged { relation: relation.clone(), single_rows: Vec::new() });
    }
    for (input, relation) in relations.into_iter().enumerate() {
        if let Some(host) = hosts[input] {
            places[input] = places[host];
            merged[places[host]].single_rows.push(relation);
        }
    }
    let owner = |(input, width): (usize, &usize)| {
        let (place, hosted) = (places[input], hosts[input].is_some());
        (0..*width).map(move |column| (place, if hosted { None } else { Some(column) })).collect::<Vec<_>>()
    };
    let owners = widths.iter().enumerate().flat_map(owner).collect();
    (merged, Inputs { owners })
}

impl Merged {
    /// The input with its own conjuncts applied.
    fn filter(self, input: usize, conjuncts: Vec<ir::Expr>, owners: &Inputs, scope: Scope<'_>) -> Result<Relation> {
        let mut relation = self.relation;
        let (with_single, own): (Vec<_>, Vec<_>) =
            conjuncts.into_iter().partition(|conjunct| owners.uses_single_row(conjunct));
        let own = own.iter().map(|conjunct| scope.predicate(conjunct)).collect::<Result<Vec<_>>>()?;
        relation.estimate = relation.estimate.clone().filter(own.len());
        filter(&mut relation, own)?;
        let mut singles = self.single_rows.into_iter();
        let Some(first) = singles.next() else { return Ok(relation) };
        let single =
            singles.try_fold(first.plan, |plan, next| join(plan, next.plan, JoinType::Inner, Condition::default()))?;
        let mut condition = Condition::default();
        for conjunct in &with_single {
            let sides =
                sides(conjunct).and_then(|(l, r)| Some((l, r, owners.is_single_row(l)?, owners.is_single_row(r)?)));
            match sides {
                Some((l, r, true, false)) => condition.equate(conjunct, scope.expr(l)?, scope.expr(r)?),
                Some((l, r, false, true)) => condition.equate(conjunct, scope.expr(r)?, scope.expr(l)?),
                _ => condition.filters.push(scope.predicate(conjunct)?),
            }
            let selectivity = match sides {
                Some((l, r, ..)) => {
                    let column = owners.column(l).or(owners.column(r));
                    1.0 / column.map_or(UNKNOWN_DISTINCT, |column| relation.estimate.distinct(column))
                }
                None => UNKNOWN_SELECTIVITY,
            };
            relation.estimate.rows = (relation.estimate.rows * selectivity).max(1.0);
        }
        debug_assert!(input < MAX_INPUTS);
        relation.plan = join(single, relation.plan, JoinType::Inner, condition)?;
        Ok(relation)
    }
}

fn push_to(alone: &mut [Vec<ir::Expr>], set: u64, predicate: ir::Expr) {
    if let Some(filters) = alone.get_mut(set.trailing_zeros() as usize) {
        filters.push(predicate);
    }
}

/// Puts a filter on a relation, if there are any predicates.
pub fn filter(relation: &mut Relation, predicates: Vec<Expr>) -> Result<()> {
    if let Some(predicate) = conjunction(predicates) {
        let plan = std::mem::take(&mut relation.plan);
        relation.plan = LogicalPlanBuilder::new(plan).filter(predicate)?.build()?;
    }
    Ok(())
}

/// One edge per pair of inputs with predicates between them alone.
fn edges(relations: &[Relation], pending: &[Pending], owners: &Inputs) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (left, left_relation) in relations.iter().enumerate() {
        for (right, right_relation) in relations.iter().enumerate().skip(left + 1) {
            let pair = 1u64 << left | 1u64 << right;
            let (mut equalities, mut others) = (Vec::new(), 0);
            for pending in pending.iter().filter(|pending| pending.inputs == pair) {
                match (sides(&pending.conjunct), pending.equality) {
                    (Some((l, r)), Some((of_left, _))) if of_left == 1 << left => {
                        equalities.push((owners.column(l), owners.column(r)));
                    }
                    (Some((l, r)), Some(_)) => equalities.push((owners.column(r), owners.column(l))),
                    _ => others += 1,
                }
            }
            if !equalities.is_empty() || others > 0 {
                let left = (left, &left_relation.estimate);
                edges.push(edge(left, (right, &right_relation.estimate), &equalities, others));
            }
        }
    }
    edges
}

fn joined_estimate(relations: &[Relation], edges: &[Edge], owners: &Inputs) -> Estimate {
    let product: f64 = relations.iter().map(|relation| relation.estimate.rows).product();
    let rows = product * edges.iter().map(|edge| edge.selectivity).product::<f64>();
    let mut estimate = Estimate::unknown(rows, 0);
    let distinct =
        |(input, column): &(usize, Option<usize>)| Some(relations.get(*input)?.estimate.distinct((*column)?));
    estimate.distinct = owners.owners.iter().map(distinct).collect();
    estimate.single_row = relations.iter().all(|relation| relation.estimate.single_row);
    estimate
}

/// The plan of a join tree; each pending conjunct goes to the lowest join that has all its inputs.
fn build(tree: &Tree, relations: &[Relation], pending: &mut [Pending], scope: Scope<'_>) -> Result<LogicalPlan> {
    let (left, right) = match tree {
        Tree::Leaf(input) => {
            let relation = relations.get(*input).ok_or_else(|| Error::internal("there is no such input"))?;
            return Ok(relation.plan.clone());
        }
        Tree::Join(left, right) => (left, right),
    };
    let (of_left, of_right) = (left.inputs(), right.inputs());
    let left = build(left, relations, pending, scope)?;
    let right = build(right, relations, pending, scope)?;
    let mut condition = Condition::default();
    let here = |pending: &&mut Pending| !pending.placed && pending.inputs & !(of_left | of_right) == 0;
    for pending in pending.iter_mut().filter(here) {
        pending.placed = true;
        let within = |set: u64, side: u64| set & !side == 0;
        match (sides(&pending.conjunct), pending.equality) {
            (Some((l, r)), Some((a, b))) if within(a, of_left) && within(b, of_right) => {
                condition.equate(&pending.conjunct, scope.expr(l)?, scope.expr(r)?);
            }
            (Some((l, r)), Some((a, b))) if within(a, of_right) && within(b, of_left) => {
                condition.equate(&pending.conjunct, scope.expr(r)?, scope.expr(l)?);
            }
            _ => condition.filters.push(scope.predicate(&pending.conjunct)?),
        }
    }
    join(left, right, JoinType::Inner, condition)
}

/// A binary join; the left side is the one that the hash table is built on.
fn join(left: LogicalPlan, right: LogicalPlan, kind: JoinType, condition: Condition) -> Result<LogicalPlan> {
    let (keys, filter, nulls) = condition.finish()?;
    let builder = LogicalPlanBuilder::new(left);
    Ok(match (keys.is_empty(), filter) {
        (true, None) if kind == JoinType::Inner => builder.cross_join(right)?.build()?,
        // Semi and outer joins of DataFusion want a condition.
        (true, filter) => builder.join_on(right, kind, [filter.unwrap_or_else(|| lit(true))])?.build()?,
        (false, filter) => {
            let plan = builder.join_with_expr_keys(right, kind, keys.into_iter().unzip(), filter)?.build()?;
            match plan {
                LogicalPlan::Join(join) => LogicalPlan::Join(Join { null_equality: nulls, ..join }),
                other => other,
            }
        }
    })
}

/// Left, full, semi, anti and mark joins.
pub fn outer(
    lowering: &mut Lowering<'_>,
    kind: JoinKind,
    (left, right): (&ir::Rel, &ir::Rel),
    predicates: &[ir::Expr],
    depth: usize,
) -> Result<Relation> {
    if let (JoinKind::Semi | JoinKind::Anti, Some((inputs, inner, chain))) = (kind, keeping_chain(left)) {
        let chain: Vec<Keeping<'_>> = chain.into_iter().chain([Keeping { kind, right, predicates }]).collect();
        return keeping(lowering, inputs, inner, chain, depth);
    }
    let left = Left::of(lowering.rel(left, depth)?);
    let right = lowering.rel(right, depth)?;
    let right = if kind == JoinKind::Mark { unqualified(lowering, right)? } else { right };
    outer_of(lowering, kind, left, right, predicates, depth)
}

/// A semi or anti join of a chain of them over an inner-join component.
#[derive(Clone, Copy)]
struct Keeping<'e> {
    kind: JoinKind,
    right: &'e ir::Rel,
    predicates: &'e [ir::Expr],
}

/// Inputs and predicates of the inner-join component below `rel`, with the semi and anti joins between, lowest first.
fn keeping_chain(rel: &ir::Rel) -> Option<(&[ir::Rel], &[ir::Expr], Vec<Keeping<'_>>)> {
    match rel {
        ir::Rel::InnerJoin { inputs, predicates } => Some((inputs, predicates, Vec::new())),
        ir::Rel::Join { kind: kind @ (JoinKind::Semi | JoinKind::Anti), left, right, predicates } => {
            let (inputs, inner, mut chain) = keeping_chain(left)?;
            chain.push(Keeping { kind: *kind, right, predicates });
            Some((inputs, inner, chain))
        }
        _ => None,
    }
}

/// Semi and anti joins over an inner-join component. A semi join that tests one input only, and is expected to drop most of its rows at
/// little cost, is applied to that input, so that the join order counts it.
fn keeping(
    lowering: &mut Lowering<'_>,
    inputs: &[ir::Rel],
    inner: &[ir::Expr],
    chain: Vec<Keeping<'_>>,
    depth: usize,
) -> Result<Relation> {
    let mut relations = inputs.iter().map(|input| lowering.rel(input, depth)).collect::<Result<Vec<_>>>()?;
    let columns: Vec<Held> = relations.iter().flat_map(|relation| relation.columns.iter().cloned()).collect();
    let mut late = Vec::new();
    for Keeping { kind, right, predicates } in chain {
        let right = lowering.rel(right, depth)?;
        let tested = tested_input(&relations, predicates).filter(|_| kind == JoinKind::Semi);
        match tested.and_then(|(input, offset)| Some((relations.get_mut(input)?, offset))) {
            Some((relation, offset)) if is_worthwhile(relation, offset, &right, columns.len(), predicates) => {
                let left = Left { relation: relation.clone(), columns: columns.clone(), offset };
                *relation = outer_of(lowering, kind, left, right, predicates, depth)?;
            }
            _ => late.push((kind, right, predicates)),
        }
    }
    let mut relation = inner_of(lowering, relations, inner, depth)?;
    for (kind, right, predicates) in late {
        relation = outer_of(lowering, kind, Left::of(relation), right, predicates, depth)?;
    }
    Ok(relation)
}

/// The only input whose columns `predicates` have, and the position of its first column.
fn tested_input(relations: &[Relation], predicates: &[ir::Expr]) -> Option<(usize, usize)> {
    let mut offset = 0;
    let mut ranges = Vec::with_capacity(relations.len());
    for relation in relations {
        ranges.push(offset..offset + relation.columns.len());
        offset += relation.columns.len();
    }
    let mut tested = Vec::new();
    for predicate in predicates {
        for_each_column(predicate, &mut |column| {
            let input = ranges.iter().position(|range| range.contains(&(column as usize)));
            tested.extend(input.filter(|input| !tested.contains(input)));
        });
    }
    match tested[..] {
        [input] => Some((input, ranges.get(input)?.start)),
        _ => None,
    }
}

/// Whether a semi join drops at least half of the rows, with a hash table that is small beside them.
fn is_worthwhile(left: &Relation, offset: usize, right: &Relation, width: usize, predicates: &[ir::Expr]) -> bool {
    let owners = Inputs::beside(width, offset, right);
    let equalities: Vec<_> = predicates.iter().filter_map(|predicate| owners.equated_columns(predicate)).collect();
    !equalities.is_empty()
        && 2.0 * right.estimate.rows <= left.estimate.rows
        && matched(&left.estimate, &right.estimate, &equalities) <= 0.5
}

/// The left side of a join. The predicates count `columns`, of which those from `offset` on are the relation's own.
struct Left {
    relation: Relation,
    columns: Vec<Held>,
    offset: usize,
}

impl Left {
    fn of(relation: Relation) -> Self {
        Self { columns: relation.columns.clone(), relation, offset: 0 }
    }
}

/// As [`outer`], over lowered sides.
fn outer_of(
    lowering: &mut Lowering<'_>,
    kind: JoinKind,
    left: Left,
    right: Relation,
    predicates: &[ir::Expr],
    depth: usize,
) -> Result<Relation> {
    let Left { relation: left, columns, offset } = left;
    let owners = Inputs::beside(columns.len(), offset, &right);
    let both: Vec<Held> = columns.into_iter().chain(right.columns.iter().cloned()).collect();
    if both.len() > 2 * MAX_TUPLE_ATTRIBUTES {
        return Err(Error::Unsupported("a join of so many columns".into()));
    }
    let scope = Scope { columns: &both, params: lowering.params, depth };
    let (mut condition, mut equalities) = (Condition::default(), Vec::new());
    for conjunct in conjuncts(predicates) {
        let equality = never_null_equality(&conjunct, scope)?.unwrap_or(&conjunct);
        let found = sides(equality).map(|(l, r)| (l, r, owners.of(l), owners.of(r)));
        let (l, r) = match found {
            Some((l, r, 0b01, 0b10)) => (l, r),
            Some((l, r, 0b10, 0b01)) => (r, l),
            _ => {
                condition.filters.push(scope.predicate(&conjunct)?);
                continue;
            }
        };
        condition.equate(equality, scope.expr(l)?, scope.expr(r)?);
        equalities.push((owners.column(l), owners.column(r)));
    }
    // The smaller side is built, which is DataFusion's left.
    let exchanged = right.estimate.rows < left.estimate.rows;
    let join_type = match (kind, exchanged) {
        (JoinKind::Left, false) => JoinType::Left,
        (JoinKind::Left, true) => JoinType::Right,
        (JoinKind::Full, _) => JoinType::Full,
        (JoinKind::Semi, false) => JoinType::LeftSemi,
        (JoinKind::Semi, true) => JoinType::RightSemi,
        (JoinKind::Anti, false) => JoinType::LeftAnti,
        (JoinKind::Anti, true) => JoinType::RightAnti,
        (JoinKind::Mark, false) => JoinType::LeftMark,
        (JoinKind::Mark, true) => JoinType::RightMark,
    };
    let matched = matched(&left.estimate, &right.estimate, &equalities);
    let plan = if exchanged {
        condition.exchange();
        join(right.plan, left.plan, join_type, condition)?
    } else {
        join(left.plan, right.plan, join_type, condition)?
    };
    let relation = match kind {
        JoinKind::Left | JoinKind::Full => {
            let rows = left.estimate.rows.max(right.estimate.rows);
            let kept = if kind == JoinKind::Left { left.columns.len() } else { 0 };
            let mut estimate = Estimate::unknown(rows, both.len());
            if kind == JoinKind::Left {
                estimate.distinct[..kept].copy_from_slice(&left.estimate.distinct[..kept]);
            }
            let mut columns = both;
            columns.iter_mut().skip(kept).for_each(|column| column.nullable = true);
            Relation { plan, columns, estimate }
        }
        JoinKind::Semi | JoinKind::Anti => {
            let fraction = if kind == JoinKind::Semi { matched } else { 1.0 - matched };
            let mut estimate = left.estimate;
            estimate.rows = (estimate.rows * fraction.max(MIN_FRACTION)).max(1.0);
            Relation { plan, columns: left.columns, estimate }
        }
        JoinKind::Mark => marked(lowering, plan, left.columns, left.estimate)?,
    };
    Ok(relation)
}

/// The fraction of rows that a semi or anti join is expected to keep at least.
const MIN_FRACTION: f64 = 0.01;

/// The same under names without qualifiers. DataFusion qualifies a mark with the one qualifier of the side that marks, if there is just one, which may be another
/// one when columns that nobody needs have gone.
fn unqualified(lowering: &mut Lowering<'_>, relation: Relation) -> Result<Relation> {
    let Relation { plan, mut columns, estimate } = relation;
    let mut exprs = Vec::with_capacity(columns.len().max(1));
    for column in &mut columns {
        let (expr, reference) = lowering.names.alias(column.expr.clone(), "r");
        exprs.push(expr);
        column.expr = reference;
    }
    if exprs.is_empty() {
        exprs.push(lowering.names.alias(lit(true), "r").0);
    }
    Ok(Relation { plan: LogicalPlanBuilder::new(plan).project(exprs)?.build()?, columns, estimate })
}

/// A mark join's result, its mark under a name of its own.
fn marked(
    lowering: &mut Lowering<'_>,
    plan: LogicalPlan,
    mut columns: Vec<Held>,
    mut estimate: Estimate,
) -> Result<Relation> {
    let mut exprs: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
    let mark = exprs.pop().ok_or_else(|| Error::internal("a mark join without its mark"))?;
    let (mark, reference) = lowering.names.alias(mark, "m");
    exprs.push(mark);
    let plan = LogicalPlanBuilder::new(plan).project(exprs)?.build()?;
    columns.push(Held { nullable: false, ..Held::new(reference, ColumnType::Bool) });
    estimate.distinct.push(Some(2.0));
    Ok(Relation { plan, columns, estimate })
}

/// The equality in `(a = b) IS NOT FALSE` (NOT IN), where neither side is ever NULL, so that it says the same.
fn never_null_equality<'e>(conjunct: &'e ir::Expr, scope: Scope<'_>) -> Result<Option<&'e ir::Expr>> {
    let ExprKind::IsBool { arg, value: Some(false), negated: true } = &conjunct.kind else { return Ok(None) };
    let Some((left, right)) = sides(arg) else { return Ok(None) };
    Ok((!scope.expr(left)?.nullable && !scope.expr(right)?.nullable).then_some(arg.as_ref()))
}
