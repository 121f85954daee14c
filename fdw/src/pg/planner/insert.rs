//! INSERT … SELECT: the SELECT, what is inserted of its rows, and another plan for it below ModifyTable.

use super::{copy, make_node, plan_expression, range_table};
use crate::pg::walk::{self, Walk};
use pgrx::PgList;
use pgrx::pg_sys::{self, NodeTag};

/// The SELECT of an INSERT.
pub struct InsertSource {
    /// A copy of the SELECT, which refers to nothing outside itself. Literals that the INSERT takes as they are, not from the row, are NULL.
    pub select: *mut pg_sys::Query,
    rtindex: i32,
}

/// The SELECT of `parse`, if it is an INSERT … SELECT in which nothing else has subqueries.
///
/// # Safety
/// `parse` is a rewritten query.
pub unsafe fn insert_source(parse: *mut pg_sys::Query) -> Option<InsertSource> {
    // SAFETY: as the caller's; a FROM list holds nodes of a join tree.
    unsafe {
        let query = &*parse;
        if query.commandType != pg_sys::CmdType::CMD_INSERT
            || !query.cteList.is_null()
            || query.hasSubLinks
            || query.hasTargetSRFs
            || !query.setOperations.is_null()
        {
            return None;
        }
        let from = PgList::<pg_sys::Node>::from_pg((*query.jointree).fromlist);
        let (1, Some(item), true) = (from.len(), from.get_ptr(0), (*query.jointree).quals.is_null()) else {
            return None;
        };
        if (*item).type_ != NodeTag::T_RangeTblRef {
            return None;
        }
        let rtindex = (*item.cast::<pg_sys::RangeTblRef>()).rtindex;
        let rte = *range_table(parse).get(usize::try_from(rtindex).ok()?.checked_sub(1)?)?;
        let is_subquery =
            (*rte).rtekind == pg_sys::RTEKind::RTE_SUBQUERY && !(*rte).security_barrier && !(*rte).lateral;
        is_subquery.then(|| InsertSource { select: without_unknown((*rte).subquery), rtindex })
    }
}

/// A copy of `select` with NULL for literals whose type is not known yet: the INSERT has them in its own target list.
unsafe fn without_unknown(select: *mut pg_sys::Query) -> *mut pg_sys::Query {
    // SAFETY: as insert_source's; the copy is ours alone.
    unsafe {
        let select = copy(select);
        for entry in PgList::<pg_sys::TargetEntry>::from_pg((*select).targetList).iter_ptr() {
            let expr = (*entry).expr.cast::<pg_sys::Node>();
            let unknown = (*expr).type_ == NodeTag::T_Const && pg_sys::exprType(expr) == pg_sys::UNKNOWNOID;
            if unknown && (*entry).ressortgroupref == 0 {
                (*entry).expr = pg_sys::makeNullConst(pg_sys::TEXTOID, -1, pg_sys::DEFAULT_COLLATION_OID).cast();
            }
        }
        select
    }
}

/// What is inserted: one entry per column of the target, over the columns of the SELECT as those of the plan below. As
/// `expand_insert_targetlist` makes it; None where that would have to check a domain.
///
/// # Safety
/// `parse` is a rewritten INSERT, `source` its SELECT.
pub unsafe fn inserted_columns(parse: *mut pg_sys::Query, source: &InsertSource) -> Option<*mut pg_sys::List> {
    // SAFETY: as the caller's; what is changed are copies. The target is locked since the query was analysed.
    unsafe {
        let target = *range_table(parse).get(((*parse).resultRelation as usize).checked_sub(1)?)?;
        let relation = crate::pg::catalog::Relation::open((*target).relid.to_u32())?;
        let entries: Vec<_> = PgList::<pg_sys::TargetEntry>::from_pg((*parse).targetList).iter_ptr().collect();
        let mut columns = PgList::<pg_sys::TargetEntry>::new();
        for (attribute, attnum) in crate::pg::tuple::attributes((*relation.as_ptr()).rd_att).zip(1i16..) {
            let given = entries.iter().find(|entry| (***entry).resno == attnum && !(***entry).resjunk);
            let expr: *mut pg_sys::Expr = match given {
                Some(entry) => over_plan((**entry).expr, source.rtindex)?,
                None if attribute.attisdropped => {
                    pg_sys::makeConst(pg_sys::INT4OID, -1, pg_sys::InvalidOid, 4, pg_sys::Datum::from(0), true, true)
                        .cast()
                }
                None if pg_sys::getBaseType(attribute.atttypid) != attribute.atttypid => return None,
                None => pg_sys::makeConst(
                    attribute.atttypid,
                    -1,
                    attribute.attcollation,
                    i32::from(attribute.attlen),
                    pg_sys::Datum::from(0),
                    true,
                    attribute.attbyval,
                )
                .cast(),
            };
            columns.push(pg_sys::makeTargetEntry(expr, attnum, std::ptr::null_mut(), false));
        }
        Some(columns.into_pg())
    }
}

/// A planned copy of `expr` whose references to `rtindex` are to the plan below; None if it has others.
unsafe fn over_plan(expr: *mut pg_sys::Expr, rtindex: i32) -> Option<*mut pg_sys::Expr> {
    // SAFETY: the walker gives valid nodes of a copy that is ours alone.
    let mut place = |node: *mut pg_sys::Node| unsafe {
        if (*node).type_ != NodeTag::T_Var {
            return Walk::Into;
        }
        let var = &mut *node.cast::<pg_sys::Var>();
        let known =
            var.varlevelsup == 0 && var.varno == rtindex && var.varattno > 0 && var.vartype != pg_sys::UNKNOWNOID;
        var.varno = pg_sys::OUTER_VAR;
        if known { Walk::Over } else { Walk::Stop }
    };
    // SAFETY: a valid expression without sublinks.
    unsafe {
        let expr = copy(expr);
        (!walk::any(expr.cast(), &mut place)).then(|| plan_expression(expr))
    }
}

/// A copy of the INSERT's statement in which `plan` gives the rows of the SELECT.
///
/// # Safety
/// `stmt` was planned for an INSERT with the SELECT that `columns` are over; `plan` is a plan for that SELECT.
pub unsafe fn with_source(
    stmt: *mut pg_sys::PlannedStmt,
    plan: *mut pg_sys::Plan,
    columns: *mut pg_sys::List,
) -> Option<*mut pg_sys::PlannedStmt> {
    // SAFETY: as the caller's; nodes made here are fresh, and the ModifyTable is the statement's own. Its initplans and subplans
    // were those of the SELECT, which nothing refers to any more.
    unsafe {
        let modify: *mut pg_sys::ModifyTable = (*stmt).planTree.cast();
        if (*modify).plan.type_ != NodeTag::T_ModifyTable || (*modify).plan.lefttree.is_null() {
            return None;
        }
        let old = (*modify).plan.lefttree;
        let result: *mut pg_sys::Result = make_node(NodeTag::T_Result);
        (*result).plan.startup_cost = (*plan).startup_cost;
        (*result).plan.total_cost = (*plan).total_cost;
        (*result).plan.plan_rows = (*plan).plan_rows;
        (*result).plan.plan_width = (*old).plan_width;
        (*result).plan.targetlist = columns;
        (*result).plan.lefttree = plan;
        let top: *mut pg_sys::ModifyTable = make_node(NodeTag::T_ModifyTable);
        *top = *modify;
        (*top).plan.lefttree = result.cast();
        (*top).plan.initPlan = std::ptr::null_mut();
        (*top).plan.startup_cost = (*plan).startup_cost;
        (*top).plan.total_cost = (*plan).total_cost;
        let new: *mut pg_sys::PlannedStmt = make_node(NodeTag::T_PlannedStmt);
        *new = *stmt;
        (*new).planTree = top.cast();
        Some(new)
    }
}
