//! Who sorts, the engine or PostgreSQL?
//!
//! The engine sorts where the order is the type's own and strings are in byte order. Any other order at the top of the query
//! is PostgreSQL's: the plan then has neither Sort nor Limit, and [`PostSort`] says what to put above it.

use super::expr::is_parameter;
use super::select::{CarriedField, OutputField};
use super::{Refusal, Result, collation, operator};
use crate::pg::names;
use crate::pg::node::NodeRef;
use crate::pg::query::{QueryRef, SortGroup, Target};
use fusion_common::types::oid;
use fusion_common::{ColumnType, Oid, TypeRef};
use fusion_proto::plan::{CompareOp, Expr, ExprKind, Frame, Rel, SortKey, Value, WindowCall, WindowFunction};
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
#[derive(Clone)]
pub(super) struct Key {
    column: usize,
    clause: SortGroup,
    /// How the engine would sort; None: it cannot.
    descending: Option<bool>,
    ty: TypeRef,
}

/// Finds the sort keys among the columns.
pub(super) fn keys(order: &[SortGroup], listed: &[&Target<'_>], columns: &[OutputField]) -> Result<Vec<Key>> {
    let key = |clause: &SortGroup| {
        let column = listed
            .iter()
            .position(|target| target.reference == clause.reference)
            .ok_or_else(|| Refusal::unsupported("this form of ORDER BY"))?;
        let OutputField { ty, held, .. } = columns[column];
        let descending = direction(clause, held, ty);
        Ok(Key { column, clause: *clause, descending, ty })
    };
    order.iter().map(key).collect()
}

/// Whether the engine sorts down by a key; None: it cannot sort by it.
pub(super) fn direction(clause: &SortGroup, held: ColumnType, ty: TypeRef) -> Option<bool> {
    let in_order = operator::is_comparable_with(held, held) && collation::is_byte_order(held, ty.collation);
    match operator::comparison(names::operator_function(clause.ordering)) {
        Some(CompareOp::Lt) if in_order => Some(false),
        Some(CompareOp::Gt) if in_order => Some(true),
        _ => None,
    }
}

/// Why the engine cannot sort by a key of this type.
pub(super) fn unsortable(place: &str, ty: TypeRef) -> Refusal {
    let what = match ty.collation {
        0 => format!("on type {}", names::type_name(ty.oid)),
        collation => format!("under collation \"{}\"", names::collation(collation)),
    };
    Refusal::unsupported(format_args!("ORDER BY {what} {place}"))
}

/// Whether the engine cannot sort by these keys.
pub(super) fn needs_postgres(keys: &[Key]) -> bool {
    keys.iter().any(|key| key.descending.is_none())
}

/// Why the engine cannot sort by these keys.
pub(super) fn refusal(keys: &[Key], place: &str) -> Refusal {
    let key = keys.iter().find(|key| key.descending.is_none());
    key.map_or_else(|| Refusal::unsupported("this ORDER BY"), |key| unsortable(place, key.ty))
}

/// Sorts in the engine.
pub(super) fn sort(input: Rel, keys: &[Key], columns: &[OutputField]) -> Rel {
    if keys.is_empty() {
        return input;
    }
    Rel::Sort { input: Box::new(input), keys: sort_keys(keys, columns) }
}

/// Keys by which the engine can sort.
pub(super) fn sort_keys(keys: &[Key], columns: &[OutputField]) -> Vec<SortKey> {
    let key = |key: &Key| SortKey {
        expr: Expr::column(columns[key.column].ty, key.column as u32),
        descending: key.descending == Some(true),
        nulls_first: key.clause.nulls_first,
    };
    keys.iter().map(key).collect()
}

/// The first row of each group: `on` are the columns that are equal in a group, besides what is `carried`; `keys` the order in it.
pub(super) fn first_of_each(
    input: Rel,
    on: &[usize],
    keys: &[Key],
    columns: &[OutputField],
    carried: &[CarriedField],
) -> Result<Rel> {
    let keys: Vec<Key> = keys.iter().filter(|key| !on.contains(&key.column)).cloned().collect();
    if needs_postgres(&keys) {
        return Err(refusal(&keys, "with DISTINCT ON"));
    }
    let groups = on.iter().map(|&position| Expr::column(columns[position].ty, position as u32)).collect();
    let first = |number| vec![compare_number(number, CompareOp::Eq, 1)];
    Ok(numbered(input, groups, &keys, columns, carried, first))
}

/// OFFSET and LIMIT for each row around: those of equal carried columns.
pub(super) fn some_of_each(
    input: Rel,
    keys: &[Key],
    columns: &[OutputField],
    carried: &[CarriedField],
    (offset, count): (Option<Expr>, Option<Expr>),
) -> Result<Rel> {
    let constant = |expr: Option<Expr>| match expr.map(|expr| expr.kind) {
        None => Ok(None),
        Some(ExprKind::Const(Some(Value::Int8(rows)))) if rows >= 0 => Ok(Some(rows)),
        Some(_) => Err(Refusal::unsupported("LIMIT that is no constant in a subquery that refers to an outer query")),
    };
    let (offset, count) = (constant(offset)?.unwrap_or(0), constant(count)?);
    let wanted = |number: Expr| {
        let after = (offset > 0).then(|| compare_number(number.clone(), CompareOp::Gt, offset));
        let until = count.map(|count| compare_number(number, CompareOp::Le, offset.saturating_add(count)));
        after.into_iter().chain(until).collect()
    };
    Ok(numbered(input, Vec::new(), keys, columns, carried, wanted))
}

fn compare_number(number: Expr, op: CompareOp, with: i64) -> Expr {
    let with = Expr { ty: number.ty, kind: ExprKind::Const(Some(Value::Int8(with))) };
    Expr::boolean(ExprKind::Compare { op, left: Box::new(number), right: Box::new(with) })
}

/// The rows whose number in their group is `wanted`.
fn numbered(
    input: Rel,
    mut partition: Vec<Expr>,
    keys: &[Key],
    columns: &[OutputField],
    carried: &[CarriedField],
    wanted: impl FnOnce(Expr) -> Vec<Expr>,
) -> Rel {
    let mut kept: Vec<Expr> =
        columns.iter().enumerate().map(|(position, column)| Expr::column(column.ty, position as u32)).collect();
    let around = carried.iter().enumerate().map(|(position, column)| column.at(columns.len() + position).expr);
    partition.extend(around.clone());
    kept.extend(around);
    let int8 = TypeRef::plain(oid::INT8);
    let number = WindowCall {
        function: WindowFunction::RowNumber,
        args: Vec::new(),
        filter: None,
        partition,
        order: sort_keys(keys, columns),
        frame: Frame::default_frame(),
        ty: int8,
    };
    let rel = Rel::Window { input: Box::new(input), calls: vec![number] };
    let predicates = wanted(Expr::column(int8, kept.len() as u32));
    let rel = if predicates.is_empty() { rel } else { Rel::Filter { input: Box::new(rel), predicates } };
    Rel::Project { input: Box::new(rel), exprs: kept }
}

impl PostSort {
    pub(super) fn new(keys: &[Key], query: QueryRef<'_>) -> Result<Self> {
        let key = |key: &Key| PostSortKey {
            column: key.column as u32,
            sort_operator: key.clause.ordering,
            collation: key.ty.collation,
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
