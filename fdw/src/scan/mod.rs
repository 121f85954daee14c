//! The ForeignScan of ours: begin, next row, rescan, end, and the fallback to the native plan.
//!
//! ```text
//! begin ── NotStarted ──first row──► Engine ──Failed, no row out yet──► Native
//!                          └── no IR ─────────────────────────────────────┘
//! ```
//!
//! Invariants
//! - The state is dropped by the query's memory context, whether EndForeignScan comes or not; its drop calls nothing of PostgreSQL.
//! - No row goes out before the engine has finished or [`rows::BUFFER_LIMIT`] bytes of rows have come, so that nearly every failure of
//!   the engine can still be answered by the native plan, under the same snapshot and parameters.
//! - Rights on the heap relations were checked before the first page is read: by the statement's permission infos, or here for a
//!   scan inside a PostgreSQL plan.

mod engine;
mod rows;

use crate::error::{OrRaise, Result};
use crate::guc;
use crate::pg::catalog;
use crate::pg::datum::TypedDatum;
use crate::pg::executor::{self, NestedExecutor};
use crate::pg::planner;
use crate::pg::tuple::{self, KeptRows, ResultSlot};
use crate::route::plan::Private;
use crate::session;
use crate::translate::constant;
pub use engine::EngineRun;
use fusion_common::{Attribute, SqlError, SqlState, TypeRef};
use fusion_proto::message::QueryMetrics;
use fusion_proto::plan::Value;
use pgrx::{pg_guard, pg_sys};

/// State of one ForeignScan, behind its `fdw_state`.
pub struct FusionScan {
    /// What the planner left for us.
    pub private: Private,
    native: *mut pg_sys::PlannedStmt,
    params: Vec<*mut pg_sys::ExprState>,
    param_exprs: Vec<*mut pg_sys::Expr>,
    slot: ResultSlot,
    /// Layout of the result rows.
    attributes: Vec<Attribute>,
    run: Run,
    /// Where the scan is read more than once, the rows so far.
    kept: Option<KeptRows>,
    kept_slot: ResultSlot,
    /// Why the native plan ran although the engine was chosen.
    pub fallback: Option<SqlError>,
    /// What the engine's run took, once it has ended.
    pub metrics: Option<Box<QueryMetrics>>,
}

enum Run {
    NotStarted,
    Engine(Box<EngineRun>),
    Native(NestedExecutor),
}

/// The state of a ForeignScan node.
///
/// # Safety
/// `node` is a node that `begin_foreign_scan` has initialised, and nobody else uses its state during `'a`.
pub unsafe fn state<'a>(node: *mut pg_sys::ForeignScanState) -> &'a mut FusionScan {
    // SAFETY: as the caller's; begin sets fdw_state.
    unsafe { &mut *(*node).fdw_state.cast() }
}

/// `BeginForeignScan`.
#[pg_guard]
pub unsafe extern "C-unwind" fn begin_foreign_scan(node: *mut pg_sys::ForeignScanState, _eflags: std::ffi::c_int) {
    // SAFETY: PostgreSQL passes an initialised node whose plan is a ForeignScan of ours.
    unsafe {
        let plan: *mut pg_sys::ForeignScan = (*node).ss.ps.plan.cast();
        let (private, native) = Private::from_list((*plan).fdw_private).or_raise();
        let estate = (*node).ss.ps.state;
        let descriptor = (*(*node).ss.ss_ScanTupleSlot).tts_tupleDescriptor;
        if (*plan).scan.scanrelid > 0 {
            // The statement around us knows nothing of the heap relation.
            executor::lock_relations(native);
            executor::check_permissions(native);
        }
        executor::check_row_security(native);
        let scan = FusionScan {
            private,
            native,
            params: executor::init_expressions((*plan).fdw_exprs, node.cast()),
            param_exprs: pgrx::PgList::from_pg((*plan).fdw_exprs).iter_ptr().collect(),
            slot: ResultSlot::new(estate, descriptor),
            kept_slot: ResultSlot::new(estate, descriptor),
            kept: None,
            attributes: tuple::layout(descriptor, (*descriptor).natts as usize),
            run: Run::NotStarted,
            fallback: None,
            metrics: None,
        };
        (*node).fdw_state = executor::leak_into_context((*estate).es_query_cxt, scan).cast();
    }
}

/// `IterateForeignScan`: the next row, or an empty slot at the end.
#[pg_guard]
pub unsafe extern "C-unwind" fn iterate_foreign_scan(
    node: *mut pg_sys::ForeignScanState,
) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: an initialised node.
    unsafe { state(node).next(node) }.or_raise()
}

/// `ReScanForeignScan`: begins anew, if rows are not kept.
#[pg_guard]
pub unsafe extern "C-unwind" fn rescan_foreign_scan(node: *mut pg_sys::ForeignScanState) {
    // SAFETY: an initialised node.
    let scan = unsafe { state(node) };
    match &mut scan.kept {
        Some(kept) => kept.rewind(),
        None => scan.stop(),
    }
}

/// `EndForeignScan`.
#[pg_guard]
pub unsafe extern "C-unwind" fn end_foreign_scan(node: *mut pg_sys::ForeignScanState) {
    // SAFETY: an initialised node, or one whose begin failed.
    unsafe {
        if !(*node).fdw_state.is_null() {
            let scan = state(node);
            scan.stop();
            if let Some(kept) = scan.kept.take() {
                kept.end();
            }
        }
    }
}

impl FusionScan {
    unsafe fn next(&mut self, node: *mut pg_sys::ForeignScanState) -> Result<*mut pg_sys::TupleTableSlot> {
        if !self.private.keep {
            // SAFETY: an initialised node.
            return unsafe { self.next_of_run(node) };
        }
        let kept = self.kept.get_or_insert_with(|| {
            // SAFETY: an initialised node; its rows are kept as long as the query runs.
            unsafe { executor::in_context((*(*node).ss.ps.state).es_query_cxt, KeptRows::new) }
        });
        if let Some(slot) = kept.next(&self.kept_slot) {
            return Ok(slot);
        }
        if kept.complete {
            return Ok(self.kept_slot.clear());
        }
        // SAFETY: an initialised node.
        let slot = unsafe { self.next_of_run(node)? };
        if let Some(kept) = &mut self.kept {
            // SAFETY: a slot of ours or of the native plan, which holds a row until the next is asked for.
            unsafe {
                if tuple::is_empty(slot) {
                    kept.complete = true;
                } else {
                    kept.keep(slot);
                }
            }
        }
        Ok(slot)
    }

    /// The next row of what runs, which is begun first.
    unsafe fn next_of_run(&mut self, node: *mut pg_sys::ForeignScanState) -> Result<*mut pg_sys::TupleTableSlot> {
        loop {
            match &mut self.run {
                Run::NotStarted => {
                    // SAFETY: an initialised node.
                    let started = unsafe { self.start(node) };
                    if let Err(error) = started {
                        // SAFETY: as above.
                        unsafe { self.fall_back(node, error)? };
                    }
                }
                Run::Engine(run) => match run.next() {
                    // SAFETY: a checked tuple that stays until `run.next` is called again.
                    Ok(Some(tuple)) => return Ok(unsafe { self.slot.store(tuple) }),
                    Ok(None) => {
                        self.metrics = run.take_metrics().or(self.metrics.take());
                        return Ok(self.slot.clear());
                    }
                    Err(error) if run.has_returned_rows() => return Err(after_first_row(error)),
                    // SAFETY: as above.
                    Err(error) => unsafe { self.fall_back(node, error)? },
                },
                Run::Native(native) => return Ok(native.next().unwrap_or_else(|| self.slot.clear())),
            }
        }
    }

    unsafe fn start(&mut self, node: *mut pg_sys::ForeignScanState) -> Result<()> {
        // The route knew the transaction that planned, and a cached plan outlives it: only PostgreSQL's scans take predicate locks.
        let serializable = !self.private.plan.is_empty() && planner::is_serializable();
        if serializable {
            let reason = "the transaction is serializable, and the statement was planned in one that was not";
            self.fallback = Some(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, reason));
        }
        let native = self.private.plan.is_empty() || serializable || planner::is_parallel_worker();
        // SAFETY: an initialised node.
        unsafe {
            let estate = (*node).ss.ps.state;
            self.run = if native {
                Run::Native(NestedExecutor::start(self.native, estate))
            } else {
                let params = self.evaluate_params(node)?;
                let analyze = !(*node).ss.ps.instrument.is_null();
                // IterateForeignScan is called in the per-tuple context, and heap scans live longer than a tuple.
                let run = executor::in_context((*estate).es_query_cxt, || {
                    EngineRun::start(&self.private, (*estate).es_snapshot, params, &self.attributes, analyze)
                })?;
                Run::Engine(Box::new(run))
            };
        }
        Ok(())
    }

    /// Runs the native plan instead, or gives the engine's error where that is not wanted.
    unsafe fn fall_back(&mut self, node: *mut pg_sys::ForeignScanState, error: SqlError) -> Result<()> {
        self.stop();
        if !guc::fallback() {
            return Err(error);
        }
        // SAFETY: an initialised node.
        self.run = Run::Native(unsafe { NestedExecutor::start(self.native, (*node).ss.ps.state) });
        self.fallback = Some(error);
        Ok(())
    }

    /// Values of the plan's parameters, as of now.
    ///
    /// # Errors
    /// What an expression raises: PostgreSQL might not have come to evaluate it, so it is no ERROR yet; the native plan decides.
    unsafe fn evaluate_params(&self, node: *mut pg_sys::ForeignScanState) -> Result<Vec<Option<Value>>> {
        // SAFETY: an initialised node, whose expression context belongs to its parameters; evaluation of a parameter only reads.
        unsafe {
            let context = (*node).ss.ps.ps_ExprContext;
            let evaluate =
                || -> Vec<_> { self.params.iter().map(|&param| executor::evaluate(param, context)).collect() };
            let datums = if self.param_exprs.iter().all(|&expr| executor::cannot_fail(expr)) {
                evaluate()
            } else if planner::is_in_parallel_mode() {
                return Err(SqlError::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    "parameters cannot be tried in a parallel query",
                ));
            } else {
                executor::try_in_subtransaction(evaluate)?
            };
            let value = |(datum, &ty): (Option<pg_sys::Datum>, &TypeRef)| {
                let Some(datum) = datum else { return Ok(None) };
                let (length, by_value) = catalog::type_layout(ty.oid);
                constant::value(ty, TypedDatum::new(datum, length, by_value))
                    .map(Some)
                    .map_err(|refusal| SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, refusal.0))
            };
            datums.into_iter().zip(&self.private.params).map(value).collect()
        }
    }

    /// The engine's plan as text, for EXPLAIN without ANALYZE.
    ///
    /// # Safety
    /// `node` is the node of this state.
    pub unsafe fn engine_plan(&self, node: *mut pg_sys::ForeignScanState) -> Result<String> {
        // SAFETY: as the caller's.
        unsafe {
            let estate = (*node).ss.ps.state;
            // A generic plan is explained without values for its parameters.
            let unbound = (*estate).es_param_list_info.is_null()
                && self.param_exprs.iter().any(|&expr| planner::has_external_param(expr));
            let params = if unbound { vec![None; self.params.len()] } else { self.evaluate_params(node)? };
            let (request, feeds) =
                engine::request(&self.private, (*estate).es_snapshot, params, &self.attributes, false)?;
            feeds.into_iter().for_each(crate::feed::Feed::end);
            session::explain(request)
        }
    }

    /// Ends what runs; the next row begins anew.
    fn stop(&mut self) {
        match std::mem::replace(&mut self.run, Run::NotStarted) {
            Run::NotStarted => {}
            Run::Engine(mut run) => {
                self.slot.clear();
                self.metrics = run.take_metrics().or(self.metrics.take());
                run.end();
            }
            Run::Native(native) => native.end(),
        }
    }
}

fn after_first_row(error: SqlError) -> SqlError {
    if error.hint.is_some() {
        return error;
    }
    error.with_hint("Rows had been returned already, so the native plan could not take over. Run the query again.")
}
