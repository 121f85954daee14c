//! Other plans in a finished statement, in the place of the scans of stubs (see [`super::part`]).
//!
//! A SubqueryScan over the plan of the part. It keeps the stub's place in the range table, its columns and what is left of its conditions,
//! so that nothing above changes, and rows are checked again after a concurrent update as those of any subquery.
//!
//! Invariant: the statement is the caller's own; no scan of a stub is left in it when it runs.

use super::part::stub_number;
use super::{copy, expression_type, make_node};
use pgrx::PgList;
use pgrx::pg_sys::AggStrategy::AGG_SORTED;
use pgrx::pg_sys::{self, NodeTag};

/// A scan of a stub in a finished plan.
pub struct StubScan {
    /// The part that it stands for.
    pub number: u32,
    /// Where the plan around it refers to it.
    slot: *mut *mut pg_sys::Plan,
    /// It may be read more than once.
    pub repeated: bool,
    /// The nodes above it, in its own sub-plan.
    above: Vec<*mut pg_sys::Plan>,
}

impl StubScan {
    fn scan(&self) -> &pg_sys::NamedTuplestoreScan {
        // SAFETY: `stub_scans` has found such a node there, and `graft` takes the scan away.
        unsafe { &*(*self.slot).cast() }
    }

    /// Its position in the range table of the statement.
    pub fn rtindex(&self) -> i32 {
        self.scan().scan.scanrelid as i32
    }

    /// Whether what is above may stop before it has all rows.
    pub fn may_stop_early(&self) -> bool {
        for &plan in self.above.iter().rev() {
            // SAFETY: nodes of the statement; the tag says which struct a node is.
            match unsafe { (*plan).type_ } {
                NodeTag::T_Limit => return true,
                NodeTag::T_Sort | NodeTag::T_Hash => return false,
                // SAFETY: as above.
                NodeTag::T_Agg if unsafe { (*plan.cast::<pg_sys::Agg>()).aggstrategy } != AGG_SORTED => return false,
                _ => {}
            }
        }
        false
    }

    /// Its conditions.
    pub fn quals(&self) -> Vec<*mut pg_sys::Expr> {
        // SAFETY: a plan's qual is a list of expressions.
        unsafe { PgList::<pg_sys::Expr>::from_pg(self.scan().scan.plan.qual) }.iter_ptr().collect()
    }
}

/// The scans of stubs in a statement.
///
/// # Safety
/// `stmt` is a planned statement of the caller's own.
pub unsafe fn stub_scans(stmt: *mut pg_sys::PlannedStmt) -> Vec<StubScan> {
    // SAFETY: as the caller's.
    unsafe {
        let count = length((*stmt).subplans) as usize;
        let mut search = Search { stmt, seen: vec![false; count], above: Vec::new(), found: Vec::new() };
        search.visit(&raw mut (*stmt).planTree, false);
        // What no node runs once belongs to an expression, which may run it for each row.
        for index in 0..count {
            search.visit_sub_plan(index, true);
        }
        search.found
    }
}

struct Search {
    stmt: *mut pg_sys::PlannedStmt,
    seen: Vec<bool>,
    above: Vec<*mut pg_sys::Plan>,
    found: Vec<StubScan>,
}

impl Search {
    /// # Safety
    /// `slot` is where the statement refers to a plan, or null.
    unsafe fn visit(&mut self, slot: *mut *mut pg_sys::Plan, repeated: bool) {
        // SAFETY: as the caller's; the tag says which struct a node is.
        unsafe {
            let plan = *slot;
            if plan.is_null() {
                return;
            }
            if (*plan).type_ == NodeTag::T_NamedTuplestoreScan {
                if let Some(number) = stub_number((*plan.cast::<pg_sys::NamedTuplestoreScan>()).enrname) {
                    self.found.push(StubScan { number, slot, repeated, above: self.above.clone() });
                }
                return;
            }
            for init in PgList::<pg_sys::SubPlan>::from_pg((*plan).initPlan).iter_ptr() {
                if let Some(index) = usize::try_from((*init).plan_id).ok().and_then(|id| id.checked_sub(1)) {
                    self.visit_sub_plan(index, repeated);
                }
            }
            self.above.push(plan);
            self.visit(&raw mut (*plan).lefttree, repeated);
            // These run their inner side once per outer row, or until nothing new comes.
            let repeats = matches!((*plan).type_, NodeTag::T_NestLoop | NodeTag::T_RecursiveUnion);
            self.visit(&raw mut (*plan).righttree, repeated || repeats);
            let others = match (*plan).type_ {
                NodeTag::T_Append => (*plan.cast::<pg_sys::Append>()).appendplans,
                NodeTag::T_MergeAppend => (*plan.cast::<pg_sys::MergeAppend>()).mergeplans,
                NodeTag::T_CustomScan => (*plan.cast::<pg_sys::CustomScan>()).custom_plans,
                NodeTag::T_SubqueryScan => {
                    self.visit(&raw mut (*plan.cast::<pg_sys::SubqueryScan>()).subplan, repeated);
                    std::ptr::null_mut()
                }
                _ => std::ptr::null_mut(),
            };
            for index in 0..length(others) {
                self.visit(cell(others, index as usize), repeated);
            }
            self.above.pop();
        }
    }

    /// # Safety
    /// `index` is below the number of the statement's sub-plans.
    unsafe fn visit_sub_plan(&mut self, index: usize, repeated: bool) {
        match self.seen.get_mut(index) {
            Some(seen) if !*seen => *seen = true,
            _ => return,
        }
        let above = std::mem::take(&mut self.above);
        // SAFETY: as the caller's.
        unsafe { self.visit(cell((*self.stmt).subplans, index), repeated) };
        self.above = above;
    }
}

/// How long a list is, of whatever.
///
/// # Safety
/// `list` is null or a list.
unsafe fn length(list: *const pg_sys::List) -> i32 {
    // SAFETY: as the caller's; null is the empty list.
    unsafe { list.as_ref() }.map_or(0, |list| list.length)
}

/// Where a list refers to its node number `index`.
///
/// # Safety
/// `list` is a list of nodes that is longer.
unsafe fn cell(list: *mut pg_sys::List, index: usize) -> *mut *mut pg_sys::Plan {
    // SAFETY: as the caller's: a list has an array of cells.
    unsafe { (&raw mut (*(*list).elements.add(index)).ptr_value).cast() }
}

/// What comes in the place of a scan of a stub.
pub struct Graft {
    /// The scan.
    pub scan: StubScan,
    /// A plan that gives the stub's columns first.
    pub plan: *mut pg_sys::Plan,
    /// Those of the scan's conditions that the plan does not apply.
    pub quals: Vec<*mut pg_sys::Expr>,
}

/// Puts plans in the place of scans.
///
/// # Safety
/// `grafts` are all that [`stub_scans`] has found in `stmt`, which nothing has changed since.
pub unsafe fn graft(stmt: *mut pg_sys::PlannedStmt, grafts: Vec<Graft>) {
    // SAFETY: as the caller's; the stub's entry in the range table is the statement's own.
    unsafe {
        let entries = PgList::<pg_sys::RangeTblEntry>::from_pg((*stmt).rtable);
        for Graft { scan, plan, quals } in grafts {
            let reader: *mut pg_sys::SubqueryScan = make_node(NodeTag::T_SubqueryScan);
            (*reader).scan = scan.scan().scan;
            (*reader).subplan = plan;
            let own = &mut (*reader).scan.plan;
            own.type_ = NodeTag::T_SubqueryScan;
            let mut kept = PgList::new();
            quals.into_iter().for_each(|qual| kept.push(qual));
            own.qual = kept.into_pg();
            for above in scan.above.iter().copied().chain([&raw mut *own]) {
                (*above).startup_cost += (*plan).startup_cost;
                (*above).total_cost += (*plan).total_cost;
            }
            if let Some(entry) = entries.get_ptr(((*reader).scan.scanrelid as usize).wrapping_sub(1)) {
                (*entry).rtekind = pg_sys::RTEKind::RTE_SUBQUERY;
                (*entry).enrname = std::ptr::null_mut();
            }
            *scan.slot = reader.cast();
        }
    }
}

/// Makes a statement check the rights of `other`, lock its relations, and be invalidated with it.
///
/// # Safety
/// `stmt` is a planned statement of the caller's own, `other` a planned statement.
pub unsafe fn adopt_relations(stmt: *mut pg_sys::PlannedStmt, other: *mut pg_sys::PlannedStmt) {
    // SAFETY: as the caller's; what is added are copies.
    unsafe {
        let other = copy(other);
        #[cfg(not(feature = "pg15"))]
        let offset = length((*stmt).permInfos) as u32;
        for entry in PgList::<pg_sys::RangeTblEntry>::from_pg((*other).rtable).iter_ptr() {
            #[cfg(feature = "pg15")]
            let has_rights = false;
            #[cfg(not(feature = "pg15"))]
            let has_rights = (*entry).perminfoindex > 0;
            #[cfg(not(feature = "pg15"))]
            if has_rights {
                (*entry).perminfoindex += offset;
            }
            if has_rights || (*entry).rtekind == pg_sys::RTEKind::RTE_RELATION {
                (*stmt).rtable = pg_sys::lappend((*stmt).rtable, entry.cast());
            }
        }
        #[cfg(not(feature = "pg15"))]
        {
            (*stmt).permInfos = pg_sys::list_concat((*stmt).permInfos, (*other).permInfos);
        }
        (*stmt).relationOids = pg_sys::list_concat((*stmt).relationOids, (*other).relationOids);
        (*stmt).invalItems = pg_sys::list_concat((*stmt).invalItems, (*other).invalItems);
        (*stmt).dependsOnRole |= (*other).dependsOnRole;
    }
}

/// Gives the result columns of a statement the type modifiers that clients see of another plan of the same query: those of a CASE, for one, depend
/// on whether its conditions were found to be constant.
///
/// # Safety
/// Both are planned statements of the same query; `stmt` is the caller's own.
pub unsafe fn show_types_of(stmt: *mut pg_sys::PlannedStmt, other: *mut pg_sys::PlannedStmt) {
    // SAFETY: as the caller's; a plan's target list holds TargetEntry nodes, and the tag says which struct an expression is.
    unsafe {
        let [own, others] = [stmt, other].map(|stmt| {
            let targets = PgList::<pg_sys::TargetEntry>::from_pg((*(*stmt).planTree).targetlist);
            targets.iter_ptr().filter(|&target| !(*target).resjunk).collect::<Vec<_>>()
        });
        for (target, other) in own.into_iter().zip(others) {
            let (ty, shown) = (expression_type((*target).expr), expression_type((*other).expr));
            if ty.oid != shown.oid || ty.typmod == shown.typmod {
                continue;
            }
            let expr = (*target).expr;
            match (*expr).type_ {
                // All that a node has which computes nothing.
                NodeTag::T_Var => (*expr.cast::<pg_sys::Var>()).vartypmod = shown.typmod,
                NodeTag::T_Const => (*expr.cast::<pg_sys::Const>()).consttypmod = shown.typmod,
                _ => {
                    (*target).expr = pg_sys::makeRelabelType(
                        expr,
                        pg_sys::Oid::from(ty.oid),
                        shown.typmod,
                        pg_sys::Oid::from(ty.collation),
                        pg_sys::CoercionForm::COERCE_IMPLICIT_CAST,
                    )
                    .cast();
                }
            }
        }
    }
}

/// Lets a finished statement be read backwards, as a scrollable cursor asks for.
///
/// # Safety
/// `stmt` is a planned statement of the caller's own.
pub unsafe fn make_scrollable(stmt: *mut pg_sys::PlannedStmt) {
    // SAFETY: as the caller's.
    unsafe {
        if !pg_sys::ExecSupportsBackwardScan((*stmt).planTree) {
            (*stmt).planTree = pg_sys::materialize_finished_plan((*stmt).planTree);
        }
    }
}
