//! The native query: every fusion table replaced by a subquery over its heap relation.
//!
//! PostgreSQL pulls such a subquery up, so that what it plans is the query as if it had been written over the heap relations: indexes,
//! parallel workers, row security and rights included. A fusion table that cannot be replaced (its whole row or a system column is
//! used, it is locked FOR UPDATE, or it has inheritance children) stays, and is scanned through the FDW callbacks.

use crate::error::Result;
use crate::guc;
use crate::pg::catalog::{self, Relation};
use crate::pg::planner::{self, Access};
use crate::relation::{self, HeapRelation};
use fusion_common::{Oid, SqlError, SqlState};
use pgrx::pg_sys;

/// A query over heap relations, and what was found on the way.
pub struct NativeQuery {
    /// The changed copy.
    pub query: *mut pg_sys::Query,
    /// The fusion tables, one entry per range-table entry that names one.
    pub tables: Vec<FusionTable>,
    /// The server that the engine's scan belongs to.
    pub server: pg_sys::Oid,
    /// What is translated instead of the query, if row security applies to some of its fusion tables: these replaced as in `query`, so that
    /// their policies are in it.
    pub secured: Option<*mut pg_sys::Query>,
    /// Why the engine cannot run the query, if something was found already.
    pub reason: Option<String>,
}

/// A fusion table in a query.
pub struct FusionTable {
    /// `pg_class.oid` of the foreign table.
    pub foreign: Oid,
    /// Its server.
    pub server: pg_sys::Oid,
    /// What stands behind it.
    pub heap: HeapRelation,
}

/// Whether a range-table entry is a fusion table, and its server.
///
/// # Safety
/// `rte` is a valid range-table entry.
pub unsafe fn fusion_server(rte: *const pg_sys::RangeTblEntry) -> Option<pg_sys::Oid> {
    // SAFETY: as the caller's.
    unsafe {
        let is_foreign =
            (*rte).rtekind == pg_sys::RTEKind::RTE_RELATION && (*rte).relkind as u8 == pg_sys::RELKIND_FOREIGN_TABLE;
        if is_foreign { catalog::fusion_server((*rte).relid.to_u32()) } else { None }
    }
}

impl NativeQuery {
    /// Of a rewritten query; None if it names no fusion table.
    ///
    /// # Errors
    /// A fusion table that does not fit its heap relation, or that is to be written to.
    ///
    /// # Safety
    /// `parse` is a rewritten query.
    pub unsafe fn new(parse: *mut pg_sys::Query) -> Result<Option<Self>> {
        // SAFETY: as the caller's; the walk changes only the copy.
        unsafe {
            let mut found = false;
            planner::walk_queries(parse, &mut |query| {
                found = found || planner::range_table(query).iter().any(|&rte| fusion_server(rte).is_some());
                found
            });
            if !found {
                return Ok(None);
            }
            let mut native = Self::of_heap(parse, pg_sys::InvalidOid);
            for query in queries(native.query) {
                native.replace_in(query)?;
            }
            native.server = native.tables.first().map_or(pg_sys::InvalidOid, |table| table.server);
            if native.reason.is_none() && native.depends_on_role() {
                native.secured = secured(parse)?;
            }
            Ok(Some(native))
        }
    }

    /// Of a rewritten query over heap relations alone, if `fusion.transparent` wants it looked at; where it does not, this costs
    /// nothing. A query whose relations are small altogether is not worth looking at; a cursor over one table may be used by WHERE
    /// CURRENT OF.
    ///
    /// # Safety
    /// `parse` is a rewritten query without fusion tables.
    pub unsafe fn transparent(parse: *mut pg_sys::Query, cursor_options: i32) -> Option<Self> {
        if !guc::transparent() || !guc::enabled() {
            return None;
        }
        const CURSOR_OPT_FAST_PLAN: i32 = 0x0100;
        // SAFETY: as the caller's.
        unsafe {
            let mut relations = Vec::new();
            let mut others = !matches!((*parse).commandType, pg_sys::CmdType::CMD_SELECT | pg_sys::CmdType::CMD_INSERT);
            planner::walk_queries(parse, &mut |query| {
                others |= !(*query).rowMarks.is_null();
                for rte in planner::range_table(query) {
                    if (*rte).rtekind == pg_sys::RTEKind::RTE_RELATION && (*query).resultRelation == 0 {
                        match (*rte).relkind as u8 {
                            pg_sys::RELKIND_RELATION | pg_sys::RELKIND_MATVIEW | pg_sys::RELKIND_PARTITIONED_TABLE => {
                                relations.push((*rte).relid.to_u32());
                            }
                            // 15 keeps a view's own entry beside its query.
                            pg_sys::RELKIND_VIEW => {}
                            _ => others = true,
                        }
                    }
                }
                others |= relations.iter().any(|&relid| relid < pg_sys::FirstNormalObjectId);
                others
            });
            let updatable = relations.len() == 1 && !(*parse).hasAggs && (*parse).groupClause.is_null();
            others |= updatable && cursor_options & CURSOR_OPT_FAST_PLAN != 0;
            if others || relations.is_empty() || !(guc::force() || are_large(&relations)) {
                return None;
            }
            let server = catalog::default_server()?;
            Some(Self::of_heap(parse, server))
        }
    }

    /// Of a rewritten query over heap relations alone.
    ///
    /// # Safety
    /// `parse` is a rewritten query without fusion tables.
    pub unsafe fn of_heap(parse: *mut pg_sys::Query, server: pg_sys::Oid) -> Self {
        // SAFETY: as the caller's.
        let query = unsafe { planner::copy(parse) };
        Self { query, tables: Vec::new(), server, secured: None, reason: None }
    }

    /// Whether a plan of it holds for the current role only: the fusion table in a cached query does not say that its heap relation has row
    /// security.
    pub fn depends_on_role(&self) -> bool {
        self.tables.iter().any(|table| table.heap.row_security)
    }

    /// Replaces the fusion tables of one query level.
    unsafe fn replace_in(&mut self, query: *mut pg_sys::Query) -> Result<()> {
        // SAFETY: a query of our copy; its lists are valid.
        unsafe {
            let row_marks: Vec<u32> = pgrx::PgList::<pg_sys::RowMarkClause>::from_pg((*query).rowMarks)
                .iter_ptr()
                .map(|mark| (*mark).rti)
                .collect();
            for (index, rte) in planner::range_table(query).into_iter().enumerate() {
                let Some(server) = fusion_server(rte) else { continue };
                let rtindex = index as u32 + 1;
                let foreign = (*rte).relid.to_u32();
                if (*query).resultRelation as u32 == rtindex {
                    return Err(not_writable(foreign, (*query).commandType));
                }
                let access = Access::of(query, rte);
                let heap = relation::resolve(foreign)?;
                if access.reads_row_or_system_column() {
                    self.reason = Some("a whole row or a system column is used".to_owned());
                } else if row_marks.contains(&rtindex) {
                    self.reason = Some("rows are locked".to_owned());
                } else if (*rte).inh && Relation::open(foreign).is_some_and(|relation| relation.has_children()) {
                    self.reason = Some("a fusion table has inheritance children".to_owned());
                } else if !(*rte).tablesample.is_null() {
                    self.reason = Some("TABLESAMPLE is used".to_owned());
                } else {
                    let select = select(&heap, (*rte).inh, |attnum| access.reads(attnum));
                    planner::replace_by_subquery(query, rte, &select);
                }
                self.tables.push(FusionTable { foreign, server, heap });
            }
        }
        Ok(())
    }
}

/// All query levels of a query.
///
/// # Safety
/// `query` is a rewritten query.
unsafe fn queries(query: *mut pg_sys::Query) -> Vec<*mut pg_sys::Query> {
    let mut queries = Vec::new();
    // SAFETY: as the caller's; the walk only collects.
    unsafe {
        planner::walk_queries(query, &mut |query| {
            queries.push(query);
            false
        });
    }
    queries
}

/// A copy of a query whose fusion tables to which row security applies are replaced, with their policies; None if it applies to none.
///
/// # Safety
/// `parse` is a rewritten query whose fusion tables can be replaced.
unsafe fn secured(parse: *mut pg_sys::Query) -> Result<Option<*mut pg_sys::Query>> {
    // SAFETY: as the caller's; what is changed is a copy.
    unsafe {
        let copy = planner::copy(parse);
        let mut found = false;
        for query in queries(copy) {
            for rte in planner::range_table(query) {
                if fusion_server(rte).is_none() {
                    continue;
                }
                let (heap, access) = (relation::resolve((*rte).relid.to_u32())?, Access::of(query, rte));
                if planner::row_security_applies(heap.heap, access.check_as) {
                    let select = select(&heap, (*rte).inh, |attnum| access.reads(attnum));
                    planner::replace_by_subquery(query, rte, &select);
                    found = true;
                }
            }
        }
        Ok(found.then_some(copy))
    }
}

/// Whether these relations have so many pages together that the engine may be worth its start.
fn are_large(relations: &[Oid]) -> bool {
    /// 1 MiB.
    const PAGES: u32 = 128;
    let mut pages = 0;
    relations.iter().any(|&relid| {
        let Some(relation) = Relation::open(relid) else { return false };
        // How large the children of a parent are is not known here.
        pages += if relation.has_children() { PAGES } else { relation.blocks().unwrap_or(0) };
        pages >= PAGES
    })
}

/// `SELECT column, … FROM heap`, one output column per attribute of the fusion table; NULL where it is not read, so that no right on
/// that column is asked for. ONLY of a fusion table is ONLY of its heap relation.
fn select(heap: &HeapRelation, inherit: bool, reads: impl Fn(i16) -> bool) -> String {
    let columns: Vec<_> = heap
        .columns
        .iter()
        .zip(1..)
        .map(|(column, attnum)| match column {
            Some(column) if reads(attnum) => catalog::quote_identifier(&column.name),
            _ => "NULL".to_owned(),
        })
        .collect();
    let only = if inherit || !heap.has_children { "" } else { "ONLY " };
    format!("SELECT {} FROM {only}{}", columns.join(", "), heap.name)
}

/// 0A000: a fusion table is the target of a command (`CMD_NOTHING`: of TRUNCATE).
pub fn not_writable(foreign: Oid, command: pg_sys::CmdType::Type) -> SqlError {
    let verb = match command {
        pg_sys::CmdType::CMD_INSERT => "insert into",
        pg_sys::CmdType::CMD_UPDATE => "update",
        pg_sys::CmdType::CMD_DELETE => "delete from",
        pg_sys::CmdType::CMD_NOTHING => "truncate",
        _ => "change",
    };
    let Some(relation) = Relation::open(foreign) else {
        return SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, format!("cannot {verb} a fusion table"));
    };
    let (schema, table) = relation::heap_name(foreign, &relation);
    SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, format!("cannot {verb} fusion table \"{}\"", relation.name()))
        .with_hint(format!(
            "Use its heap relation {}.{}.",
            catalog::quote_identifier(&schema),
            catalog::quote_identifier(&table)
        ))
}
