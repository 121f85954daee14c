//! The PostgreSQL extension: routes queries to the engine, feeds it heap pages, hands its rows to the executor.
//!
//! | module | its part in the way of a query |
//! | --- | --- |
//! | [`handler`] | the FDW's callback table and PostgreSQL's entry points |
//! | [`options`], [`import`] | CREATE FOREIGN TABLE, IMPORT FOREIGN SCHEMA |
//! | [`relation`] | fusion table → heap relation, column by column |
//! | [`route`] | planner hook: native plan, translation, choice |
//! | [`translate`] | Query → plan IR, or the reason why not |
//! | [`scan`] | the ForeignScan: begin, next slot, rescan, end, fallback |
//! | [`session`] | the connection to the engine: messages, frames, waits |
//! | [`feed`] | heap pages of a scan, under the query's snapshot, into frames |
//! | [`sound`] | whether a tuple of a page may be walked through |
//! | [`explain`] | EXPLAIN and `fusion.explain_route` |
//! | [`cache`] | SQL functions over the engine's column cache |
//! | [`supervisor`] | the background worker that runs the engine |
//! | [`guc`] | settings |
//! | [`pg`] | FFI: thin safe wrappers, and all differences between server versions |
//!
//! Invariants: PostgreSQL functions are called on the backend's main thread only; a Rust panic or error reaches PostgreSQL
//! only through pgrx's guard; nothing here links DataFusion, Arrow or tokio.

pgrx::pg_module_magic!();

mod cache;
mod error;
mod explain;
mod feed;
mod functions;
mod guc;
mod handler;
mod import;
mod options;
mod pg;
mod relation;
mod route;
mod scan;
mod session;
mod sound;
mod statistics;
mod supervisor;
mod translate;

/// Called by PostgreSQL when the library is loaded.
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    guc::init();
    supervisor::init();
    route::init();
}
