//! The plan IR: a small typed algebra with PostgreSQL's meaning.
//!
//! It knows type OIDs, typmods and collations, and nothing of DataFusion. The backend builds it from a Query
//! (`fdw::translate`), the engine lowers it (`engine::lower`). Columns are positions: [`ExprKind::Column`] counts the output
//! columns of the node's input; for a join, those of all inputs one after another.
//!
//! Invariant: whatever stands in a plan has PostgreSQL's meaning exactly; the translation refuses what it cannot say.

pub mod depth;
mod display;
pub mod expr;
pub mod function;
pub mod rel;
pub mod typing;
pub mod window;

pub use expr::{CompareOp, Expr, ExprKind, Value};
pub use function::{Aggregate, ArithOp, BitOp, DateField, FloatFunction, Function, NumberType, Spread, TextFunction};
pub use rel::{AggregateCall, ColumnStats, JoinKind, OutputColumn, Plan, Rel, ScanColumn, ScanDef, SetKind, SortKey};
pub use typing::{Unsupported, aggregate_type, call_type, case_type};
pub use window::{Frame, FrameBound, FrameExclusion, FrameUnit, WindowCall, WindowFunction, window_type};
