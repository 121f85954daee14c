//! What every crate of pg_fusion agrees on before any of them does work: identifiers and limits,
//! errors with an SQLSTATE, and the identities of PostgreSQL's types.
//!
//! This crate does no I/O, has no unsafe code, and depends on nothing of ours.
#![forbid(unsafe_code)]

pub mod error;
pub mod ids;
pub mod limits;
pub mod types;

pub use error::{Result, SqlError, SqlState};
pub use ids::{BlockNumber, FrameNumber, Lsn, Oid, QueryId, RelationFile, ScanId};
pub use types::{AttAlign, Attribute, ColumnType, TypeRef};
