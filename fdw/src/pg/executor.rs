//! Pieces of the executor that a ForeignScan drives itself: parameters, the nested run of the native plan, rights.
//!
//! Invariant: every call into PostgreSQL that can raise is guarded, so that an ERROR unwinds Rust frames instead of jumping over them.

use super::tuple;
use fusion_common::SqlError;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgSqlErrorCode, PgTryBuilder, pg_sys};
use std::panic::AssertUnwindSafe;

/// Prepares the expressions of a list for evaluation.
///
/// # Safety
/// `exprs` is a list of planned expressions, `parent` the plan state that evaluates them.
pub unsafe fn init_expressions(
    exprs: *mut pg_sys::List,
    parent: *mut pg_sys::PlanState,
) -> Vec<*mut pg_sys::ExprState> {
    // SAFETY: as the caller's.
    unsafe {
        let states = pg_sys::ExecInitExprList(exprs, parent);
        pgrx::PgList::<pg_sys::ExprState>::from_pg(states).iter_ptr().collect()
    }
}

/// Runs `work` with `context` as the current memory context. (An ERROR leaves it to PostgreSQL to switch back.)
///
/// # Safety
/// `context` is valid and outlives what `work` allocates in it.
pub unsafe fn in_context<R>(context: pg_sys::MemoryContext, work: impl FnOnce() -> R) -> R {
    // SAFETY: as the caller's.
    unsafe {
        let old = pg_sys::MemoryContextSwitchTo(context);
        let result = work();
        pg_sys::MemoryContextSwitchTo(old);
        result
    }
}

/// Evaluates an expression without columns; None is NULL.
///
/// # Safety
/// `state` was made by [`init_expressions`] for the plan state of `context`.
pub unsafe fn evaluate(state: *mut pg_sys::ExprState, context: *mut pg_sys::ExprContext) -> Option<pg_sys::Datum> {
    // SAFETY: as the caller's; evalfunc is set by ExecInitExpr.
    unsafe {
        let old = pg_sys::MemoryContextSwitchTo((*context).ecxt_per_query_memory);
        let mut is_null = false;
        let evaluate = (*state).evalfunc;
        let datum = pg_sys::ffi::pg_guard_ffi_boundary(|| match evaluate {
            Some(evaluate) => evaluate(state, context, &mut is_null),
            None => pg_sys::Datum::from(0),
        });
        pg_sys::MemoryContextSwitchTo(old);
        (!is_null).then_some(datum)
    }
}

/// Runs `work` in a subtransaction, so that an ERROR in it (but for cancel and shutdown) leaves nothing behind and comes back as its
/// SQLSTATE and message.
///
/// # Safety
/// `work` only reads.
pub unsafe fn try_in_subtransaction<R>(work: impl FnOnce() -> R) -> Result<R, SqlError> {
    // SAFETY: as PL/pgSQL runs an exception block: context and resource owner are put back whatever happens. An ERROR that is
    // thrown on aborts the whole transaction, the subtransaction with it.
    unsafe {
        let (context, owner) = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let outcome = PgTryBuilder::new(AssertUnwindSafe(|| Ok(work())))
            .catch_others(|error| match &error {
                CaughtError::PostgresError(report) if !is_interrupt(report.sql_error_code()) => {
                    Err(SqlError::new(crate::error::sqlstate(report.sql_error_code()), report.message()))
                }
                _ => error.rethrow(),
            })
            .execute();
        pg_sys::MemoryContextSwitchTo(context);
        match &outcome {
            Ok(_) => pg_sys::ReleaseCurrentSubTransaction(),
            Err(_) => pg_sys::RollbackAndReleaseCurrentSubTransaction(),
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
        outcome
    }
}

/// Whether an error means that the session, not the expression, is to stop (class 57).
fn is_interrupt(code: PgSqlErrorCode) -> bool {
    crate::error::sqlstate(code).as_str().starts_with("57")
}

/// Whether evaluating an expression cannot raise: a parameter as it is, or the current time.
///
/// # Safety
/// `expr` is a planned expression.
pub unsafe fn cannot_fail(expr: *const pg_sys::Expr) -> bool {
    // SAFETY: as the caller's.
    matches!(unsafe { (*expr).type_ }, pg_sys::NodeTag::T_Param | pg_sys::NodeTag::T_SQLValueFunction)
}

/// Checks the rights on all relations of a planned statement, as ExecutorStart would; ERROR where one is missing.
///
/// # Safety
/// `stmt` is a valid planned statement.
pub unsafe fn check_permissions(stmt: *mut pg_sys::PlannedStmt) {
    // SAFETY: as the caller's.
    #[cfg(feature = "pg15")]
    unsafe {
        pg_sys::ExecCheckRTPerms((*stmt).rtable, true);
    }
    // SAFETY: as the caller's.
    #[cfg(not(feature = "pg15"))]
    unsafe {
        pg_sys::ExecCheckPermissions((*stmt).rtable, (*stmt).permInfos, true);
    }
}

/// Raises PostgreSQL's error where `stmt` was planned with policies and `row_security` has been set off since: a fusion table does not tell the plan cache
/// that its heap relation has row security.
///
/// # Safety
/// `stmt` is a valid planned statement.
pub unsafe fn check_row_security(stmt: *mut pg_sys::PlannedStmt) {
    // SAFETY: as the caller's; the lists are of the statement. Policies are of relations whose rights are checked, not of their children.
    unsafe {
        if pg_sys::row_security {
            return;
        }
        for rte in pgrx::PgList::<pg_sys::RangeTblEntry>::from_pg((*stmt).rtable).iter_ptr() {
            if (*rte).rtekind != pg_sys::RTEKind::RTE_RELATION {
                continue;
            }
            #[cfg(feature = "pg15")]
            let check_as = ((*rte).requiredPerms != 0).then_some((*rte).checkAsUser);
            #[cfg(not(feature = "pg15"))]
            let check_as = super::planner::perm_info_in((*stmt).permInfos, rte).map(|info| (*info).checkAsUser);
            if let Some(check_as) = check_as {
                pg_sys::check_enable_rls((*rte).relid, check_as, false);
            }
        }
    }
}

/// Locks the relations of a planned statement as they were locked when it was planned.
///
/// # Safety
/// `stmt` is a valid planned statement.
pub unsafe fn lock_relations(stmt: *mut pg_sys::PlannedStmt) {
    // SAFETY: as the caller's.
    unsafe {
        for rte in pgrx::PgList::<pg_sys::RangeTblEntry>::from_pg((*stmt).rtable).iter_ptr() {
            if (*rte).rtekind == pg_sys::RTEKind::RTE_RELATION {
                pg_sys::LockRelationOid((*rte).relid, (*rte).rellockmode);
            }
        }
    }
}

/// A planned statement run inside another one, row by row.
pub struct NestedExecutor {
    desc: *mut pg_sys::QueryDesc,
}

impl NestedExecutor {
    /// Starts `stmt` under the snapshot, parameters and environment of `outer`.
    ///
    /// # Safety
    /// `outer` is the running executor state; `stmt` lives as long as it does.
    pub unsafe fn start(stmt: *mut pg_sys::PlannedStmt, outer: *mut pg_sys::EState) -> Self {
        // SAFETY: as the caller's. The QueryDesc lives in the per-query context of the outer executor; at abort the resource owner
        // and that context clean up, as for any portal.
        unsafe {
            in_context((*outer).es_query_cxt, || {
                let desc = pg_sys::CreateQueryDesc(
                    stmt,
                    (*outer).es_sourceText,
                    (*outer).es_snapshot,
                    (*outer).es_crosscheck_snapshot,
                    pg_sys::CreateDestReceiver(pg_sys::CommandDest::DestNone),
                    (*outer).es_param_list_info,
                    (*outer).es_queryEnv,
                    0,
                );
                pg_sys::ExecutorStart(desc, 0);
                Self { desc }
            })
        }
    }

    /// The next row, without junk columns; None at the end. The slot is valid until the next call.
    pub fn next(&mut self) -> Option<*mut pg_sys::TupleTableSlot> {
        // SAFETY: started by `start` and not ended; ExecProcNode is set for every initialised node.
        unsafe {
            let estate = (*self.desc).estate;
            let plan_state = (*self.desc).planstate;
            in_context((*estate).es_query_cxt, || {
                reset_per_tuple(estate);
                let run = (*plan_state).ExecProcNode;
                let slot =
                    pg_sys::ffi::pg_guard_ffi_boundary(|| run.map_or(std::ptr::null_mut(), |run| run(plan_state)));
                let is_empty = slot.is_null() || tuple::is_empty(slot);
                let filter = (*estate).es_junkFilter;
                match (is_empty, filter.is_null()) {
                    (true, _) => None,
                    (false, true) => Some(slot),
                    (false, false) => Some(pg_sys::ExecFilterJunk(filter, slot)),
                }
            })
        }
    }

    /// Ends it and frees what it held.
    pub fn end(self) {
        // SAFETY: started by `start`, ended once.
        unsafe {
            pg_sys::ExecutorFinish(self.desc);
            pg_sys::ExecutorEnd(self.desc);
            pg_sys::FreeQueryDesc(self.desc);
        }
    }
}

/// `ResetPerTupleExprContext`.
///
/// # Safety
/// `estate` is a running executor state.
unsafe fn reset_per_tuple(estate: *mut pg_sys::EState) {
    // SAFETY: as the caller's.
    unsafe {
        let context = (*estate).es_per_tuple_exprcontext;
        if !context.is_null() {
            pg_sys::MemoryContextReset((*context).ecxt_per_tuple_memory);
        }
    }
}

/// Hands `value` to `context`: it is dropped when the context is reset or deleted, at the end of a query or at its abort.
///
/// # Safety
/// Dropping `T` calls no PostgreSQL function and does not raise.
pub unsafe fn leak_into_context<T>(context: pg_sys::MemoryContext, value: T) -> *mut T {
    unsafe extern "C-unwind" fn drop_value<T>(pointer: *mut std::ffi::c_void) {
        // SAFETY: made by Box::into_raw below, and the callback runs once.
        drop(unsafe { Box::from_raw(pointer.cast::<T>()) });
    }
    let pointer = Box::into_raw(Box::new(value));
    // SAFETY: the callback struct is palloc'd in the context that runs it.
    unsafe {
        let callback: *mut pg_sys::MemoryContextCallback =
            pg_sys::MemoryContextAllocZero(context, size_of::<pg_sys::MemoryContextCallback>()).cast();
        (*callback).func = Some(drop_value::<T>);
        (*callback).arg = pointer.cast();
        pg_sys::MemoryContextRegisterResetCallback(context, callback);
    }
    pointer
}
