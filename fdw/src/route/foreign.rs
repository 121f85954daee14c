//! The plain FDW callbacks: one fusion table as a scan inside a PostgreSQL plan.
//!
//! Used where the planner hook did not replace the table: the first statement of a session that has not loaded the library, and the
//! tables that `native` leaves. The scan is a query of its own, `SELECT needed columns FROM table WHERE quals`, routed as any other;
//! its row type is the table's own, with NULL in columns that nobody needs.

use super::leaves::Leaves;
use super::plan::Private;
use super::{NativeQuery, PlannerArgs, planner, translate_query};
use crate::error::{OrRaise, Result};
use crate::relation;
use crate::statistics::RelationStatistics;
use crate::translate::Refusal;
use fusion_common::SqlError;
use pgrx::PgList;
use pgrx::{pg_guard, pg_sys};

/// Cost of starting a scan, so that it is planned once rather than per outer row.
const START_COST: f64 = 1000.0;

/// `GetForeignRelSize`: rows of the heap relation times the selectivity of the quals.
#[pg_guard]
pub unsafe extern "C-unwind" fn get_foreign_rel_size(
    root: *mut pg_sys::PlannerInfo,
    base: *mut pg_sys::RelOptInfo,
    foreign: pg_sys::Oid,
) {
    let heap = relation::resolve(foreign.to_u32()).or_raise();
    // SAFETY: valid planner structures.
    unsafe {
        let rows = RelationStatistics::read(heap.heap, &[]).rows();
        let selectivity = pg_sys::clauselist_selectivity(
            root,
            (*base).baserestrictinfo,
            0,
            pg_sys::JoinType::JOIN_INNER,
            std::ptr::null_mut(),
        );
        (*base).tuples = rows;
        (*base).rows = (rows * selectivity).max(1.0);
    }
}

/// `GetForeignPaths`: one path.
#[pg_guard]
pub unsafe extern "C-unwind" fn get_foreign_paths(
    root: *mut pg_sys::PlannerInfo,
    base: *mut pg_sys::RelOptInfo,
    _foreign: pg_sys::Oid,
) {
    // SAFETY: valid planner structures.
    unsafe {
        let total = START_COST + (*base).tuples * 0.01;
        let path = planner::foreign_path(root, base, START_COST, total);
        pg_sys::add_path(base, path.cast());
    }
}

/// `GetForeignPlan`: the scan, with the quals that translate pushed into it.
#[pg_guard]
pub unsafe extern "C-unwind" fn get_foreign_plan(
    root: *mut pg_sys::PlannerInfo,
    base: *mut pg_sys::RelOptInfo,
    foreign: pg_sys::Oid,
    _path: *mut pg_sys::ForeignPath,
    tlist: *mut pg_sys::List,
    clauses: *mut pg_sys::List,
    outer_plan: *mut pg_sys::Plan,
) -> *mut pg_sys::ForeignScan {
    // SAFETY: valid planner structures.
    unsafe { plan(root, base, foreign, tlist, clauses, outer_plan) }.or_raise()
}

unsafe fn plan(
    root: *mut pg_sys::PlannerInfo,
    base: *mut pg_sys::RelOptInfo,
    foreign: pg_sys::Oid,
    tlist: *mut pg_sys::List,
    clauses: *mut pg_sys::List,
    outer_plan: *mut pg_sys::Plan,
) -> Result<*mut pg_sys::ForeignScan> {
    // SAFETY: as get_foreign_plan's; what is changed are copies.
    unsafe {
        let clauses = pg_sys::extract_actual_clauses(clauses, false);
        let heap = relation::resolve(foreign.to_u32())?;
        let attributes = planner::attributes_used(base, clauses, heap.columns.len());
        let query = |quals: &[*mut pg_sys::Expr]| planner::single_table_query(root, base, &heap, &attributes, quals);

        // Quals of a security barrier view come first, and in PostgreSQL's order.
        let barrier = planner::has_security_quals(root, base);
        let mut pushed = Vec::new();
        let mut local = PgList::<pg_sys::Expr>::new();
        for clause in PgList::<pg_sys::Expr>::from_pg(clauses).iter_ptr() {
            let alone = query(&[clause]);
            let translates = !barrier
                && !planner::needs_outer_values(clause)
                && NativeQuery::new(alone)?
                    .is_some_and(|native| translate_query(alone, &native, &Leaves::default()).is_ok());
            if translates {
                pushed.push(clause);
            } else {
                local.push(clause);
            }
        }
        let query = query(&pushed);
        let native = NativeQuery::new(query)?.ok_or_else(|| SqlError::internal("fusion table without its server"))?;
        let args = PlannerArgs {
            query_string: std::ptr::null(),
            cursor_options: 0,
            bound_params: (*(*root).glob).boundParams,
        };
        let native_stmt = planner::plan_natively(native.query, args);
        let mut params = PgList::<pg_sys::Expr>::new();
        let private = match super::usable()
            .and_then(|()| native.reason.clone().map_or(Ok(()), |reason| Err(Refusal(reason))))
            .and_then(|()| translate_query(query, &native, &Leaves::of(native_stmt)))
        {
            Ok(translation) => {
                for &param in &translation.params {
                    params.push(planner::plan_expression(param));
                }
                Private::new(&translation)?
            }
            Err(Refusal(reason)) => Private::native(reason),
        };
        planner::depend_on(root, native_stmt, heap.row_security);
        let mut recheck = PgList::<pg_sys::Expr>::new();
        pushed.iter().for_each(|&qual| recheck.push(qual));
        let scan = pg_sys::make_foreignscan(
            tlist,
            local.into_pg(),
            (*base).relid,
            params.into_pg(),
            private.to_list(native_stmt)?,
            std::ptr::null_mut(),
            recheck.into_pg(),
            outer_plan,
        );
        Ok(scan)
    }
}
