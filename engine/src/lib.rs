//! The engine of pg_fusion: DataFusion on live PostgreSQL heap pages, as a process of its own.
//!
//! | module | does for the query |
//! | --- | --- |
//! | [`lower`], [`function`], [`aggregate`], [`optimizer`] | plan IR to DataFusion, with PostgreSQL's exact functions |
//! | [`numeric`] | PostgreSQL's numeric payloads |
//! | [`error`] | one error enum, one SQLSTATE each |

pub mod aggregate;
pub mod error;
pub mod function;
pub mod lower;
pub mod numeric;
pub mod optimizer;

pub use error::{Error, Result};
