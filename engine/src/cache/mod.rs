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
//! - A cached column never changes; a patched one is another one. Who has got one may use it for as long as it likes.
//! - Nothing in here is right by itself: every user of a column validates it against what its own scan start saw.
//! - All bytes are taken from the pool that queries take theirs from, and given back when a query lacks them ([`ColumnCache::give_way`]).

pub mod blocks;
pub mod room;
pub mod statistics;
pub mod validate;
mod zone;

use blocks::BlockTable;
use dashmap::DashMap;
use datafusion::arrow::array::ArrayRef;
use datafusion::common::ScalarValue;
use fusion_common::{Attribute, Oid, RelationFile};
use fusion_heapscan::Column;
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
}

/// A column of a chunk. Immutable.
#[derive(Debug)]
pub struct CachedColumn {
    /// Its rows and the state of the pages that it was decoded from.
    pub table: Arc<BlockTable>,
    /// One value per row of `table`.
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
}

impl ColumnCache {
    /// An empty cache of at most `limit` bytes; 0 turns it off.
    pub fn new(limit: usize) -> Self {
        Self {
            chunks: DashMap::new(),
            room: Room::new(limit),
            statistics: Statistics::default(),
            epoch: AtomicU64::new(0),
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

    /// The columns of a chunk that are cached, in the order of `wanted`, used by the query `epoch`.
    pub fn get(&self, key: &ChunkKey, wanted: &[Arc<ColumnIdentity>], epoch: u64) -> Vec<Option<Arc<CachedColumn>>> {
        let Some(chunk) = self.chunks.get(key) else { return vec![None; wanted.len()] };
        let find = |identity: &Arc<ColumnIdentity>| {
            let (_, column) = chunk.columns.iter().find(|(known, _)| is_same(known, identity))?;
            column.last_use.fetch_max(epoch, Ordering::Relaxed);
            Some(Arc::clone(column))
        };
        wanted.iter().map(find).collect()
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
        let mut freed = 0;
        self.chunks.retain(|key, chunk| {
            let is_meant = key.file.database == database && relation.is_none_or(|relation| relation == chunk.relation);
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
