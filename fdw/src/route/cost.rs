//! What a query would cost in the engine, in PostgreSQL's cost units, so that it compares with the native plan's total cost.
//!
//! The constants are fitted to TPC-H on two cores (see ai/components/fdw.md): a unit is about what PostgreSQL needs for one
//! sequential page. Only the choice of route depends on them, never an answer.

use crate::pg::catalog::Relation;
use crate::translate::Translation;

/// From Execute to the first operator, and back.
const START: f64 = 1000.0;
/// Feeding a page: visibility, copy, check.
const PAGE: f64 = 0.3;
/// Decoding a row and taking it through the operators.
const ROW: f64 = 0.01;

/// The estimated cost of a translated query.
pub fn estimate(translation: &Translation) -> f64 {
    let scans = translation.relations.iter().zip(&translation.plan.scans);
    scans.fold(START, |cost, (relation, scan)| {
        let blocks = Relation::open(relation.relation.heap).and_then(|relation| relation.blocks()).unwrap_or(0);
        cost + f64::from(blocks) * PAGE + scan.rows * ROW
    })
}
