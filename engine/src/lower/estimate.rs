//! How many rows a relation has, by PostgreSQL's statistics: what the join order is chosen by. Never what an answer depends on.

use crate::optimizer::join_order::Edge;
use fusion_proto::plan::ScanDef;

/// Selectivity of a predicate that nothing is known of, as in selfuncs.h (`DEFAULT_INEQ_SEL`).
pub const UNKNOWN_SELECTIVITY: f64 = 1.0 / 3.0;
/// Distinct values of a column that was never analysed (`DEFAULT_NUM_DISTINCT`).
pub const UNKNOWN_DISTINCT: f64 = 200.0;

/// Estimates of one relation.
#[derive(Clone, Debug)]
pub struct Estimate {
    /// Rows, at least 1.
    pub rows: f64,
    /// Rows before any predicate: what `distinct` and `unique` are of.
    pub base_rows: f64,
    /// Distinct values per column.
    pub distinct: Vec<Option<f64>>,
    /// Sets of columns without duplicates.
    pub unique: Vec<Vec<usize>>,
    /// The predicates on this relation alone are in `rows` already.
    pub filtered: bool,
    /// There is one row at most.
    pub single_row: bool,
}

impl Estimate {
    /// Of a scan, after the predicates on it alone.
    pub fn scan(def: &ScanDef, filtered_rows: f64) -> Self {
        let base_rows = def.rows.max(1.0);
        Self {
            rows: filtered_rows.clamp(1.0, base_rows),
            base_rows,
            distinct: def.columns.iter().map(|column| column.stats.map(|stats| stats.distinct)).collect(),
            unique: def.unique_keys.iter().map(|key| key.iter().map(|&column| column as usize).collect()).collect(),
            filtered: true,
            single_row: false,
        }
    }

    /// Of `rows` rows of `columns` columns.
    pub fn unknown(rows: f64, columns: usize) -> Self {
        let rows = rows.max(1.0);
        Self {
            rows,
            base_rows: rows,
            distinct: vec![None; columns],
            unique: Vec::new(),
            filtered: false,
            single_row: false,
        }
    }

    /// After `predicates` more predicates.
    pub fn filter(mut self, predicates: usize) -> Self {
        if !self.filtered {
            self.rows = (self.rows * UNKNOWN_SELECTIVITY.powi(predicates as i32)).max(1.0);
        }
        self
    }

    /// Of some of the columns; None is a computed one.
    pub fn project(&self, columns: &[Option<usize>]) -> Self {
        let unique = self.unique.iter().filter_map(|key| {
            key.iter().map(|column| columns.iter().position(|kept| *kept == Some(*column))).collect()
        });
        Self {
            distinct: columns.iter().map(|column| column.and_then(|column| *self.distinct.get(column)?)).collect(),
            unique: unique.collect(),
            ..self.clone()
        }
    }

    /// Distinct values of a column.
    pub fn distinct(&self, column: usize) -> f64 {
        let known = self.distinct.get(column).copied().flatten();
        let unique = self.unique.iter().any(|key| key.as_slice() == [column]);
        let distinct = if unique { self.base_rows } else { known.unwrap_or(UNKNOWN_DISTINCT) };
        distinct.clamp(1.0, self.base_rows)
    }

    /// Distinct values of a column, where something is known of them.
    fn known_distinct(&self, column: usize) -> Option<f64> {
        let unique = self.unique.iter().any(|key| key.as_slice() == [column]);
        let known = self.distinct.get(column).copied().flatten();
        if unique { Some(self.base_rows) } else { known.map(|known| known.clamp(1.0, self.base_rows)) }
    }

    /// Fraction of pairs that equal one of this relation's unique keys, if `columns` hold one.
    fn key_selectivity(&self, columns: &[usize]) -> Option<f64> {
        let held = |key: &Vec<usize>| !key.is_empty() && key.iter().all(|column| columns.contains(column));
        self.unique.iter().any(held).then_some(1.0 / self.base_rows)
    }
}

/// The fraction of `left` rows that have a match among `right` rows, by the pairs of columns that are equated.
pub fn matched(left: &Estimate, right: &Estimate, equalities: &[(Option<usize>, Option<usize>)]) -> f64 {
    let fraction = |&(l, r): &(Option<usize>, Option<usize>)| {
        let (left_distinct, right_distinct) = (left.known_distinct(l?)?, right.known_distinct(r?)?);
        Some((right_distinct.min(right.rows) / left_distinct.min(left.rows)).min(1.0))
    };
    equalities.iter().filter_map(fraction).reduce(f64::min).unwrap_or(0.5)
}

/// The edge between two inputs: the pairs of columns that are equated (None where a side is computed), and how many other predicates
/// there are.
pub fn edge(
    (left, left_estimate): (usize, &Estimate),
    (right, right_estimate): (usize, &Estimate),
    equalities: &[(Option<usize>, Option<usize>)],
    others: usize,
) -> Edge {
    let lefts: Vec<usize> = equalities.iter().filter_map(|(left, _)| *left).collect();
    let rights: Vec<usize> = equalities.iter().filter_map(|(_, right)| *right).collect();
    let by_key = left_estimate.key_selectivity(&lefts).or(right_estimate.key_selectivity(&rights));
    let by_distinct = || {
        let selectivity = |(left, right): &(Option<usize>, Option<usize>)| {
            let left = left.map_or(UNKNOWN_DISTINCT, |column| left_estimate.distinct(column));
            let right = right.map_or(UNKNOWN_DISTINCT, |column| right_estimate.distinct(column));
            1.0 / left.max(right).max(1.0)
        };
        // Columns that are equated together depend on each other: each further one counts less.
        let mut each: Vec<f64> = equalities.iter().map(selectivity).collect();
        each.sort_by(f64::total_cmp);
        each.iter().enumerate().map(|(index, selectivity)| selectivity.powf(0.5f64.powi(index as i32))).product()
    };
    let selectivity = by_key.unwrap_or_else(by_distinct) * UNKNOWN_SELECTIVITY.powi(others as i32);
    Edge { left, right, selectivity, equality: !equalities.is_empty() }
}
