//! EXPLAIN of a fusion scan, and `fusion.explain_route`.
//!
//! Everything printed here is an interface: regress tests hold it. Properties: `Fusion Route` (engine, or native with its reason),
//! `Fusion Plan` (the engine's physical plan), with VERBOSE `Fusion Query` (the query as it was sent, with PostgreSQL's estimates), and with ANALYZE `Fusion Fallback`, `Fusion Stages`,
//! `Fusion Pages` (page images that came), `Fusion Chunks Cached`, `Fusion Chunks Read` and `Fusion Rows Decoded`.

use crate::error::{OrRaise, Result};
use crate::guc;
use crate::pg::explain::Output;
use crate::pg::planner;
use crate::route::{self, Decision};
use crate::scan::{self, FusionScan};
use fusion_common::{SqlError, SqlState};
use fusion_proto::codec;
use fusion_proto::plan::Plan;
use pgrx::iter::TableIterator;
use pgrx::{name, pg_extern, pg_guard, pg_sys};

/// `ExplainForeignScan`.
#[pg_guard]
pub unsafe extern "C-unwind" fn explain_foreign_scan(
    node: *mut pg_sys::ForeignScanState,
    explain: *mut pg_sys::ExplainState,
) {
    // SAFETY: PostgreSQL passes an initialised node and the state of the running EXPLAIN.
    let (state, output) = unsafe { (scan::state(node), Output::new(explain)) };
    if let Some(reason) = &state.private.reason {
        output.text("Fusion Route", &format!("native: {reason}"));
        return;
    }
    output.text("Fusion Route", "engine");
    if output.is_verbose() {
        let query = codec::from_bytes::<Plan>(&state.private.plan).map(|plan| plan.describe(output.shows_costs()));
        output.lines("Fusion Query", &query.unwrap_or_else(|error| format!("not available: {error}")));
    }
    if let Some(error) = &state.fallback {
        output.text("Fusion Fallback", &error.to_string());
        return;
    }
    if output.is_analyze() {
        // A scan that was not read to its end has no figures.
        if state.metrics.is_some() {
            analyzed(state, &output);
        }
    } else {
        // SAFETY: the node of this state.
        let plan = unsafe { state.engine_plan(node) };
        output.lines("Fusion Plan", &plan.unwrap_or_else(|error| format!("not available: {error}")));
    }
}

fn analyzed(state: &FusionScan, output: &Output) {
    let Some(metrics) = &state.metrics else { return };
    if output.shows_timing() {
        let stages: Vec<_> =
            metrics.stages.iter().map(|(stage, micros)| format!("{stage} {:.3} ms", *micros as f64 / 1000.0)).collect();
        output.text("Fusion Stages", &stages.join(", "));
    }
    output.integer("Fusion Pages", metrics.pages);
    output.integer("Fusion Chunks Cached", metrics.chunks_cached);
    output.integer("Fusion Chunks Read", metrics.chunks_read);
    output.integer("Fusion Rows Decoded", metrics.rows_decoded);
    if output.shows_timing() && !metrics.plan.is_empty() {
        output.lines("Fusion Plan", &metrics.plan);
    }
}

/// Route of a query and the reason, without running it.
fn explain_route(query: &str) -> Result<(String, Option<String>)> {
    // SAFETY: parser, analyser and planner are called as for any statement.
    let planned = route::explaining(|| unsafe { planner::plan_text(query) });
    planned.map_err(|message| SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message))?;
    Ok(match route::take_last_decision() {
        Some(Decision::Engine) => ("engine".to_owned(), None),
        Some(Decision::Part(reason)) => ("partial".to_owned(), Some(reason)),
        Some(Decision::Native(reason)) => ("native".to_owned(), Some(reason)),
        None if guc::transparent() => (
            "native".to_owned(),
            Some("fusion.transparent considers only SELECT and INSERT ... SELECT on large heap relations".to_owned()),
        ),
        None => ("native".to_owned(), Some("the query names no fusion table".to_owned())),
    })
}

/// SQL: `fusion.explain_route(query text)`.
#[pg_extern(sql = false)]
fn fusion_explain_route(query: &str) -> TableIterator<'static, (name!(route, String), name!(reason, Option<String>))> {
    TableIterator::once(explain_route(query).or_raise())
}
