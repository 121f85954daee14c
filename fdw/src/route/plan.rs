//! The statement that runs in the engine: one ForeignScan that carries the IR and the native plan.
//!
//! ```text
//! [Limit] ← [Sort]  only for an ORDER BY whose collation PostgreSQL alone sorts by
//!    ForeignScan  scanrelid 0 · fs_server fusion · fdw_scan_tlist = result columns · fdw_exprs = parameters
//!                 fdw_private = (Const bytea: [`Private`], PlannedStmt: native plan)
//! ```
//!
//! Invariant: rtable, permission infos, relationOids and invalItems are the native statement's, so that rights are checked, locks
//! taken and cached plans invalidated for fusion tables and heap relations alike.

use crate::error::Result;
use crate::pg::planner::{self, PlannerArgs, StubScan};
use crate::pg::query::{QueryRef, SortGroup};
use crate::translate::{PostSort, ScanRelation, Translation};
use fusion_common::{Oid, SqlError, TypeRef};
use fusion_proto::codec;
use pgrx::PgList;
use pgrx::pg_sys;
use serde::{Deserialize, Serialize};

/// What a ForeignScan of ours carries beside its native plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Private {
    /// [`fusion_proto::plan::Plan`], encoded; empty: this scan always runs natively.
    pub plan: Vec<u8>,
    /// The heap relations, by `ScanId`.
    pub relations: Vec<PrivateRelation>,
    /// Types of the parameters in `fdw_exprs`.
    pub params: Vec<TypeRef>,
    /// Why it runs natively, where `plan` is empty.
    pub reason: Option<String>,
    /// It is read more than once: rows are kept.
    pub keep: bool,
    /// How long the native plan is estimated to take, milliseconds.
    pub native_ms: f64,
}

/// What a query is estimated to take.
#[derive(Clone, Copy, Debug)]
pub struct PlanCost {
    /// In the engine, in PostgreSQL's units: for EXPLAIN and for the plans around.
    pub total: f64,
    /// In PostgreSQL, milliseconds.
    pub native_ms: f64,
}

/// A heap relation of the plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PrivateRelation {
    /// `pg_class.oid`.
    pub relid: Oid,
    /// Name for messages.
    pub name: String,
    /// Needed columns: attribute number and type when it was planned.
    pub columns: Vec<(i16, TypeRef)>,
}

impl Private {
    /// Of a scan that always runs natively.
    pub fn native(reason: String) -> Self {
        Self {
            plan: Vec::new(),
            relations: Vec::new(),
            params: Vec::new(),
            reason: Some(reason),
            keep: false,
            native_ms: 0.0,
        }
    }

    /// Of a translated query.
    pub fn new(translation: &Translation) -> Result<Self> {
        let relation = |scan: &ScanRelation| PrivateRelation {
            relid: scan.relation.heap,
            name: scan.relation.name.clone(),
            columns: scan.attnums.iter().map(|&attnum| (attnum, type_of(scan, attnum))).collect(),
        };
        Ok(Self {
            plan: codec::to_bytes(&translation.plan)?,
            relations: translation.relations.iter().map(relation).collect(),
            // SAFETY: the parameters are valid expressions.
            params: translation.params.iter().map(|&param| unsafe { planner::expression_type(param) }).collect(),
            reason: None,
            keep: false,
            native_ms: 0.0,
        })
    }

    /// The `fdw_private` list of a ForeignScan.
    ///
    /// # Safety
    /// `native` is a planned statement.
    pub unsafe fn to_list(&self, native: *mut pg_sys::PlannedStmt) -> Result<*mut pg_sys::List> {
        let mut list = PgList::<pg_sys::Node>::new();
        list.push(planner::bytes_const(&codec::to_bytes(self)?).cast());
        list.push(native.cast());
        Ok(list.into_pg())
    }

    /// The reverse of [`Private::to_list`].
    ///
    /// # Safety
    /// `list` was made by [`Private::to_list`], or is a copy of such a list.
    pub unsafe fn from_list(list: *mut pg_sys::List) -> Result<(Self, *mut pg_sys::PlannedStmt)> {
        // SAFETY: as the caller's.
        unsafe {
            let list = PgList::<pg_sys::Node>::from_pg(list);
            let (Some(private), Some(native)) = (list.get_ptr(0), list.get_ptr(1)) else {
                return Err(SqlError::internal("fusion scan without its plan"));
            };
            Ok((codec::from_bytes(planner::const_bytes(private.cast()))?, native.cast()))
        }
    }
}

fn type_of(scan: &ScanRelation, attnum: i16) -> TypeRef {
    let column = scan.relation.columns.iter().flatten().find(|column| column.attnum == attnum);
    column.map_or(TypeRef::plain(0), |column| column.ty)
}

/// Builds the statement of a query that runs whole in the engine.
///
/// # Safety
/// `parse` is the query that `native_stmt` was planned for and `translation` made of.
pub unsafe fn engine_statement(
    parse: *mut pg_sys::Query,
    native_stmt: *mut pg_sys::PlannedStmt,
    server: pg_sys::Oid,
    translation: Translation,
    cost: PlanCost,
    args: PlannerArgs,
) -> Result<*mut pg_sys::PlannedStmt> {
    // SAFETY: as the caller's; all nodes made here are fresh.
    unsafe {
        let mut columns = result_columns(parse, &translation, true);
        like_native(&mut columns, native_stmt);
        let output = Output { columns, keep: false };
        let mut top = engine_plan(parse, &translation, output, native_stmt, server, cost)?;
        const CURSOR_OPT_SCROLL: i32 = 0x0002;
        if args.cursor_options & CURSOR_OPT_SCROLL != 0 {
            top = pg_sys::materialize_finished_plan(top);
        }
        let stmt: *mut pg_sys::PlannedStmt = planner::make_node(pg_sys::NodeTag::T_PlannedStmt);
        *stmt = *native_stmt;
        (*stmt).planTree = top;
        forget_native_plan(stmt);
        Ok(stmt)
    }
}

/// Builds the statement of an INSERT whose SELECT runs in the engine; None where the native statement has another form than expected.
/// `columns` is what is inserted of the rows of the SELECT.
///
/// # Safety
/// `insert_stmt` was planned for the INSERT; `select` is its SELECT, for which `native_stmt` was planned.
pub unsafe fn insert_statement(
    insert_stmt: *mut pg_sys::PlannedStmt,
    columns: *mut pg_sys::List,
    select: *mut pg_sys::Query,
    native_stmt: *mut pg_sys::PlannedStmt,
    server: pg_sys::Oid,
    (translation, cost): (Translation, PlanCost),
) -> Result<Option<*mut pg_sys::PlannedStmt>> {
    // SAFETY: as the caller's.
    unsafe {
        // Its expressions are over a range table that the statement does not have in this form: EXPLAIN cannot print them.
        let output = Output { columns: result_columns(select, &translation, false), keep: false };
        let scan = engine_plan(select, &translation, output, native_stmt, server, cost)?;
        let stmt = planner::with_source(insert_stmt, scan, columns);
        Ok(stmt.inspect(|&stmt| forget_native_plan(stmt)))
    }
}

/// Builds the plan of a part of a statement, for the place of `scan`. Its columns are printed as those of the scan.
///
/// # Safety
/// `native_stmt` was planned for `part` alone, and `translation` made of it.
pub unsafe fn part_plan(
    part: *mut pg_sys::Query,
    scan: &StubScan,
    translation: &Translation,
    native_stmt: *mut pg_sys::PlannedStmt,
    server: pg_sys::Oid,
    cost: PlanCost,
) -> Result<*mut pg_sys::Plan> {
    // SAFETY: as the caller's.
    unsafe {
        let mut columns = result_columns(part, translation, false);
        for (column, attnum) in columns.iter_mut().zip(1i16..).filter(|(column, _)| !column.hidden) {
            column.expr = planner::make_var(scan.rtindex(), attnum, column.ty).cast();
        }
        engine_plan(part, translation, Output { columns, keep: scan.repeated }, native_stmt, server, cost)
    }
}

/// The plan of a translated query: ForeignScan, and Sort and Limit where PostgreSQL has to sort.
unsafe fn engine_plan(
    parse: *mut pg_sys::Query,
    translation: &Translation,
    output: Output,
    native_stmt: *mut pg_sys::PlannedStmt,
    server: pg_sys::Oid,
    cost: PlanCost,
) -> Result<*mut pg_sys::Plan> {
    // SAFETY: `native_stmt` is the native plan of the translated query.
    unsafe {
        let native_plan = (*native_stmt).planTree;
        let fallback = match &translation.post_sort {
            Some(_) => below_sort(native_stmt, &QueryRef::copy(parse).order_by()),
            None => native_stmt,
        };
        let scan = foreign_scan(translation, fallback, &output, server, cost.native_ms)?;
        (*scan).scan.plan.startup_cost = cost.total;
        (*scan).scan.plan.total_cost = cost.total;
        (*scan).scan.plan.plan_rows = (*native_plan).plan_rows;
        (*scan).scan.plan.plan_width = (*native_plan).plan_width;
        Ok(match &translation.post_sort {
            Some(post_sort) => sort_above(scan.cast(), &output.columns, post_sort),
            None => scan.cast(),
        })
    }
}

/// A copy of a native statement that gives what the ForeignScan gives where a sort stands above it: also the sort keys that are not in
/// the select list, and all rows, because LIMIT and OFFSET are above the sort, too.
unsafe fn below_sort(native_stmt: *mut pg_sys::PlannedStmt, order: &[SortGroup]) -> *mut pg_sys::PlannedStmt {
    // SAFETY: a planned statement; a plan's target list holds TargetEntry nodes, and the tag says what the top is.
    unsafe {
        let stmt = planner::copy(native_stmt);
        let top = (*stmt).planTree;
        for target in PgList::<pg_sys::TargetEntry>::from_pg((*top).targetlist).iter_ptr() {
            let is_key = order.iter().any(|key| key.reference == (*target).ressortgroupref);
            if is_key && (*target).ressortgroupref != 0 {
                (*target).resjunk = false;
            }
        }
        if (*top).type_ == pg_sys::NodeTag::T_Limit {
            let limit = &mut *top.cast::<pg_sys::Limit>();
            (limit.limitOffset, limit.limitCount) = (std::ptr::null_mut(), std::ptr::null_mut());
        }
        stmt
    }
}

/// Takes away from a copy of a native statement what belonged to its plan tree.
unsafe fn forget_native_plan(stmt: *mut pg_sys::PlannedStmt) {
    // SAFETY: a statement of ours, whose plan tree refers to none of this.
    unsafe {
        (*stmt).subplans = std::ptr::null_mut();
        (*stmt).rewindPlanIDs = std::ptr::null_mut();
        (*stmt).rowMarks = std::ptr::null_mut();
        (*stmt).appendRelations = std::ptr::null_mut();
        (*stmt).parallelModeNeeded = false;
        (*stmt).jitFlags = 0;
        planner::clear_pruning(stmt);
    }
}

/// What a ForeignScan gives.
struct Output {
    columns: Vec<ResultColumn>,
    /// More than once.
    keep: bool,
}

/// A result column of the ForeignScan: its expression in the query, its name, and whether only the sort above wants it.
struct ResultColumn {
    ty: TypeRef,
    expr: *mut pg_sys::Expr,
    name: *mut std::ffi::c_char,
    hidden: bool,
}

/// Result columns: the query's own, then those that only a sort above needs.
///
/// The expressions are for EXPLAIN VERBOSE alone; what its deparser cannot print in a plan becomes a NULL of the type.
unsafe fn result_columns(parse: *mut pg_sys::Query, translation: &Translation, print: bool) -> Vec<ResultColumn> {
    // SAFETY: a rewritten query; its copy lives in the planner's memory context.
    let query = unsafe { QueryRef::copy(parse) };
    query.normalise();
    let targets: Vec<_> = query.targets().into_iter().filter(|target| !target.junk).collect();
    let columns = translation.plan.output.iter().enumerate();
    columns
        .map(|(index, column)| {
            let null = || planner::null_const(column.ty).cast();
            match targets.get(index) {
                Some(target) => {
                    // SAFETY: an expression of the target list of `parse`, normalised.
                    let expr = unsafe {
                        print.then(|| planner::printable_expression(parse, target.expr.as_ptr().cast())).flatten()
                    };
                    let name = planner::c_string(&target.name);
                    ResultColumn { ty: column.ty, expr: expr.unwrap_or_else(null), name, hidden: false }
                }
                None => ResultColumn { ty: column.ty, expr: null(), name: std::ptr::null_mut(), hidden: true },
            }
        })
        .collect()
}

/// Gives result columns the type modifiers that clients see of the native plan: that of a set operation's column may be its first side's.
///
/// # Safety
/// `native_stmt` is a planned statement of the same query.
unsafe fn like_native(columns: &mut [ResultColumn], native_stmt: *mut pg_sys::PlannedStmt) {
    // SAFETY: as the caller's; a plan's target list holds TargetEntry nodes.
    unsafe {
        let targets = PgList::<pg_sys::TargetEntry>::from_pg((*(*native_stmt).planTree).targetlist);
        let shown = targets.iter_ptr().filter(|&target| !(*target).resjunk);
        for (column, target) in columns.iter_mut().zip(shown) {
            let ty = planner::expression_type((*target).expr);
            if ty.oid == column.ty.oid {
                column.ty.typmod = ty.typmod;
            }
        }
    }
}

/// References to columns of the plan below (`varno` OUTER_VAR) or of the scan tuple (INDEX_VAR).
unsafe fn references(columns: &[ResultColumn], varno: i32) -> *mut pg_sys::List {
    let mut list = PgList::<pg_sys::TargetEntry>::new();
    for (index, column) in columns.iter().enumerate() {
        let attnum = index as i16 + 1;
        // SAFETY: fresh nodes in the current context.
        unsafe {
            let var = planner::make_var(varno, attnum, column.ty);
            list.push(pg_sys::makeTargetEntry(var.cast(), attnum, column.name, column.hidden));
        }
    }
    list.into_pg()
}

unsafe fn foreign_scan(
    translation: &Translation,
    native_stmt: *mut pg_sys::PlannedStmt,
    Output { columns, keep }: &Output,
    server: pg_sys::Oid,
    native_ms: f64,
) -> Result<*mut pg_sys::ForeignScan> {
    let mut scan_tlist = PgList::<pg_sys::TargetEntry>::new();
    let mut params = PgList::<pg_sys::Expr>::new();
    // SAFETY: fresh nodes; the parameters are analysed expressions without columns.
    unsafe {
        for (index, column) in columns.iter().enumerate() {
            scan_tlist.push(pg_sys::makeTargetEntry(column.expr, index as i16 + 1, column.name, false));
        }
        for &param in &translation.params {
            params.push(planner::plan_expression(param));
        }
        let private = Private { keep: *keep, native_ms, ..Private::new(translation)? }.to_list(native_stmt)?;
        let scan = pg_sys::make_foreignscan(
            references(columns, pg_sys::INDEX_VAR),
            std::ptr::null_mut(),
            0,
            params.into_pg(),
            private,
            scan_tlist.into_pg(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        );
        (*scan).fs_server = server;
        Ok(scan)
    }
}

/// PostgreSQL's Sort, and Limit where the query has one, above the scan.
unsafe fn sort_above(below: *mut pg_sys::Plan, columns: &[ResultColumn], post_sort: &PostSort) -> *mut pg_sys::Plan {
    fn array<T: Copy>(values: impl ExactSizeIterator<Item = T>) -> *mut T {
        // SAFETY: palloc'd for as many values as are written.
        unsafe {
            let array: *mut T = pg_sys::palloc(size_of::<T>() * values.len().max(1)).cast();
            for (index, value) in values.enumerate() {
                array.add(index).write(value);
            }
            array
        }
    }
    // SAFETY: fresh nodes; the arrays have numCols entries.
    unsafe {
        let copy_costs = |plan: *mut pg_sys::Plan| {
            (*plan).startup_cost = (*below).startup_cost;
            (*plan).total_cost = (*below).total_cost;
            (*plan).plan_rows = (*below).plan_rows;
            (*plan).plan_width = (*below).plan_width;
            (*plan).targetlist = references(columns, pg_sys::OUTER_VAR);
        };
        let keys = &post_sort.keys;
        let sort: *mut pg_sys::Sort = planner::make_node(pg_sys::NodeTag::T_Sort);
        copy_costs(sort.cast());
        (*sort).plan.lefttree = below;
        (*sort).numCols = keys.len() as i32;
        (*sort).sortColIdx = array(keys.iter().map(|key| key.column as i16 + 1));
        (*sort).sortOperators = array(keys.iter().map(|key| pg_sys::Oid::from(key.sort_operator)));
        (*sort).collations = array(keys.iter().map(|key| pg_sys::Oid::from(key.collation)));
        (*sort).nullsFirst = array(keys.iter().map(|key| key.nulls_first));
        if post_sort.limit_offset.is_null() && post_sort.limit_count.is_null() {
            return sort.cast();
        }
        let expression = |node: *mut pg_sys::Node| -> *mut pg_sys::Node {
            if node.is_null() { node } else { planner::plan_expression(node.cast()).cast() }
        };
        let limit: *mut pg_sys::Limit = planner::make_node(pg_sys::NodeTag::T_Limit);
        copy_costs(limit.cast());
        (*limit).plan.lefttree = sort.cast();
        (*limit).limitOffset = expression(post_sort.limit_offset);
        (*limit).limitCount = expression(post_sort.limit_count);
        limit.cast()
    }
}
