//! SQL functions over the engine's column cache: `fusion.prewarm`, `fusion.cache_evict`, `fusion.stat_cache`.
//!
//! A fusion table stands for its heap relation, a partitioned table or inheritance parent for its leaves.
//!
//! Invariants: whoever prewarms a relation may read it, column by column, as a query would ask; nobody learns of relations that they may
//! not read; only what the cache can hold is accepted, anything else is refused with the reason.

use crate::error::{OrRaise, Result};
use crate::functions::clamp_i64;
use crate::guc;
use crate::pg::catalog::{self, Relation};
use crate::pg::planner::{self, PlannerArgs};
use crate::pg::{executor, rights};
use crate::relation::{self, HeapRelation};
use crate::route::leaves::Leaves;
use crate::route::native::NativeQuery;
use crate::route::plan::Private;
use crate::route::{translate_query, usable};
use crate::scan::EngineRun;
use crate::session;
use crate::translate::Refusal;
use fusion_common::{Oid, SqlError, SqlState};
use pgrx::iter::TableIterator;
use pgrx::{name, pg_extern, pg_sys};

const WRONG_OBJECT_TYPE: SqlState = SqlState(*b"42809");

/// SQL: `fusion.prewarm(relation regclass, columns text[])`: reads columns, all where none are named, into the cache. Returns how many pages
/// were decoded for it.
#[pg_extern(sql = false)]
fn fusion_prewarm(relation: Option<pg_sys::Oid>, columns: Option<Vec<Option<String>>>) -> Option<i64> {
    relation.map(|relation| prewarm(relation.to_u32(), columns).or_raise())
}

fn prewarm(relid: Oid, columns: Option<Vec<Option<String>>>) -> Result<i64> {
    let heap = cacheable(relid)?;
    if guc::cache_size_mb() == Some(0) {
        return Err(SqlError::new(SqlState(*b"55000"), "the column cache is turned off")
            .with_hint("Set fusion.cache_size and restart the engine."));
    }
    let refused = |Refusal(reason)| {
        SqlError::new(SqlState::INVALID_PARAMETER_VALUE, format!("{} cannot be read into the column cache", heap.name))
            .with_detail(format!("Reason: {reason}."))
    };
    let names = names(&heap, columns)?;
    let select = format!("SELECT {} FROM {}", names.join(", "), heap.name);
    usable().map_err(refused)?;
    // SAFETY: the statement is analysed and planned as any other would be, which locks the relation; its rights are checked before it is
    // read, under the snapshot of the calling statement, which is active until we return.
    let mut run = unsafe {
        let (query, text) = planner::analyze_text(&select)?;
        let native = NativeQuery::of_heap(query, pg_sys::InvalidOid);
        let args = PlannerArgs { query_string: text, cursor_options: 0, bound_params: std::ptr::null_mut() };
        let stmt = planner::plan_natively(native.query, args);
        executor::check_permissions(stmt);
        let translation = translate_query(query, &native, &Leaves::of(stmt)).map_err(refused)?;
        EngineRun::prewarm(&Private::new(&translation)?, pg_sys::GetActiveSnapshot())?
    };
    let ended = run.next();
    let metrics = run.take_metrics();
    run.end();
    ended?;
    Ok(metrics.map_or(0, |metrics| clamp_i64(metrics.pages)))
}

/// The columns to read, quoted.
fn names(heap: &HeapRelation, columns: Option<Vec<Option<String>>>) -> Result<Vec<String>> {
    let known = || heap.columns.iter().flatten().map(|column| column.name.as_str());
    let names: Vec<String> = match columns {
        None => known().map(str::to_owned).collect(),
        Some(columns) => columns.into_iter().flatten().collect(),
    };
    if names.is_empty() {
        return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, "no column is named"));
    }
    for name in &names {
        if !known().any(|column| column == name) {
            let message = format!("column \"{name}\" of relation {} does not exist", heap.name);
            return Err(SqlError::new(SqlState(*b"42703"), message));
        }
    }
    Ok(names.iter().map(|name| catalog::quote_identifier(name)).collect())
}

/// The heap relation that is meant, if the cache can hold columns of it.
fn cacheable(relid: Oid) -> Result<HeapRelation> {
    let is_foreign = Relation::open(relid).is_some_and(|relation| relation.kind() == pg_sys::RELKIND_FOREIGN_TABLE);
    let heap = match is_foreign && catalog::fusion_server(relid).is_some() {
        true => relation::resolve(relid)?,
        false => relation::plain(relid).map_err(|what| {
            SqlError::new(WRONG_OBJECT_TYPE, what)
                .with_hint("The column cache holds tables, partitioned tables and materialized views.")
        })?,
    };
    let persistence = Relation::open(heap.heap).map(|relation| relation.persistence());
    let reason = match persistence {
        Some(pg_sys::RELPERSISTENCE_TEMP) => "It is a temporary table, whose changes are not logged.",
        Some(pg_sys::RELPERSISTENCE_UNLOGGED) => "It is an unlogged table, whose changes are not logged.",
        _ => return Ok(heap),
    };
    let message = format!("{} cannot be held in the column cache", heap.name);
    Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message).with_detail(reason))
}

/// SQL: `fusion.cache_evict(relation regclass)`: throws the columns of a relation out, or, of NULL, those of all relations of this database.
/// Returns their bytes.
#[pg_extern(sql = false)]
fn fusion_cache_evict(relation: Option<pg_sys::Oid>) -> i64 {
    evict(relation.map(|relation| relation.to_u32())).or_raise()
}

fn evict(relid: Option<Oid>) -> Result<i64> {
    let Some(relid) = relid else {
        if !rights::is_superuser() {
            return Err(SqlError::new(SqlState(*b"42501"), "must be superuser to empty the column cache"));
        }
        return session::evict(None).map(clamp_i64);
    };
    let heap = cacheable(relid)?;
    if !rights::may_read(heap.heap) {
        return Err(SqlError::new(SqlState(*b"42501"), format!("permission denied for table {}", heap.name)));
    }
    let mut evicted = 0;
    for relation in catalog::with_children(heap.heap) {
        evicted += session::evict(Some(relation))?;
    }
    Ok(clamp_i64(evicted))
}

/// SQL: `fusion.stat_cache()`. No rows when the engine cannot be reached.
#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn fusion_stat_cache() -> TableIterator<
    'static,
    (
        name!(relation, pg_sys::Oid),
        name!(attnum, i16),
        name!(bytes, i64),
        name!(chunks, i64),
        name!(hits, i64),
        name!(patches, i64),
        name!(misses, i64),
        name!(blocks_decoded, i64),
    ),
> {
    let entries = match session::cache_statistics() {
        Err(error) if error.sqlstate == SqlState::FDW_UNABLE_TO_ESTABLISH_CONNECTION => Vec::new(),
        entries => entries.or_raise(),
    };
    let sees_all = rights::reads_all_statistics();
    let seen = entries.into_iter().filter(move |entry| {
        let attnum = i16::try_from(entry.attnum).ok().filter(|&attnum| attnum > 0);
        sees_all
            || match attnum {
                Some(attnum) => rights::may_read_column(entry.relation, attnum),
                None => rights::may_read(entry.relation),
            }
    });
    TableIterator::new(seen.map(|entry| {
        (
            pg_sys::Oid::from(entry.relation),
            i16::try_from(entry.attnum).unwrap_or(i16::MAX),
            clamp_i64(entry.bytes),
            clamp_i64(entry.chunks),
            clamp_i64(entry.hits),
            clamp_i64(entry.patches),
            clamp_i64(entry.misses),
            clamp_i64(entry.blocks_decoded),
        )
    }))
}
