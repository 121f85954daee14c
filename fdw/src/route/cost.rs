//! How long a query would take here and in the engine: what the route is chosen by, never an answer.
//!
//! PostgreSQL's costs order plans of one query; they do not tell a run time (on TPC-H at SF 1 a unit is between 1.7 and 21 µs). So both
//! sides are guessed in nanoseconds, from the planner's row estimates: the native plan node by node, the engine by pages, rows and
//! operators. All pages are taken to be in memory. The constants are fitted to TPC-H on two cores (ai/components/fdw.md).
//!
//! The engine has two times: *cold*, when every page is fed and decoded, and *warm*, when the columns are in its cache. A query that would be
//! fast when warm is let in cold as long as that costs no more than a few native runs: the next ones pay it back. Beyond, the engine is
//! asked what it has.
//!
//! Invariant: pure arithmetic over estimates; wrong estimates make a slow query, not a wrong one.

use crate::error::report;
use crate::pg::catalog::Relation;
use crate::pg::planner::{Calls, PlanEstimate, PlanKind};
use crate::translate::Translation;
use fusion_common::{ColumnType, SqlError, SqlState};
use fusion_proto::plan::{Plan, Rel};
use pgrx::PgLogLevel;

/// How much faster than the native plan the engine must be expected to be: estimates err.
const MARGIN: f64 = 1.1;

/// Estimated run times, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The native plan.
    pub native: f64,
    /// In the engine, nothing of it cached.
    pub cold: f64,
    /// In the engine, all of it cached.
    pub warm: f64,
}

/// Native runs that a first run in the engine may cost.
const MOST_FOR_THE_FIRST: f64 = 3.0;
/// Share of a query's columns in the cache from which on it counts as warm.
const CACHED: f64 = 0.9;

impl Estimate {
    /// Of a statement and its translation. `cores`: processors of this machine.
    pub fn new(native: &PlanEstimate, translation: &Translation, cores: f64) -> Self {
        let blocks: f64 = translation
            .relations
            .iter()
            .map(|relation| {
                let blocks = Relation::open(relation.relation.heap).and_then(|relation| relation.blocks());
                f64::from(blocks.unwrap_or(0))
            })
            .sum();
        let plan = &translation.plan;
        let cold = engine_time(plan, blocks, cores);
        Self { native: native_time(native, 1.0, cores), cold, warm: warm_time(plan, cores).min(cold) }
    }

    /// Of a statement of which parts run in the engine, for so long altogether; `rest` is the plan around them. Whether the parts may be cold was
    /// decided for each of them.
    pub fn of_parts(native: &PlanEstimate, rest: &PlanEstimate, engine: f64, cores: f64) -> Self {
        let time = engine + native_time(rest, 1.0, cores);
        Self { native: native_time(native, 1.0, cores), cold: time, warm: time }
    }

    /// Tells developers (`client_min_messages = debug1`); `what` is what runs in the engine.
    pub fn tell(self, what: &str) {
        let ms = |nanoseconds: f64| nanoseconds / 1e6;
        let (native, cold, warm) = (ms(self.native), ms(self.cold), ms(self.warm));
        let text = format!("fusion estimates: native {native:.1} ms, {what} {cold:.1} ms, cached {warm:.1} ms");
        report(PgLogLevel::DEBUG1, SqlError::new(SqlState(*b"00000"), text));
    }

    /// Whether the engine is expected to be worth it; `cached` gives the share of the columns that is in its cache, if they can be there.
    pub fn favours_engine(self, may_cache: bool, cached: impl FnOnce() -> Option<f64>) -> bool {
        let is_better = |engine: f64| engine * MARGIN < self.native;
        is_better(self.cold)
            || (may_cache
                && is_better(self.warm)
                && (self.cold < MOST_FOR_THE_FIRST * self.native || cached().is_some_and(|share| share >= CACHED)))
    }
}

// PostgreSQL's executor, nanoseconds.
const PAGE: f64 = 250.0;
const TUPLE: f64 = 65.0;
/// Of the calls in a scan's quals and target list, so few are made for each tuple.
const SHORT_CIRCUIT: f64 = 4.0;
const PLAIN_CALL: f64 = 20.0;
const VARLENA_CALL: f64 = 40.0;
const TRANSITION: f64 = 30.0;
const NUMERIC_TRANSITION: f64 = 45.0;
const INDEX_DESCENT: f64 = 2000.0;
const INDEX_ROW: f64 = 600.0;
const BITMAP_ROW: f64 = 500.0;
const HASH_BUILD: f64 = 200.0;
const HASH_PROBE: f64 = 150.0;
const MERGE_ROW: f64 = 150.0;
const SORT_COMPARISON: f64 = 30.0;
const GROUP_LOOKUP: f64 = 120.0;
const GATHER_START: f64 = 3e6;
const GATHER_ROW: f64 = 150.0;
const MEMOIZE_LOOKUP: f64 = 150.0;

fn calls(calls: Calls) -> f64 {
    f64::from(calls.plain) * PLAIN_CALL + f64::from(calls.varlena) * VARLENA_CALL
}

fn transitions(calls: Calls) -> f64 {
    f64::from(calls.aggregates - calls.numeric_aggregates) * TRANSITION
        + f64::from(calls.numeric_aggregates) * NUMERIC_TRANSITION
}

/// Time of one execution of a plan; `share` is the part of a parallel scan that falls to one process.
fn native_time(plan: &PlanEstimate, share: f64, cores: f64) -> f64 {
    let input = |index: usize| plan.inputs.get(index);
    let time = |index: usize| input(index).map_or(0.0, |input| native_time(input, share, cores));
    let rows = |index: usize| input(index).map_or(0.0, |input| input.rows);
    // Only where it is needed: an input looked at twice on each level is looked at 2^depth times.
    let all = || (0..plan.inputs.len()).map(time).sum::<f64>();
    let own = match plan.kind {
        PlanKind::SeqScan { blocks, tuples } => {
            let share = if plan.parallel_aware { share } else { 1.0 };
            // The first qual that is false ends the row.
            share * (blocks * PAGE + tuples * (TUPLE + calls(plan.calls) / SHORT_CIRCUIT))
        }
        PlanKind::IndexScan => INDEX_DESCENT + plan.rows * (INDEX_ROW + calls(plan.calls)),
        PlanKind::BitmapScan => INDEX_DESCENT + plan.rows * (BITMAP_ROW + calls(plan.calls)),
        PlanKind::NestLoop => {
            let outer = rows(0).max(1.0);
            let inner = input(1).map_or(0.0, |inner| again(inner, outer, share, cores));
            return time(0) + inner + plan.rows * (TUPLE + calls(plan.calls)) + once(plan, cores);
        }
        PlanKind::Memoize { .. } => MEMOIZE_LOOKUP,
        PlanKind::Material => plan.rows * TUPLE / 2.0,
        PlanKind::HashJoin => rows(0) * HASH_PROBE + rows(1) * HASH_BUILD + plan.rows * (TUPLE + calls(plan.calls)),
        PlanKind::MergeJoin => (rows(0) + rows(1)) * MERGE_ROW + plan.rows * (TUPLE + calls(plan.calls)),
        PlanKind::Sort => rows(0) * rows(0).max(2.0).log2() * SORT_COMPARISON,
        PlanKind::Aggregate { keys } => {
            let lookup = if keys > 0 { GROUP_LOOKUP } else { 0.0 };
            // Arguments of aggregates are computed here, too.
            rows(0) * (lookup + transitions(plan.calls) + calls(plan.calls)) + plan.rows * TUPLE
        }
        PlanKind::Gather { workers } => {
            // As the planner's get_parallel_divisor: the leader helps less the more workers there are.
            let divisor = workers + (1.0 - 0.3 * workers).max(0.0);
            let elapsed = divisor / (workers + 1.0).min(cores);
            let below = input(0).map_or(0.0, |input| native_time(input, 1.0 / divisor, cores));
            return GATHER_START + below * elapsed.max(1.0) + plan.rows * GATHER_ROW + once(plan, cores);
        }
        PlanKind::Other => plan.rows * calls(plan.calls),
    };
    all() + own + once(plan, cores)
}

/// Sub-plans: once, or for each row.
fn once(plan: &PlanEstimate, cores: f64) -> f64 {
    let one = |plan: &PlanEstimate| native_time(plan, 1.0, cores);
    let each: f64 = plan.sub_plans.iter().map(one).sum();
    let rows = match plan.kind {
        PlanKind::SeqScan { tuples, .. } => tuples,
        // Before the qual that it is in: DEFAULT_INEQ_SEL.
        _ => plan.rows * 3.0,
    };
    plan.init_plans.iter().map(one).sum::<f64>() + each * rows
}

/// Time of `loops` executions of the inner side of a nested loop.
fn again(plan: &PlanEstimate, loops: f64, share: f64, cores: f64) -> f64 {
    let one = native_time(plan, share, cores);
    match plan.kind {
        PlanKind::Material => one + (loops - 1.0) * plan.rows * TUPLE / 2.0,
        PlanKind::Memoize { entries } => {
            let misses = if entries > 0.0 { entries.min(loops) } else { loops };
            misses * one + loops * MEMOIZE_LOOKUP
        }
        _ => one * loops,
    }
}

// The engine, nanoseconds.
const START: f64 = 6e6;
const FED_PAGE: f64 = 1600.0;
const DECODED_ROW: f64 = 50.0;
const FIXED_VALUE: f64 = 3.0;
const VARLENA_VALUE: f64 = 6.0;
const JOINED_ROW: f64 = 15.0;
const GROUPED_ROW: f64 = 20.0;
const AGGREGATED_VALUE: f64 = 6.0;
const SORTED_ROW: f64 = 150.0;
const EVALUATED_ROW: f64 = 10.0;
/// INTERSECT ALL and EXCEPT ALL sort rows to number equal ones.
const NUMBERED_ROW: f64 = 800.0;
// With all columns in the cache.
const WARM_START: f64 = 4e6;
const WARM_ROW: f64 = 0.5;
const WARM_VALUE: f64 = 0.8;
const WARM_COPY: f64 = 0.25;
/// Share of the cores that is at work: backend and engine wait for each other.
const BUSY: f64 = 0.8;

/// Time of a plan in the engine. One backend feeds all pages; the other cores, and this one when it waits, do the rest.
fn engine_time(plan: &Plan, blocks: f64, cores: f64) -> f64 {
    let feed = blocks * FED_PAGE;
    // Rows that are only counted are found by their line pointers.
    let row = |columns: usize| if columns == 0 { DECODED_ROW / 2.0 } else { DECODED_ROW };
    let scans: f64 = plan.scans.iter().map(|scan| scan.rows * row(scan.columns.len())).sum();
    let work = scans + all_work(plan, 1.0);
    START + feed.max((feed + work) / (cores * BUSY).max(1.0))
}

/// Time of a plan whose columns are cached: rows go by without being decoded, and values are only copied.
fn warm_time(plan: &Plan, cores: f64) -> f64 {
    let row = |columns: usize| WARM_ROW + WARM_VALUE * columns as f64;
    let scans: f64 = plan.scans.iter().map(|scan| scan.rows * row(scan.columns.len())).sum();
    WARM_START + (scans + all_work(plan, WARM_COPY)) / cores.max(1.0)
}

/// Work of a plan beyond its scans, nanoseconds of all cores; `value` is what a value costs that comes out of a scan, as a part of decoding it.
fn all_work(plan: &Plan, value: f64) -> f64 {
    plan.shared.iter().chain([&plan.root]).map(|rel| work(plan, rel, value).time).sum()
}

/// Time beyond the decoding of rows, and rows that come out.
#[derive(Clone, Copy, Default)]
struct Work {
    time: f64,
    rows: f64,
    /// Share of the rows that passed the quals: what it takes away from what it is joined with.
    passed: f64,
}

fn work(plan: &Plan, rel: &Rel, decoding: f64) -> Work {
    let value = |column_type: ColumnType| match column_type {
        ColumnType::Numeric { .. } | ColumnType::NumericVar | ColumnType::Text | ColumnType::Bpchar { .. } => {
            VARLENA_VALUE
        }
        ColumnType::Opaque => VARLENA_VALUE,
        _ => FIXED_VALUE,
    };
    match rel {
        Rel::Scan { scan, filtered_rows } => {
            let Some(def) = plan.scans.get(usize::from(scan.0)) else { return Work::default() };
            let values: f64 = def.columns.iter().map(|column| value(column.ty.column_type())).sum();
            Work {
                time: filtered_rows * values * decoding,
                rows: *filtered_rows,
                passed: filtered_rows / def.rows.max(1.0),
            }
        }
        Rel::InnerJoin { inputs, .. } => {
            let inputs: Vec<Work> = inputs.iter().map(|input| work(plan, input, decoding)).collect();
            // As if along foreign keys: the largest input, and of it the share that the others leave.
            let largest = inputs.iter().map(|input| input.rows).fold(0.0, f64::max);
            let passed: f64 = inputs.iter().map(|input| input.passed.min(1.0)).product();
            let own = inputs.iter().find(|input| input.rows == largest).map_or(1.0, |input| input.passed.min(1.0));
            let rows = if own > 0.0 { largest * passed / own } else { 0.0 };
            let time: f64 = inputs.iter().map(|input| input.time + input.rows * JOINED_ROW).sum();
            Work { time, rows, passed }
        }
        Rel::Join { left, right, .. } => {
            let (left, right) = (work(plan, left, decoding), work(plan, right, decoding));
            let time = left.time + right.time + (left.rows + right.rows) * JOINED_ROW;
            Work { time, rows: left.rows, passed: left.passed }
        }
        Rel::Aggregate { input, groups, aggregates, .. } => {
            let input = work(plan, input, decoding);
            let lookup = if groups.is_empty() { 0.0 } else { GROUPED_ROW };
            let each = lookup + AGGREGATED_VALUE * aggregates.len() as f64;
            let rows = if groups.is_empty() { 1.0 } else { input.rows / 10.0 };
            Work { time: input.time + input.rows * each, rows, passed: input.passed }
        }
        Rel::Distinct { input } => {
            let input = work(plan, input, decoding);
            Work { time: input.time + input.rows * GROUPED_ROW, ..input }
        }
        Rel::Barrier { input } => work(plan, input, decoding),
        Rel::Sort { input, .. } => {
            let input = work(plan, input, decoding);
            Work { time: input.time + input.rows * SORTED_ROW, ..input }
        }
        Rel::SetOperation { all: true, left, right, .. } => {
            let (left, right) = (work(plan, left, decoding), work(plan, right, decoding));
            let rows = left.rows + right.rows;
            Work { time: left.time + right.time + rows * NUMBERED_ROW, rows: left.rows, passed: 1.0 }
        }
        Rel::Project { input, exprs } => {
            let input = work(plan, input, decoding);
            let computed = exprs.iter().filter(|expr| !matches!(expr.kind, fusion_proto::plan::ExprKind::Column(_)));
            Work { time: input.time + input.rows * EVALUATED_ROW * computed.count() as f64, ..input }
        }
        other => {
            let inputs: Vec<Work> = other.inputs().into_iter().map(|input| work(plan, input, decoding)).collect();
            let rows = inputs.iter().map(|input| input.rows).sum();
            let time = inputs.iter().map(|input| input.time + input.rows * EVALUATED_ROW).sum();
            Work { time, rows, passed: 1.0 }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(blocks: f64, tuples: f64) -> PlanEstimate {
        PlanEstimate {
            kind: PlanKind::SeqScan { blocks, tuples },
            rows: tuples,
            parallel_aware: true,
            ..PlanEstimate::default()
        }
    }

    #[test]
    fn workers_divide_a_scan_as_far_as_there_are_cores() {
        let alone = native_time(&scan(1e5, 6e6), 1.0, 2.0);
        let gathered = PlanEstimate {
            kind: PlanKind::Gather { workers: 2.0 },
            rows: 1.0,
            inputs: vec![scan(1e5, 6e6)],
            ..PlanEstimate::default()
        };
        let on_two = native_time(&gathered, 1.0, 2.0) - GATHER_START;
        let on_many = native_time(&gathered, 1.0, 16.0) - GATHER_START;
        assert!((on_two / alone - 0.5).abs() < 0.01, "{on_two} {alone}");
        // Two workers, and the leader for two fifths.
        assert!((on_many / alone - 1.0 / 2.4).abs() < 0.01, "{on_many} {alone}");
    }

    #[test]
    fn the_inner_side_of_a_nested_loop_is_paid_for_each_row() {
        let look_up = PlanEstimate { kind: PlanKind::IndexScan, rows: 1.0, ..PlanEstimate::default() };
        let nested = |inner: PlanEstimate| PlanEstimate {
            kind: PlanKind::NestLoop,
            rows: 1000.0,
            inputs: vec![scan(1.0, 1000.0), inner],
            ..PlanEstimate::default()
        };
        let kept = PlanEstimate {
            kind: PlanKind::Memoize { entries: 10.0 },
            inputs: vec![look_up.clone()],
            ..PlanEstimate::default()
        };
        let each = native_time(&nested(look_up), 1.0, 2.0);
        assert!(each > 1000.0 * INDEX_DESCENT);
        assert!(native_time(&nested(kept), 1.0, 2.0) < each / 3.0);
    }

    #[test]
    fn deep_nesting_is_walked_once() {
        let look_up = PlanEstimate { kind: PlanKind::IndexScan, rows: 1.0, ..PlanEstimate::default() };
        let nest = |outer: PlanEstimate| PlanEstimate {
            kind: PlanKind::NestLoop,
            rows: 1.0,
            inputs: vec![outer, look_up.clone()],
            ..PlanEstimate::default()
        };
        // Twice on each level would not end.
        let deep = (0..64).fold(look_up.clone(), |outer, _| nest(outer));
        assert!(native_time(&deep, 1.0, 2.0) >= 65.0 * INDEX_DESCENT);
    }

    #[test]
    fn a_large_scan_is_for_the_engine_and_a_look_up_is_not() {
        let plan = Plan {
            scans: Vec::new(),
            shared: Vec::new(),
            root: Rel::Values { types: vec![], rows: vec![] },
            output: vec![],
        };
        let engine = |blocks| engine_time(&plan, blocks, 2.0);
        let native = |plan: &PlanEstimate| native_time(plan, 1.0, 2.0);
        let estimate = |native: f64, cold: f64| Estimate { native, cold, warm: warm_time(&plan, 2.0) };
        assert!(estimate(native(&scan(1e5, 6e6)), engine(1e5)).favours_engine(false, || None));
        let look_up = PlanEstimate { kind: PlanKind::IndexScan, rows: 10.0, ..PlanEstimate::default() };
        assert!(!estimate(native(&look_up), engine(10.0)).favours_engine(true, || Some(1.0)));
    }

    #[test]
    fn a_first_run_may_cost_a_few_native_ones() {
        let estimate = |cold| Estimate { native: 100.0, cold, warm: 20.0 };
        assert!(estimate(250.0).favours_engine(true, || None));
        assert!(!estimate(250.0).favours_engine(false, || None), "what cannot be cached is cold each time");
        assert!(!estimate(500.0).favours_engine(true, || None));
        assert!(!estimate(500.0).favours_engine(true, || Some(0.5)));
        assert!(estimate(500.0).favours_engine(true, || Some(1.0)));
    }
}
