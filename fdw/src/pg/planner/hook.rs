//! Calling planners: the hook, the next planner behind it, and a statement's text from parser to plan.

use crate::pg::executor;
use fusion_common::SqlError;
use pgrx::pg_sys;
use std::ffi::CString;

/// The planner hook that was there before ours.
static mut NEXT_PLANNER: pg_sys::planner_hook_type = None;

/// Puts `hook` before the planner hook that is there now.
pub fn install_hook(
    hook: unsafe extern "C-unwind" fn(
        *mut pg_sys::Query,
        *const std::ffi::c_char,
        std::ffi::c_int,
        pg_sys::ParamListInfo,
    ) -> *mut pg_sys::PlannedStmt,
) {
    // SAFETY: called once, from _PG_init, on the main thread.
    unsafe {
        NEXT_PLANNER = pg_sys::planner_hook;
        pg_sys::planner_hook = Some(hook);
    }
}

/// Arguments of a planner hook.
#[derive(Clone, Copy)]
pub struct PlannerArgs {
    /// Source text, or null.
    pub query_string: *const std::ffi::c_char,
    /// `CURSOR_OPT_*`.
    pub cursor_options: std::ffi::c_int,
    /// Values of external parameters, for a custom plan; or null.
    pub bound_params: pg_sys::ParamListInfo,
}

/// Plans `query` with the next planner: another extension's, or PostgreSQL's. `query` is scribbled on.
///
/// # Safety
/// `query` is a rewritten query, `args` those of the hook.
pub unsafe fn plan_natively(query: *mut pg_sys::Query, args: PlannerArgs) -> *mut pg_sys::PlannedStmt {
    let PlannerArgs { query_string, cursor_options, bound_params } = args;
    // SAFETY: as the caller's; NEXT_PLANNER is only written at load.
    unsafe {
        match NEXT_PLANNER {
            Some(next) => {
                pg_sys::ffi::pg_guard_ffi_boundary(|| next(query, query_string, cursor_options, bound_params))
            }
            None => pg_sys::standard_planner(query, query_string, cursor_options, bound_params),
        }
    }
}

/// Parses, analyses, rewrites and plans the one statement in `text`, and checks its rights, as EXPLAIN would; nothing is run.
///
/// # Safety
/// Called in a transaction.
pub unsafe fn plan_text(text: &str) -> Result<(), String> {
    // SAFETY: as the caller's.
    unsafe {
        let (queries, text) = rewrite_text(text)?;
        for query in pgrx::PgList::<pg_sys::Query>::from_pg(queries).iter_ptr() {
            if (*query).commandType == pg_sys::CmdType::CMD_UTILITY {
                return Err("a utility statement has no route".to_owned());
            }
            const CURSOR_OPT_PARALLEL_OK: i32 = 0x0800;
            let stmt = pg_sys::pg_plan_query(query, text, CURSOR_OPT_PARALLEL_OK, std::ptr::null_mut());
            executor::check_permissions(stmt);
        }
        Ok(())
    }
}

/// Parses, analyses and rewrites the one SELECT in `text`; gives the text as it lives beside the query.
///
/// # Safety
/// Called in a transaction.
pub unsafe fn analyze_text(text: &str) -> Result<(*mut pg_sys::Query, *const std::ffi::c_char), SqlError> {
    // SAFETY: as the caller's.
    unsafe {
        let (queries, text) = rewrite_text(text).map_err(SqlError::internal)?;
        let query = pgrx::PgList::<pg_sys::Query>::from_pg(queries).get_ptr(0);
        Ok((query.ok_or_else(|| SqlError::internal("a statement that is none"))?, text))
    }
}

/// The rewritten queries of the one statement in `text`, and its copy.
unsafe fn rewrite_text(text: &str) -> Result<(*mut pg_sys::List, *const std::ffi::c_char), String> {
    let text = CString::new(text).map_err(|_| "query contains a zero byte".to_owned())?;
    // SAFETY: trees made here, in the current context.
    unsafe {
        let text = pg_sys::pstrdup(text.as_ptr());
        let raw = pgrx::PgList::<pg_sys::RawStmt>::from_pg(pg_sys::pg_parse_query(text));
        let (1, Some(statement)) = (raw.len(), raw.get_ptr(0)) else {
            return Err("exactly one statement is expected".to_owned());
        };
        let queries =
            pg_sys::pg_analyze_and_rewrite_fixedparams(statement, text, std::ptr::null(), 0, std::ptr::null_mut());
        Ok((queries, text))
    }
}
