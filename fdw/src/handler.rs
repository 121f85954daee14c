//! The FDW's callback table: PostgreSQL's way into scan, import and explain.

use crate::{explain, import, route, scan};
use pgrx::{Internal, pg_extern, pg_guard, pg_sys};

/// Handler of `fusion_fdw`: gives PostgreSQL the callback table.
#[pg_extern(sql = false)]
fn fusion_fdw_handler() -> Internal {
    // SAFETY: a fresh, zeroed FdwRoutine in the current context; every callback is guarded.
    unsafe {
        let routine: *mut pg_sys::FdwRoutine = crate::pg::planner::make_node(pg_sys::NodeTag::T_FdwRoutine);
        let table = &mut *routine;
        table.GetForeignRelSize = Some(route::foreign::get_foreign_rel_size);
        table.GetForeignPaths = Some(route::foreign::get_foreign_paths);
        table.GetForeignPlan = Some(route::foreign::get_foreign_plan);
        table.BeginForeignScan = Some(scan::begin_foreign_scan);
        table.IterateForeignScan = Some(scan::iterate_foreign_scan);
        table.ReScanForeignScan = Some(scan::rescan_foreign_scan);
        table.EndForeignScan = Some(scan::end_foreign_scan);
        table.ExplainForeignScan = Some(explain::explain_foreign_scan);
        table.ImportForeignSchema = Some(import::import_foreign_schema);
        // Without IsForeignRelUpdatable PostgreSQL takes the table for updatable and comes to the callbacks below, which say
        // what to use instead.
        table.PlanForeignModify = Some(plan_foreign_modify);
        table.BeginForeignInsert = Some(begin_foreign_insert);
        table.ExecForeignInsert = Some(exec_foreign_modify);
        table.ExecForeignUpdate = Some(exec_foreign_modify);
        table.ExecForeignDelete = Some(exec_foreign_modify);
        table.ExecForeignTruncate = Some(exec_foreign_truncate);
        Internal::from(Some(pg_sys::Datum::from(routine)))
    }
}

unsafe fn refuse(relation: pg_sys::Relation, command: pg_sys::CmdType::Type) -> ! {
    // SAFETY: PostgreSQL passes an open relation.
    let relid = unsafe { (*relation).rd_id.to_u32() };
    crate::error::raise(route::native::not_writable(relid, command))
}

/// Refuses INSERT, UPDATE and DELETE when they are planned.
#[pg_guard]
unsafe extern "C-unwind" fn plan_foreign_modify(
    root: *mut pg_sys::PlannerInfo,
    plan: *mut pg_sys::ModifyTable,
    result_relation: pg_sys::Index,
    _subplan_index: std::ffi::c_int,
) -> *mut pg_sys::List {
    // SAFETY: valid planner structures; the result relation is in the planner's array.
    unsafe {
        let rte = *(*root).simple_rte_array.add(result_relation as usize);
        crate::error::raise(route::native::not_writable((*rte).relid.to_u32(), (*plan).operation))
    }
}

/// Refuses COPY FROM, and rows routed from a partitioned table.
#[pg_guard]
unsafe extern "C-unwind" fn begin_foreign_insert(
    _state: *mut pg_sys::ModifyTableState,
    result: *mut pg_sys::ResultRelInfo,
) {
    // SAFETY: PostgreSQL passes a valid result relation.
    unsafe { refuse((*result).ri_RelationDesc, pg_sys::CmdType::CMD_INSERT) }
}

/// Never reached by way of the planner; refuses all the same.
#[pg_guard]
unsafe extern "C-unwind" fn exec_foreign_modify(
    _estate: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    _slot: *mut pg_sys::TupleTableSlot,
    _plan_slot: *mut pg_sys::TupleTableSlot,
) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: PostgreSQL passes a valid result relation.
    unsafe { refuse((*result).ri_RelationDesc, pg_sys::CmdType::CMD_UNKNOWN) }
}

/// Refuses TRUNCATE.
#[pg_guard]
unsafe extern "C-unwind" fn exec_foreign_truncate(
    relations: *mut pg_sys::List,
    _behavior: pg_sys::DropBehavior::Type,
    _restart_sequences: bool,
) {
    // SAFETY: a list of open relations.
    unsafe {
        if let Some(relation) = pgrx::PgList::<pg_sys::RelationData>::from_pg(relations).get_ptr(0) {
            refuse(relation, pg_sys::CmdType::CMD_NOTHING);
        }
    }
}
