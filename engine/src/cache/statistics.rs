//! Figures of the column cache, per relation and column: what `fusion.stat_cache` shows.
//!
//! Invariant: counters only grow; they stay when the columns are thrown out, until the engine ends.

use super::{ChunkKey, ColumnCache};
use dashmap::DashMap;
use fusion_common::Oid;
use fusion_proto::message::CacheEntry;
use std::collections::BTreeMap;

/// A column of a relation of a database.
type ColumnKey = (Oid, Oid, u16);

/// What was done for a column so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// Chunks that were proven and served as they were.
    pub hits: u64,
    /// Chunks of which some blocks were decoded again.
    pub patches: u64,
    /// Chunks that were decoded whole.
    pub misses: u64,
    /// Blocks that were decoded.
    pub blocks_decoded: u64,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub struct Statistics {
    columns: DashMap<ColumnKey, Counters>,
}

impl Statistics {
    /// Counts what a scan did for the columns `attnums`.
    pub fn add(&self, database: Oid, relation: Oid, attnum: u16, more: &Counters) {
        let mut counters = self.columns.entry((database, relation, attnum)).or_default();
        counters.hits += more.hits;
        counters.patches += more.patches;
        counters.misses += more.misses;
        counters.blocks_decoded += more.blocks_decoded;
    }
}

impl ColumnCache {
    /// Figures of all columns of a database's relations, in order.
    pub fn entries(&self, database: Oid) -> Vec<CacheEntry> {
        let mut entries: BTreeMap<(Oid, u16), CacheEntry> = BTreeMap::new();
        let mut entry = |relation: Oid, attnum: u16, change: &dyn Fn(&mut CacheEntry)| {
            change(entries.entry((relation, attnum)).or_insert_with(|| CacheEntry {
                relation,
                attnum,
                ..CacheEntry::default()
            }));
        };
        for counted in &self.statistics.columns {
            let (of, relation, attnum) = *counted.key();
            if of == database {
                let counters = *counted.value();
                entry(relation, attnum, &move |entry| {
                    entry.hits = counters.hits;
                    entry.patches = counters.patches;
                    entry.misses = counters.misses;
                    entry.blocks_decoded = counters.blocks_decoded;
                });
            }
        }
        self.for_each(|key: &ChunkKey, relation, identity, column| {
            if key.file.database == database {
                entry(relation, identity.column.attnum, &|entry| {
                    entry.bytes += column.bytes as u64;
                    entry.chunks += 1;
                });
            }
        });
        entries.into_values().collect()
    }
}
