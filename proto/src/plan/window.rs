//! Window functions of the plan IR.

use super::expr::Expr;
use super::function::Aggregate;
use super::rel::SortKey;
use super::typing::{Unsupported, aggregate_type, case_type};
use fusion_common::{ColumnType, Oid, TypeRef};
use serde::{Deserialize, Serialize};

/// A call of a window function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowCall {
    /// Which.
    pub function: WindowFunction,
    /// Arguments; none for `count(*)`.
    pub args: Vec<Expr>,
    /// FILTER, of an aggregate.
    pub filter: Option<Expr>,
    /// PARTITION BY; values are equal as in GROUP BY.
    pub partition: Vec<Expr>,
    /// ORDER BY.
    pub order: Vec<SortKey>,
    /// The frame.
    pub frame: Frame,
    /// Result type.
    pub ty: TypeRef,
}

/// Window functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WindowFunction {
    /// `row_number()`.
    RowNumber,
    /// `rank()`.
    Rank,
    /// `dense_rank()`.
    DenseRank,
    /// `percent_rank()`.
    PercentRank,
    /// `cume_dist()`.
    CumeDist,
    /// `ntile(int4)`.
    Ntile,
    /// `lag(x [, int4 [, default]])`.
    Lag,
    /// `lead(x [, int4 [, default]])`.
    Lead,
    /// `first_value(x)`.
    FirstValue,
    /// `last_value(x)`.
    LastValue,
    /// `nth_value(x, int4)`.
    NthValue,
    /// An aggregate of the rows in the frame.
    Aggregate(Aggregate),
}

/// A frame clause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// What offsets count.
    pub unit: FrameUnit,
    /// Start.
    pub start: FrameBound,
    /// End.
    pub end: FrameBound,
    /// EXCLUDE.
    pub exclusion: FrameExclusion,
}

/// What a frame's offsets count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FrameUnit {
    /// ROWS.
    Rows,
    /// RANGE; with offsets there is one order key.
    Range,
    /// GROUPS.
    Groups,
}

/// An end of a frame. Offsets are expressions without columns; NULL and negative ones are errors (22004, 22013).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FrameBound {
    /// UNBOUNDED PRECEDING as a start, UNBOUNDED FOLLOWING as an end.
    Unbounded,
    /// CURRENT ROW.
    CurrentRow,
    /// `offset PRECEDING`.
    Preceding(Expr),
    /// `offset FOLLOWING`.
    Following(Expr),
}

/// EXCLUDE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FrameExclusion {
    /// NO OTHERS.
    Nothing,
    /// CURRENT ROW.
    CurrentRow,
    /// GROUP.
    Group,
    /// TIES.
    Ties,
}

impl Frame {
    /// The frame of a window without a frame clause: up to the last peer of the current row.
    pub fn default_frame() -> Self {
        Self {
            unit: FrameUnit::Range,
            start: FrameBound::Unbounded,
            end: FrameBound::CurrentRow,
            exclusion: FrameExclusion::Nothing,
        }
    }
}

impl WindowFunction {
    /// The window function that a built-in of pg_proc stands for.
    pub fn from_oid(oid: Oid) -> Option<Self> {
        Some(match oid {
            3100 => Self::RowNumber,
            3101 => Self::Rank,
            3102 => Self::DenseRank,
            3103 => Self::PercentRank,
            3104 => Self::CumeDist,
            3105 => Self::Ntile,
            3106..=3108 => Self::Lag,
            3109..=3111 => Self::Lead,
            3112 => Self::FirstValue,
            3113 => Self::LastValue,
            3114 => Self::NthValue,
            _ => Self::Aggregate(Aggregate::from_oid(oid).filter(has_window_form)?),
        })
    }
}

/// Whether the engine computes an aggregate over windows, too.
fn has_window_form(aggregate: &Aggregate) -> bool {
    matches!(
        aggregate,
        Aggregate::CountStar
            | Aggregate::Count
            | Aggregate::Sum(_)
            | Aggregate::Avg(_)
            | Aggregate::Min
            | Aggregate::Max
            | Aggregate::BoolAnd
            | Aggregate::BoolOr
    )
}

/// How the result of a window function over arguments held as `args` is held. Of a NULL constant no type is given.
pub fn window_type(
    function: WindowFunction,
    args: &[Option<ColumnType>],
    ty: TypeRef,
) -> Result<ColumnType, Unsupported> {
    use WindowFunction as W;
    Ok(match (function, args) {
        (W::RowNumber | W::Rank | W::DenseRank, []) => ColumnType::Int8,
        (W::PercentRank | W::CumeDist, []) => ColumnType::Float8,
        (W::Ntile, [_]) => ColumnType::Int4,
        (W::Lag | W::Lead, [value] | [value, _] | [value, _, None]) => case_type(value.as_slice(), ty)?,
        (W::Lag | W::Lead, [value, _, default]) => {
            let branches: Vec<ColumnType> = value.iter().chain(default).copied().collect();
            case_type(&branches, ty)?
        }
        (W::FirstValue | W::LastValue, [value]) | (W::NthValue, [value, _]) => case_type(value.as_slice(), ty)?,
        (W::Aggregate(aggregate), []) => aggregate_type(aggregate, None)?,
        (W::Aggregate(aggregate), [Some(arg)]) => aggregate_type(aggregate, Some(*arg))?,
        (function, args) => {
            return Err(Unsupported(format!("window function {function:?} of {args:?} is not supported")));
        }
    })
}
