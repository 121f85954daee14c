//! Who sorts, the engine or PostgreSQL?
//!
//! The engine sorts where the order is the type's own and strings are in byte order. Any other order at the top of the query
//! is PostgreSQL's: the plan then has neither Sort nor Limit, and [`PostSort`] says what to put above it.

use super::expr::is_parameter;
use super::select::OutputField;
use super::{Refusal, Result, collation, operator};
use crate::pg::names;
use crate::pg::node::NodeRef;
use crate::pg::query::{QueryRef, SortGroup, Target};
use fusion_common::Oid;
use fusion_proto::plan::{CompareOp, Expr, Rel, SortKey};
use pgrx::pg_sys;

/// Sorting (and LIMIT, OFFSET) that PostgreSQL does above the plan. The plan's columns are those of the result, then those that
/// are sort keys only.
#[derive(Debug)]
pub struct PostSort {
    /// Keys, most significant first.
    pub keys: Vec<PostSortKey>,
    /// OFFSET, null where there is none. Lives as [`super::Translation::params`] do.
    pub limit_offset: *mut pg_sys::Node,
    /// LIMIT, likewise.
    pub limit_count: *mut pg_sys::Node,
}

/// A key of [`PostSort`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostSortKey {
    /// Output column of the plan, from 0.
    pub column: u32,
    /// `<` or `>` operator (`SortGroupClause.sortop`).
    pub sort_operator: Oid,
    /// Collation, 0 where the type has none.
    pub collation: Oid,
    /// NULLS FIRST.
    pub nulls_first: bool,
}

/// A sort key of the query.
pub(super) struct Key {
    column: usize,
    clause: SortGroup,
    collation: Oid,
    /// How the engine would sort; None: it cannot.
    descending: Option<bool>,
    /// What a refusal says.
    type_name: String,
}

/// Finds the sort keys among the columns.
pub(super) fn keys(order: &[SortGroup], listed: &[&Target<'_>], columns: &[OutputField]) -> Result<Vec<Key>> {
    let key = |clause: &SortGroup| {
        let column = listed
            .iter()
            .position(|target| target.reference == clause.reference)
            .ok_or_else(|| Refusal::unsupported("this form of ORDER BY"))?;
        let OutputField { ty, held, .. } = columns[column];
        let in_order = operator::is_comparable_with(held, held) && collation::is_byte_order(held, ty.collation);
        let descending = match operator::comparison(names::operator_function(clause.ordering)) {
            Some(CompareOp::Lt) if in_order => Some(false),
            Some(CompareOp::Gt) if in_order => Some(true),
            _ => None,
        };
        let type_name = names::type_name(ty.oid);
        Ok(Key { column, clause: *clause, collation: ty.collation, descending, type_name })
    };
    order.iter().map(key).collect()
}

/// Whether the engine cannot sort by these keys.
pub(super) fn needs_postgres(keys: &[Key]) -> bool {
    keys.iter().any(|key| key.descending.is_none())
}

/// Why the engine cannot sort by these keys.
pub(super) fn refusal(keys: &[Key]) -> Refusal {
    let what = match keys.iter().find(|key| key.descending.is_none()) {
        Some(key) if key.collation != 0 => format!("under collation \"{}\"", names::collation(key.collation)),
        Some(key) => format!("on type {}", key.type_name),
        None => String::new(),
    };
    Refusal::unsupported(format_args!("ORDER BY {what} in a subquery"))
}

/// Sorts in the engine.
pub(super) fn sort(input: Rel, keys: &[Key], columns: &[OutputField]) -> Rel {
    if keys.is_empty() {
        return input;
    }
    let key = |key: &Key| SortKey {
        expr: Expr::column(columns[key.column].ty, key.column as u32),
        descending: key.descending == Some(true),
        nulls_first: key.clause.nulls_first,
    };
    Rel::Sort { input: Box::new(input), keys: keys.iter().map(key).collect() }
}

impl PostSort {
    pub(super) fn new(keys: &[Key], query: QueryRef<'_>) -> Result<Self> {
        let key = |key: &Key| PostSortKey {
            column: key.column as u32,
            sort_operator: key.clause.ordering,
            collation: key.collation,
            nulls_first: key.clause.nulls_first,
        };
        // They go into the plan as they are, unplanned: a subquery must not be in them.
        let row_count = |node: Option<NodeRef<'_>>| match node {
            None => Ok(std::ptr::null_mut()),
            Some(node) if is_parameter(node) => Ok(node.as_ptr()),
            Some(_) => Err(Refusal::unsupported("a subquery in LIMIT or OFFSET")),
        };
        Ok(Self {
            keys: keys.iter().map(key).collect(),
            limit_offset: row_count(query.offset())?,
            limit_count: row_count(query.limit())?,
        })
    }
}
