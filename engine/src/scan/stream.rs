//! One partition of a heap scan: asks for ranges ahead, decodes what comes, gives frames back.
//!
//! ```text
//!  queue ─ next chunk ─┬─ proven in the cache ──────────────────────────────────────────► columns ─┐
//!                      ├─ to be cached: read, decoded whole (ChunkBuild), kept ─────────► columns ─┼► predicates ─► batches
//!                      └─ not to be cached: read, decoded as far as rows survive ───────► rows ────┘
//! ```
//! Invariants
//! - At most [`READ_AHEAD_RANGES`] ranges of a partition are under way.
//! - Blocks of a range come in ascending order, each at most once, none from outside of it: a row is neither read twice nor
//!   read from a block that another partition has.
//! - A frame is held only while its pages are decoded or wait for the consumer; dropping the stream gives all of them back,
//!   and abandons the ranges under way.

use super::chunk::{CachedScan, ChunkBuild, Finished, Start};
use super::filter::{FilteredDecoder, PageRows};
use super::{ChunkQueue, HeapScanExec, PageBytes, RangeEvent, RangeRequest, Shared, WideTuple, protocol};
use crate::cache::dictionary;
use crate::error::{Error, Result, external};
use crate::optimizer::cancel::SLICE;
use arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::array::BooleanArray;
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::RecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{BaselineMetrics, Count, MetricBuilder};
use fusion_common::BlockNumber;
use fusion_heapscan::{ColumnDecoder, Flattened, prefetch};
use fusion_proto::page_frame::{BlockEntry, PageFrame};
use futures::Stream;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Ranges that a partition asks for before the first of them is done.
pub const READ_AHEAD_RANGES: usize = 4;
/// As long as so many are under way, no more are asked for: they go out in twos, since a message costs both sides more than its contents.
const ENOUGH_RANGES: usize = 2;

/// A range under way.
struct Range {
    number: u32,
    /// The next block that may come.
    next: BlockNumber,
    /// End of the range, not in it.
    end: u64,
    /// The chunk that it is read for, with the decoder of its columns; None: it is not cached.
    build: Option<(Box<ChunkBuild>, Decoder)>,
    /// A value of the chunk has no representation: what else comes is passed over, and the range is read again without the cache, since the
    /// predicates may exclude the row.
    unfit: bool,
}

/// A decoder of the columns whose flag in `proven` is not set.
struct Decoder {
    proven: Vec<bool>,
    decoder: ColumnDecoder,
}

/// A frame whose pages are being decoded.
struct Current {
    pages: Box<dyn PageBytes>,
    range: u32,
    /// Entry that is decoded next.
    next: usize,
}

/// What makes batches of pages.
enum Rows {
    /// All visible rows; of cached chunks, batches that are ready.
    All(ColumnDecoder, VecDeque<RecordBatch>),
    /// Those that pass the scan's predicates; such a scan has no limit.
    Filtered(Box<FilteredDecoder>),
}

/// Figures of a partition, for EXPLAIN ANALYZE.
struct Figures {
    /// Pages that were decoded.
    pages: Count,
    /// Chunks that came from the cache as they were.
    cached: Count,
    /// Chunks that no row of which could pass.
    pruned: Count,
}

pub(super) struct ScanStream {
    shared: Arc<Shared>,
    schema: SchemaRef,
    queue: Arc<ChunkQueue>,
    cached: Option<Arc<CachedScan>>,
    /// Columns that a chunk's build decodes, positions in the table.
    needed: Vec<usize>,
    /// Decoders that no range uses.
    decoders: Vec<Decoder>,
    /// What the chunks under way take.
    memory: MemoryReservation,
    rows: Rows,
    batch_rows: usize,
    read_ahead: usize,
    /// Rows that are still wanted.
    remaining: usize,
    ranges: Vec<Range>,
    /// Chunks to be read again without the cache.
    unfit: Vec<(BlockNumber, u32)>,
    current: Option<Current>,
    wide: Vec<WideTuple>,
    sender: UnboundedSender<RangeEvent>,
    /// Bounded by the query's frames and by the memory pool, which wide tuples are taken from.
    events: UnboundedReceiver<RangeEvent>,
    metrics: BaselineMetrics,
    figures: Figures,
    finished: bool,
}

impl ScanStream {
    pub(super) fn new(
        scan: &HeapScanExec,
        queue: Arc<ChunkQueue>,
        partition: usize,
        batch_rows: usize,
        pool: &Arc<dyn MemoryPool>,
    ) -> Self {
        let (sender, events) = unbounded_channel();
        let count = |name: &'static str| MetricBuilder::new(&scan.metrics).counter(name, partition);
        Self {
            shared: Arc::clone(&scan.shared),
            schema: scan.schema(),
            queue,
            cached: scan.cached.clone(),
            needed: scan.needed().to_vec(),
            decoders: Vec::new(),
            memory: MemoryConsumer::new("heap scan").register(pool),
            rows: match &scan.filters {
                None => Rows::All(ColumnDecoder::new(Arc::clone(&scan.layout), batch_rows), VecDeque::new()),
                Some(filters) => Rows::Filtered(Box::new(FilteredDecoder::new(Arc::clone(&filters.plan), batch_rows))),
            },
            batch_rows,
            read_ahead: if scan.limit.is_some() { 1 } else { READ_AHEAD_RANGES },
            remaining: scan.limit.unwrap_or(usize::MAX),
            ranges: Vec::with_capacity(READ_AHEAD_RANGES),
            unfit: Vec::new(),
            current: None,
            wide: Vec::new(),
            sender,
            events,
            metrics: BaselineMetrics::new(&scan.metrics, partition),
            figures: Figures { pages: count("pages"), cached: count("chunks_cached"), pruned: count("chunks_pruned") },
            finished: false,
        }
    }

    /// Keeps the read-ahead full. Returns early with rows when a chunk is proven, and where rows of proven chunks pass no predicate, a [`SLICE`] after `since`.
    fn ask(&mut self, since: Instant) -> Result<()> {
        if self.ranges.len() > ENOUGH_RANGES {
            return Ok(());
        }
        let mut asked = Vec::new();
        let mut builds = Vec::new();
        for (first_block, count) in self.unfit.drain(..) {
            asked.push(RangeRequest { first_block, count, wanted: Vec::new() });
            builds.push(None);
        }
        while self.ranges.len() + asked.len() < self.read_ahead && !self.rows.has_batch() && since.elapsed() < SLICE {
            self.shared.source.check_canceled()?;
            let Some((first_block, count)) = self.queue.take() else {
                break;
            };
            let build = match &self.cached {
                None => None,
                Some(cached) => match cached.start(first_block, count)? {
                    Start::Proven(finished) => {
                        self.figures.cached.add(1);
                        self.shared.counters.add_chunk(true);
                        self.rows.append_columns(&self.schema, finished, self.batch_rows)?;
                        continue;
                    }
                    Start::Skip => {
                        self.figures.pruned.add(1);
                        continue;
                    }
                    Start::Uncached => None,
                    Start::Read(build) => Some(build),
                },
            };
            self.shared.counters.add_chunk(false);
            let wanted = build.as_ref().map(|build| build.wanted().to_vec()).unwrap_or_default();
            builds.push(match build {
                Some(build) => {
                    let decoder = self.decoder_for(build.proven())?;
                    Some((build, decoder))
                }
                None => None,
            });
            asked.push(RangeRequest { first_block, count, wanted });
        }
        if asked.is_empty() {
            return Ok(());
        }
        let bounds: Vec<_> = asked.iter().map(|asked| (asked.first_block, asked.count)).collect();
        let numbers = self.shared.source.read_ranges(self.shared.scan, asked, &self.sender)?;
        for ((number, (next, count)), build) in numbers.into_iter().zip(bounds).zip(builds) {
            let end = u64::from(next) + u64::from(count);
            self.ranges.push(Range { number, next, end, build, unfit: false });
        }
        Ok(())
    }

    fn decoder_for(&mut self, proven: &[bool]) -> Result<Decoder> {
        if let Some(place) = self.decoders.iter().position(|decoder| decoder.proven == proven) {
            return Ok(self.decoders.swap_remove(place));
        }
        let open = self.needed.iter().zip(proven).filter(|(_, proven)| !**proven).map(|(&column, _)| column);
        let layout = self.shared.layout(&open.collect::<Vec<_>>())?;
        let decoder = ColumnDecoder::new(Arc::new(layout), self.batch_rows);
        Ok(Decoder { proven: proven.to_vec(), decoder })
    }

    /// Decodes pages of the current frame: without predicates and cache until the batch is full, otherwise all of them.
    fn decode(&mut self) -> Result<()> {
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        let frame = PageFrame::parse(current.pages.bytes())?;
        let range = self.ranges.iter_mut().find(|range| range.number == current.range);
        let range = range.ok_or_else(|| protocol("pages of a range that is done"))?;
        let wanted = self.batch_rows.min(self.remaining);
        let (mut rows, first) = (0, current.next);
        let start = Instant::now();
        let mut pages = Vec::new();
        while let Some(entry) = frame.entries().get(current.next) {
            if range.build.is_none() && self.rows.is_full(wanted) {
                break;
            }
            if entry.block < range.next || u64::from(entry.block) >= range.end {
                return Err(protocol("block outside of its range or out of order"));
            }
            range.next = entry.block.saturating_add(1);
            let image = frame.image(current.next);
            let next = frame.image(current.next + 1);
            let flattened = flattened(&frame, current.next, entry, &self.wide)?;
            match (&mut range.build, &mut self.rows) {
                (Some(_), _) if range.unfit => {}
                (Some((build, decoder)), _) => {
                    match build.append(&mut decoder.decoder, entry, image, &flattened, next) {
                        Ok(count) => rows += count,
                        Err(Error::Heap(fusion_heapscan::Error::NotRepresentable { .. })) => range.unfit = true,
                        Err(error) => return Err(error),
                    }
                }
                (None, Rows::All(decoder, _)) => {
                    let image = image.ok_or_else(|| protocol("block without an image"))?;
                    if let Some(next) = next {
                        prefetch(next);
                    }
                    rows += decoder.append_page(entry.block, image, &entry.visible, &flattened)?;
                }
                (None, Rows::Filtered(_)) => {
                    let image = image.ok_or_else(|| protocol("block without an image"))?;
                    pages.push(PageRows { block: entry.block, image, rows: entry.visible, flattened });
                }
            }
            current.next += 1;
        }
        let mut decoded = (current.next - first) as u64;
        match (&mut range.build, &mut self.rows) {
            (Some((build, _)), _) => {
                build.took(start.elapsed());
                decoded = (first..current.next).filter(|&index| frame.image(index).is_some()).count() as u64;
            }
            (None, Rows::Filtered(decoder)) => rows = decoder.append_frame(pages)?,
            (None, Rows::All(..)) => {}
        }
        self.shared.counters.add_decoded(decoded, rows as u64);
        self.figures.pages.add(decoded as usize);
        if let Some(first) = frame.entries().get(first) {
            self.wide.retain(|wide| !(first.block..range.next).contains(&wide.block));
        }
        if current.next >= frame.entries().len() {
            self.current = None;
        }
        let under_way = self.ranges.iter().filter_map(|range| range.build.as_ref());
        self.memory.try_resize(under_way.map(|(_, decoder)| decoder.decoder.memory()).sum())?;
        Ok(())
    }

    /// Takes in what came.
    fn accept(&mut self, event: RangeEvent) -> Result<()> {
        match event {
            RangeEvent::Pages { range, pages } => self.current = Some(Current { pages, range, next: 0 }),
            RangeEvent::Wide(wide) => self.wide.push(wide),
            RangeEvent::Done { range } => {
                let place = self.ranges.iter().position(|open| open.number == range);
                let place = place.ok_or_else(|| protocol("a range that is done is done again"))?;
                let range = self.ranges.remove(place);
                if range.unfit {
                    if let Some((build, _)) = range.build {
                        self.unfit.push(build.blocks());
                    }
                } else if let (Some((build, mut decoder)), Some(cached)) = (range.build, &self.cached) {
                    let finished = build.finish(cached, &mut decoder.decoder)?;
                    self.decoders.push(decoder);
                    self.rows.append_columns(&self.schema, finished, self.batch_rows)?;
                }
            }
        }
        Ok(())
    }

    /// A batch, if there is a full one; or whatever is left, when no more pages come (`last`).
    fn batch(&mut self, last: bool) -> Result<Option<RecordBatch>> {
        match &mut self.rows {
            Rows::All(decoder, ready) => {
                if let Some(batch) = ready.pop_front() {
                    return Ok(Some(batch));
                }
                let rows = decoder.rows();
                if rows == 0 || (!last && rows < self.batch_rows.min(self.remaining)) {
                    return Ok(None);
                }
                let options = RecordBatchOptions::new().with_row_count(Some(rows));
                let schema = Arc::clone(&self.schema);
                let mut batch = RecordBatch::try_new_with_options(schema, decoder.finish()?, &options)?;
                if rows > self.remaining {
                    batch = batch.slice(0, self.remaining);
                }
                self.remaining -= batch.num_rows();
                Ok(Some(batch))
            }
            Rows::Filtered(decoder) => {
                if last {
                    decoder.finish()?;
                }
                Ok(decoder.next_batch())
            }
        }
    }

    fn poll_batch(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<RecordBatch>>> {
        let since = Instant::now();
        loop {
            // A task that is aborted goes on until it next waits, which one that finds everything in the cache may not do for long.
            self.shared.source.check_canceled()?;
            if self.remaining == 0 {
                return Poll::Ready(Ok(None));
            }
            if let Some(batch) = self.batch(false)? {
                return Poll::Ready(Ok(Some(batch)));
            }
            let elapsed = self.metrics.elapsed_compute().clone();
            let _timer = elapsed.timer();
            self.ask(since)?;
            if self.rows.has_batch() {
                continue;
            }
            if since.elapsed() >= SLICE {
                // Lets others have the thread.
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.current.is_some() {
                self.decode()?;
            } else if self.ranges.is_empty() {
                return Poll::Ready(self.batch(true));
            } else {
                // The sender that the stream keeps never sends, but without another one nothing can come.
                let event = match ready!(self.events.poll_recv(context)) {
                    Some(event) => event,
                    None => return Poll::Ready(Err(Error::Canceled)),
                };
                self.accept(event)?;
            }
        }
    }
}

/// Flattened tuples of an entry: those in the frame, and those that came by message.
fn flattened<'a>(
    frame: &PageFrame<'a>,
    index: usize,
    entry: &BlockEntry,
    wide: &'a [WideTuple],
) -> Result<Vec<Flattened<'a>>> {
    let mut flattened = Vec::new();
    for tuple in frame.flattened(index) {
        let (offset_number, tuple) = tuple?;
        flattened.push(Flattened { offset_number, tuple });
    }
    let wide = wide.iter().filter(|wide| wide.block == entry.block);
    flattened.extend(wide.map(|wide| Flattened { offset_number: wide.offset_number, tuple: &wide.tuple }));
    Ok(flattened)
}

impl Rows {
    /// Whether a batch of cached rows waits to go out.
    fn has_batch(&self) -> bool {
        match self {
            Self::All(_, ready) => !ready.is_empty(),
            Self::Filtered(decoder) => decoder.has_batch(),
        }
    }

    /// Whether `wanted` rows are decoded, so that no more pages need be.
    fn is_full(&self, wanted: usize) -> bool {
        matches!(self, Self::All(decoder, _) if decoder.rows() >= wanted)
    }

    /// Takes in the columns of a chunk.
    fn append_columns(&mut self, schema: &SchemaRef, chunk: Finished, batch_rows: usize) -> Result<()> {
        let Finished { columns, rows, visible } = chunk;
        match self {
            Self::Filtered(decoder) => decoder.append_columns(&columns, rows, visible.as_ref()),
            Self::All(_, ready) => {
                let columns = if schema.fields().is_empty() { Vec::new() } else { columns };
                let columns = columns.iter().map(dictionary::plain).collect::<Result<Vec<_>>>()?;
                let options = RecordBatchOptions::new().with_row_count(Some(rows));
                let mut batch = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?;
                if let Some(visible) = visible {
                    batch = filter_record_batch(&batch, &BooleanArray::new(visible, None))?;
                }
                let rows = batch.num_rows();
                ready.extend(
                    (0..rows).step_by(batch_rows).map(|start| batch.slice(start, batch_rows.min(rows - start))),
                );
                Ok(())
            }
        }
    }
}

impl Stream for ScanStream {
    type Item = DataFusionResult<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.finished {
            return Poll::Ready(None);
        }
        let polled = match ready!(this.poll_batch(context)) {
            Ok(Some(batch)) => Some(Ok(batch)),
            Ok(None) => None,
            Err(error) => Some(Err(external(error))),
        };
        if !matches!(polled, Some(Ok(_))) {
            // Nothing more is wanted: frames go back now, not when the consumer drops the stream.
            this.finished = true;
            this.current = None;
            this.wide.clear();
            this.events.close();
            while this.events.try_recv().is_ok() {}
        }
        this.metrics.record_poll(Poll::Ready(polled))
    }
}

impl RecordBatchStream for ScanStream {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}
