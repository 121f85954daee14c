//! Expressions of the plan IR.

use super::function::Function;
use fusion_common::{ColumnType, TypeRef};
use serde::{Deserialize, Serialize};

/// A typed expression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Expr {
    /// Result type, as PostgreSQL's `exprType`, `exprTypmod`, `exprCollation` give it.
    pub ty: TypeRef,
    /// What it computes.
    pub kind: ExprKind,
}

/// The kinds of expression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ExprKind {
    /// Output column of the node's input(s), from 0.
    Column(u32),
    /// A constant; None is NULL.
    Const(Option<Value>),
    /// A value that the backend evaluates when execution starts: index into `Execute::params`.
    Param(u32),
    /// A strict, immutable function: NULL if any argument is.
    Call {
        /// Which.
        function: Function,
        /// Arguments in PostgreSQL's order; those that are folded into `function` (a field name) are left out.
        args: Vec<Expr>,
    },
    /// A comparison by the type's default btree order; text-like operands compare by bytes (the translation sends
    /// `Lt … Ge` on text only where the collation is C, `Eq`/`Ne` where it is deterministic).
    Compare {
        /// Operator.
        op: CompareOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand; of the same type, but for the cross-type families of integers, floats and date/timestamp.
        right: Box<Expr>,
    },
    /// Three-valued AND over two or more.
    And(Vec<Expr>),
    /// Three-valued OR over two or more.
    Or(Vec<Expr>),
    /// Three-valued NOT.
    Not(Box<Expr>),
    /// `CASE WHEN … THEN … ELSE … END`; later branches are not evaluated for a row that an earlier one took.
    Case {
        /// (condition, result).
        branches: Vec<(Expr, Expr)>,
        /// ELSE; NULL where None.
        otherwise: Option<Box<Expr>>,
    },
    /// First argument that is not NULL.
    Coalesce(Vec<Expr>),
    /// `IS [NOT] NULL`.
    IsNull {
        /// Operand.
        arg: Box<Expr>,
        /// IS NOT NULL.
        negated: bool,
    },
    /// `IS [NOT] TRUE/FALSE/UNKNOWN`: never NULL.
    IsBool {
        /// Operand.
        arg: Box<Expr>,
        /// The truth value asked for; None is UNKNOWN.
        value: Option<bool>,
        /// NOT.
        negated: bool,
    },
    /// `arg = ANY (list)`, or `arg <> ALL (list)` where negated, with PostgreSQL's three-valued result.
    InList {
        /// Left operand.
        arg: Box<Expr>,
        /// Right operands, NULLs included.
        list: Vec<Expr>,
        /// NOT IN.
        negated: bool,
    },
    /// As `InList`, over the elements of an array that is known when execution starts; NULL over a NULL array.
    InArray {
        /// Left operand.
        arg: Box<Expr>,
        /// A parameter whose value is a [`Value::Array`].
        array: Box<Expr>,
        /// `<> ALL (array)`.
        negated: bool,
    },
}

/// Comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    /// `IS NOT DISTINCT FROM`: never NULL.
    Same,
}

/// A constant or parameter value, in the engine's form of its type (see [`ColumnType`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub enum Value {
    /// bool.
    Bool(bool),
    /// int2.
    Int2(i16),
    /// int4.
    Int4(i32),
    /// int8.
    Int8(i64),
    /// float4.
    Float4(f32),
    /// float8.
    Float8(f64),
    /// A finite numeric whose unscaled value fits: `unscaled * 10^-scale`, `scale` being its display scale, at most 38.
    Numeric {
        /// Unscaled value.
        unscaled: i128,
        /// Display scale.
        scale: u8,
    },
    /// Any other numeric: the payload, as in [`ColumnType::NumericVar`].
    NumericVar(Vec<u8>),
    /// text, varchar; bpchar with its trailing blanks as they are.
    Text(String),
    /// date: days since 1970-01-01, infinities as in [`ColumnType::Date`].
    Date(i32),
    /// timestamp: microseconds since 1970-01-01, infinities as in [`ColumnType::Timestamp`].
    Timestamp(i64),
    /// timestamptz, likewise.
    Timestamptz(i64),
    /// Another type's bytes, as in [`ColumnType::Opaque`].
    Opaque(Vec<u8>),
    /// The elements of an array, only as the right side of [`ExprKind::InArray`]; their type comes first.
    Array(TypeRef, Vec<Option<Value>>),
}

/// Decimal digits of `value`, at least 1.
fn digits(value: i128) -> u8 {
    value.unsigned_abs().checked_ilog10().map_or(1, |log| log as u8 + 1)
}

impl Value {
    /// How the engine holds this value.
    pub fn column_type(&self, ty: TypeRef) -> ColumnType {
        match self {
            Self::Bool(_) => ColumnType::Bool,
            Self::Int2(_) => ColumnType::Int2,
            Self::Int4(_) => ColumnType::Int4,
            Self::Int8(_) => ColumnType::Int8,
            Self::Float4(_) => ColumnType::Float4,
            Self::Float8(_) => ColumnType::Float8,
            Self::Numeric { unscaled, scale } => {
                ColumnType::Numeric { precision: digits(*unscaled).max(*scale).clamp(1, 38), scale: *scale }
            }
            Self::NumericVar(_) => ColumnType::NumericVar,
            Self::Text(text) if ty.oid == fusion_common::types::oid::BPCHAR => {
                ColumnType::Bpchar { length: text.chars().count() as u32 }
            }
            Self::Text(_) => ColumnType::Text,
            Self::Date(_) => ColumnType::Date,
            Self::Timestamp(_) => ColumnType::Timestamp,
            Self::Timestamptz(_) => ColumnType::Timestamptz,
            Self::Opaque(_) | Self::Array(..) => ColumnType::Opaque,
        }
    }
}

impl Expr {
    /// A column reference.
    pub fn column(ty: TypeRef, index: u32) -> Self {
        Self { ty, kind: ExprKind::Column(index) }
    }

    /// A boolean expression.
    pub fn boolean(kind: ExprKind) -> Self {
        Self { ty: TypeRef::plain(fusion_common::types::oid::BOOL), kind }
    }
}
