//! The engine of pg_fusion: DataFusion on live PostgreSQL heap pages, as a process of its own.
//!
//! The way of a query: [`session`] takes an `Execute`, [`lower`] makes DataFusion's logical plan of the IR, [`optimizer`] says how
//! it is planned, [`scan`] reads pages through the session, operators with [`function`]s and [`aggregate`]s compute, and
//! [`encode`] sends the rows back.
//!
//! | module | is |
//! | --- | --- |
//! | [`server`] | the process: configuration, threads, the listening socket |
//! | [`session`] | one backend's connection: frames, open queries, their stages |
//! | [`scan`] | heap relations as tables |
//! | [`cache`] | decoded columns, fresh by proof |
//! | [`shared`] | relations that several places of a plan read |
//! | [`lower`], [`function`], [`aggregate`], [`window`], [`optimizer`] | plan IR to DataFusion, with PostgreSQL's exact functions |
//! | [`encode`] | record batches to MinimalTuples |
//! | [`numeric`] | PostgreSQL's numeric payloads |
//! | [`admission`], [`crews`], [`activity`] | which queries run, on which threads, and what they take |
//! | [`memory`], [`resident`], [`spill`], [`metrics`], [`log`], [`error`] | limits, figures, lines, errors |

pub mod activity;
pub mod admission;
pub mod aggregate;
pub mod cache;
pub mod crews;
pub mod encode;
pub mod error;
pub mod fault;
pub mod function;
pub mod log;
pub mod lower;
pub mod memory;
pub mod metrics;
pub mod numeric;
pub mod optimizer;
pub mod resident;
pub mod scan;
pub mod server;
pub mod session;
pub mod shared;
pub mod spill;
pub mod window;

pub use error::{Error, Result};
