//! FFI: thin safe wrappers around PostgreSQL's functions and structures.
//!
//! Everything that differs between server versions is decided here by `cfg(feature = "pgNN")`, and nowhere else; so is every raw
//! pointer that can be wrapped. Invariants: main thread only; a call that can raise goes through pgrx's guard; a
//! callback that may be on the stack when PostgreSQL raises an error has nothing to drop (see [`walk`]).

pub mod bgworker;
pub mod catalog;
pub mod collation;
pub mod datum;
pub mod executor;
pub mod explain;
pub mod guc;
pub mod heap;
pub mod names;
pub mod node;
pub mod planner;
pub mod process;
pub mod query;
pub mod rights;
pub mod statistics;
pub mod tuple;
pub mod visibility;
pub mod wait;
pub mod walk;
