//! Predicates inside a heap scan: rows are dropped before the columns that only survivors need are decoded.
//!
//! Two kinds come here: conjuncts of WHERE, which `FilterExec` hands over (*static*), and what joins and TopK learn while they run
//! (*dynamic*: they change, and may be left out). Frame by frame:
//!
//! ```text
//! visible rows ─► stage 1: decode its columns, evaluate ─► survivors ─► stage 2 … ─► survivors: decode the rest ─► coalesce to batches
//! ```
//!
//! Where most rows survive, walking the tuples once per stage costs more than it saves: then all columns are decoded in one pass and
//! the predicates applied to whole batches. The choice follows what was seen, per partition.
//!
//! Chunks of decoded columns come the same way ([`FilteredDecoder::append_columns`]): the predicates are evaluated one after the other, over the
//! rows that are left where these are few, and only what the scan gives is copied for the survivors.
//!
//! Invariants
//! - A row that comes out passed every static predicate; one that was dropped failed a static or a dynamic one.

mod plan;
mod rows;

use crate::cache::dictionary;
use crate::error::{Error, Result};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, RecordBatch, RecordBatchOptions, new_null_array,
};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::compute::{BatchCoalescer, FilterBuilder, concat, filter, prep_null_mask_filter};
use datafusion::arrow::datatypes::{SchemaRef, UInt8Type};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ColumnarValue;
use fusion_heapscan::{ColumnDecoder, prefetch};
use plan::StagePlan;
pub(super) use plan::{FilterPlan, is_dynamic, with_positions};
pub(super) use rows::PageRows;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rows after which the way of decoding is chosen anew.
const WINDOW_ROWS: usize = 32_768;
/// How often the order of the predicates is looked at: after the first window they are known beside each other only in the order that
/// was guessed.
const REORDERS: u32 = 3;
/// A dynamic filter that is not worth its evaluation is tried again after so many frames.
const RETRY_FRAMES: u32 = 64;

/// Rows in and out of something.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    seen: usize,
    passed: usize,
    /// What that took.
    time: Duration,
}

impl Rate {
    fn add(&mut self, seen: usize, passed: usize) {
        self.seen += seen;
        self.passed += passed;
    }

    /// Whether at least this share passes.
    fn passes(self, percent: usize) -> bool {
        self.passed * 100 >= self.seen * percent
    }

    /// Nanoseconds of a row; None: not known.
    fn cost(self) -> Option<f64> {
        (self.seen > 0).then(|| self.time.as_nanos() as f64 / self.seen as f64)
    }
}

struct Stage {
    decoder: ColumnDecoder,
    rate: Rate,
    /// All that was seen, for the order.
    total: Rate,
    /// Frames for which a dynamic filter is left out.
    resting: u32,
}

/// Decodes frames of one partition under predicates.
pub(super) struct FilteredDecoder {
    plan: Arc<FilterPlan>,
    stages: Vec<Stage>,
    rest: ColumnDecoder,
    all: ColumnDecoder,
    /// Whether all columns are decoded before the predicates are evaluated.
    one_pass: bool,
    window: Rate,
    /// How often the order may still change.
    reorders: u32,
    batch_rows: usize,
    coalescer: BatchCoalescer,
    /// Batches without columns, which have nothing to coalesce.
    rows_only: VecDeque<RecordBatch>,
}

impl FilteredDecoder {
    pub(super) fn new(plan: Arc<FilterPlan>, batch_rows: usize) -> Self {
        Self {
            stages: plan.stages.iter().map(|stage| Stage::new(stage, batch_rows)).collect(),
            rest: ColumnDecoder::new(Arc::clone(&plan.rest_layout), batch_rows / 4),
            all: ColumnDecoder::new(Arc::clone(&plan.layout), batch_rows),
            one_pass: false,
            window: Rate::default(),
            reorders: REORDERS,
            batch_rows,
            // A batch that is nearly full goes out as it is.
            coalescer: BatchCoalescer::new(Arc::clone(&plan.schema), batch_rows)
                .with_biggest_coalesce_batch_size(Some(batch_rows / 2)),
            rows_only: VecDeque::new(),
            plan,
        }
    }

    /// Takes in the pages of a frame; returns how many visible rows they had.
    pub(super) fn append_frame(&mut self, mut pages: Vec<PageRows<'_>>) -> Result<usize> {
        let seen = pages.iter().flat_map(|page| &page.rows).map(|word| word.count_ones() as usize).sum();
        if self.one_pass {
            for page in &pages {
                page.append_to(&mut self.all)?;
                if self.all.rows() >= self.batch_rows {
                    self.filter_all()?;
                }
            }
        } else {
            let passed = self.filter_frame(&mut pages, seen)?;
            self.window.add(seen, passed);
        }
        self.choose()?;
        Ok(seen)
    }

    /// Chooses the order and the way of decoding by the rows of the last window.
    fn choose(&mut self) -> Result<()> {
        if self.window.seen < WINDOW_ROWS {
            return Ok(());
        }
        if !self.one_pass && self.reorders > 0 {
            self.reorders -= 1;
            self.reorder()?;
        }
        let window = std::mem::take(&mut self.window);
        if self.one_pass && !window.passes(30) {
            self.filter_all()?;
            self.one_pass = false;
        } else if !self.one_pass && window.passes(50) {
            self.one_pass = true;
        }
        Ok(())
    }

    fn reorder(&mut self) -> Result<()> {
        let totals: Vec<Rate> = self.stages.iter().map(|stage| stage.total).collect();
        let order = self.plan.best_order(&totals);
        if !order.is_sorted() {
            let plan = self.plan.in_order(&order)?;
            self.stages = plan.stages.iter().map(|stage| Stage::new(stage, self.batch_rows)).collect();
            self.rest = ColumnDecoder::new(Arc::clone(&plan.rest_layout), self.batch_rows / 4);
            self.plan = Arc::new(plan);
        }
        Ok(())
    }

    /// Stage by stage; returns how many rows survived.
    fn filter_frame(&mut self, pages: &mut [PageRows<'_>], seen: usize) -> Result<usize> {
        let plan = Arc::clone(&self.plan);
        let mut columns: Vec<Option<ArrayRef>> = vec![None; plan.needed.len()];
        let mut rows = seen;
        for (stage, known) in self.stages.iter_mut().zip(&plan.stages) {
            if rows == 0 {
                return Ok(0);
            }
            let start = Instant::now();
            decode(&mut stage.decoder, pages, &known.fresh, &mut columns)?;
            let refs = known.refs.iter().map(|&place| columns.get(place).cloned().flatten());
            let refs =
                refs.collect::<Option<Vec<_>>>().ok_or_else(|| Error::internal("a filter without its column"))?;
            let mask = stage.evaluate(known, refs, rows)?;
            stage.total.time += start.elapsed();
            let Some(mask) = mask else { continue };
            rows = mask.true_count();
            let mut next = 0;
            for page in &mut *pages {
                next = page.retain(mask.values(), next);
            }
            for column in columns.iter_mut().flatten() {
                *column = filter(column, &mask)?;
            }
        }
        if rows == 0 {
            return Ok(0);
        }
        decode(&mut self.rest, pages, &plan.rest, &mut columns)?;
        let output = plan.output.iter().map(|&place| columns.get(place).cloned().flatten());
        let output = output.collect::<Option<Vec<_>>>().ok_or_else(|| Error::internal("a scan without its column"))?;
        let batch = batch(&plan.schema, output, rows)?;
        if batch.num_columns() == 0 {
            self.rows_only.push_back(batch);
        } else {
            self.coalescer.push_batch(batch)?;
        }
        Ok(rows)
    }

    /// Takes in decoded columns of `rows` rows, those that the plan needs, in its order; rows that are not `visible` are dropped.
    pub(super) fn append_columns(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        visible: Option<&BooleanBuffer>,
    ) -> Result<()> {
        for start in (0..rows).step_by(self.batch_rows) {
            let length = self.batch_rows.min(rows - start);
            let slices: Vec<ArrayRef> = columns.iter().map(|column| column.slice(start, length)).collect();
            let passed = self.filter_columns(&slices, length, visible.map(|visible| visible.slice(start, length)))?;
            self.window.add(length, passed);
            if self.window.seen >= WINDOW_ROWS && self.reorders > 0 {
                self.window = Rate::default();
                self.reorders -= 1;
                self.reorder()?;
            }
        }
        Ok(())
    }

    /// Stage by stage over decoded columns; returns how many rows survived.
    fn filter_columns(&mut self, columns: &[ArrayRef], rows: usize, visible: Option<BooleanBuffer>) -> Result<usize> {
        let plan = Arc::clone(&self.plan);
        let mut left = visible.as_ref().map_or(rows, BooleanBuffer::count_set_bits);
        let mut selected = visible;
        for (stage, known) in self.stages.iter_mut().zip(&plan.stages) {
            if left == 0 {
                return Ok(0);
            }
            let start = Instant::now();
            let refs: Vec<ArrayRef> = known.refs.iter().filter_map(|&place| columns.get(place).cloned()).collect();
            // Of a column of codes the predicate is looked at once for each value.
            if let ([only], false) = (refs.as_slice(), known.may_fail)
                && let Some(codes) = dictionary::encoded(only)
            {
                let mask = stage.evaluate_codes(known, codes)?;
                stage.total.time += start.elapsed();
                let Some(mask) = mask else { continue };
                let mask = selected.map_or(mask.clone(), |selected| &selected & &mask);
                left = mask.count_set_bits();
                selected = Some(mask);
                continue;
            }
            // Rows that are gone are evaluated, too, where leaving them out would cost more.
            let dropped = selected.clone().filter(|_| known.may_fail || left < rows / 2);
            let refs = match &dropped {
                Some(dropped) => filtered(refs, &BooleanArray::new(dropped.clone(), None))?,
                None => refs,
            };
            let refs = refs.iter().map(dictionary::plain).collect::<Result<Vec<_>>>()?;
            let evaluated = if dropped.is_some() { left } else { rows };
            let mask = stage.evaluate(known, refs, evaluated)?;
            stage.total.time += start.elapsed();
            let Some(mask) = mask else { continue };
            let mask = match (selected, dropped) {
                (None, _) => mask.values().clone(),
                (Some(_), Some(dropped)) => rows::spread(&dropped, mask.values()),
                (Some(selected), None) => &selected & mask.values(),
            };
            left = mask.count_set_bits();
            selected = Some(mask);
        }
        if left == 0 {
            return Ok(0);
        }
        let output: Vec<ArrayRef> = plan.output.iter().filter_map(|&place| columns.get(place).cloned()).collect();
        if output.is_empty() {
            self.rows_only.push_back(batch(&plan.schema, Vec::new(), left)?);
            return Ok(left);
        }
        let mask = selected.filter(|_| left < rows).map(|selected| BooleanArray::new(selected, None));
        match mask {
            // Codes are one byte a row: the survivors' alone become values.
            Some(mask) if output.iter().any(|column| dictionary::encoded(column).is_some()) => {
                let output = filtered(output, &mask)?.iter().map(dictionary::plain).collect::<Result<_>>()?;
                self.coalescer.push_batch(batch(&plan.schema, output, left)?)?;
            }
            Some(mask) => self.coalescer.push_batch_with_filter(batch(&plan.schema, output, rows)?, &mask)?,
            None => {
                let output = output.iter().map(dictionary::plain).collect::<Result<_>>()?;
                self.coalescer.push_batch(batch(&plan.schema, output, rows)?)?;
            }
        }
        Ok(left)
    }

    /// The predicates over what was decoded in one pass.
    fn filter_all(&mut self) -> Result<()> {
        let rows = self.all.rows();
        let columns = self.all.finish()?;
        if rows == 0 {
            return Ok(());
        }
        let plan = Arc::clone(&self.plan);
        let mut survivors: Option<BooleanArray> = None;
        for (stage, known) in self.stages.iter_mut().zip(&plan.stages) {
            let refs = known.refs.iter().filter_map(|&place| columns.get(place).cloned()).collect();
            if let Some(mask) = stage.evaluate(known, refs, rows)? {
                survivors = Some(match survivors {
                    Some(known) => datafusion::arrow::compute::and(&known, &mask)?,
                    None => mask,
                });
            }
        }
        let output = plan.output.iter().filter_map(|&place| columns.get(place).cloned()).collect();
        let all = batch(&plan.schema, output, rows)?;
        let passed = survivors.as_ref().map_or(rows, BooleanArray::true_count);
        self.window.add(rows, passed);
        if all.num_columns() == 0 {
            self.rows_only.push_back(batch(&plan.schema, Vec::new(), passed)?);
        } else {
            match survivors {
                Some(survivors) => self.coalescer.push_batch_with_filter(all, &survivors)?,
                None => self.coalescer.push_batch(all)?,
            }
        }
        Ok(())
    }

    /// Whether there is a full batch.
    pub(super) fn has_batch(&self) -> bool {
        !self.rows_only.is_empty() || self.coalescer.has_completed_batch()
    }

    /// A full batch, if there is one.
    pub(super) fn next_batch(&mut self) -> Option<RecordBatch> {
        self.rows_only.pop_front().or_else(|| self.coalescer.next_completed_batch())
    }

    /// Everything that is left, when no more frames come.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.filter_all()?;
        Ok(self.coalescer.finish_buffered_batch()?)
    }
}

impl Stage {
    fn new(plan: &StagePlan, batch_rows: usize) -> Self {
        // A frame has at most a few thousand rows.
        let decoder = ColumnDecoder::new(Arc::clone(&plan.layout), batch_rows / 4);
        Self { decoder, rate: Rate::default(), total: Rate::default(), resting: 0 }
    }

    /// The same for a column of codes, the only one that the predicate is over.
    fn evaluate_codes(
        &mut self,
        plan: &StagePlan,
        codes: &DictionaryArray<UInt8Type>,
    ) -> Result<Option<BooleanBuffer>> {
        let null = new_null_array(codes.values().data_type(), 1);
        let values = concat(&[codes.values().as_ref(), null.as_ref()])?;
        let count = values.len();
        // Not through `evaluate`: its rates are of rows.
        let passes = match plan.predicate.evaluate(&batch(&plan.schema, vec![values], count)?)? {
            ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))) => vec![true; count],
            ColumnarValue::Scalar(_) => vec![false; count],
            ColumnarValue::Array(array) => {
                let mask = array.as_boolean_opt().ok_or_else(|| Error::internal("a filter that is no condition"))?;
                mask.iter().map(|passes| passes == Some(true)).collect()
            }
        };
        let mut by_key = [false; 256];
        by_key.iter_mut().zip(&passes).for_each(|(by_key, passes)| *by_key = *passes);
        by_key[usize::from(dictionary::NULL_KEY)] = passes.last().copied().unwrap_or(false);
        let keys = codes.keys().values();
        let rows = keys.len();
        let mask = BooleanBuffer::collect_bool(rows, |row| by_key[usize::from(keys[row])]);
        let passed = mask.count_set_bits();
        self.total.add(rows, passed);
        Ok((passed < rows).then_some(mask))
    }

    /// The rows that survive, without NULLs; None: all of them do, or the filter rests.
    fn evaluate(&mut self, plan: &StagePlan, columns: Vec<ArrayRef>, rows: usize) -> Result<Option<BooleanArray>> {
        if self.resting > 0 {
            self.resting -= 1;
            return Ok(None);
        }
        let mask = match plan.predicate.evaluate(&batch(&plan.schema, columns, rows)?)? {
            ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))) => {
                self.total.add(rows, rows);
                return Ok(None);
            }
            ColumnarValue::Scalar(_) => BooleanArray::from(vec![false; rows]),
            ColumnarValue::Array(array) => {
                let mask = array.as_boolean_opt().ok_or_else(|| Error::internal("a filter that is no condition"))?;
                if mask.null_count() > 0 { prep_null_mask_filter(mask) } else { mask.clone() }
            }
        };
        let passed = mask.true_count();
        self.rate.add(rows, passed);
        self.total.add(rows, passed);
        if plan.dynamic && self.rate.seen >= WINDOW_ROWS && std::mem::take(&mut self.rate).passes(80) {
            self.resting = RETRY_FRAMES;
        }
        Ok((passed < rows).then_some(mask))
    }
}

/// The rows of arrays that are set in `mask`.
fn filtered(columns: Vec<ArrayRef>, mask: &BooleanArray) -> Result<Vec<ArrayRef>> {
    if columns.len() == 1 {
        return Ok(columns.iter().map(|column| filter(column, mask)).collect::<std::result::Result<_, _>>()?);
    }
    let mask = FilterBuilder::new(mask).optimize().build();
    Ok(columns.iter().map(|column| mask.filter(column)).collect::<std::result::Result<_, _>>()?)
}

/// Decodes some columns of the wanted rows and puts them in their places.
fn decode(
    decoder: &mut ColumnDecoder,
    pages: &[PageRows<'_>],
    places: &[usize],
    columns: &mut [Option<ArrayRef>],
) -> Result<()> {
    if places.is_empty() {
        return Ok(());
    }
    let mut wanted = pages.iter().filter(|page| page.rows.iter().any(|&word| word != 0)).peekable();
    while let Some(page) = wanted.next() {
        if let Some(next) = wanted.peek() {
            prefetch(next.image);
        }
        page.append_to(decoder)?;
    }
    for (&place, array) in places.iter().zip(decoder.finish()?) {
        if let Some(column) = columns.get_mut(place) {
            *column = Some(array);
        }
    }
    Ok(())
}

fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}
