//! What the plain FDW callbacks need of the planner: one base relation, its path, and the query of its scan.

#[cfg(not(feature = "pg15"))]
use super::tree::perm_info;
use super::{Access, copy, make_node, make_var, null_const};
use crate::pg::walk::{self, Walk};
use fusion_common::TypeRef;
use pgrx::pg_sys;

/// A path that scans a fusion table.
///
/// # Safety
/// `root` and `base` are valid planner structures.
pub unsafe fn foreign_path(
    root: *mut pg_sys::PlannerInfo,
    base: *mut pg_sys::RelOptInfo,
    startup_cost: f64,
    total_cost: f64,
) -> *mut pg_sys::ForeignPath {
    use std::ptr::null_mut;
    // SAFETY: as the caller's. Lateral references make a path parameterised.
    unsafe {
        let (rows, outer) = ((*base).rows, (*base).lateral_relids);
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        return pg_sys::create_foreignscan_path(
            root,
            base,
            null_mut(),
            rows,
            startup_cost,
            total_cost,
            null_mut(),
            outer,
            null_mut(),
            null_mut(),
        );
        #[cfg(feature = "pg17")]
        return pg_sys::create_foreignscan_path(
            root,
            base,
            null_mut(),
            rows,
            startup_cost,
            total_cost,
            null_mut(),
            outer,
            null_mut(),
            null_mut(),
            null_mut(),
        );
        #[cfg(feature = "pg18")]
        return pg_sys::create_foreignscan_path(
            root,
            base,
            null_mut(),
            rows,
            0,
            startup_cost,
            total_cost,
            null_mut(),
            outer,
            null_mut(),
            null_mut(),
            null_mut(),
        );
    }
}

/// By attribute index: whether a scan of `base` has to give the attribute, for its output or for `clauses`.
///
/// # Safety
/// `base` is a base relation of the planner, `clauses` a list of expressions over it.
pub unsafe fn attributes_used(base: *mut pg_sys::RelOptInfo, clauses: *mut pg_sys::List, count: usize) -> Vec<bool> {
    // SAFETY: as the caller's.
    unsafe {
        let mut used = std::ptr::null_mut();
        pg_sys::pull_varattnos((*(*base).reltarget).exprs.cast(), (*base).relid, &mut used);
        pg_sys::pull_varattnos(clauses.cast(), (*base).relid, &mut used);
        let access = Access { selected: used, check_as: pg_sys::InvalidOid };
        let whole_row = access.reads(0);
        (1..=count as i16).map(|attnum| whole_row || access.reads(attnum)).collect()
    }
}

/// Whether a clause takes values from outside its scan: an outer relation's, or a subplan's.
///
/// # Safety
/// `clause` is a planner clause.
pub unsafe fn needs_outer_values(clause: *mut pg_sys::Expr) -> bool {
    // SAFETY: the walker gives valid nodes; the tag says which struct one is.
    let mut needs = |node: *mut pg_sys::Node| unsafe {
        let needs = match (*node).type_ {
            pg_sys::NodeTag::T_SubPlan | pg_sys::NodeTag::T_AlternativeSubPlan | pg_sys::NodeTag::T_PlaceHolderVar => {
                true
            }
            pg_sys::NodeTag::T_Param => (*node.cast::<pg_sys::Param>()).paramkind != pg_sys::ParamKind::PARAM_EXTERN,
            _ => false,
        };
        if needs { Walk::Stop } else { Walk::Into }
    };
    // SAFETY: as the caller's.
    unsafe { walk::any(clause.cast(), &mut needs) }
}

/// `SELECT columns FROM table WHERE quals` over the table of `base`, as the rewriter would give it. Columns not in `attributes` are
/// NULL constants, so that the row type is the table's.
///
/// # Safety
/// `root` and `base` are valid planner structures, `quals` expressions over `base` alone.
pub unsafe fn single_table_query(
    root: *mut pg_sys::PlannerInfo,
    base: *mut pg_sys::RelOptInfo,
    heap: &crate::relation::HeapRelation,
    attributes: &[bool],
    quals: &[*mut pg_sys::Expr],
) -> *mut pg_sys::Query {
    use pg_sys::NodeTag;
    // SAFETY: as the caller's; all nodes are fresh or copies.
    unsafe {
        let query: *mut pg_sys::Query = make_node(NodeTag::T_Query);
        (*query).commandType = pg_sys::CmdType::CMD_SELECT;
        (*query).canSetTag = true;
        let outer_rte = *(*root).simple_rte_array.add((*base).relid as usize);
        let rte = copy(outer_rte);
        // The planner has cleared it, as the fusion table itself has no children.
        (*rte).inh = true;
        let selected =
            attributes.iter().zip(1i32..).filter(|(used, _)| **used).fold(std::ptr::null_mut(), |set, (_, attnum)| {
                pg_sys::bms_add_member(set, attnum - pg_sys::FirstLowInvalidHeapAttributeNumber)
            });
        set_access(root, query, rte, selected);
        (*rte).securityQuals = std::ptr::null_mut();
        let mut rtable = pgrx::PgList::new();
        rtable.push(rte);
        (*query).rtable = rtable.into_pg();

        let mut targets = pgrx::PgList::new();
        for ((column, used), attnum) in heap.columns.iter().zip(attributes).zip(1i16..) {
            let expr: *mut pg_sys::Expr = match column {
                Some(column) if *used => make_var(1, attnum, column.ty).cast(),
                Some(column) => null_const(column.ty).cast(),
                None => null_const(TypeRef::plain(fusion_common::types::oid::INT4)).cast(),
            };
            targets.push(pg_sys::makeTargetEntry(expr, attnum, std::ptr::null_mut(), false));
        }
        (*query).targetList = targets.into_pg();

        let mut conjuncts = pgrx::PgList::<pg_sys::Expr>::new();
        for &qual in quals {
            let qual = copy(qual);
            pg_sys::ChangeVarNodes(qual.cast(), (*base).relid as i32, 1, 0);
            clear_nulling(qual);
            conjuncts.push(qual);
        }
        let reference: *mut pg_sys::RangeTblRef = make_node(NodeTag::T_RangeTblRef);
        (*reference).rtindex = 1;
        let mut from = pgrx::PgList::new();
        from.push(reference);
        let tree: *mut pg_sys::FromExpr = make_node(NodeTag::T_FromExpr);
        (*tree).fromlist = from.into_pg();
        (*tree).quals = if quals.is_empty() {
            std::ptr::null_mut()
        } else {
            pg_sys::make_ands_explicit(conjuncts.into_pg()).cast()
        };
        (*query).jointree = tree;
        query
    }
}

#[cfg(feature = "pg15")]
unsafe fn set_access(
    _root: *mut pg_sys::PlannerInfo,
    _query: *mut pg_sys::Query,
    rte: *mut pg_sys::RangeTblEntry,
    selected: *mut pg_sys::Bitmapset,
) {
    // SAFETY: a copy that may be changed.
    unsafe { (*rte).selectedCols = selected }
}

#[cfg(not(feature = "pg15"))]
unsafe fn set_access(
    root: *mut pg_sys::PlannerInfo,
    query: *mut pg_sys::Query,
    rte: *mut pg_sys::RangeTblEntry,
    selected: *mut pg_sys::Bitmapset,
) {
    // SAFETY: the entry was copied from the query of `root`; query and entry may be changed.
    unsafe {
        if let Some(info) = perm_info((*root).parse, rte) {
            let info = copy(info);
            (*info).selectedCols = selected;
            let mut infos = pgrx::PgList::new();
            infos.push(info);
            (*query).rteperminfos = infos.into_pg();
            (*rte).perminfoindex = 1;
        }
    }
}

/// Takes the marks of outer joins off the columns of a qual that is evaluated in its scan.
unsafe fn clear_nulling(expr: *mut pg_sys::Expr) {
    #[cfg(feature = "pg15")]
    let _ = expr;
    #[cfg(not(feature = "pg15"))]
    {
        // SAFETY: the walker gives valid nodes of a copy.
        let mut clear = |node: *mut pg_sys::Node| unsafe {
            if (*node).type_ == pg_sys::NodeTag::T_Var {
                (*node.cast::<pg_sys::Var>()).varnullingrels = std::ptr::null_mut();
            }
            Walk::Into
        };
        // SAFETY: a copy that may be changed.
        unsafe { walk::any(expr.cast(), &mut clear) };
    }
}

/// Makes the plan that `root` is planning depend on what `stmt` depends on, and on the role where `on_role`.
///
/// # Safety
/// `root` is a valid planner structure, `stmt` a planned statement.
pub unsafe fn depend_on(root: *mut pg_sys::PlannerInfo, stmt: *mut pg_sys::PlannedStmt, on_role: bool) {
    // SAFETY: as the caller's; list_concat_copy copies the list cells of both.
    unsafe {
        let glob = (*root).glob;
        (*glob).relationOids = pg_sys::list_concat_copy((*glob).relationOids, (*stmt).relationOids);
        (*glob).invalItems = pg_sys::list_concat_copy((*glob).invalItems, (*stmt).invalItems);
        (*glob).dependsOnRole |= on_role || (*stmt).dependsOnRole;
    }
}

/// Whether the table of `base` stands behind a security barrier.
///
/// # Safety
/// `root` and `base` are valid planner structures.
pub unsafe fn has_security_quals(root: *mut pg_sys::PlannerInfo, base: *mut pg_sys::RelOptInfo) -> bool {
    // SAFETY: as the caller's.
    unsafe { !(**(*root).simple_rte_array.add((*base).relid as usize)).securityQuals.is_null() }
}
