//! Joins: the order of inner-join components, hash keys, and which side is built.

use super::Lowering;
use super::compare::join_keys;
use super::estimate::{Estimate, edge};
use super::expr::Scope;
use super::held::Held;
use super::predicate::{conjuncts, for_each_column, implied};
use super::relation::Relation;
use crate::optimizer::join_order::{Edge, MAX_INPUTS, Tree, order};
use crate::{Error, Result};
use datafusion::common::JoinType;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
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
    /// Input and its own column, by position in the concatenation.
    owners: Vec<(usize, usize)>,
}

impl Inputs {
    fn new(relations: &[Relation]) -> Self {
        let owners = relations.iter().enumerate();
        let owners =
            owners.flat_map(|(input, relation)| (0..relation.columns.len()).map(move |column| (input, column)));
        Self { owners: owners.collect() }
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
            ExprKind::Column(index) => self.owners.get(index as usize).map(|(_, column)| *column),
            _ => None,
        }
    }
}

/// The two sides of an equality.
fn sides(conjunct: &ir::Expr) -> Option<(&ir::Expr, &ir::Expr)> {
    match &conjunct.kind {
        ExprKind::Compare { op: CompareOp::Eq, left, right } => Some((left, right)),
        _ => None,
    }
}

/// An inner-join component. Columns: those of all inputs in the order given.
pub fn inner(
    lowering: &mut Lowering<'_>,
    inputs: &[ir::Rel],
    predicates: &[ir::Expr],
    depth: usize,
) -> Result<Relation> {
    let mut relations = inputs.iter().map(|input| lowering.rel(input, depth)).collect::<Result<Vec<_>>>()?;
    if relations.len() > MAX_INPUTS {
        return Err(Error::Unsupported(format!("a join of more than {MAX_INPUTS} relations")));
    }
    let columns: Vec<Held> = relations.iter().flat_map(|relation| relation.columns.iter().cloned()).collect();
    let scope = Scope { columns: &columns, params: lowering.params, depth };
    let owners = Inputs::new(&relations);

    let mut constants = Vec::new();
    let mut alone: Vec<Vec<Expr>> = vec![Vec::new(); relations.len()];
    let mut pending = Vec::new();
    for conjunct in conjuncts(predicates) {
        let inputs = owners.of(&conjunct);
        match inputs.count_ones() {
            0 => constants.push(scope.predicate(&conjunct)?),
            1 => push_to(&mut alone, inputs, scope.predicate(&conjunct)?),
            _ => {
                for input in 0..relations.len() {
                    if let Some(implied) = implied(&conjunct, |expr| owners.of(expr) == 1 << input) {
                        push_to(&mut alone, 1 << input, scope.predicate(&implied)?);
                    }
                }
                let equality = sides(&conjunct).map(|(left, right)| (owners.of(left), owners.of(right)));
                let equality = equality.filter(|(left, right)| left & right == 0 && *left != 0 && *right != 0);
                pending.push(Pending { conjunct, inputs, equality, placed: false });
            }
        }
    }
    for (relation, filters) in relations.iter_mut().zip(alone) {
        relation.estimate = relation.estimate.clone().filter(filters.len());
        filter(relation, filters)?;
    }

    let edges = edges(&relations, &pending, &owners);
    let rows: Vec<f64> = relations.iter().map(|relation| relation.estimate.rows).collect();
    let tree = order(&rows, &edges).ok_or_else(|| Error::internal("a join of nothing"))?;
    let estimate = joined_estimate(&relations, &edges);
    let plan = build(&tree, &relations, &mut pending, scope)?;
    let mut relation = Relation { plan, columns: columns.clone(), estimate };
    filter(&mut relation, constants)?;
    Ok(relation)
}

fn push_to(alone: &mut [Vec<Expr>], set: u64, predicate: Expr) {
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

fn joined_estimate(relations: &[Relation], edges: &[Edge]) -> Estimate {
    let product: f64 = relations.iter().map(|relation| relation.estimate.rows).product();
    let rows = product * edges.iter().map(|edge| edge.selectivity).product::<f64>();
    let mut estimate = Estimate::unknown(rows, 0);
    estimate.distinct = relations
        .iter()
        .flat_map(|relation| (0..relation.columns.len()).map(|c| Some(relation.estimate.distinct(c))))
        .collect();
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
    let (mut keys, mut filters) = (Vec::new(), Vec::new());
    let here = |pending: &&mut Pending| !pending.placed && pending.inputs & !(of_left | of_right) == 0;
    for pending in pending.iter_mut().filter(here) {
        pending.placed = true;
        let within = |set: u64, side: u64| set & !side == 0;
        match (sides(&pending.conjunct), pending.equality) {
            (Some((l, r)), Some((a, b))) if within(a, of_left) && within(b, of_right) => {
                keys.push(join_keys(scope.expr(l)?, scope.expr(r)?)?);
            }
            (Some((l, r)), Some((a, b))) if within(a, of_right) && within(b, of_left) => {
                keys.push(join_keys(scope.expr(r)?, scope.expr(l)?)?);
            }
            _ => filters.push(scope.predicate(&pending.conjunct)?),
        }
    }
    join(left, right, JoinType::Inner, keys, filters)
}

/// A binary join; the left side is the one that the hash table is built on.
fn join(
    left: LogicalPlan,
    right: LogicalPlan,
    kind: JoinType,
    keys: Vec<(Expr, Expr)>,
    filters: Vec<Expr>,
) -> Result<LogicalPlan> {
    let builder = LogicalPlanBuilder::new(left);
    let builder = if keys.is_empty() {
        match (kind, filters.is_empty()) {
            (JoinType::Inner, true) => builder.cross_join(right)?,
            _ => builder.join_on(right, kind, filters)?,
        }
    } else {
        builder.join_with_expr_keys(right, kind, keys.into_iter().unzip(), conjunction(filters))?
    };
    Ok(builder.build()?)
}

/// Left, full, semi and anti joins.
pub fn outer(
    lowering: &mut Lowering<'_>,
    kind: JoinKind,
    (left, right): (&ir::Rel, &ir::Rel),
    predicates: &[ir::Expr],
    depth: usize,
) -> Result<Relation> {
    let left = lowering.rel(left, depth)?;
    let right = lowering.rel(right, depth)?;
    let both: Vec<Held> = left.columns.iter().chain(&right.columns).cloned().collect();
    if both.len() > 2 * MAX_TUPLE_ATTRIBUTES {
        return Err(Error::Unsupported("a join of so many columns".into()));
    }
    let scope = Scope { columns: &both, params: lowering.params, depth };
    let owners = Inputs::new(&[left.clone(), right.clone()]);
    let (mut keys, mut filters) = (Vec::new(), Vec::new());
    for conjunct in conjuncts(predicates) {
        let found = sides(&conjunct).map(|(l, r)| (l, r, owners.of(l), owners.of(r)));
        match found {
            Some((l, r, 0b01, 0b10)) => keys.push(join_keys(scope.expr(l)?, scope.expr(r)?)?),
            Some((l, r, 0b10, 0b01)) => keys.push(join_keys(scope.expr(r)?, scope.expr(l)?)?),
            _ => filters.push(scope.predicate(&conjunct)?),
        }
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
    };
    if keys.is_empty() && filters.is_empty() {
        // Semi and outer joins of DataFusion want a condition.
        filters.push(datafusion::logical_expr::lit(true));
    }
    let plan = if exchanged {
        let keys = keys.into_iter().map(|(left, right)| (right, left)).collect();
        join(right.plan, left.plan, join_type, keys, filters)?
    } else {
        join(left.plan, right.plan, join_type, keys, filters)?
    };
    let (columns, estimate) = match kind {
        JoinKind::Left | JoinKind::Full => {
            let rows = left.estimate.rows.max(right.estimate.rows);
            let (columns, kept) = (both.len(), if kind == JoinKind::Left { left.columns.len() } else { 0 });
            let mut both = both;
            both.iter_mut().skip(kept).for_each(|column| column.nullable = true);
            (both, Estimate::unknown(rows, columns))
        }
        JoinKind::Semi | JoinKind::Anti => {
            let mut estimate = left.estimate;
            estimate.rows = (estimate.rows * 0.5).max(1.0);
            (left.columns, estimate)
        }
    };
    Ok(Relation { plan, columns, estimate })
}
