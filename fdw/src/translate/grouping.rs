//! Which sets of expressions does GROUP BY group by?
//!
//! GROUPING SETS, ROLLUP and CUBE are expanded to a list of sets, as `expand_grouping_sets` of parse_agg.c does; `GROUPING(…)` is then a
//! matter of the set that a row is of.

use super::scope::{Bound, Column, Source};
use super::{Refusal, Result};
use crate::pg::node::{Node, NodeRef, Walk};
use crate::pg::query::{GroupingSet, QueryRef};
use fusion_common::types::oid;
use fusion_common::{ColumnType, TypeRef};
use fusion_proto::plan::{CompareOp, Expr, ExprKind, Rel, Value};

const INT4: TypeRef = TypeRef::plain(oid::INT4);
/// More sets are refused: each input row is grouped once per set.
const MAX_SETS: usize = 256;

/// The grouping sets of a query, as `tleSortGroupRef`s; None where GROUP BY is plain.
pub(super) fn sets(query: QueryRef<'_>) -> Result<Option<Vec<Vec<u32>>>> {
    let clauses = query.grouping_sets();
    if clauses.is_empty() {
        return Ok(None);
    }
    // Each clause contributes a set to each combination.
    let mut sets = vec![Vec::new()];
    for clause in &clauses {
        let choices = expand(clause)?;
        if sets.len() * choices.len() > MAX_SETS {
            return Err(too_many());
        }
        let combined = |set: &Vec<u32>| choices.iter().map(|choice| union(set, choice)).collect::<Vec<_>>();
        sets = sets.iter().flat_map(combined).collect();
    }
    if query.is_group_distinct() {
        let mut unique: Vec<Vec<u32>> = Vec::new();
        for mut set in sets {
            set.sort_unstable();
            if !unique.contains(&set) {
                unique.push(set);
            }
        }
        sets = unique;
    }
    Ok(Some(sets))
}

fn too_many() -> Refusal {
    Refusal(format!("more than {MAX_SETS} grouping sets"))
}

fn union(left: &[u32], right: &[u32]) -> Vec<u32> {
    let mut all: Vec<u32> = Vec::with_capacity(left.len() + right.len());
    left.iter().chain(right).for_each(|reference| {
        if !all.contains(reference) {
            all.push(*reference);
        }
    });
    all
}

/// The sets of one clause.
fn expand(clause: &GroupingSet) -> Result<Vec<Vec<u32>>> {
    Ok(match clause {
        GroupingSet::Simple(references) => vec![references.clone()],
        GroupingSet::Rollup(parts) => (0..=parts.len()).rev().map(|count| parts[..count].concat()).collect(),
        GroupingSet::Cube(parts) => {
            if parts.len() > 8 {
                return Err(too_many());
            }
            let chosen = |mask: u32| {
                let parts = parts.iter().enumerate().filter(|(part, _)| mask & 1 << part != 0);
                parts.flat_map(|(_, references)| references.iter().copied()).collect()
            };
            (0..1u32 << parts.len()).map(chosen).collect()
        }
        GroupingSet::Sets(clauses) => clauses.iter().map(expand).collect::<Result<Vec<_>>>()?.concat(),
    })
}

/// Adds a column for each `GROUPING(…)` above grouping, and takes away the last column of the relation, which `bound` does not name:
/// the number of a row's set, among `sets`. What is added later (marks of sub-selects) takes its place.
pub(super) fn with_grouping<'q>(query: QueryRef<'q>, bound: Bound<'q>, sets: &[Vec<u32>]) -> Bound<'q> {
    let mut found: Vec<(NodeRef<'q>, Vec<u32>)> = Vec::new();
    for node in query.targets().into_iter().map(|target| target.expr).chain(query.having()) {
        node.walk(|node| match node.view() {
            Node::Grouping(call) if call.level == 0 => {
                if !found.iter().any(|(known, _)| known.equals(node)) {
                    found.push((node, call.references));
                }
                Walk::Over
            }
            _ => Walk::Into,
        });
    }
    let number = Expr::column(INT4, bound.columns.len() as u32);
    let (mut exprs, mut columns) = (bound.all(), bound.columns);
    for (node, references) in found {
        exprs.push(grouping(&number, &references, sets));
        columns.push(Column { source: Source::Computed(node), ty: INT4, held: ColumnType::Int4 });
    }
    Bound { rel: Rel::Project { input: Box::new(bound.rel), exprs }, columns }
}

/// Of a row of set `number`: a bit per reference, the last the lowest; 1 where the set lacks it.
fn grouping(number: &Expr, references: &[u32], sets: &[Vec<u32>]) -> Expr {
    let int4 = |value: i32| Expr { ty: INT4, kind: ExprKind::Const(Some(Value::Int4(value))) };
    let mask = |set: &Vec<u32>| {
        references.iter().fold(0, |mask: i32, reference| mask << 1 | i32::from(!set.contains(reference)))
    };
    let is = |set: usize| {
        let (left, right) = (Box::new(number.clone()), Box::new(int4(set as i32)));
        Expr::boolean(ExprKind::Compare { op: CompareOp::Eq, left, right })
    };
    let branches = sets.iter().enumerate().map(|(position, set)| (is(position), int4(mask(set)))).collect();
    Expr { ty: INT4, kind: ExprKind::Case { branches, otherwise: None } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simple(references: &[u32]) -> GroupingSet {
        GroupingSet::Simple(references.to_vec())
    }

    #[test]
    fn clauses_expand_as_in_postgresql() {
        let rollup = GroupingSet::Rollup(vec![vec![1], vec![2, 3]]);
        assert_eq!(expand(&rollup).unwrap(), [vec![1, 2, 3], vec![1], vec![]]);
        let cube = GroupingSet::Cube(vec![vec![1], vec![2]]);
        assert_eq!(expand(&cube).unwrap(), [vec![], vec![1], vec![2], vec![1, 2]]);
        let nested = GroupingSet::Sets(vec![simple(&[4]), rollup, simple(&[])]);
        assert_eq!(expand(&nested).unwrap(), [vec![4], vec![1, 2, 3], vec![1], vec![], vec![]]);
    }
}
