//! SQL functions of the schema `fusion` that tell how the engine is.
//!
//! The C symbol of each is `<name>_wrapper`; the objects are made by `fdw/sql/pg_fusion--<version>.sql`.

use crate::error::OrRaise;
use crate::pg::rights;
use crate::session;
use fusion_common::SqlState;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::iter::TableIterator;
use pgrx::{name, pg_extern, pg_sys};

/// Microseconds from 1970-01-01 to 2000-01-01, where PostgreSQL counts from.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

/// Version of the library, which is the engine's as well: others refuse each other.
#[pg_extern(sql = false)]
fn fusion_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// One row, or none when the engine cannot be reached.
#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn fusion_stat_engine() -> TableIterator<
    'static,
    (
        name!(pid, i32),
        name!(started_at, Option<TimestampWithTimeZone>),
        name!(version, String),
        name!(restarts, i32),
        name!(last_end, Option<String>),
        name!(sessions, i32),
        name!(queries, i32),
        name!(waiting, i32),
        name!(queries_total, i64),
    ),
> {
    let status = match session::status() {
        Err(error) if error.sqlstate == SqlState::FDW_UNABLE_TO_ESTABLISH_CONNECTION => None,
        status => Some(status.or_raise()),
    };
    TableIterator::new(status.into_iter().map(|status| {
        (
            clamp_i32(status.pid),
            TimestampWithTimeZone::try_from(status.started_at - POSTGRES_EPOCH_US).ok(),
            status.version,
            clamp_i32(status.restarts),
            status.last_end,
            clamp_i32(status.sessions),
            clamp_i32(status.queries),
            clamp_i32(status.waiting),
            clamp_i64(status.queries_total),
        )
    }))
}

/// Queries whose role is one of the caller's; no row when the engine cannot be reached.
#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn fusion_stat_activity() -> TableIterator<
    'static,
    (
        name!(pid, i32),
        name!(datid, pg_sys::Oid),
        name!(usesysid, pg_sys::Oid),
        name!(started_at, Option<TimestampWithTimeZone>),
        name!(state, String),
        name!(memory, i64),
        name!(pages, i64),
        name!(rows_decoded, i64),
        name!(rows_returned, i64),
    ),
> {
    let running = match session::activity() {
        Err(error) if error.sqlstate == SqlState::FDW_UNABLE_TO_ESTABLISH_CONNECTION => Vec::new(),
        running => running.or_raise(),
    };
    let seen = running.into_iter().filter(|query| rights::may_see_activity_of(query.user));
    TableIterator::new(seen.map(|query| {
        (
            clamp_i32(query.pid),
            pg_sys::Oid::from(query.database),
            pg_sys::Oid::from(query.user),
            TimestampWithTimeZone::try_from(query.started_at - POSTGRES_EPOCH_US).ok(),
            if query.waiting { "waiting" } else { "active" }.to_owned(),
            clamp_i64(query.memory),
            clamp_i64(query.pages),
            clamp_i64(query.rows_decoded),
            clamp_i64(query.rows_returned),
        )
    }))
}

fn clamp_i32(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// A count or a size as SQL has it.
pub fn clamp_i64(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
