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
    /// An expression that has been computed below: a GROUP BY expression, an aggregate or a sub-select.
    Computed(NodeRef<'q>),
    /// What relates a sub-select's row to the rows around it; no expression names it.
    Key(u32),
    /// Nothing that an expression names.
    Hidden,
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
#[derive(Clone)]
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
            // Said in the words of another level.
            Source::Computed(_) | Source::Key(_) | Source::Hidden => Source::Hidden,
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
                Source::Key(_) | Source::Hidden => false,
            };
            found.then(|| column.at(position))
        })
    }
}

impl<'q> Bound<'q> {
    /// Where the column of that source is.
    pub fn position(&self, source: Source<'q>) -> Option<usize> {
        self.columns.iter().position(|column| match (column.source, source) {
            (Source::Column(known), Source::Column(var)) => known == var,
            (Source::Key(known), Source::Key(key)) => known == key,
            _ => false,
        })
    }

    /// All columns as expressions.
    pub fn all(&self) -> Vec<Expr> {
        self.columns.iter().enumerate().map(|(position, column)| column.at(position).expr).collect()
    }
}

/// Moves all columns of `expr` from `start` on by `by`, which wraps: down by `0u32.wrapping_sub(…)`.
pub(super) fn shift_columns(expr: &mut Expr, start: u32, by: u32) {
    let all = |exprs: &mut [Expr]| exprs.iter_mut().for_each(|expr| shift_columns(expr, start, by));
    match &mut expr.kind {
        ExprKind::Column(column) if *column >= start => *column = column.wrapping_add(by),
        ExprKind::Column(_) | ExprKind::Const(_) | ExprKind::Param(_) => {}
        ExprKind::Call { args, .. } | ExprKind::And(args) | ExprKind::Or(args) | ExprKind::Coalesce(args) => all(args),
        ExprKind::Compare { left, right, .. } => {
            shift_columns(left, start, by);
            shift_columns(right, start, by);
        }
        ExprKind::Not(arg) | ExprKind::IsNull { arg, .. } | ExprKind::IsBool { arg, .. } => {
            shift_columns(arg, start, by);
        }
        ExprKind::Case { branches, otherwise } => {
            for (condition, result) in branches {
                shift_columns(condition, start, by);
                shift_columns(result, start, by);
            }
            if let Some(otherwise) = otherwise {
                shift_columns(otherwise, start, by);
            }
        }
        ExprKind::InArray { arg, array, .. } => {
            shift_columns(arg, start, by);
            shift_columns(array, start, by);
        }
        ExprKind::InList { arg, list, .. } => {
            shift_columns(arg, start, by);
            list.iter_mut().for_each(|element| shift_columns(element, start, by));
        }
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
        ExprKind::InArray { arg, array, .. } => {
            visit_columns(arg, visit);
            visit_columns(array, visit);
        }
        ExprKind::InList { arg, list, .. } => {
            visit_columns(arg, visit);
            list.iter().for_each(|element| visit_columns(element, visit));
        }
    }
}
