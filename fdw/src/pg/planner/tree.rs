//! The parser's and rewriter's query trees: walking, copying, and turning a fusion table into a subquery.
//!
//! Invariant: every query given to a function here is a valid tree of the parser or rewriter; what is changed is a copy.

use crate::pg::walk::{self, Walk};
use fusion_common::Oid;
use pgrx::pg_sys;
use std::ffi::CString;

/// `copyObject`.
///
/// # Safety
/// `node` is a valid node.
pub unsafe fn copy<T>(node: *const T) -> *mut T {
    // SAFETY: as the caller's.
    unsafe { pg_sys::copyObjectImpl(node.cast()).cast() }
}

/// `makeNode`: a zeroed node of type `tag` in the current context.
///
/// # Safety
/// `tag` is the node tag of `T`.
pub unsafe fn make_node<T>(tag: pg_sys::NodeTag) -> *mut T {
    // SAFETY: palloc0 of the node's size; all node structs begin with their tag.
    unsafe {
        let node = pg_sys::palloc0(size_of::<T>());
        *node.cast::<pg_sys::NodeTag>() = tag;
        node.cast()
    }
}

/// Calls `visit` for `query` and all queries inside it: in FROM, in CTEs, in sublinks. Stops when `visit` gives true.
///
/// # Safety
/// `query` is a valid query.
pub unsafe fn walk_queries(query: *mut pg_sys::Query, visit: &mut dyn FnMut(*mut pg_sys::Query) -> bool) -> bool {
    // SAFETY: the walkers give valid nodes.
    let mut enter = |node: *mut pg_sys::Node| unsafe {
        if (*node).type_ == pg_sys::NodeTag::T_Query && visit(node.cast()) { Walk::Stop } else { Walk::Into }
    };
    // SAFETY: as the caller's.
    unsafe { walk::any(query.cast(), &mut enter) }
}

/// Range-table entries of a query.
///
/// # Safety
/// `query` is a valid query.
pub unsafe fn range_table(query: *const pg_sys::Query) -> Vec<*mut pg_sys::RangeTblEntry> {
    // SAFETY: as the caller's.
    unsafe { pgrx::PgList::from_pg((*query).rtable).iter_ptr().collect() }
}

/// What a query needs of a relation, and as whom.
#[derive(Clone, Copy)]
pub struct Access {
    /// `selectedCols`: attribute numbers, offset by FirstLowInvalidHeapAttributeNumber.
    pub selected: *mut pg_sys::Bitmapset,
    /// Role to check as; InvalidOid: the current one.
    pub check_as: pg_sys::Oid,
}

impl Access {
    /// Of a range-table entry of `query`.
    ///
    /// # Safety
    /// `rte` is a relation's entry in the range table of `query`.
    pub unsafe fn of(query: *const pg_sys::Query, rte: *const pg_sys::RangeTblEntry) -> Self {
        // SAFETY: as the caller's.
        #[cfg(feature = "pg15")]
        unsafe {
            let _ = query;
            Self { selected: (*rte).selectedCols, check_as: (*rte).checkAsUser }
        }
        // SAFETY: as the caller's.
        #[cfg(not(feature = "pg15"))]
        unsafe {
            match perm_info(query, rte) {
                Some(info) => Self { selected: (*info).selectedCols, check_as: (*info).checkAsUser },
                None => Self { selected: std::ptr::null_mut(), check_as: pg_sys::InvalidOid },
            }
        }
    }

    /// Whether attribute `attnum` is read; 0 is the whole row.
    pub fn reads(&self, attnum: i16) -> bool {
        let member = i32::from(attnum) - pg_sys::FirstLowInvalidHeapAttributeNumber;
        // SAFETY: a valid set; members are not negative.
        unsafe { pg_sys::bms_is_member(member, self.selected) }
    }

    /// Whether a system column is read, or the whole row.
    pub fn reads_row_or_system_column(&self) -> bool {
        (pg_sys::FirstLowInvalidHeapAttributeNumber as i16 + 1..=0).any(|attnum| self.reads(attnum))
    }
}

#[cfg(not(feature = "pg15"))]
pub(super) unsafe fn perm_info(
    query: *const pg_sys::Query,
    rte: *const pg_sys::RangeTblEntry,
) -> Option<*mut pg_sys::RTEPermissionInfo> {
    // SAFETY: as the caller's.
    unsafe { perm_info_in((*query).rteperminfos, rte) }
}

/// The entry of a query's or a planned statement's permission infos that belongs to one of its range table.
///
/// # Safety
/// `infos` and `rte` are of one query, or of one statement.
#[cfg(not(feature = "pg15"))]
pub unsafe fn perm_info_in(
    infos: *mut pg_sys::List,
    rte: *const pg_sys::RangeTblEntry,
) -> Option<*mut pg_sys::RTEPermissionInfo> {
    // SAFETY: perminfoindex counts the entries from 1; 0 is none.
    unsafe {
        let index = ((*rte).perminfoindex as usize).checked_sub(1)?;
        pgrx::PgList::from_pg(infos).get_ptr(index)
    }
}

/// Turns the entry `rte` of `query` (a fusion table) into a subquery over its heap relation: `SELECT columns FROM heap`, rewritten as
/// if the user of the entry had written it, so that row security and rights are PostgreSQL's. The fusion table stays in the
/// subquery's range table, outside its FROM list, for its own rights and locks.
///
/// # Safety
/// `rte` is a relation's entry in the range table of `query`, both in a copy that may be changed; `select` is a SELECT over one relation.
pub unsafe fn replace_by_subquery(query: *mut pg_sys::Query, rte: *mut pg_sys::RangeTblEntry, select: &str) {
    // SAFETY: as the caller's; parser and rewriter give valid trees.
    unsafe {
        let access = Access::of(query, rte);
        let subquery = analyze_select(select, access.check_as);
        let foreign = copy(rte);
        (*foreign).inFromCl = false;
        adopt_entry(query, rte, subquery, foreign);
        (*rte).rtekind = pg_sys::RTEKind::RTE_SUBQUERY;
        (*rte).subquery = subquery;
        (*rte).security_barrier = false;
        (*rte).relid = pg_sys::InvalidOid;
        (*rte).relkind = 0;
        (*rte).rellockmode = 0;
        (*rte).inh = false;
    }
}

/// Parses, analyses and rewrites a SELECT over one relation; its rights are checked as `check_as`.
unsafe fn analyze_select(select: &str, check_as: pg_sys::Oid) -> *mut pg_sys::Query {
    // SAFETY: a valid statement of one SELECT: one raw statement, one query, whose first range-table entry is the relation.
    unsafe {
        let text = c_string(select);
        let raw = pgrx::PgList::<pg_sys::RawStmt>::from_pg(pg_sys::pg_parse_query(text));
        let query = pg_sys::parse_analyze_fixedparams(
            raw.get_ptr(0).unwrap_or(std::ptr::null_mut()),
            text,
            std::ptr::null(),
            0,
            std::ptr::null_mut(),
        );
        set_check_as(query, check_as);
        let rewritten = pgrx::PgList::<pg_sys::Query>::from_pg(pg_sys::QueryRewrite(query));
        rewritten.get_ptr(0).unwrap_or(query)
    }
}

#[cfg(feature = "pg15")]
unsafe fn set_check_as(query: *mut pg_sys::Query, check_as: pg_sys::Oid) {
    // SAFETY: a query just made by the analyser.
    unsafe {
        for rte in range_table(query) {
            (*rte).checkAsUser = check_as;
        }
    }
}

#[cfg(not(feature = "pg15"))]
unsafe fn set_check_as(query: *mut pg_sys::Query, check_as: pg_sys::Oid) {
    // SAFETY: a query just made by the analyser.
    unsafe {
        for info in pgrx::PgList::<pg_sys::RTEPermissionInfo>::from_pg((*query).rteperminfos).iter_ptr() {
            (*info).checkAsUser = check_as;
        }
    }
}

/// Adds `foreign`, a copy of `rte`, to the range table of `subquery`, with the rights that `rte` had; `rte` has none afterwards.
#[cfg(feature = "pg15")]
unsafe fn adopt_entry(
    _query: *mut pg_sys::Query,
    rte: *mut pg_sys::RangeTblEntry,
    subquery: *mut pg_sys::Query,
    foreign: *mut pg_sys::RangeTblEntry,
) {
    // SAFETY: entries of trees that may be changed.
    unsafe {
        (*subquery).rtable = pg_sys::lappend((*subquery).rtable, foreign.cast());
        (*rte).requiredPerms = 0;
        (*rte).checkAsUser = pg_sys::InvalidOid;
        (*rte).selectedCols = std::ptr::null_mut();
    }
}

/// Adds `foreign`, a copy of `rte`, to the range table of `subquery`, with the rights that `rte` had; `rte` has none afterwards.
#[cfg(not(feature = "pg15"))]
unsafe fn adopt_entry(
    query: *mut pg_sys::Query,
    rte: *mut pg_sys::RangeTblEntry,
    subquery: *mut pg_sys::Query,
    foreign: *mut pg_sys::RangeTblEntry,
) {
    // SAFETY: entries of trees that may be changed.
    unsafe {
        (*subquery).rtable = pg_sys::lappend((*subquery).rtable, foreign.cast());
        if let Some(info) = perm_info(query, rte) {
            let infos = pg_sys::lappend((*subquery).rteperminfos, copy(info).cast());
            (*subquery).rteperminfos = infos;
            (*foreign).perminfoindex = (*infos).length as u32;
        }
        (*rte).perminfoindex = 0;
    }
}

/// Whether row security restricts what `check_as` (InvalidOid: the current role) reads of `relid`.
pub fn row_security_applies(relid: Oid, check_as: pg_sys::Oid) -> bool {
    // SAFETY: a syscache look-up; noError.
    let state = unsafe { pg_sys::check_enable_rls(pg_sys::Oid::from(relid), check_as, true) };
    state == pg_sys::CheckEnableRlsResult::RLS_ENABLED as i32
}

/// Whether the transaction is SERIALIZABLE.
pub fn is_serializable() -> bool {
    // SAFETY: reads a global.
    unsafe { pg_sys::XactIsoLevel == pg_sys::XACT_SERIALIZABLE as i32 }
}

/// Whether this process is a worker of a parallel query.
pub fn is_parallel_worker() -> bool {
    // SAFETY: reads a global.
    unsafe { pg_sys::ParallelWorkerNumber >= 0 }
}

/// Whether a parallel plan runs around us, in a worker or its leader: no subtransaction can be started then.
pub fn is_in_parallel_mode() -> bool {
    // SAFETY: reads the transaction state.
    unsafe { pg_sys::IsInParallelMode() }
}

/// A palloc'd C string.
pub fn c_string(text: &str) -> *mut std::ffi::c_char {
    let text = CString::new(text).unwrap_or_default();
    // SAFETY: a valid C string, copied into the current context.
    unsafe { pg_sys::pstrdup(text.as_ptr()) }
}
