//! WITH queries that the planner inlines, put where they are used before that.
//!
//! Invariant: as for [`super::tree`]; what is changed are copies.

use super::{copy, is_self_contained, walk_queries};
use pgrx::PgList;
use pgrx::pg_sys::{self, NodeTag};
use std::ffi::{CStr, c_void};

/// Puts the WITH queries that the planner would inline where they are used (`SS_process_ctes` of subselect.c), if they refer to nothing
/// around them; gives the range-table entries that they have become.
///
/// # Safety
/// `query` is a query that may be changed.
pub unsafe fn inline_withs(query: *mut pg_sys::Query) -> Vec<*mut pg_sys::RangeTblEntry> {
    // SAFETY: as the caller's; a cteList holds CommonTableExpr nodes, whose query is a Query after analysis.
    unsafe {
        let mut levels = Vec::new();
        walk_queries(query, &mut |query| {
            levels.push(query);
            false
        });
        let mut inlined = Vec::new();
        // From the inside out, so that what is copied has been done already.
        for &level in levels.iter().rev() {
            for with in PgList::<pg_sys::CommonTableExpr>::from_pg((*level).cteList).iter_ptr() {
                use pg_sys::CTEMaterialize as M;
                let body: *mut pg_sys::Query = (*with).ctequery.cast();
                let wanted = (*with).ctematerialized == M::CTEMaterializeNever
                    || ((*with).ctematerialized == M::CTEMaterializeDefault && (*with).cterefcount == 1);
                if wanted
                    && (*with).cterefcount > 0
                    && !(*with).cterecursive
                    && is_self_contained(body)
                    && (*body).rowMarks.is_null()
                    && !pg_sys::contain_volatile_functions(body.cast())
                {
                    inline(level, with, &mut inlined);
                }
            }
        }
        inlined
    }
}

/// Replaces the references to a WITH query of `level` by copies of it, which refers to nothing around.
unsafe fn inline(
    level: *mut pg_sys::Query,
    with: *mut pg_sys::CommonTableExpr,
    inlined: &mut Vec<*mut pg_sys::RangeTblEntry>,
) {
    struct References {
        with: *mut pg_sys::CommonTableExpr,
        depth: u32,
        found: Vec<*mut pg_sys::RangeTblEntry>,
    }
    #[pgrx::pg_guard]
    unsafe extern "C-unwind" fn walker(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
        // SAFETY: the walkers pass null or valid nodes; `context` is the struct above; the tag says which struct a node is.
        unsafe {
            if node.is_null() {
                return false;
            }
            let references = &mut *context.cast::<References>();
            match (*node).type_ {
                NodeTag::T_RangeTblEntry => {
                    let entry: *mut pg_sys::RangeTblEntry = node.cast();
                    let is_reference = (*entry).rtekind == pg_sys::RTEKind::RTE_CTE
                        && (*entry).ctelevelsup == references.depth
                        && CStr::from_ptr((*entry).ctename) == CStr::from_ptr((*references.with).ctename);
                    if is_reference {
                        references.found.push(entry);
                    }
                    false
                }
                NodeTag::T_Query => {
                    references.depth += 1;
                    walk(node.cast(), context);
                    (*context.cast::<References>()).depth -= 1;
                    false
                }
                _ => pg_sys::expression_tree_walker(node, Some(walker), context),
            }
        }
    }
    unsafe fn walk(query: *mut pg_sys::Query, context: *mut c_void) {
        // SAFETY: a valid query.
        unsafe {
            pg_sys::query_tree_walker(query, Some(walker), context, pg_sys::QTW_EXAMINE_RTES_BEFORE as i32);
        }
    }
    let mut references = References { with, depth: 0, found: Vec::new() };
    // SAFETY: a query that may be changed; the entries found are its own.
    unsafe {
        walk(level, (&raw mut references).cast());
        for entry in references.found {
            let entry_ref = &mut *entry;
            entry_ref.rtekind = pg_sys::RTEKind::RTE_SUBQUERY;
            entry_ref.subquery = copy((*with).ctequery.cast());
            entry_ref.security_barrier = false;
            entry_ref.ctename = std::ptr::null_mut();
            entry_ref.ctelevelsup = 0;
            entry_ref.self_reference = false;
            entry_ref.coltypes = std::ptr::null_mut();
            entry_ref.coltypmods = std::ptr::null_mut();
            entry_ref.colcollations = std::ptr::null_mut();
            inlined.push(entry);
        }
        (*with).cterefcount = 0;
    }
}
