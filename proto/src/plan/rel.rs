//! Relations of the plan IR.

use super::expr::Expr;
use super::function::Aggregate;
use super::window::WindowCall;
use fusion_common::{Oid, ScanId, TypeRef};
use serde::{Deserialize, Serialize};

/// A whole query for the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Heap relations, one entry per range-table entry that is scanned; [`ScanId`] is the index.
    pub scans: Vec<ScanDef>,
    /// Relations that several places read: each is computed once. One may read those before it.
    pub shared: Vec<Rel>,
    /// The query.
    pub root: Rel,
    /// Columns of the result: those of `root`, by position.
    pub output: Vec<OutputColumn>,
}

/// A result column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputColumn {
    /// Name, for EXPLAIN.
    pub name: String,
    /// Type as PostgreSQL will see it.
    pub ty: TypeRef,
}

/// A heap relation to scan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScanDef {
    /// `schema.table` of the heap relation, for EXPLAIN.
    pub relation: String,
    /// Alias in the query, for EXPLAIN.
    pub alias: String,
    /// `pg_class.oid` of the heap relation.
    pub relid: Oid,
    /// Needed columns: the scan's output columns by position.
    pub columns: Vec<ScanColumn>,
    /// PostgreSQL's estimate of rows in the relation.
    pub rows: f64,
    /// Sets of columns (positions in `columns`) that a unique index covers.
    pub unique_keys: Vec<Vec<u32>>,
}

/// A needed column with PostgreSQL's statistics of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScanColumn {
    /// Column name in the heap relation, for EXPLAIN.
    pub name: String,
    /// Type.
    pub ty: TypeRef,
    /// `attnotnull`.
    pub not_null: bool,
    /// From pg_statistic, where it has been analysed.
    pub stats: Option<ColumnStats>,
}

/// A column's statistics.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnStats {
    /// Distinct values, estimated, at least 1.
    pub distinct: f64,
    /// Fraction of NULLs, 0 to 1.
    pub null_fraction: f64,
    /// Average width, bytes.
    pub width: f64,
}

/// A relational operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub enum Rel {
    /// All columns of a [`ScanDef`].
    Scan {
        /// Which.
        scan: ScanId,
        /// PostgreSQL's estimate of the rows that pass the quals on this relation alone.
        filtered_rows: f64,
    },
    /// All columns of one of [`Plan::shared`].
    Shared {
        /// Its index.
        id: u32,
    },
    /// Constant rows. Columns take their types from the first row; there is at least one row unless `types` is all there is.
    Values {
        /// Types of the columns.
        types: Vec<TypeRef>,
        /// Rows; each as long as `types`. A row of no columns is how `SELECT 1` without FROM looks.
        rows: Vec<Vec<Expr>>,
    },
    /// Rows for which all predicates are true.
    Filter {
        /// Input.
        input: Box<Rel>,
        /// Conjuncts.
        predicates: Vec<Expr>,
    },
    /// Computes output columns.
    Project {
        /// Input.
        input: Box<Rel>,
        /// One per output column.
        exprs: Vec<Expr>,
    },
    /// The rows of its input. What looks at them from above stays above: conditions below may have yet to take away rows that must not
    /// be seen (row security, security-barrier views).
    Barrier {
        /// Input.
        input: Box<Rel>,
    },
    /// An inner-join component: inputs in query order, joined by the conjuncts in whatever order is cheapest.
    /// Output: columns of all inputs in the order given.
    InnerJoin {
        /// Two or more.
        inputs: Vec<Rel>,
        /// Conjuncts over the concatenated columns.
        predicates: Vec<Expr>,
    },
    /// A join whose sides must not be exchanged freely.
    Join {
        /// Kind.
        kind: JoinKind,
        /// Left (for semi and anti: the side that is kept).
        left: Box<Rel>,
        /// Right.
        right: Box<Rel>,
        /// Conjuncts over left's columns, then right's.
        predicates: Vec<Expr>,
    },
    /// Grouping and aggregation. Output: groups, then aggregates. Without groups there is exactly one row.
    Aggregate {
        /// Input.
        input: Box<Rel>,
        /// GROUP BY expressions; NULLs are one group; float -0 and 0 are one, as are bpchars that differ in trailing blanks.
        groups: Vec<Expr>,
        /// Aggregates.
        aggregates: Vec<AggregateCall>,
    },
    /// Grouping by several sets of expressions at once. Output: groups, NULL where a row's set lacks them; aggregates; the position of the
    /// row's set in `sets`, int4. The empty set has one row, also over no rows; then its counts are 0 and its other aggregates NULL.
    GroupingSets {
        /// Input.
        input: Box<Rel>,
        /// Expressions, as in `Aggregate`.
        groups: Vec<Expr>,
        /// Positions in `groups`; a set that occurs twice has its rows twice.
        sets: Vec<Vec<u32>>,
        /// Aggregates.
        aggregates: Vec<AggregateCall>,
    },
    /// The rows of all inputs, in any order (UNION ALL). Inputs have the same number of columns; a column is held as all inputs can
    /// be: see `typing::case_type`.
    UnionAll {
        /// One or more.
        inputs: Vec<Rel>,
        /// Types of the columns.
        types: Vec<TypeRef>,
    },
    /// Removes duplicate rows (IS NOT DISTINCT FROM over all columns).
    Distinct {
        /// Input.
        input: Box<Rel>,
    },
    /// INTERSECT or EXCEPT; rows compare as in DISTINCT, columns are held as those of `UnionAll`.
    SetOperation {
        /// Which.
        kind: SetKind,
        /// ALL: rows count as often as they occur.
        all: bool,
        /// Left.
        left: Box<Rel>,
        /// Right.
        right: Box<Rel>,
        /// Types of the columns.
        types: Vec<TypeRef>,
    },
    /// Window functions. Output: the input's columns, then one per call.
    Window {
        /// Input.
        input: Box<Rel>,
        /// Calls.
        calls: Vec<WindowCall>,
    },
    /// Sorts.
    Sort {
        /// Input.
        input: Box<Rel>,
        /// Keys, most significant first.
        keys: Vec<SortKey>,
    },
    /// OFFSET and LIMIT; int8 expressions without columns; NULL means none. A negative value is an error (2201W, 2201X).
    Limit {
        /// Input.
        input: Box<Rel>,
        /// OFFSET.
        offset: Option<Expr>,
        /// LIMIT.
        count: Option<Expr>,
    },
    /// FETCH FIRST … WITH TIES: sorts, skips OFFSET rows, and gives `count` rows and the peers of the last of them. As for `Limit`.
    LimitWithTies {
        /// Input.
        input: Box<Rel>,
        /// Keys, most significant first.
        keys: Vec<SortKey>,
        /// OFFSET.
        offset: Option<Expr>,
        /// FETCH FIRST.
        count: Expr,
    },
}

impl Rel {
    /// The relations that it reads. A shared one is not among them: it is the plan's.
    pub fn inputs(&self) -> Vec<&Self> {
        match self {
            Self::Scan { .. } | Self::Shared { .. } | Self::Values { .. } => Vec::new(),
            Self::Filter { input, .. }
            | Self::Project { input, .. }
            | Self::Barrier { input }
            | Self::Aggregate { input, .. }
            | Self::GroupingSets { input, .. }
            | Self::Distinct { input }
            | Self::Window { input, .. }
            | Self::Sort { input, .. }
            | Self::Limit { input, .. }
            | Self::LimitWithTies { input, .. } => vec![input],
            Self::InnerJoin { inputs, .. } | Self::UnionAll { inputs, .. } => inputs.iter().collect(),
            Self::Join { left, right, .. } | Self::SetOperation { left, right, .. } => vec![left, right],
        }
    }
}

/// Joins other than inner ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum JoinKind {
    /// Unmatched left rows with NULLs. Output: left, right.
    Left,
    /// Both sides' unmatched rows with NULLs. Output: left, right.
    Full,
    /// Left rows with at least one match. Output: left.
    Semi,
    /// Left rows for which no right row makes the conjuncts true. Output: left.
    Anti,
    /// All left rows, each once, and whether a right row makes the conjuncts true. Output: left, bool (never NULL).
    Mark,
}

/// Set operations other than UNION.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SetKind {
    /// Rows of both sides: once, or with ALL as often as in the side where they are rarer.
    Intersect,
    /// Rows of the left side that the right side lacks: once, or with ALL as many more as there are.
    Except,
}

/// An aggregate call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AggregateCall {
    /// Which.
    pub function: Aggregate,
    /// Arguments; none for `count(*)`.
    pub args: Vec<Expr>,
    /// DISTINCT, over all arguments together. Where the aggregate is ordered, `order_by` then starts with all of them.
    pub distinct: bool,
    /// The order in which values are taken; only where that matters ([`Aggregate::is_ordered`]).
    pub order_by: Vec<SortKey>,
    /// FILTER.
    pub filter: Option<Expr>,
    /// Result type.
    pub ty: TypeRef,
}

/// A sort key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SortKey {
    /// What is sorted by; text-like keys in byte order (the translation sends only C collations).
    pub expr: Expr,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST.
    pub nulls_first: bool,
}
