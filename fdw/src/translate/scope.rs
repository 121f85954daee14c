//! Which column does a name mean here?
//!
//! A [`Bound`] is a relation whose output columns are known by what they stand for in the query; the expressions above it
//! are translated against its columns, a [`Scope`].
//!
//! Invariant: `columns` has one entry per output column of `rel`, in order.

use crate::pg::node::{Node, NodeRef, Var};
use fusion_common::{ColumnType, TypeRef};
use fusion_proto::plan::{Expr, ExprKind, Rel};

/// An expression and how the engine holds its values.
#[derive(Clone)]
pub(super) struct Typed {
    pub expr: Expr,
    pub held: ColumnType,
}

/// What a column stands for in the query.
#[derive(Clone, Copy)]
pub(super) enum Source<'q> {
    /// A column of the range table.
    Column(Var),
    /// An expression that has been computed below: a GROUP BY expression or an aggregate.
    Computed(NodeRef<'q>),
}

/// A column of a scope.
#[derive(Clone)]
pub(super) struct Column<'q> {
    pub source: Source<'q>,
    pub ty: TypeRef,
    pub held: ColumnType,
}

/// The columns that an expression may refer to, by position.
#[derive(Clone, Default)]
pub(super) struct Scope<'q> {
    pub columns: Vec<Column<'q>>,
    /// Columns of the sub-select whose comparison is translated, for its parameters.
    pub sublink: Vec<Typed>,
    /// Whether rows have been grouped: a column that is not found is then not a GROUP BY column.
    pub grouped: bool,
}

/// A relation with the meaning of its columns.
pub(super) struct Bound<'q> {
    pub rel: Rel,
    pub columns: Vec<Column<'q>>,
}

impl<'q> Column<'q> {
    pub fn at(&self, position: usize) -> Typed {
        Typed { expr: Expr::column(self.ty, position as u32), held: self.held }
    }

    /// The same column seen from a sub-select below.
    pub fn seen_below(&self) -> Self {
        let source = match self.source {
            Source::Column(var) => Source::Column(Var { level: var.level + 1, ..var }),
            computed @ Source::Computed(_) => computed,
        };
        Self { source, ..self.clone() }
    }
}

impl<'q> Scope<'q> {
    pub fn new(columns: Vec<Column<'q>>) -> Self {
        Self { columns, ..Self::default() }
    }

    /// The column that `node` is, if it is one.
    pub fn find(&self, node: NodeRef<'q>) -> Option<Typed> {
        let var = match node.view() {
            Node::Var(var) => Some(var),
            _ => None,
        };
        self.columns.iter().enumerate().find_map(|(position, column)| {
            let found = match column.source {
                Source::Column(known) => var == Some(known),
                Source::Computed(known) => known.equals(node),
            };
            found.then(|| column.at(position))
        })
    }
}

/// Calls `visit` with every column that `expr` uses.
pub(super) fn visit_columns(expr: &Expr, visit: &mut impl FnMut(u32)) {
    match &expr.kind {
        ExprKind::Column(column) => visit(*column),
        ExprKind::Const(_) | ExprKind::Param(_) => {}
        ExprKind::Call { args, .. } | ExprKind::And(args) | ExprKind::Or(args) | ExprKind::Coalesce(args) => {
            args.iter().for_each(|arg| visit_columns(arg, visit));
        }
        ExprKind::Compare { left, right, .. } => {
            visit_columns(left, visit);
            visit_columns(right, visit);
        }
        ExprKind::Not(arg) | ExprKind::IsNull { arg, .. } | ExprKind::IsBool { arg, .. } => visit_columns(arg, visit),
        ExprKind::Case { branches, otherwise } => {
            for (condition, result) in branches {
                visit_columns(condition, visit);
                visit_columns(result, visit);
            }
            if let Some(otherwise) = otherwise {
                visit_columns(otherwise, visit);
            }
        }
        ExprKind::InList { arg, list, .. } => {
            visit_columns(arg, visit);
            list.iter().for_each(|element| visit_columns(element, visit));
        }
    }
}
