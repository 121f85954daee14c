//! Parts of a query tree that can be planned apart: where sub-selects stand, whether one depends on what is around it, and what takes
//! its place.
//!
//! In the place of a part comes a *stub*: `SELECT columns FROM stub`, whose only FROM item is a named tuplestore that does not exist.
//! PostgreSQL plans it as a relation of which only the number of rows is known: it comes in no order, no worker scans it, and the name
//! says in the finished plan which part it was ([`super::graft`]).
//!
//! Invariant: as for [`super::tree`]; what is changed are copies.

use super::{copy, expression_type, make_node, make_var, needs_outer_values, null_const, range_table};
use crate::pg::node::text;
use crate::pg::query::{flatten_aliases, flatten_groups, forget_aliases};
use crate::pg::walk::{self, Walk};
use fusion_common::TypeRef;
use pgrx::PgList;
use pgrx::pg_sys::{self, NodeTag};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// A sub-select of a query.
pub struct SubSelect {
    /// It.
    pub query: *mut pg_sys::Query,
    /// Where it stands.
    pub place: Place,
}

/// Where a sub-select stands.
pub enum Place {
    /// In FROM, or it is a view.
    From {
        /// Position in the range table, from 1.
        rtindex: u32,
        /// Its name in the query.
        alias: String,
        /// The entry in the range table.
        entry: *mut pg_sys::RangeTblEntry,
    },
    /// A side of UNION, INTERSECT or EXCEPT.
    SetOperation,
    /// A WITH query.
    With {
        /// Its name.
        name: String,
        /// It is read by something.
        used: bool,
    },
    /// In an expression.
    Expression {
        /// EXISTS: of its rows only the first counts, and of that nothing but that it is there.
        exists: bool,
        /// The planner may make a join of it.
        joins: bool,
    },
}

/// The sub-selects that stand in `query` itself, not in one another.
///
/// # Safety
/// `query` is a valid query.
pub unsafe fn sub_selects(query: *mut pg_sys::Query) -> Vec<SubSelect> {
    // SAFETY: as the caller's; a cteList holds CommonTableExpr nodes, whose query is a Query after analysis.
    unsafe {
        let mut found = Vec::new();
        for (entry, rtindex) in range_table(query).into_iter().zip(1u32..) {
            if (*entry).rtekind == pg_sys::RTEKind::RTE_SUBQUERY && !(*entry).subquery.is_null() {
                let place = if (*query).setOperations.is_null() {
                    Place::From { rtindex, alias: alias(entry), entry }
                } else {
                    Place::SetOperation
                };
                found.push(SubSelect { query: (*entry).subquery, place });
            }
        }
        for with in PgList::<pg_sys::CommonTableExpr>::from_pg((*query).cteList).iter_ptr() {
            let place = Place::With { name: text((*with).ctename), used: (*with).cterefcount > 0 };
            found.push(SubSelect { query: (*with).ctequery.cast(), place });
        }
        let flags =
            pg_sys::QTW_IGNORE_RT_SUBQUERIES | pg_sys::QTW_IGNORE_CTE_SUBQUERIES | pg_sys::QTW_IGNORE_JOINALIASES;
        collect_sublinks(query.cast(), flags, &mut found);
        found
    }
}

/// Adds the sub-selects in expressions below `node`.
unsafe fn collect_sublinks(node: *mut pg_sys::Node, flags: u32, found: &mut Vec<SubSelect>) {
    let tests = RefCell::new(Vec::new());
    // SAFETY: the walkers give valid nodes. After analysis a sub-select is a Query.
    let mut enter = |node: *mut pg_sys::Node| unsafe {
        if (*node).type_ != NodeTag::T_SubLink {
            return Walk::Into;
        }
        use pg_sys::SubLinkType as K;
        let link = &*node.cast::<pg_sys::SubLink>();
        let exists = link.subLinkType == K::EXISTS_SUBLINK;
        let place = Place::Expression { exists, joins: link.subLinkType == K::ANY_SUBLINK };
        found.push(SubSelect { query: link.subselect.cast(), place });
        tests.borrow_mut().push(link.testexpr);
        Walk::Over
    };
    // SAFETY: as the caller's.
    unsafe { walk::by_level(node, flags, &mut |node, _| enter(node)) };
    loop {
        let Some(test) = tests.borrow_mut().pop() else { break };
        // SAFETY: an expression of the query, or null.
        unsafe { walk::any(test, &mut enter) };
    }
}

/// The name of a range-table entry in the query.
unsafe fn alias(entry: *const pg_sys::RangeTblEntry) -> String {
    // SAFETY: an entry's names are an Alias, or null.
    unsafe { (*entry).eref.as_ref() }.map_or_else(String::new, |names| text(names.aliasname))
}

/// Whether a sub-select is a SELECT that refers to nothing outside itself: no columns, aggregates or WITH queries of those around.
///
/// # Safety
/// `query` is a valid query.
pub unsafe fn is_self_contained(query: *mut pg_sys::Query) -> bool {
    let stop_if = |found: bool| if found { Walk::Stop } else { Walk::Into };
    // SAFETY: the walkers give valid nodes; the tag says which struct one is.
    let mut visit = |node: *mut pg_sys::Node, depth: u32| unsafe {
        match (*node).type_ {
            NodeTag::T_Var => stop_if((*node.cast::<pg_sys::Var>()).varlevelsup > depth),
            NodeTag::T_Aggref => stop_if((*node.cast::<pg_sys::Aggref>()).agglevelsup > depth),
            NodeTag::T_GroupingFunc => stop_if((*node.cast::<pg_sys::GroupingFunc>()).agglevelsup > depth),
            NodeTag::T_RangeTblEntry => {
                let entry = &*node.cast::<pg_sys::RangeTblEntry>();
                let is_outer = entry.rtekind == pg_sys::RTEKind::RTE_CTE && entry.ctelevelsup > depth;
                if is_outer { Walk::Stop } else { Walk::Over }
            }
            _ => Walk::Into,
        }
    };
    // SAFETY: as the caller's.
    unsafe {
        (*query).commandType == pg_sys::CmdType::CMD_SELECT
            && (*query).utilityStmt.is_null()
            && !(*query).hasModifyingCTE
            && !walk::by_level(query.cast(), pg_sys::QTW_EXAMINE_RTES_BEFORE, &mut visit)
    }
}

/// Whether the planner keeps a sub-select of FROM as a plan of its own, so that what stands around it changes nothing for its
/// expressions but by conditions on its columns. Else it pulls the sub-select up (`is_simple_subquery` of prepjointree.c).
///
/// # Safety
/// `query` is a valid query.
pub unsafe fn stays_apart(query: *const pg_sys::Query) -> bool {
    // SAFETY: as the caller's.
    let query = unsafe { &*query };
    query.hasAggs
        || query.hasWindowFuncs
        || query.hasTargetSRFs
        || !query.groupClause.is_null()
        || !query.groupingSets.is_null()
        || !query.havingQual.is_null()
        || !query.sortClause.is_null()
        || !query.distinctClause.is_null()
        || !query.limitOffset.is_null()
        || !query.limitCount.is_null()
        || !query.cteList.is_null()
        // SAFETY: null or a tree of set operations.
        || (!query.setOperations.is_null() && !unsafe { is_union_all(query.setOperations) })
}

/// Whether a query's set operations are all UNION ALL, which the planner takes for one relation.
///
/// # Safety
/// `query` is a valid query.
pub unsafe fn is_flat_union(query: *const pg_sys::Query) -> bool {
    // SAFETY: as the caller's.
    unsafe { is_union_all((*query).setOperations) }
}

unsafe fn is_union_all(tree: *const pg_sys::Node) -> bool {
    // SAFETY: null, or a tree of set operations: SetOperationStmt over RangeTblRef nodes.
    unsafe {
        if tree.is_null() || (*tree).type_ != NodeTag::T_SetOperationStmt {
            return true;
        }
        let operation = &*tree.cast::<pg_sys::SetOperationStmt>();
        operation.op == pg_sys::SetOperation::SETOP_UNION
            && operation.all
            && is_union_all(operation.larg)
            && is_union_all(operation.rarg)
    }
}

/// Whether FROM of `query` is one item and there is no WHERE.
///
/// # Safety
/// `query` is a valid query.
pub unsafe fn has_one_item_unfiltered(query: *const pg_sys::Query) -> bool {
    // SAFETY: as the caller's.
    unsafe {
        let tree = &*(*query).jointree;
        tree.quals.is_null() && PgList::<pg_sys::Node>::from_pg(tree.fromlist).len() == 1
    }
}

/// The columns of a FROM item that `query` uses; None: it may use all, or the planner does not look.
///
/// # Safety
/// `query` is a valid query, `rtindex` a position in its range table, from 1.
pub unsafe fn columns_used(query: *mut pg_sys::Query, rtindex: u32) -> Option<BTreeSet<i16>> {
    // SAFETY: as the caller's; what is changed is a copy. Vars are what pull_vars_of_level gives for a tree of the parser.
    unsafe {
        if (*query).commandType != pg_sys::CmdType::CMD_SELECT || !(*query).rowMarks.is_null() {
            // Rows are fetched again whole where they are locked or changed.
            return None;
        }
        let query = copy(query);
        let flatten = move |node: *mut pg_sys::Node| if node.is_null() { node } else { flatten_aliases(query, node) };
        (*query).targetList = flatten(flatten_groups(query, (*query).targetList.cast())).cast();
        (*query).havingQual = flatten(flatten_groups(query, (*query).havingQual));
        (*query).jointree = flatten((*query).jointree.cast()).cast();
        let entries = range_table(query);
        entries.iter().for_each(|&entry| forget_aliases(entry));
        let mut used = BTreeSet::new();
        for var in PgList::<pg_sys::Var>::from_pg(pg_sys::pull_vars_of_level(query.cast(), 0)).iter_ptr() {
            let entry = entries.get(((*var).varno as usize).checked_sub(1)?)?;
            let is_own = (*var).varno as u32 == rtindex;
            if (**entry).rtekind == pg_sys::RTEKind::RTE_JOIN || (is_own && (*var).varattno <= 0) {
                return None;
            }
            if is_own {
                used.insert((*var).varattno);
            }
        }
        Some(used)
    }
}

/// Replaces the columns of `query` that are not in `used` by NULLs, where the planner would (`remove_unused_subquery_outputs` of
/// allpaths.c): what nobody asks for is not computed, as it might fail.
///
/// # Safety
/// `query` is a query that may be changed.
pub unsafe fn forget_unused(query: *mut pg_sys::Query, used: &BTreeSet<i16>) {
    // SAFETY: as the caller's; a target list holds TargetEntry nodes.
    unsafe {
        if !(*query).setOperations.is_null() || (!(*query).distinctClause.is_null() && !(*query).hasDistinctOn) {
            return;
        }
        for entry in PgList::<pg_sys::TargetEntry>::from_pg((*query).targetList).iter_ptr() {
            let kept = (*entry).ressortgroupref != 0
                || (*entry).resjunk
                || used.contains(&(*entry).resno)
                || pg_sys::expression_returns_set((*entry).expr.cast())
                || pg_sys::contain_volatile_functions((*entry).expr.cast());
            if !kept {
                (*entry).expr = null_const(expression_type((*entry).expr)).cast();
            }
        }
    }
}

/// Reduces `query` to what EXISTS asks: whether there is a row.
///
/// # Safety
/// `query` is a query that may be changed.
pub unsafe fn reduce_to_existence(query: *mut pg_sys::Query) {
    // SAFETY: as the caller's; a target list holds TargetEntry nodes.
    unsafe {
        let plain = (*query).setOperations.is_null() && (*query).distinctClause.is_null() && !(*query).hasTargetSRFs;
        if plain {
            let nothing = null_const(TypeRef::plain(fusion_common::types::oid::INT4));
            let mut targets = PgList::new();
            targets.push(pg_sys::makeTargetEntry(nothing.cast(), 1, std::ptr::null_mut(), false));
            for entry in PgList::<pg_sys::TargetEntry>::from_pg((*query).targetList).iter_ptr() {
                if (*entry).ressortgroupref != 0 {
                    (*entry).resjunk = true;
                    (*entry).resno = targets.len() as i16 + 1;
                    targets.push(entry);
                }
            }
            (*query).targetList = targets.into_pg();
        }
        if (*query).limitCount.is_null() {
            let one = pg_sys::Datum::from(1i64);
            (*query).limitCount =
                pg_sys::makeConst(pg_sys::INT8OID, -1, pg_sys::InvalidOid, 8, one, false, true).cast();
        }
    }
}

/// The visible columns of a query.
unsafe fn visible(query: *const pg_sys::Query) -> Vec<*mut pg_sys::TargetEntry> {
    // SAFETY: the caller's query is valid; a target list holds TargetEntry nodes.
    unsafe {
        let targets = PgList::<pg_sys::TargetEntry>::from_pg((*query).targetList);
        targets.iter_ptr().filter(|&entry| !(*entry).resjunk).collect()
    }
}

/// Whether a query has columns, all of them of types that a relation can have.
///
/// # Safety
/// `query` is a valid query.
pub unsafe fn has_plain_columns(query: *const pg_sys::Query) -> bool {
    // SAFETY: as the caller's; its target list holds valid expressions.
    unsafe {
        let columns = visible(query);
        // `unknown` and `record` are no types of columns.
        let is_plain = |ty: u32| {
            ty != pg_sys::UNKNOWNOID.to_u32() && pg_sys::get_typtype(ty.into()) as u8 != pg_sys::TYPTYPE_PSEUDO
        };
        !columns.is_empty() && columns.iter().all(|&column| is_plain(expression_type((*column).expr).oid))
    }
}

/// How the names of stubs begin: no transition table of a trigger is called so.
const STUB_NAME: &str = "\u{1}pg_fusion part ";

/// The part that a named tuplestore stands for.
///
/// # Safety
/// `name` is null or a C string.
pub(super) unsafe fn stub_number(name: *const std::ffi::c_char) -> Option<u32> {
    text(name).strip_prefix(STUB_NAME)?.parse().ok()
}

/// What stands for part `number` in the query around it: its columns, from a FROM item that gives `rows` rows.
///
/// # Safety
/// `query` is the part, a valid query.
pub unsafe fn stub(query: *const pg_sys::Query, number: u32, alias: &str, rows: f64) -> *mut pg_sys::Query {
    // SAFETY: fresh nodes in the current context.
    unsafe {
        let entry: *mut pg_sys::RangeTblEntry = make_node(NodeTag::T_RangeTblEntry);
        (*entry).rtekind = pg_sys::RTEKind::RTE_NAMEDTUPLESTORE;
        (*entry).enrname = super::c_string(&format!("{STUB_NAME}{number}"));
        (*entry).enrtuples = rows;
        for column in visible(query) {
            let ty = expression_type((*column).expr);
            (*entry).coltypes = pg_sys::lappend_oid((*entry).coltypes, ty.oid.into());
            (*entry).coltypmods = pg_sys::lappend_int((*entry).coltypmods, ty.typmod);
            (*entry).colcollations = pg_sys::lappend_oid((*entry).colcollations, ty.collation.into());
        }
        select_from(entry, query, alias, std::ptr::null_mut())
    }
}

/// Whether the planner leaves a condition above a sub-select in any case (`qual_is_pushdown_safe` of allpaths.c).
///
/// # Safety
/// `qual` is a condition of a finished plan.
pub unsafe fn stays_above(qual: *mut pg_sys::Expr) -> bool {
    // SAFETY: as the caller's.
    unsafe { pg_sys::contain_subplans(qual.cast()) }
}

/// `SELECT columns FROM (part) WHERE quals`; `quals` are conditions of a finished plan on the columns of `varno`, which stands for the
/// part. None where they are on something else, too.
///
/// # Safety
/// `part` is a valid query, `quals` are valid expressions.
pub unsafe fn restricted(
    part: *const pg_sys::Query,
    alias: &str,
    quals: &[*mut pg_sys::Expr],
    varno: i32,
) -> Option<*mut pg_sys::Query> {
    // SAFETY: the walker gives valid nodes of a copy that is ours alone.
    let mut place = |node: *mut pg_sys::Node| unsafe {
        if (*node).type_ != NodeTag::T_Var {
            return Walk::Into;
        }
        let var = &mut *node.cast::<pg_sys::Var>();
        let known = var.varlevelsup == 0 && var.varno == varno && var.varattno > 0;
        (var.varno, var.varnosyn, var.varattnosyn) = (1, 1, var.varattno);
        if known { Walk::Over } else { Walk::Stop }
    };
    // SAFETY: as the caller's; nodes made here are fresh or copies.
    unsafe {
        let mut conjuncts = PgList::<pg_sys::Expr>::new();
        for &qual in quals {
            let qual = copy(qual);
            let others = needs_outer_values(qual) || pg_sys::contain_volatile_functions(qual.cast());
            if others || walk::any(qual.cast(), &mut place) {
                return None;
            }
            conjuncts.push(qual);
        }
        let entry: *mut pg_sys::RangeTblEntry = make_node(NodeTag::T_RangeTblEntry);
        (*entry).rtekind = pg_sys::RTEKind::RTE_SUBQUERY;
        (*entry).subquery = copy(part);
        Some(select_from(entry, part, alias, pg_sys::make_ands_explicit(conjuncts.into_pg()).cast()))
    }
}

/// `SELECT columns FROM entry WHERE quals`: the columns are those of `query`, and so are those of `entry`.
unsafe fn select_from(
    entry: *mut pg_sys::RangeTblEntry,
    query: *const pg_sys::Query,
    alias: &str,
    quals: *mut pg_sys::Node,
) -> *mut pg_sys::Query {
    // SAFETY: fresh nodes in the current context.
    unsafe {
        let mut names = PgList::<pg_sys::String>::new();
        let mut targets = PgList::<pg_sys::TargetEntry>::new();
        for (&column, attnum) in visible(query).iter().zip(1i16..) {
            let name = (*column).resname;
            names.push(pg_sys::makeString(if name.is_null() {
                super::c_string("column")
            } else {
                pg_sys::pstrdup(name)
            }));
            let var = make_var(1, attnum, expression_type((*column).expr));
            targets.push(pg_sys::makeTargetEntry(var.cast(), attnum, name, false));
        }
        let alias = super::c_string(alias);
        (*entry).alias = pg_sys::makeAlias(alias, std::ptr::null_mut());
        (*entry).eref = pg_sys::makeAlias(alias, names.into_pg());
        (*entry).inFromCl = true;

        let reference: *mut pg_sys::RangeTblRef = make_node(NodeTag::T_RangeTblRef);
        (*reference).rtindex = 1;
        let select: *mut pg_sys::Query = make_node(NodeTag::T_Query);
        (*select).commandType = pg_sys::CmdType::CMD_SELECT;
        (*select).canSetTag = true;
        let mut entries = PgList::new();
        entries.push(entry);
        (*select).rtable = entries.into_pg();
        (*select).targetList = targets.into_pg();
        let mut from = PgList::new();
        from.push(reference);
        (*select).jointree = pg_sys::makeFromExpr(from.into_pg(), quals);
        select
    }
}

/// Puts `replacement` where `query` stands, and gives what stood there.
///
/// # Safety
/// Both are valid queries; `query` belongs to a tree that may be changed.
pub unsafe fn exchange(query: *mut pg_sys::Query, replacement: *const pg_sys::Query) -> *mut pg_sys::Query {
    // SAFETY: as the caller's; the node is moved, and what it refers to with it.
    unsafe {
        let moved: *mut pg_sys::Query = make_node(NodeTag::T_Query);
        *moved = *query;
        *query = *replacement;
        moved
    }
}
