//! The order of an inner-join component: DataFusion keeps the order it is given, so it is chosen before.
//!
//! Up to [`MAX_EXHAUSTIVE`] inputs: dynamic programming over connected subgraphs, bushy trees included. Above: greedy, the pair with the
//! smallest result first. What no equality connects is joined last, smallest first.
//!
//! Invariants: every input is in the tree once; the left side of a join is the one that the hash table is built on, the smaller one.

/// Inputs up to which all connected orders are tried.
pub const MAX_EXHAUSTIVE: usize = 12;
/// Most inputs of a component (bits of a set).
pub const MAX_INPUTS: usize = 64;

/// A row into a hash table costs more than one that looks into it.
const BUILD_COST: f64 = 2.0;

/// Predicates between two inputs, taken together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// One input.
    pub left: usize,
    /// Another.
    pub right: usize,
    /// Fraction of the pairs of rows that pass.
    pub selectivity: f64,
    /// There is an equality among them.
    pub equality: bool,
}

/// A join tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// An input.
    Leaf(usize),
    /// Left is built, right is probed.
    Join(Box<Tree>, Box<Tree>),
}

impl Tree {
    /// The inputs in it, as bits.
    pub fn inputs(&self) -> u64 {
        match self {
            Self::Leaf(input) => 1 << input,
            Self::Join(left, right) => left.inputs() | right.inputs(),
        }
    }
}

/// What a join of a set of inputs gives and takes.
#[derive(Clone, Copy, Debug)]
struct Measure {
    set: u64,
    rows: f64,
    cost: f64,
}

/// A joined part of the component.
#[derive(Clone, Debug)]
struct Part {
    tree: Tree,
    measure: Measure,
}

/// Orders inputs of `rows` rows each, at most [`MAX_INPUTS`]. None if there are no inputs.
pub fn order(rows: &[f64], edges: &[Edge]) -> Option<Tree> {
    let leaf = |(input, rows): (usize, &f64)| Part {
        tree: Tree::Leaf(input),
        measure: Measure { set: 1 << input, rows: rows.max(1.0), cost: 0.0 },
    };
    let leaves: Vec<Part> = rows.iter().enumerate().map(leaf).collect();
    let mut parts: Vec<Part> = components(rows.len(), edges)
        .into_iter()
        .filter_map(|set| {
            let members: Vec<Part> = leaves.iter().filter(|leaf| leaf.measure.set & set != 0).cloned().collect();
            if members.len() <= MAX_EXHAUSTIVE { exhaustive(&members, edges) } else { greedy(members, edges) }
        })
        .collect();
    parts.sort_by(|a, b| a.measure.rows.total_cmp(&b.measure.rows));
    parts.into_iter().reduce(|left, right| join(left, right, edges)).map(|part| part.tree)
}

/// Sets of inputs that equalities connect.
fn components(inputs: usize, edges: &[Edge]) -> Vec<u64> {
    let mut sets: Vec<u64> = (0..inputs).map(|input| 1 << input).collect();
    for edge in edges.iter().filter(|edge| edge.equality) {
        let bits = 1u64 << edge.left | 1u64 << edge.right;
        let merged = sets.iter().filter(|set| **set & bits != 0).fold(0, |all, set| all | set);
        sets.retain(|set| set & bits == 0);
        sets.push(merged);
    }
    sets
}

/// The fraction of pairs that pass all predicates between two sets; None if no equality is among them.
fn between(left: u64, right: u64, edges: &[Edge]) -> (f64, bool) {
    let crosses = |edge: &&Edge| {
        let (l, r) = (1u64 << edge.left, 1u64 << edge.right);
        (left & l != 0 && right & r != 0) || (left & r != 0 && right & l != 0)
    };
    edges
        .iter()
        .filter(crosses)
        .fold((1.0, false), |(selectivity, equality), edge| (selectivity * edge.selectivity, equality || edge.equality))
}

/// The measure of a join, the smaller side built.
fn measure(left: Measure, right: Measure, edges: &[Edge]) -> Measure {
    let (selectivity, equality) = between(left.set, right.set, edges);
    let (build, probe) = (left.rows.min(right.rows), left.rows.max(right.rows));
    let rows = (left.rows * right.rows * selectivity).max(1.0);
    let own = if equality { BUILD_COST * build + probe + rows } else { build * probe + rows };
    Measure { set: left.set | right.set, rows, cost: left.cost + right.cost + own }
}

/// The join of two parts, the smaller one built.
fn join(left: Part, right: Part, edges: &[Edge]) -> Part {
    let measure = measure(left.measure, right.measure, edges);
    let (build, probe) = if left.measure.rows <= right.measure.rows { (left, right) } else { (right, left) };
    Part { tree: Tree::Join(Box::new(build.tree), Box::new(probe.tree)), measure }
}

/// The cheapest way to a subset of the members: the half to take first, and the measure of the join.
#[derive(Clone, Copy)]
struct Way {
    half: usize,
    measure: Measure,
}

/// The cheapest tree over all orders of members that equalities connect.
fn exhaustive(members: &[Part], edges: &[Edge]) -> Option<Part> {
    // Subsets of the members by their own numbering, so that the table is dense.
    let count = members.len();
    let mut best: Vec<Option<Way>> = vec![None; 1 << count];
    for (index, member) in members.iter().enumerate() {
        best[1 << index] = Some(Way { half: 0, measure: member.measure });
    }
    for subset in (1usize..1 << count).filter(|subset| subset.count_ones() > 1) {
        let lowest = subset & subset.wrapping_neg();
        let mut cheapest: Option<Way> = None;
        // All halves that hold the lowest member, so that each split is seen once.
        let mut half = (subset - 1) & subset;
        while half != 0 {
            if half & lowest != 0
                && let (Some(left), Some(right)) = (best[half], best[subset & !half])
                && between(left.measure.set, right.measure.set, edges).1
            {
                let measure = measure(left.measure, right.measure, edges);
                if cheapest.is_none_or(|cheapest| measure.cost < cheapest.measure.cost) {
                    cheapest = Some(Way { half, measure });
                }
            }
            half = (half - 1) & subset;
        }
        best[subset] = cheapest;
    }
    follow(&best, (1 << count) - 1, members, edges)
}

/// The part that the table of ways describes for a subset.
fn follow(best: &[Option<Way>], subset: usize, members: &[Part], edges: &[Edge]) -> Option<Part> {
    let way = (*best.get(subset)?)?;
    if way.half == 0 {
        return members.get(subset.trailing_zeros() as usize).cloned();
    }
    let left = follow(best, way.half, members, edges)?;
    let right = follow(best, subset & !way.half, members, edges)?;
    Some(join(left, right, edges))
}

/// Joins the pair with the smallest result until one part is left.
fn greedy(mut parts: Vec<Part>, edges: &[Edge]) -> Option<Part> {
    while parts.len() > 1 {
        let mut chosen: Option<(usize, usize, f64)> = None;
        for (i, left) in parts.iter().enumerate() {
            for (j, right) in parts.iter().enumerate().skip(i + 1) {
                if !between(left.measure.set, right.measure.set, edges).1 {
                    continue;
                }
                let rows = measure(left.measure, right.measure, edges).rows;
                if chosen.is_none_or(|(_, _, least)| rows < least) {
                    chosen = Some((i, j, rows));
                }
            }
        }
        let (i, j, _) = chosen?;
        // j is the greater index.
        let right = parts.swap_remove(j);
        let left = parts.swap_remove(i);
        parts.push(join(left, right, edges));
    }
    parts.pop()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equality(left: usize, right: usize, selectivity: f64) -> Edge {
        Edge { left, right, selectivity, equality: true }
    }

    fn leaf(input: usize) -> Box<Tree> {
        Box::new(Tree::Leaf(input))
    }

    #[test]
    fn the_smaller_side_is_built() {
        let edges = [equality(0, 1, 1e-3)];
        assert_eq!(order(&[1000.0, 10.0], &edges), Some(Tree::Join(leaf(1), leaf(0))));
        assert_eq!(order(&[10.0, 1000.0], &edges), Some(Tree::Join(leaf(0), leaf(1))));
    }

    #[test]
    fn no_input_and_one_input() {
        assert_eq!(order(&[], &[]), None);
        assert_eq!(order(&[5.0], &[]), Some(Tree::Leaf(0)));
    }

    /// TPC-H Q5 at scale 1: customer, orders, lineitem, supplier, nation, region.
    #[test]
    fn q5_begins_with_the_dimensions() {
        let rows = [150e3, 227e3, 6e6, 10e3, 25.0, 1.0];
        let edges = [
            equality(0, 1, 1.0 / 150e3),
            equality(1, 2, 1.0 / 1.5e6),
            equality(2, 3, 1.0 / 10e3),
            equality(0, 3, 1.0 / 25.0),
            equality(3, 4, 1.0 / 25.0),
            equality(4, 5, 1.0 / 5.0),
        ];
        let tree = order(&rows, &edges).unwrap();
        assert_eq!(tree.inputs(), 0b11_1111);
        // Lineitem is always probed, never built.
        fn built(tree: &Tree, input: u64) -> bool {
            match tree {
                Tree::Leaf(_) => false,
                Tree::Join(left, right) => left.inputs() & input != 0 || built(right, input) || built(left, input),
            }
        }
        assert!(!built(&tree, 1 << 2), "{tree:?}");
    }

    #[test]
    fn cross_joins_come_last() {
        let edges = [equality(0, 2, 1e-6), Edge { left: 1, right: 2, selectivity: 0.3, equality: false }];
        let tree = order(&[1e6, 5.0, 1e6], &edges).unwrap();
        assert_eq!(tree, Tree::Join(leaf(1), Box::new(Tree::Join(leaf(0), leaf(2)))));
    }

    #[test]
    fn greedy_joins_everything_once() {
        let rows: Vec<f64> = (0..40).map(|input| 10.0 + f64::from(input)).collect();
        let edges: Vec<Edge> = (1..40).map(|input| equality(input - 1, input, 0.1)).collect();
        let tree = order(&rows, &edges).unwrap();
        fn leaves(tree: &Tree) -> usize {
            match tree {
                Tree::Leaf(_) => 1,
                Tree::Join(left, right) => leaves(left) + leaves(right),
            }
        }
        assert_eq!((leaves(&tree), tree.inputs()), (40, (1 << 40) - 1));
    }
}
