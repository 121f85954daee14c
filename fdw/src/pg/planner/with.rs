//! WITH queries that the planner inlines, put where they are used before that.
//!
//! Invariant: as for [`super::tree`]; what is changed are copies.

use super::{copy, is_self_contained, walk_queries};
use crate::pg::walk::{self, Walk};
use pgrx::PgList;
use pgrx::pg_sys::{self, NodeTag};
use std::ffi::CStr;

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
    let mut found = Vec::new();
    // SAFETY: the walkers give valid nodes; the tag says which struct one is.
    let mut visit = |node: *mut pg_sys::Node, depth: u32| unsafe {
        if (*node).type_ != NodeTag::T_RangeTblEntry {
            return Walk::Into;
        }
        let entry: *mut pg_sys::RangeTblEntry = node.cast();
        let is_reference = (*entry).rtekind == pg_sys::RTEKind::RTE_CTE
            && (*entry).ctelevelsup == depth
            && CStr::from_ptr((*entry).ctename) == CStr::from_ptr((*with).ctename);
        if is_reference {
            found.push(entry);
        }
        Walk::Over
    };
    // SAFETY: a query that may be changed; the entries found are its own.
    unsafe {
        walk::by_level(level.cast(), pg_sys::QTW_EXAMINE_RTES_BEFORE, &mut visit);
        for entry in found {
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
