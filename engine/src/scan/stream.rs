//! One partition of a heap scan: asks for ranges ahead, decodes what comes, gives frames back.
//!
//! Invariants
//! - At most [`READ_AHEAD_RANGES`] ranges of a partition are under way.
//! - Blocks of a range come in ascending order, each at most once, none from outside of it: a row is neither read twice nor
//!   read from a block that another partition has.
//! - A frame is held only while its pages are decoded or wait for the consumer; dropping the stream gives all of them back,
//!   and abandons the ranges under way.

use super::filter::{FilteredDecoder, PageRows};
use super::{ChunkQueue, HeapScanExec, PageBytes, RangeEvent, Shared, WideTuple};
use crate::error::{Error, Result, external};
use arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::RecordBatchStream;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{BaselineMetrics, Count, MetricBuilder};
use fusion_common::BlockNumber;
use fusion_heapscan::{ColumnDecoder, Flattened, prefetch};
use fusion_proto::page_frame::PageFrame;
use futures::Stream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Ranges that a partition asks for before the first of them is done.
pub const READ_AHEAD_RANGES: usize = 2;

/// A range under way.
#[derive(Debug)]
struct Range {
    number: u32,
    /// The next block that may come.
    next: BlockNumber,
    /// End of the range, not in it.
    end: u64,
}

/// A frame whose pages are being decoded.
struct Current {
    pages: Box<dyn PageBytes>,
    range: u32,
    /// Entry that is decoded next.
    next: usize,
}

/// What is wrong with what the backend sent.
fn protocol(what: &'static str) -> Error {
    Error::Protocol(fusion_proto::Error::Unexpected(what))
}

/// What makes batches of pages.
enum Rows {
    /// All visible rows.
    All(ColumnDecoder),
    /// Those that pass the scan's predicates; such a scan has no limit.
    Filtered(Box<FilteredDecoder>),
}

pub(super) struct ScanStream {
    shared: Arc<Shared>,
    schema: SchemaRef,
    queue: Arc<ChunkQueue>,
    rows: Rows,
    batch_rows: usize,
    read_ahead: usize,
    /// Rows that are still wanted.
    remaining: usize,
    ranges: Vec<Range>,
    current: Option<Current>,
    wide: Vec<WideTuple>,
    sender: UnboundedSender<RangeEvent>,
    /// Bounded by the query's frames and by the memory pool, which wide tuples are taken from.
    events: UnboundedReceiver<RangeEvent>,
    metrics: BaselineMetrics,
    pages_read: Count,
    finished: bool,
}

impl ScanStream {
    pub(super) fn new(scan: &HeapScanExec, queue: Arc<ChunkQueue>, partition: usize, batch_rows: usize) -> Self {
        let (sender, events) = unbounded_channel();
        Self {
            shared: Arc::clone(&scan.shared),
            schema: scan.schema(),
            queue,
            rows: match &scan.filters {
                None => Rows::All(ColumnDecoder::new(Arc::clone(&scan.layout), batch_rows)),
                Some(filters) => Rows::Filtered(Box::new(FilteredDecoder::new(Arc::clone(&filters.plan), batch_rows))),
            },
            batch_rows,
            read_ahead: if scan.limit.is_some() { 1 } else { READ_AHEAD_RANGES },
            remaining: scan.limit.unwrap_or(usize::MAX),
            ranges: Vec::with_capacity(READ_AHEAD_RANGES),
            current: None,
            wide: Vec::new(),
            sender,
            events,
            metrics: BaselineMetrics::new(&scan.metrics, partition),
            pages_read: MetricBuilder::new(&scan.metrics).counter("pages", partition),
            finished: false,
        }
    }

    /// Keeps the read-ahead full.
    fn ask(&mut self) -> Result<()> {
        while self.ranges.len() < self.read_ahead {
            let Some((first, count)) = self.queue.take() else {
                break;
            };
            let number = self.shared.source.read_range(self.shared.scan, first, count, self.sender.clone())?;
            self.ranges.push(Range { number, next: first, end: u64::from(first) + u64::from(count) });
        }
        Ok(())
    }

    /// Decodes pages of the current frame: under predicates all of them, otherwise until the batch is full.
    fn decode(&mut self) -> Result<()> {
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        let frame = PageFrame::parse(current.pages.bytes())?;
        let range = self.ranges.iter_mut().find(|range| range.number == current.range);
        let range = range.ok_or_else(|| protocol("pages of a range that is done"))?;
        let wanted = self.batch_rows.min(self.remaining);
        let (mut rows, first) = (0, current.next);
        let mut pages = Vec::new();
        while let Some(entry) = frame.entries().get(current.next) {
            if matches!(&self.rows, Rows::All(decoder) if decoder.rows() >= wanted) {
                break;
            }
            if entry.block < range.next || u64::from(entry.block) >= range.end {
                return Err(protocol("block outside of its range or out of order"));
            }
            range.next = entry.block.saturating_add(1);
            let image = frame.image(current.next).ok_or_else(|| protocol("block without an image"))?;
            let mut flattened = Vec::new();
            for tuple in frame.flattened(current.next) {
                let (offset_number, tuple) = tuple?;
                flattened.push(Flattened { offset_number, tuple });
            }
            let wide = self.wide.iter().filter(|wide| wide.block == entry.block);
            flattened.extend(wide.map(|wide| Flattened { offset_number: wide.offset_number, tuple: &wide.tuple }));
            match &mut self.rows {
                Rows::All(decoder) => {
                    if let Some(next) = frame.image(current.next + 1) {
                        prefetch(next);
                    }
                    rows += decoder.append_page(entry.block, image, &entry.visible, &flattened)?;
                }
                Rows::Filtered(_) => {
                    pages.push(PageRows { block: entry.block, image, rows: entry.visible, flattened });
                }
            }
            current.next += 1;
        }
        if let Rows::Filtered(decoder) = &mut self.rows {
            rows = decoder.append_frame(pages)?;
        }
        self.shared.counters.add_decoded((current.next - first) as u64, rows as u64);
        self.pages_read.add(current.next - first);
        if let Some(first) = frame.entries().get(first) {
            self.wide.retain(|wide| !(first.block..range.next).contains(&wide.block));
        }
        if current.next >= frame.entries().len() {
            self.current = None;
        }
        Ok(())
    }

    /// Takes in what came.
    fn accept(&mut self, event: RangeEvent) -> Result<()> {
        match event {
            RangeEvent::Pages { range, pages } => self.current = Some(Current { pages, range, next: 0 }),
            RangeEvent::Wide(wide) => self.wide.push(wide),
            RangeEvent::Done { range } => {
                let before = self.ranges.len();
                self.ranges.retain(|open| open.number != range);
                if self.ranges.len() == before {
                    return Err(protocol("a range that is done is done again"));
                }
            }
        }
        Ok(())
    }

    /// A batch, if there is a full one; or whatever is left, when no more pages come (`last`).
    fn batch(&mut self, last: bool) -> Result<Option<RecordBatch>> {
        match &mut self.rows {
            Rows::All(decoder) => {
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
        loop {
            if self.remaining == 0 {
                return Poll::Ready(Ok(None));
            }
            if let Some(batch) = self.batch(false)? {
                return Poll::Ready(Ok(Some(batch)));
            }
            self.ask()?;
            if self.current.is_some() {
                let elapsed = self.metrics.elapsed_compute().clone();
                let _timer = elapsed.timer();
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
