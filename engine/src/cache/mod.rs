//! The column cache: decoded columns of heap relations, fresh by proof.
//!
//! ```text
//!  (relation file, chunk of 128 blocks) ── one entry, in a concurrent map
//!     └ (attribute, how it is held, …) ── CachedColumn: array of all tuples · BlockTable: page LSNs, rows · min and max
//! ```
//! [`crate::scan`] asks for the columns of a chunk ([`ColumnCache::get`]), finds out what of them is proven ([`validate`]), has the
//! backend send the rest, and puts what it has decoded in ([`ColumnCache::put`]). [`blocks`] says why a proof is one; [`room`]
//! is how much may stay.
//!
//! Invariants
//! - The columns of a relation are those of its file now: another one of the same relation takes the place of the earlier's chunks.
//! - A cached column never changes; a patched one is another one. Who has got one may use it for as long as it likes.
//! - Nothing in here is right by itself: every user of a column validates it against what its own scan start saw.
//! - All bytes are taken from the pool that queries take theirs from, and given back when a query lacks them ([`ColumnCache::give_way`]).

pub mod blocks;
pub mod dictionary;
pub mod room;
pub mod statistics;
pub mod validate;
mod zone;

use blocks::BlockTable;
use dashmap::DashMap;
use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use fusion_common::limits::CHUNK_BLOCKS;
use fusion_common::{Attribute, Oid, RelationFile};
use fusion_heapscan::{Column, arrow_type};
use once_cell::sync::OnceCell;
use room::Room;
use statistics::Statistics;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A chunk: `CHUNK_BLOCKS` aligned blocks of a relation's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChunkKey {
    /// The file.
    pub file: RelationFile,
    /// Number of the chunk, from 0.
    pub number: u32,
}

/// What a cached column is of: everything that its decoding depends on. `attnum` 0 with no value stands for the rows alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnIdentity {
    /// Attribute number, representation, missing value.
    pub column: Column,
    /// Physical layout.
    pub attribute: Attribute,
    /// Type of the arrays, as values.
    data_type: DataType,
}

impl ColumnIdentity {
    /// Of a column with this layout.
    pub fn new(column: Column, attribute: Attribute) -> Self {
        let data_type = arrow_type(column.column_type);
        Self { column, attribute, data_type }
    }
}

/// A column of a chunk. Immutable.
#[derive(Debug)]
pub struct CachedColumn {
    /// Its rows and the state of the pages that it was decoded from.
    pub table: Arc<BlockTable>,
    /// One value per row of `table`, perhaps as codes ([`dictionary`]).
    pub array: ArrayRef,
    /// Blocks (bit i: the i-th) that hold a row whose value was not decoded, since nobody saw it.
    pub incomplete: u128,
    /// Found out when it is asked for.
    zone: OnceCell<Option<(ScalarValue, ScalarValue)>>,
    /// Bytes of `array`.
    pub bytes: usize,
    /// What it took to decode it, nanoseconds.
    pub cost_ns: u64,
    last_use: AtomicU64,
}

impl CachedColumn {
    /// Of an array that has just been decoded in `cost_ns`.
    pub fn new(table: Arc<BlockTable>, array: ArrayRef, incomplete: u128, cost_ns: u64) -> Self {
        let bytes = array.get_array_memory_size();
        Self { table, array, incomplete, zone: OnceCell::new(), bytes, cost_ns, last_use: AtomicU64::new(0) }
    }

    /// The same values, proven again: decoded from the pages as `table` has them.
    pub fn with_table(&self, table: Arc<BlockTable>) -> Self {
        Self {
            table,
            array: Arc::clone(&self.array),
            incomplete: self.incomplete,
            zone: self.zone.clone(),
            bytes: self.bytes,
            cost_ns: self.cost_ns,
            last_use: AtomicU64::new(self.last_use.load(Ordering::Relaxed)),
        }
    }

    /// Smallest and largest value, where the type has an order that the engine knows.
    pub fn zone(&self) -> Option<&(ScalarValue, ScalarValue)> {
        self.zone.get_or_init(|| zone::of(&self.array)).as_ref()
    }

    /// Whether it can be what it is kept as: of the chunk `key`, one value of the column's type per row.
    fn is_sound(&self, key: &ChunkKey, identity: &ColumnIdentity) -> bool {
        let is_of_type = match identity.column.attnum {
            0 => true,
            _ => *dictionary::plain_type(self.array.data_type()) == identity.data_type,
        };
        is_of_type
            && self.array.len() == self.table.rows()
            && self.table.first_block() == key.number.saturating_mul(CHUNK_BLOCKS)
            && self.table.blocks().len() <= CHUNK_BLOCKS as usize
    }

    /// Whether the block at `index` holds a row without its value.
    pub fn is_incomplete(&self, index: usize) -> bool {
        self.incomplete >> (index % 128) & 1 == 1
    }
}

/// An entry of the map.
#[derive(Debug, Default)]
struct Chunk {
    relation: Oid,
    columns: Vec<(Arc<ColumnIdentity>, Arc<CachedColumn>)>,
}

/// The cache of an engine.
#[derive(Debug)]
pub struct ColumnCache {
    chunks: DashMap<ChunkKey, Chunk>,
    room: Room,
    /// Figures.
    pub statistics: Statistics,
    /// Number of the query that began last.
    epoch: AtomicU64,
    /// The file that a relation of a database had last.
    files: DashMap<(Oid, Oid), RelationFile>,
}

/// Chunks that are looked at to guess how much of a relation is cached.
const SAMPLED_CHUNKS: u32 = 16;

impl ColumnCache {
    /// An empty cache of at most `limit` bytes; 0 turns it off.
    pub fn new(limit: usize) -> Self {
        Self {
            chunks: DashMap::new(),
            room: Room::new(limit),
            statistics: Statistics::default(),
            epoch: AtomicU64::new(0),
            files: DashMap::new(),
        }
    }

    /// The bounds, to be connected with the memory pool.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Whether anything may be kept.
    pub fn is_on(&self) -> bool {
        self.room.limit() > 0
    }

    /// A number for a query that begins: columns that it uses are not thrown out for others that it wants to keep.
    pub fn begin_query(&self) -> u64 {
        self.epoch.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Notes that `relation` has this file. What is cached of another one is of no more use: its file was replaced.
    pub fn note_file(&self, relation: Oid, file: RelationFile) {
        let before = self.files.insert((file.database, relation), file);
        if before.is_some_and(|before| before != file) {
            self.remove_chunks(|key, chunk| {
                key.file.database == file.database && chunk.relation == relation && key.file != file
            });
        }
    }

    /// The columns of a chunk that are cached, in the order of `wanted`, used by the query `epoch`. One that is not sound is not given.
    pub fn get(&self, key: &ChunkKey, wanted: &[Arc<ColumnIdentity>], epoch: u64) -> Vec<Option<Arc<CachedColumn>>> {
        let Some(chunk) = self.chunks.get(key) else { return vec![None; wanted.len()] };
        let find = |identity: &Arc<ColumnIdentity>| {
            let column = chunk.find(identity).filter(|column| column.is_sound(key, identity))?;
            column.last_use.fetch_max(epoch, Ordering::Relaxed);
            Some(Arc::clone(column))
        };
        wanted.iter().map(find).collect()
    }

    /// Any column of a chunk.
    pub fn any(&self, key: &ChunkKey) -> Option<Arc<CachedColumn>> {
        let chunk = self.chunks.get(key)?;
        let sound = chunk.columns.iter().find(|(identity, column)| column.is_sound(key, identity));
        sound.map(|(_, column)| Arc::clone(column))
    }

    /// How much of the columns `attnums` of a file of so many blocks is cached, from 0 to 1: of a few chunks.
    pub fn share(&self, file: RelationFile, blocks: u32, attnums: &[u16]) -> f32 {
        let chunks = blocks.div_ceil(CHUNK_BLOCKS);
        let step = chunks.div_ceil(SAMPLED_CHUNKS).max(1);
        let (mut found, mut all) = (0u32, 0u32);
        for number in (0..chunks).step_by(step as usize) {
            let chunk = self.chunks.get(&ChunkKey { file, number });
            let is_cached = |attnum: u16| {
                chunk.as_ref().is_some_and(|chunk| chunk.columns.iter().any(|(known, _)| known.column.attnum == attnum))
            };
            // Of no columns, the rows, which any column has.
            found += match attnums {
                [] => u32::from(chunk.is_some()),
                attnums => attnums.iter().map(|&attnum| u32::from(is_cached(attnum))).sum(),
            };
            all += attnums.len().max(1) as u32;
        }
        if all == 0 { 1.0 } else { found as f32 / all as f32 }
    }

    /// Whether a chunk of about `bytes` may be added for the query `epoch`: there is room for it, or columns that neither this query nor
    /// a later one has used can make some.
    pub fn admits(&self, bytes: usize, epoch: u64) -> bool {
        self.is_on() && self.room.make(bytes, epoch, self)
    }

    /// Adds columns of a chunk, or replaces them. What finds no room is not kept.
    pub fn put(
        &self,
        key: ChunkKey,
        relation: Oid,
        columns: impl IntoIterator<Item = (Arc<ColumnIdentity>, CachedColumn)>,
        epoch: u64,
    ) {
        for (identity, column) in columns {
            column.last_use.fetch_max(epoch, Ordering::Relaxed);
            let bytes = column.bytes;
            let known = self.chunks.get(&key).and_then(|chunk| chunk.find(&identity).map(|column| column.bytes));
            // A column that is only proven anew takes no more room.
            if known != Some(bytes) && !self.room.make(bytes, epoch, self) {
                continue;
            }
            if !self.room.take(bytes) {
                continue;
            }
            let mut chunk = self.chunks.entry(key).or_default();
            chunk.relation = relation;
            let column = Arc::new(column);
            match chunk.columns.iter_mut().find(|(known, _)| is_same(known, &identity)) {
                Some((_, known)) => self.room.give_back(std::mem::replace(known, column).bytes),
                None => chunk.columns.push((identity, column)),
            }
        }
    }

    /// Throws out what no query needs for its answer, until `bytes` are free or nothing is left. For the memory pool.
    pub fn give_way(&self, bytes: usize) -> usize {
        self.room.evict(bytes, u64::MAX, self)
    }

    /// Throws out the columns of a relation of a database, or all of the database. Returns the bytes.
    pub fn evict(&self, database: Oid, relation: Option<Oid>) -> usize {
        self.remove_chunks(|key, chunk| {
            key.file.database == database && relation.is_none_or(|relation| relation == chunk.relation)
        })
    }

    fn remove_chunks(&self, is_meant: impl Fn(&ChunkKey, &Chunk) -> bool) -> usize {
        let mut freed = 0;
        self.chunks.retain(|key, chunk| {
            let is_meant = is_meant(key, chunk);
            if is_meant {
                freed += chunk.columns.iter().map(|(_, column)| column.bytes).sum::<usize>();
            }
            !is_meant
        });
        self.room.give_back(freed);
        freed
    }

    /// Takes a column out if it has not been used after `last_use`. Returns its bytes.
    fn remove(&self, candidate: &room::Candidate) -> usize {
        let Some(mut chunk) = self.chunks.get_mut(&candidate.key) else { return 0 };
        let unused = |(identity, column): &(Arc<ColumnIdentity>, Arc<CachedColumn>)| {
            is_same(identity, &candidate.identity) && column.last_use.load(Ordering::Relaxed) <= candidate.last_use
        };
        let Some(place) = chunk.columns.iter().position(unused) else { return 0 };
        let (_, column) = chunk.columns.swap_remove(place);
        let is_empty = chunk.columns.is_empty();
        drop(chunk);
        if is_empty {
            self.chunks.remove_if(&candidate.key, |_, chunk| chunk.columns.is_empty());
        }
        self.room.give_back(column.bytes);
        column.bytes
    }

    /// Calls `visit` with every cached column.
    fn for_each(&self, mut visit: impl FnMut(&ChunkKey, Oid, &Arc<ColumnIdentity>, &CachedColumn)) {
        for chunk in &self.chunks {
            for (identity, column) in &chunk.columns {
                visit(chunk.key(), chunk.relation, identity, column);
            }
        }
    }
}

impl Chunk {
    fn find(&self, identity: &Arc<ColumnIdentity>) -> Option<&Arc<CachedColumn>> {
        self.columns.iter().find(|(known, _)| is_same(known, identity)).map(|(_, column)| column)
    }
}

fn is_same(left: &Arc<ColumnIdentity>, right: &Arc<ColumnIdentity>) -> bool {
    Arc::ptr_eq(left, right) || left == right
}

#[cfg(test)]
mod tests {
    use super::*;
    use blocks::RowMap;
    use datafusion::arrow::array::Int32Array;
    use fusion_common::{AttAlign, ColumnType};
    use fusion_proto::message::CacheInfo;

    const FILE: RelationFile = RelationFile { tablespace: 1663, database: 5, number: 16384 };

    fn identity(attnum: u16) -> Arc<ColumnIdentity> {
        let attribute = Attribute { length: 4, align: AttAlign::Int, by_value: true, packable: false };
        Arc::new(ColumnIdentity::new(Column { attnum, column_type: ColumnType::Int4, missing: None }, attribute))
    }

    /// A column of `rows` rows on one block of chunk `number`.
    fn column(number: u32, rows: i32) -> CachedColumn {
        let info = CacheInfo { relation: 9, file: FILE, map_lsns: vec![], all_visible: vec![] };
        let rows_of = [(1, RowMap::First(rows as u16), true)];
        let table = BlockTable::new(number * CHUNK_BLOCKS, rows_of.into_iter(), &info);
        CachedColumn::new(Arc::new(table), Arc::new(Int32Array::from_iter_values(0..rows)), 0, 1)
    }

    fn key(number: u32) -> ChunkKey {
        ChunkKey { file: FILE, number }
    }

    fn put(cache: &ColumnCache, number: u32, attnum: u16, epoch: u64) {
        cache.put(key(number), 9, [(identity(attnum), column(number, 100))], epoch);
    }

    fn has(cache: &ColumnCache, number: u32, attnum: u16) -> bool {
        cache.get(&key(number), &[identity(attnum)], 0)[0].is_some()
    }

    #[test]
    fn what_is_put_in_is_found() {
        let cache = ColumnCache::new(1 << 20);
        put(&cache, 0, 1, 1);
        put(&cache, 0, 2, 1);
        put(&cache, 3, 1, 1);
        assert!(
            has(&cache, 0, 1) && has(&cache, 0, 2) && has(&cache, 3, 1) && !has(&cache, 3, 2) && !has(&cache, 1, 1)
        );
        let entries = cache.entries(5);
        assert_eq!(entries.iter().map(|entry| (entry.attnum, entry.chunks)).collect::<Vec<_>>(), [(1, 2), (2, 1)]);
        assert_eq!(entries.iter().map(|entry| entry.bytes as usize).sum::<usize>(), cache.room().used());
        assert!(cache.entries(6).is_empty(), "another database");
        assert_eq!(cache.evict(5, Some(8)), 0);
        assert!(cache.evict(5, Some(9)) > 0);
        assert_eq!(cache.room().used(), 0);
    }

    #[test]
    fn the_least_recently_used_query_gives_way() {
        let bytes = column(0, 100).bytes;
        let cache = ColumnCache::new(3 * bytes);
        let (first, second) = (cache.begin_query(), cache.begin_query());
        put(&cache, 0, 1, first);
        put(&cache, 1, 1, first);
        put(&cache, 2, 1, second);
        cache.get(&key(0), &[identity(1)], second);
        let third = cache.begin_query();
        put(&cache, 3, 1, third);
        assert_eq!([0, 1, 2, 3].map(|number| has(&cache, number, 1)), [true, false, true, true]);
    }

    #[test]
    fn a_query_does_not_throw_out_its_own() {
        let bytes = column(0, 100).bytes;
        let cache = ColumnCache::new(3 * bytes);
        for _ in 0..2 {
            let query = cache.begin_query();
            for number in 0..10 {
                if !has(&cache, number, 1) && cache.admits(bytes, query) {
                    put(&cache, number, 1, query);
                }
                cache.get(&key(number), &[identity(1)], query);
            }
            let kept: Vec<u32> = (0..10).filter(|&number| has(&cache, number, 1)).collect();
            assert_eq!(kept, [0, 1, 2]);
            assert!(cache.room().used() <= 3 * bytes);
        }
    }

    #[test]
    fn a_file_that_was_replaced_is_forgotten() {
        let cache = ColumnCache::new(1 << 20);
        cache.note_file(9, FILE);
        put(&cache, 0, 1, 1);
        cache.note_file(9, FILE);
        assert!(has(&cache, 0, 1));
        cache.note_file(9, RelationFile { number: 20000, ..FILE });
        assert!(!has(&cache, 0, 1));
        assert_eq!(cache.room().used(), 0);
    }

    #[test]
    fn a_damaged_or_foreign_column_is_not_given() {
        let cache = ColumnCache::new(1 << 20);
        let good = || column(0, 100);
        let shorter = CachedColumn { array: good().array.slice(0, 99), ..good() };
        let text = datafusion::arrow::array::StringViewArray::from_iter_values(vec!["x"; 100]);
        let other_type = CachedColumn { array: Arc::new(text), ..good() };
        for bad in [shorter, other_type, column(1, 100)] {
            cache.put(key(0), 9, [(identity(1), bad)], 1);
            assert!(!has(&cache, 0, 1));
        }
        cache.put(key(0), 9, [(identity(1), good())], 1);
        assert!(has(&cache, 0, 1));
    }

    #[test]
    fn the_share_is_of_chunks_and_columns() {
        let cache = ColumnCache::new(1 << 20);
        assert_eq!(cache.share(FILE, 0, &[1]), 1.0);
        assert_eq!(cache.share(FILE, 200, &[1, 2]), 0.0);
        put(&cache, 0, 1, 1);
        assert_eq!(cache.share(FILE, 200, &[1, 2]), 0.25);
        assert_eq!(cache.share(FILE, 200, &[]), 0.5);
        put(&cache, 1, 1, 1);
        assert_eq!(cache.share(FILE, 200, &[1]), 1.0);
    }

    #[test]
    fn a_cache_of_nothing_keeps_nothing() {
        let cache = ColumnCache::new(0);
        assert!(!cache.is_on() && !cache.admits(1, 1));
        put(&cache, 0, 1, 1);
        assert!(!has(&cache, 0, 1));
    }
}
