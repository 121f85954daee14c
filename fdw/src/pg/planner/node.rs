//! Expressions and nodes of a finished plan.

use super::{copy, range_table};
use crate::pg::walk::{self, Walk};
use fusion_common::{Oid, TypeRef};
use pgrx::pg_sys;

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

/// A child relation that a plan reads in place of its parent.
#[derive(Clone, Copy, Debug)]
pub struct Child {
    /// `pg_class.oid` of the parent, the next one up.
    pub parent: Oid,
    /// `pg_class.oid` of the child; an inheritance parent is its own child, too.
    pub relid: Oid,
    /// The child is a partitioned table itself.
    pub is_partitioned: bool,
}

/// The children that parents were expanded to when `stmt` was planned, pruned ones left out.
///
/// # Safety
/// `stmt` is a valid planned statement.
pub unsafe fn children(stmt: *mut pg_sys::PlannedStmt) -> Vec<Child> {
    // SAFETY: as the caller's; appendRelations holds AppendRelInfo nodes, whose indexes are of the statement's range table. Those
    // of UNION ALL have no parent_reloid.
    unsafe {
        let rtable = pgrx::PgList::<pg_sys::RangeTblEntry>::from_pg((*stmt).rtable);
        let infos = pgrx::PgList::<pg_sys::AppendRelInfo>::from_pg((*stmt).appendRelations);
        let child = |info: *mut pg_sys::AppendRelInfo| {
            let rte = rtable.get_ptr(((*info).child_relid as usize).checked_sub(1)?)?;
            ((*info).parent_reloid != pg_sys::InvalidOid && (*rte).rtekind == pg_sys::RTEKind::RTE_RELATION).then(
                || Child {
                    parent: (*info).parent_reloid.to_u32(),
                    relid: (*rte).relid.to_u32(),
                    is_partitioned: (*rte).relkind as u8 == pg_sys::RELKIND_PARTITIONED_TABLE,
                },
            )
        };
        infos.iter_ptr().filter_map(child).collect()
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
    use pg_sys::NodeTag;
    // SAFETY: the walker gives valid nodes; the tag says which struct one is.
    let mut is_unprintable = |node: *mut pg_sys::Node| unsafe {
        match (*node).type_ {
            NodeTag::T_SubLink | NodeTag::T_WindowFunc | NodeTag::T_GroupingFunc | NodeTag::T_Query => Walk::Stop,
            NodeTag::T_Var => {
                let var: *const pg_sys::Var = node.cast();
                let rte = range_table(query).get(((*var).varno as usize).wrapping_sub(1)).copied();
                // Only columns of tables and subqueries have names in the flat range table.
                let has_name = rte.is_some_and(|rte| {
                    matches!((*rte).rtekind, pg_sys::RTEKind::RTE_RELATION | pg_sys::RTEKind::RTE_SUBQUERY)
                });
                if (*var).varlevelsup != 0 || !has_name { Walk::Stop } else { Walk::Over }
            }
            _ => Walk::Into,
        }
    };
    // SAFETY: as the caller's.
    unsafe { (!walk::any(expr.cast(), &mut is_unprintable)).then(|| copy(expr)) }
}

/// Whether an expression contains an external parameter (`$1`).
///
/// # Safety
/// `expr` is a valid expression.
pub unsafe fn has_external_param(expr: *mut pg_sys::Expr) -> bool {
    // SAFETY: the walker gives valid nodes.
    let mut is_param = |node: *mut pg_sys::Node| unsafe {
        if (*node).type_ == pg_sys::NodeTag::T_Param { Walk::Stop } else { Walk::Into }
    };
    // SAFETY: as the caller's.
    unsafe { walk::any(expr.cast(), &mut is_param) }
}
