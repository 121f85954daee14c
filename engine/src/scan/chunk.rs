//! One chunk on its way: columns that the cache has, blocks that the backend sends, and what becomes of both.
//!
//! ```text
//!  cached columns ── Plan ──► ReadRange(wanted) ──► frames ── append ──► decoder ─┐
//!        └──────────────────── blocks that stay ──────────────────────────────────┴─ finish ──► arrays + visible rows
//!                                                                                              └► the cache
//! ```
//! Invariants
//! - The columns of a finished chunk have one row per tuple of [`Finished::table`], the same in all of them.
//! - Every block that was asked for came exactly once; one that came without an image has the LSN that was asked with.

use super::filter::with_positions;
use super::prune::Pruner;
use super::{Shared, protocol};
use crate::cache::blocks::{BlockTable, RowMap, Visible};
use crate::cache::statistics::Counters;
use crate::cache::validate::Plan;
use crate::cache::{CachedColumn, ChunkKey, ColumnCache, ColumnIdentity, dictionary};
use crate::error::{Error, Result};
use datafusion::arrow::array::{Array, ArrayRef, NullArray};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::compute::concat;
use datafusion::physical_expr::{PhysicalExpr, conjunction};
use fusion_common::BlockNumber;
use fusion_common::limits::CHUNK_BLOCKS;
use fusion_heapscan::{Column, ColumnDecoder, Flattened, Page, prefetch};
use fusion_proto::message::{CacheInfo, Wanted};
use fusion_proto::page_frame::{ALL_VISIBLE, BlockEntry};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The cache as a scan uses it: for the columns that it needs.
#[derive(Debug)]
pub(super) struct CachedScan {
    cache: Arc<ColumnCache>,
    info: CacheInfo,
    /// The needed columns, in the order in which a chunk gives them; of none, the rows alone.
    identities: Vec<Arc<ColumnIdentity>>,
    /// Number of the query.
    epoch: u64,
    /// Bytes of a chunk, about.
    chunk_bytes: usize,
    /// Chunks of the relation.
    chunks: u32,
    /// What may leave chunks out.
    pruner: Option<Pruner>,
    /// Columns that have too many distinct values to be kept as codes, as the first chunk showed.
    various: Vec<AtomicBool>,
}

/// What is to be done for a chunk.
pub(super) enum Start {
    /// Nothing: it is all there.
    Proven(Finished),
    /// Blocks must be read.
    Read(Box<ChunkBuild>),
    /// It is read without the cache, for which there is no room.
    Uncached,
    /// No row of it passes.
    Skip,
}

/// The columns of a chunk.
pub(super) struct Finished {
    /// One array per needed column, all of the same length; texts perhaps as codes.
    pub(super) columns: Vec<ArrayRef>,
    /// Their length.
    pub(super) rows: usize,
    /// Which rows the snapshot sees; None: all.
    pub(super) visible: Option<BooleanBuffer>,
}

impl CachedScan {
    /// For the columns at `needed` of the scan's table, and predicates over the columns of the table; None where nothing of it may be cached.
    pub(super) fn try_new(
        shared: &Shared,
        needed: &[usize],
        predicates: &[Arc<dyn PhysicalExpr>],
    ) -> Result<Option<Self>> {
        let (Some(info), Some(cache)) = (&shared.info.cache, &shared.cache) else { return Ok(None) };
        if !cache.is_on() {
            return Ok(None);
        }
        let mut identities = Vec::with_capacity(needed.len());
        for column in shared.layout(needed)?.columns() {
            let attribute = usize::from(column.attnum).checked_sub(1).and_then(|at| shared.info.attributes.get(at));
            let attribute = *attribute.ok_or_else(|| Error::internal("column without an attribute"))?;
            identities.push(Arc::new(ColumnIdentity::new(column.clone(), attribute)));
        }
        if identities.is_empty() {
            identities.push(Arc::new(rows_alone()));
        }
        let rows_per_block = shared.def.rows.max(0.0) / f64::from(shared.info.blocks.max(1));
        let chunk_bytes = (rows_per_block * f64::from(CHUNK_BLOCKS)) as usize * shared.row_bytes(needed);
        cache.note_file(info.relation, info.file);
        let pruner = match predicates {
            [] => None,
            predicates => {
                let predicate = conjunction(predicates.iter().cloned());
                let predicate = with_positions(&predicate, |column| needed.iter().position(|&known| known == column))?;
                Pruner::new(predicate, Arc::new(shared.schema().project(needed)?))
            }
        };
        Ok(Some(Self {
            cache: Arc::clone(cache),
            info: (**info).clone(),
            identities,
            epoch: shared.epoch,
            chunk_bytes,
            chunks: shared.info.blocks.div_ceil(CHUNK_BLOCKS),
            pruner,
            various: needed.iter().map(|_| AtomicBool::new(false)).collect(),
        }))
    }

    /// A decoded array as it is kept: as codes, if it has few distinct values.
    fn encoded(&self, index: usize, array: ArrayRef) -> ArrayRef {
        let Some(various) = self.various.get(index).filter(|various| !various.load(Ordering::Relaxed)) else {
            return array;
        };
        match dictionary::encode(&array) {
            Some(codes) => codes,
            None => {
                various.store(!array.is_empty(), Ordering::Relaxed);
                array
            }
        }
    }

    fn is_of_rows_alone(&self) -> bool {
        self.identities.iter().all(|identity| identity.column.attnum == 0)
    }

    fn key(&self, first_block: BlockNumber) -> ChunkKey {
        ChunkKey { file: self.info.file, number: first_block / CHUNK_BLOCKS }
    }

    fn look(&self, number: u32) -> Vec<Option<Arc<CachedColumn>>> {
        self.cache.get(&ChunkKey { file: self.info.file, number }, &self.identities, self.epoch)
    }

    /// Looks the chunk up that begins with `first_block` and has `blocks` blocks.
    pub(super) fn start(&self, first_block: BlockNumber, blocks: u32) -> Result<Start> {
        let number = first_block / CHUNK_BLOCKS;
        let found = self.look(number);
        let is_new = found.iter().all(Option::is_none);
        let mut plan = Plan::new(found, blocks as usize, &self.info);
        if !plan.is_proven() && self.is_of_rows_alone() {
            // Any column has them.
            let any = self
                .cache
                .any(&self.key(first_block))
                .map(|column| Plan::new(vec![Some(column)], blocks as usize, &self.info));
            plan = any.filter(Plan::is_proven).unwrap_or(plan);
        }
        if plan.is_proven() {
            self.count(&plan, 0);
            if let Some(pruner) = &self.pruner
                && pruner.prunes(number, &plan.found, self.chunks, |number| self.look(number))?
            {
                return Ok(Start::Skip);
            }
            return Ok(Start::Proven(self.proven(plan, blocks as usize)));
        }
        if is_new && !self.cache.admits(self.chunk_bytes, self.epoch) {
            return Ok(Start::Uncached);
        }
        Ok(Start::Read(Box::new(ChunkBuild::new(first_block, plan))))
    }

    fn proven(&self, plan: Plan, blocks: usize) -> Finished {
        let rows = plan.base.as_ref().map_or(0, |base| base.rows_of(0..blocks).end);
        let columns = plan.found.iter().flatten().map(|column| column.array.slice(0, rows)).collect();
        Finished { columns, rows, visible: None }
    }

    /// Counts what was done for a chunk of which `blocks_decoded` blocks were decoded.
    fn count(&self, plan: &Plan, blocks_decoded: u64) {
        for ((identity, column), proven) in self.identities.iter().zip(&plan.found).zip(&plan.proven) {
            let mut counters = Counters::default();
            match column {
                Some(_) if *proven || blocks_decoded == 0 => counters.hits = 1,
                Some(_) => (counters.patches, counters.blocks_decoded) = (1, blocks_decoded),
                None => (counters.misses, counters.blocks_decoded) = (1, blocks_decoded),
            }
            self.cache.statistics.add(self.info.file.database, self.info.relation, identity.column.attnum, &counters);
        }
    }
}

/// What stands for a chunk's rows where no column is needed.
fn rows_alone() -> ColumnIdentity {
    let attribute =
        fusion_common::Attribute { length: 0, align: fusion_common::AttAlign::Char, by_value: false, packable: false };
    let column = Column { attnum: 0, column_type: fusion_common::ColumnType::Opaque, missing: None };
    ColumnIdentity::new(column, attribute)
}

/// What came of a block.
enum Came {
    /// Nothing yet.
    Not,
    /// It has not changed.
    Unchanged { visible: Visible, all_visible: bool },
    /// Its tuples were decoded.
    Decoded { lsn: u64, rows: RowMap, visible: Visible, all_visible: bool, is_incomplete: bool },
}

/// See the head of this file.
pub(super) struct ChunkBuild {
    first_block: BlockNumber,
    plan: Plan,
    came: Vec<Came>,
    decoded_blocks: u64,
    decoding: Duration,
}

impl ChunkBuild {
    fn new(first_block: BlockNumber, plan: Plan) -> Self {
        let came = plan.wanted.iter().map(|_| Came::Not).collect();
        Self { first_block, plan, came, decoded_blocks: 0, decoding: Duration::ZERO }
    }

    /// Whether each needed column is proven, so that it is not decoded.
    pub(super) fn proven(&self) -> &[bool] {
        &self.plan.proven
    }

    /// Its first block, and how many it has.
    pub(super) fn blocks(&self) -> (BlockNumber, u32) {
        (self.first_block, self.came.len() as u32)
    }

    /// What to ask the backend for.
    pub(super) fn wanted(&self) -> &[Wanted] {
        &self.plan.wanted
    }

    /// Takes in a block. `decoder` decodes the columns that are not proven; `next` is the image that comes after this one.
    pub(super) fn append(
        &mut self,
        decoder: &mut ColumnDecoder,
        entry: &BlockEntry,
        image: Option<&[u8]>,
        flattened: &[Flattened<'_>],
        next: Option<&[u8]>,
    ) -> Result<usize> {
        let index = entry.block.wrapping_sub(self.first_block) as usize;
        let (Some(came), Some(wanted)) = (self.came.get_mut(index), self.plan.wanted.get(index)) else {
            return Err(protocol("block outside of its chunk"));
        };
        if !matches!(came, Came::Not) {
            return Err(protocol("block that has come already"));
        }
        let all_visible = entry.flags & ALL_VISIBLE != 0;
        let Some(image) = image else {
            let known = self.plan.found.iter().flatten().find_map(|column| column.table.blocks().get(index));
            let (Wanted::IfChanged(lsn), Some(known)) = (wanted, known) else {
                return Err(protocol("block without an image"));
            };
            if *lsn != entry.lsn {
                return Err(protocol("changed block without an image"));
            }
            // Rows of proven columns are all visible.
            let visible = if all_visible || self.plan.base.is_some() {
                Some(Visible::All)
            } else {
                Visible::new(&entry.visible, &known.rows.bitmap())
            };
            let visible = visible.ok_or_else(|| protocol("visible tuple that is not there"))?;
            *came = Came::Unchanged { visible, all_visible };
            return Ok(0);
        };
        if *wanted == Wanted::Nothing {
            return Err(protocol("block that was not asked for"));
        }
        if let Some(next) = next {
            prefetch(next);
        }
        let base = self.plan.base.as_ref().map(|base| base.blocks().get(index));
        let (rows, visible, lsn) = match base {
            // Whatever has come to the page meanwhile, the rows are those of the proven columns.
            Some(Some(block)) => (block.rows.clone(), Visible::All, block.lsn),
            Some(None) => return Err(Error::internal("block that the proven columns do not have")),
            None => {
                let normal = Page::parse(entry.block, image)?.normal_line_pointers();
                let visible = Visible::new(&entry.visible, &normal);
                let visible = visible.ok_or_else(|| protocol("visible tuple that is not there"))?;
                (RowMap::new(&normal), visible, entry.lsn)
            }
        };
        let bitmap = rows.bitmap();
        let must = if base.is_some() { &bitmap } else { &entry.visible };
        let (count, is_incomplete) = decoder.append_tuples(entry.block, image, &bitmap, must, flattened)?;
        *came = Came::Decoded { lsn, rows, visible, all_visible, is_incomplete };
        self.decoded_blocks += 1;
        Ok(count)
    }

    /// Counts what decoding took.
    pub(super) fn took(&mut self, time: Duration) {
        self.decoding += time;
    }

    /// All blocks have come: gives the columns, and keeps what was decoded.
    pub(super) fn finish(self, scan: &CachedScan, decoder: &mut ColumnDecoder) -> Result<Finished> {
        let Self { first_block, plan, came, decoded_blocks, decoding } = self;
        let blocks = came.len();
        let decoded_rows = decoder.rows();
        let start = Instant::now();
        let mut decoded = decoder.finish()?.into_iter();
        let mut incomplete = 0u128;
        let mut visible = Vec::with_capacity(blocks);
        let mut maps = Vec::with_capacity(blocks);
        let mut pieces = Pieces::default();
        for (index, came) in came.into_iter().enumerate() {
            let known = plan.found.iter().flatten().find_map(|column| column.table.blocks().get(index));
            let stays = |lsn_and_rows: Option<_>| {
                lsn_and_rows.ok_or_else(|| Error::internal("block that stays, of a column that is not cached"))
            };
            match (came, plan.wanted.get(index)) {
                (Came::Not, Some(Wanted::Nothing)) => {
                    maps.push(stays(known.map(|block| (block.lsn, block.rows.clone(), block.all_visible)))?);
                    visible.push(Visible::All);
                    pieces.push_cached(index);
                }
                (Came::Unchanged { visible: seen, all_visible }, _) => {
                    maps.push(stays(known.map(|block| (block.lsn, block.rows.clone(), all_visible)))?);
                    visible.push(seen);
                    pieces.push_cached(index);
                }
                (Came::Decoded { lsn, rows, visible: seen, all_visible, is_incomplete }, _) => {
                    pieces.push_decoded(rows.count());
                    maps.push((lsn, rows, all_visible));
                    visible.push(seen);
                    incomplete |= u128::from(is_incomplete) << index;
                }
                (Came::Not, _) => return Err(protocol("a block did not come")),
            }
        }
        let table = match &plan.base {
            Some(base) => Arc::clone(base),
            None => Arc::new(BlockTable::new(first_block, maps.into_iter(), &scan.info)),
        };
        let rows = table.rows_of(0..blocks).end;
        let visible = if plan.base.is_some() { None } else { table.mask(&visible) };

        let mut columns = Vec::with_capacity(plan.found.len());
        let mut kept = Vec::new();
        let rows_alone: ArrayRef = Arc::new(NullArray::new(decoded_rows));
        let open = plan.proven.iter().filter(|proven| !**proven).count() as u64;
        let cost = |since: Duration| since.as_nanos() as u64 / open.max(1);
        for (index, ((identity, found), proven)) in
            scan.identities.iter().zip(&plan.found).zip(&plan.proven).enumerate()
        {
            if let (Some(found), true) = (found, proven) {
                columns.push(found.array.slice(0, rows));
                continue;
            }
            let new = match identity.column.attnum {
                0 => Arc::clone(&rows_alone),
                _ => decoded.next().ok_or_else(|| Error::internal("column that was not decoded"))?,
            };
            let column = match found {
                Some(found) if decoded_blocks == 0 && found.array.len() == rows => found.with_table(Arc::clone(&table)),
                _ => {
                    let array = scan.encoded(index, pieces.join(found.as_deref(), &new)?);
                    if array.len() != rows {
                        return Err(Error::internal("columns of a chunk differ in length"));
                    }
                    let incomplete = incomplete | found.as_ref().map_or(0, |found| found.incomplete & pieces.cached);
                    let cost = cost(decoding + start.elapsed()).max(found.as_ref().map_or(0, |found| found.cost_ns));
                    CachedColumn::new(Arc::clone(&table), array, incomplete, cost)
                }
            };
            columns.push(Arc::clone(&column.array));
            kept.push((Arc::clone(identity), column));
        }
        scan.count(&plan, decoded_blocks);
        scan.cache.put(scan.key(first_block), scan.info.relation, kept, scan.epoch);
        Ok(Finished { columns, rows, visible })
    }
}

/// Runs of blocks, taken from the cached column or from what was decoded.
#[derive(Default)]
struct Pieces {
    runs: Vec<Piece>,
    /// Blocks that are taken from the cached column.
    cached: u128,
    decoded_rows: usize,
}

enum Piece {
    /// Blocks of the cached column.
    Cached(std::ops::Range<usize>),
    /// Rows of the decoded one.
    Decoded(std::ops::Range<usize>),
}

impl Pieces {
    fn push_cached(&mut self, index: usize) {
        self.cached |= 1 << (index % 128);
        match self.runs.last_mut() {
            Some(Piece::Cached(run)) => run.end = index + 1,
            _ => self.runs.push(Piece::Cached(index..index + 1)),
        }
    }

    fn push_decoded(&mut self, rows: usize) {
        let end = self.decoded_rows + rows;
        match self.runs.last_mut() {
            Some(Piece::Decoded(run)) => run.end = end,
            _ => self.runs.push(Piece::Decoded(self.decoded_rows..end)),
        }
        self.decoded_rows = end;
    }

    fn join(&self, cached: Option<&CachedColumn>, decoded: &ArrayRef) -> Result<ArrayRef> {
        if let [Piece::Decoded(rows)] = self.runs.as_slice()
            && *rows == (0..decoded.len())
        {
            return Ok(Arc::clone(decoded));
        }
        let mut slices = Vec::with_capacity(self.runs.len());
        for run in &self.runs {
            slices.push(match run {
                Piece::Decoded(rows) => decoded.slice(rows.start, rows.len()),
                Piece::Cached(blocks) => {
                    let cached =
                        cached.ok_or_else(|| Error::internal("block that stays, of a column that is not cached"))?;
                    let rows = cached.table.rows_of(blocks.clone());
                    dictionary::plain(&cached.array.slice(rows.start, rows.len()))?
                }
            });
        }
        let slices: Vec<&dyn Array> = slices.iter().map(|slice| slice.as_ref()).collect();
        if slices.is_empty() {
            return Ok(decoded.slice(0, 0));
        }
        Ok(compact(&concat(&slices)?))
    }
}

/// Without the bytes of strings that nothing names: a column that is patched again and again would keep all of them.
pub fn compact(array: &ArrayRef) -> ArrayRef {
    use datafusion::arrow::array::AsArray;
    use datafusion::arrow::datatypes::DataType;
    match array.data_type() {
        DataType::Utf8View => Arc::new(array.as_string_view().gc()),
        DataType::BinaryView => Arc::new(array.as_binary_view().gc()),
        _ => Arc::clone(array),
    }
}
