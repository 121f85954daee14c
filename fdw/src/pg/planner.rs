//! The planner's structures: walking queries, making nodes, calling the next planner.
//!
//! Invariant: every query given to a function here is a valid tree of the parser or rewriter; what is changed is a copy.

use fusion_common::{Oid, TypeRef};
use pgrx::pg_sys;
use std::ffi::{CString, c_void};

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
    unsafe extern "C-unwind" fn walker(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
        // SAFETY: the walkers pass null or valid nodes, and `context` as given below.
        unsafe {
            if node.is_null() {
                return false;
            }
            if (*node).type_ == pg_sys::NodeTag::T_Query {
                let visit = &mut *context.cast::<&mut dyn FnMut(*mut pg_sys::Query) -> bool>();
                return visit(node.cast()) || pg_sys::query_tree_walker(node.cast(), Some(walker), context, 0);
            }
            pg_sys::expression_tree_walker(node, Some(walker), context)
        }
    }
    let mut visit = visit;
    // SAFETY: as above; `visit` outlives the walk.
    unsafe { walker(query.cast(), (&raw mut visit).cast()) }
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
unsafe fn perm_info(
    query: *const pg_sys::Query,
    rte: *const pg_sys::RangeTblEntry,
) -> Option<*mut pg_sys::RTEPermissionInfo> {
    // SAFETY: perminfoindex counts the entries of rteperminfos from 1; 0 is none.
    unsafe {
        let index = ((*rte).perminfoindex as usize).checked_sub(1)?;
        pgrx::PgList::from_pg((*query).rteperminfos).get_ptr(index)
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

/// Prepares an expression for execution: folds constants and fills in function OIDs (`expression_planner`).
///
/// # Safety
/// `expr` is an analysed expression without columns and sublinks.
pub unsafe fn plan_expression(expr: *mut pg_sys::Expr) -> *mut pg_sys::Expr {
    // SAFETY: as the caller's.
    unsafe { pg_sys::expression_planner(copy(expr)) }
}

/// A bytea constant that holds `bytes`.
pub fn bytes_const(bytes: &[u8]) -> *mut pg_sys::Const {
    // SAFETY: a varlena of its own in the current context.
    unsafe {
        let length = bytes.len() + pg_sys::VARHDRSZ;
        let varlena: *mut pg_sys::varlena = pg_sys::palloc(length).cast();
        pgrx::set_varsize_4b(varlena, length as i32);
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), varlena.cast::<u8>().add(pg_sys::VARHDRSZ), bytes.len());
        pg_sys::makeConst(pg_sys::BYTEAOID, -1, pg_sys::InvalidOid, -1, pg_sys::Datum::from(varlena), false, false)
    }
}

/// The bytes of [`bytes_const`].
///
/// # Safety
/// `value` was made by [`bytes_const`], or is a copy of one.
pub unsafe fn const_bytes<'a>(value: *mut pg_sys::Const) -> &'a [u8] {
    // SAFETY: as the caller's.
    unsafe { pgrx::varlena_to_byte_slice((*value).constvalue.cast_mut_ptr()) }
}

/// A NULL constant of a type.
pub fn null_const(ty: TypeRef) -> *mut pg_sys::Const {
    // SAFETY: makeNullConst copes with any type.
    unsafe { pg_sys::makeNullConst(pg_sys::Oid::from(ty.oid), ty.typmod, pg_sys::Oid::from(ty.collation)) }
}

/// Type, modifier and collation of an expression.
///
/// # Safety
/// `expr` is a valid expression.
pub unsafe fn expression_type(expr: *const pg_sys::Expr) -> TypeRef {
    // SAFETY: as the caller's.
    unsafe {
        TypeRef {
            oid: pg_sys::exprType(expr.cast()).to_u32(),
            typmod: pg_sys::exprTypmod(expr.cast()),
            collation: pg_sys::exprCollation(expr.cast()).to_u32(),
        }
    }
}

/// A column reference.
pub fn make_var(varno: i32, attnum: i16, ty: TypeRef) -> *mut pg_sys::Var {
    // SAFETY: a fresh node.
    unsafe {
        pg_sys::makeVar(varno as _, attnum, pg_sys::Oid::from(ty.oid), ty.typmod, pg_sys::Oid::from(ty.collation), 0)
    }
}

/// Takes run-time pruning away from a statement whose plan has none.
///
/// # Safety
/// `stmt` is a valid statement that may be changed.
pub unsafe fn clear_pruning(stmt: *mut pg_sys::PlannedStmt) {
    // SAFETY: as the caller's.
    #[cfg(feature = "pg18")]
    unsafe {
        (*stmt).partPruneInfos = std::ptr::null_mut();
    }
    #[cfg(not(feature = "pg18"))]
    let _ = stmt;
}

/// A copy of a result expression of `query` that EXPLAIN can print in a plan; None where it cannot (sublinks, windows).
///
/// # Safety
/// `expr` is an expression of the target list of `query`.
pub unsafe fn printable_expression(query: *mut pg_sys::Query, expr: *mut pg_sys::Expr) -> Option<*mut pg_sys::Expr> {
    unsafe extern "C-unwind" fn is_unprintable(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
        // SAFETY: the walker passes null or valid nodes.
        unsafe {
            use pg_sys::NodeTag;
            if node.is_null() {
                return false;
            }
            match (*node).type_ {
                NodeTag::T_SubLink | NodeTag::T_WindowFunc | NodeTag::T_GroupingFunc | NodeTag::T_Query => true,
                NodeTag::T_Var => {
                    let query: *const pg_sys::Query = context.cast_const().cast();
                    let var: *const pg_sys::Var = node.cast();
                    let rte = range_table(query).get(((*var).varno as usize).wrapping_sub(1)).copied();
                    // Only columns of tables and subqueries have names in the flat range table.
                    (*var).varlevelsup != 0
                        || rte.is_none_or(|rte| {
                            !matches!((*rte).rtekind, pg_sys::RTEKind::RTE_RELATION | pg_sys::RTEKind::RTE_SUBQUERY)
                        })
                }
                _ => pg_sys::expression_tree_walker(node, Some(is_unprintable), context),
            }
        }
    }
    // SAFETY: as the caller's.
    unsafe { (!is_unprintable(expr.cast(), query.cast())).then(|| copy(expr)) }
}

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
    unsafe extern "C-unwind" fn walker(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
        // SAFETY: the walker passes null or valid nodes.
        unsafe {
            if node.is_null() {
                return false;
            }
            match (*node).type_ {
                pg_sys::NodeTag::T_SubPlan
                | pg_sys::NodeTag::T_AlternativeSubPlan
                | pg_sys::NodeTag::T_PlaceHolderVar => true,
                pg_sys::NodeTag::T_Param => {
                    (*node.cast::<pg_sys::Param>()).paramkind != pg_sys::ParamKind::PARAM_EXTERN
                }
                _ => pg_sys::expression_tree_walker(node, Some(walker), context),
            }
        }
    }
    // SAFETY: as the caller's.
    unsafe { walker(clause.cast(), std::ptr::null_mut()) }
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
        unsafe extern "C-unwind" fn walker(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
            // SAFETY: the walker passes null or valid nodes of a copy.
            unsafe {
                if node.is_null() {
                    return false;
                }
                if (*node).type_ == pg_sys::NodeTag::T_Var {
                    (*node.cast::<pg_sys::Var>()).varnullingrels = std::ptr::null_mut();
                }
                pg_sys::expression_tree_walker(node, Some(walker), context)
            }
        }
        // SAFETY: a copy that may be changed.
        unsafe { walker(expr.cast(), std::ptr::null_mut()) };
    }
}

/// Makes the plan that `root` is planning depend on `relid`, and on the role if row security is enabled there.
///
/// # Safety
/// `root` is a valid planner structure.
pub unsafe fn depend_on(root: *mut pg_sys::PlannerInfo, relid: Oid, on_role: bool) {
    // SAFETY: as the caller's.
    unsafe {
        let glob = (*root).glob;
        (*glob).relationOids = pg_sys::lappend_oid((*glob).relationOids, pg_sys::Oid::from(relid));
        (*glob).dependsOnRole |= on_role;
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

/// Whether an expression contains an external parameter (`$1`).
///
/// # Safety
/// `expr` is a valid expression.
pub unsafe fn has_external_param(expr: *mut pg_sys::Expr) -> bool {
    unsafe extern "C-unwind" fn walker(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
        // SAFETY: the walker passes null or valid nodes.
        unsafe {
            !node.is_null()
                && ((*node).type_ == pg_sys::NodeTag::T_Param
                    || pg_sys::expression_tree_walker(node, Some(walker), context))
        }
    }
    // SAFETY: as the caller's.
    unsafe { walker(expr.cast(), std::ptr::null_mut()) }
}

/// Parses, analyses, rewrites and plans the one statement in `text`, as PREPARE would; nothing is run.
///
/// # Safety
/// Called in a transaction.
pub unsafe fn plan_text(text: &str) -> Result<(), String> {
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
        for query in pgrx::PgList::<pg_sys::Query>::from_pg(queries).iter_ptr() {
            if (*query).commandType == pg_sys::CmdType::CMD_UTILITY {
                return Err("a utility statement has no route".to_owned());
            }
            const CURSOR_OPT_PARALLEL_OK: i32 = 0x0800;
            pg_sys::pg_plan_query(query, text, CURSOR_OPT_PARALLEL_OK, std::ptr::null_mut());
        }
        Ok(())
    }
}

/// A palloc'd C string.
pub fn c_string(text: &str) -> *mut std::ffi::c_char {
    let text = CString::new(text).unwrap_or_default();
    // SAFETY: a valid C string, copied into the current context.
    unsafe { pg_sys::pstrdup(text.as_ptr()) }
}
