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
//! Invariants
//! - A row that comes out passed every static predicate; one that was dropped failed a static or a dynamic one.
//! - Positions: predicates name columns of their stage's batch (`Stage::refs`), `refs`, `fresh`, `rest` and `output` name places in
//!   `needed`, and `needed` names columns of the table.

use super::Shared;
use crate::error::{Error, Result};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::compute::{BatchCoalescer, filter, prep_null_mask_filter};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::expressions::{Column, DynamicFilterPhysicalExpr};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr, conjunction};
use fusion_common::{BlockNumber, ColumnType};
use fusion_heapscan::{ColumnDecoder, Flattened, Layout, prefetch};
use fusion_proto::page_frame::VisibleBitmap;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// Rows after which the way of decoding is chosen anew.
const WINDOW_ROWS: usize = 32_768;
/// How often the order of the predicates is looked at: after the first window they are known beside each other only in the order that
/// was guessed.
const REORDERS: u32 = 3;
/// A dynamic filter that is not worth its evaluation is tried again after so many frames.
const RETRY_FRAMES: u32 = 64;

/// The predicates of a scan, in the order of their evaluation, and what they need.
#[derive(Debug)]
pub(super) struct FilterPlan {
    shared: Arc<Shared>,
    groups: Vec<Group>,
    /// Table columns that come out.
    projection: Vec<usize>,
    /// Table columns that are decoded, ascending.
    needed: Vec<usize>,
    /// All of them in one pass.
    layout: Arc<Layout>,
    stages: Vec<StagePlan>,
    rest: Vec<usize>,
    rest_layout: Arc<Layout>,
    output: Vec<usize>,
    schema: SchemaRef,
}

#[derive(Debug)]
struct StagePlan {
    predicate: Arc<dyn PhysicalExpr>,
    dynamic: bool,
    refs: Vec<usize>,
    schema: SchemaRef,
    /// Of `refs`, those that no stage before has decoded.
    fresh: Vec<usize>,
    layout: Arc<Layout>,
}

/// Whether an expression of this kind is anywhere in `predicate`.
fn contains<T: PhysicalExpr>(predicate: &Arc<dyn PhysicalExpr>) -> bool {
    // The closure does not fail.
    predicate.exists(|expr| Ok(expr.downcast_ref::<T>().is_some())).unwrap_or(false)
}

/// Whether `predicate` holds a filter that changes while the query runs.
pub(super) fn is_dynamic(predicate: &Arc<dyn PhysicalExpr>) -> bool {
    contains::<DynamicFilterPhysicalExpr>(predicate)
}

/// `expr` with its columns at other positions.
pub(super) fn with_positions(
    expr: &Arc<dyn PhysicalExpr>,
    position: impl Fn(usize) -> Option<usize>,
) -> Result<Arc<dyn PhysicalExpr>> {
    let moved = Arc::clone(expr).transform(|expr| match expr.downcast_ref::<Column>() {
        Some(column) => {
            let index = position(column.index()).ok_or_else(|| {
                datafusion::error::DataFusionError::Internal(format!("a filter names column {}", column.name()))
            })?;
            Ok(Transformed::yes(Arc::new(Column::new(column.name(), index)) as Arc<dyn PhysicalExpr>))
        }
        None => Ok(Transformed::no(expr)),
    })?;
    Ok(moved.data)
}

fn columns_of(expr: &Arc<dyn PhysicalExpr>) -> BTreeSet<usize> {
    collect_columns(expr).iter().map(Column::index).collect()
}

impl FilterPlan {
    /// `predicates` and `projection` name columns of the table.
    pub(super) fn try_new(
        shared: &Arc<Shared>,
        predicates: &[Arc<dyn PhysicalExpr>],
        projection: &[usize],
    ) -> Result<Self> {
        let groups = grouped(predicates, |column| decoding_cost(shared, column));
        Self::of_groups(shared, groups, projection)
    }

    fn of_groups(shared: &Arc<Shared>, groups: Vec<Group>, projection: &[usize]) -> Result<Self> {
        let table = shared.schema();
        let mut needed: BTreeSet<usize> = projection.iter().copied().collect();
        needed.extend(groups.iter().flat_map(|group| &group.columns));
        let needed: Vec<usize> = needed.into_iter().collect();
        let place = |column: usize| needed.binary_search(&column).ok();
        let places = |columns: &mut dyn Iterator<Item = usize>| columns.filter_map(place).collect::<Vec<_>>();
        let layout_of = |places: &[usize]| -> Result<Arc<Layout>> {
            let columns: Vec<usize> = places.iter().filter_map(|&place| needed.get(place).copied()).collect();
            Ok(Arc::new(shared.layout(&columns)?))
        };

        let mut decoded = BTreeSet::new();
        let mut stages = Vec::with_capacity(groups.len());
        for Group { predicate, dynamic, columns, .. } in &groups {
            let refs = places(&mut columns.iter().copied());
            let fresh: Vec<usize> = refs.iter().copied().filter(|place| decoded.insert(*place)).collect();
            let predicate = with_positions(predicate, |column| columns.iter().position(|&known| known == column))?;
            let schema = Arc::new(table.project(&columns.iter().copied().collect::<Vec<_>>())?);
            let layout = layout_of(&fresh)?;
            stages.push(StagePlan { predicate, dynamic: *dynamic, refs, schema, fresh, layout });
        }
        let output = places(&mut projection.iter().copied());
        let wanted: BTreeSet<usize> = output.iter().copied().collect();
        let rest: Vec<usize> = wanted.into_iter().filter(|place| !decoded.contains(place)).collect();
        Ok(Self {
            shared: Arc::clone(shared),
            groups,
            projection: projection.to_vec(),
            layout: Arc::new(shared.layout(&needed)?),
            rest_layout: layout_of(&rest)?,
            stages,
            rest,
            output,
            schema: Arc::new(table.project(projection)?),
            needed,
        })
    }

    /// The order in which predicates with these rates drop most rows for what they cost; those that stay in their place divide the
    /// others.
    fn best_order(&self, rates: &[Rate]) -> Vec<usize> {
        // What a row that is not dropped costs for each row that is.
        let rank = |index: &usize| match (self.groups.get(*index), rates.get(*index)) {
            (Some(group), Some(rate)) if rate.passed < rate.seen => {
                f64::from(STAGE_COST + group.cost) * rate.seen as f64 / (rate.seen - rate.passed) as f64
            }
            _ => f64::INFINITY,
        };
        let all: Vec<usize> = (0..self.groups.len()).collect();
        let movable = |index: &usize| self.groups.get(*index).is_some_and(|group| !group.stays);
        let mut order = Vec::with_capacity(all.len());
        for run in all.chunk_by(|left, right| movable(left) && movable(right)) {
            let mut run = run.to_vec();
            run.sort_by(|left, right| rank(left).total_cmp(&rank(right)));
            order.extend(run);
        }
        order
    }

    fn in_order(&self, order: &[usize]) -> Result<Self> {
        let groups = order.iter().filter_map(|&index| self.groups.get(index).cloned()).collect();
        Self::of_groups(&self.shared, groups, &self.projection)
    }
}

/// Going through the tuples of a page once more, in the units of [`decoding_cost`]: about a nanosecond a row.
const STAGE_COST: u32 = 6;
/// Looking a value up in a join's hash table.
const LOOKUP_COST: u32 = 10;

/// What decoding a column costs: the walk over what precedes it, and the value.
fn decoding_cost(shared: &Shared, column: usize) -> u32 {
    let Some(column) = shared.info.columns.get(column) else { return 0 };
    let fixed = shared.info.attributes.iter().take_while(|attribute| attribute.length > 0).count();
    let walk = usize::from(column.attnum).saturating_sub(fixed) as u32;
    let value = match column.column_type {
        ColumnType::Text | ColumnType::Bpchar { .. } | ColumnType::NumericVar | ColumnType::Opaque => 8,
        ColumnType::Numeric { .. } => 6,
        _ => 1,
    };
    walk + value
}

/// Predicates that are evaluated together, over columns of the table.
#[derive(Clone, Debug)]
struct Group {
    predicate: Arc<dyn PhysicalExpr>,
    dynamic: bool,
    columns: BTreeSet<usize>,
    cost: u32,
    /// Keeps its place among the others.
    stays: bool,
}

/// Static predicates over the same columns together, the cheapest first, and dynamic ones before whatever costs more: join keys tend to be
/// the first columns. A static predicate that calls a function may fail on rows that one before it would have dropped, so that it keeps its
/// place, as it does in PostgreSQL.
fn grouped(predicates: &[Arc<dyn PhysicalExpr>], cost: impl Fn(usize) -> u32) -> Vec<Group> {
    let cost_of = |columns: &BTreeSet<usize>| columns.iter().map(|&column| cost(column)).sum::<u32>();
    let (dynamic, fixed): (Vec<_>, Vec<_>) = predicates.iter().partition(|predicate| is_dynamic(predicate));
    let mut groups: Vec<Group> = Vec::new();
    for run in fixed.chunk_by(|left, right| !may_fail(left) && !may_fail(right)) {
        let mut of_run: Vec<Group> = Vec::new();
        for predicate in run {
            let columns = columns_of(predicate);
            match of_run.iter_mut().find(|group| group.columns == columns) {
                Some(group) => {
                    group.predicate = conjunction([Arc::clone(&group.predicate), Arc::clone(predicate)]);
                }
                None => of_run.push(Group {
                    predicate: Arc::clone(predicate),
                    dynamic: false,
                    cost: cost_of(&columns),
                    columns,
                    stays: may_fail(predicate),
                }),
            }
        }
        of_run.sort_by_key(|group| group.cost);
        groups.extend(of_run);
    }
    for predicate in dynamic {
        let columns = columns_of(predicate);
        let cost = cost_of(&columns) + LOOKUP_COST;
        let place = groups.iter().position(|group| group.cost > cost).unwrap_or(groups.len());
        groups.insert(place, Group { predicate: Arc::clone(predicate), dynamic: true, columns, cost, stays: false });
    }
    groups
}

/// Whether a function is called in `predicate`.
fn may_fail(predicate: &Arc<dyn PhysicalExpr>) -> bool {
    contains::<ScalarFunctionExpr>(predicate)
}

/// A page of the frame that is decoded.
pub(super) struct PageRows<'a> {
    pub(super) block: BlockNumber,
    pub(super) image: &'a [u8],
    /// Rows that are still wanted.
    pub(super) rows: VisibleBitmap,
    pub(super) flattened: Vec<Flattened<'a>>,
}

impl PageRows<'_> {
    fn append_to(&self, decoder: &mut ColumnDecoder) -> Result<usize> {
        Ok(decoder.append_page(self.block, self.image, &self.rows, &self.flattened)?)
    }

    /// Keeps the rows whose bit is set; `survivors` has one per row of the frame, those of this page from `first` on. Returns where those of
    /// the next page begin.
    fn retain(&mut self, survivors: &BooleanBuffer, first: usize) -> usize {
        let mut next = first;
        for word in &mut self.rows {
            let count = word.count_ones() as usize;
            let bits = bits_at(survivors, next, count);
            next += count;
            *word = match bits.count_ones() as usize {
                0 => 0,
                kept if kept == count => *word,
                _ => deposit(bits, *word),
            };
        }
        let rows = self.rows;
        self.flattened.retain(|tuple| {
            let index = usize::from(tuple.offset_number).wrapping_sub(1);
            rows.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
        });
        next
    }
}

/// `count` bits of `buffer` from `start` on, at most 64, the first one lowest.
fn bits_at(buffer: &BooleanBuffer, start: usize, count: usize) -> u64 {
    if count == 0 {
        return 0;
    }
    let at = buffer.offset() + start;
    let mut bytes = [0; 16];
    let from = buffer.values().get(at / 8..).unwrap_or_default();
    let length = from.len().min(9);
    bytes[..length].copy_from_slice(&from[..length]);
    let bits = (u128::from_le_bytes(bytes) >> (at % 8)) as u64;
    if count < 64 { bits & ((1 << count) - 1) } else { bits }
}

/// The lowest bits of `bits`, one by one, in the places of the set bits of `places`.
fn deposit(mut bits: u64, places: u64) -> u64 {
    let (mut left, mut result) = (places, 0);
    while left != 0 {
        let bit = left & left.wrapping_neg();
        left &= left - 1;
        if bits & 1 == 1 {
            result |= bit;
        }
        bits >>= 1;
    }
    result
}

/// Rows in and out of something.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    seen: usize,
    passed: usize,
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
            coalescer: BatchCoalescer::new(Arc::clone(&plan.schema), batch_rows),
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
            decode(&mut stage.decoder, pages, &known.fresh, &mut columns)?;
            let refs = known.refs.iter().map(|&place| columns.get(place).cloned().flatten());
            let refs =
                refs.collect::<Option<Vec<_>>>().ok_or_else(|| Error::internal("a filter without its column"))?;
            let Some(mask) = stage.evaluate(known, refs, rows)? else { continue };
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

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::logical_expr::Operator;
    use datafusion::physical_expr::expressions::{binary, lit};

    fn column(index: usize) -> Arc<dyn PhysicalExpr> {
        Arc::new(Column::new(&format!("c{index}"), index))
    }

    #[test]
    fn survivors_keep_their_line_pointers() {
        // Rows of two pages: the second begins in the middle of a word of the mask.
        let mask: Vec<bool> = (0..150).map(|row| row % 3 == 0 || row > 140).collect();
        let survivors = BooleanBuffer::from(mask.clone());
        let visible: [VisibleBitmap; 2] = [[u64::MAX, 0b1011, 0, 0, 0], [u64::MAX << 3, 0, 1 << 63, 0xff, 0]];
        let mut next = 0;
        let mut rows = 0;
        for visible in visible {
            let mut page = PageRows { block: 0, image: &[], rows: visible, flattened: Vec::new() };
            next = page.retain(&survivors, next);
            for index in 0..64 * visible.len() {
                let bit = |bitmap: &VisibleBitmap| bitmap[index / 64] >> (index % 64) & 1 == 1;
                let expected = bit(&visible) && {
                    rows += 1;
                    mask[rows - 1]
                };
                assert_eq!(bit(&page.rows), expected, "{index}");
            }
        }
        assert_eq!(next, rows);
    }

    #[test]
    fn a_flattened_tuple_goes_with_its_row() {
        let flattened = [1, 2].map(|offset_number| Flattened { offset_number, tuple: &[] }).to_vec();
        let mut page = PageRows { block: 0, image: &[], rows: [0b11, 0, 0, 0, 0], flattened };
        page.retain(&BooleanBuffer::from(vec![false, true]), 0);
        assert_eq!(page.flattened.iter().map(|tuple| tuple.offset_number).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn predicates_over_the_same_columns_are_one_stage_and_the_cheapest_is_first() {
        let schema = datafusion::arrow::datatypes::Schema::new(
            (0..3)
                .map(|index| {
                    datafusion::arrow::datatypes::Field::new(
                        format!("c{index}"),
                        datafusion::arrow::datatypes::DataType::Int32,
                        true,
                    )
                })
                .collect::<Vec<_>>(),
        );
        let compare = |index, op| binary(column(index), op, lit(1i32), &schema).unwrap();
        let predicates = [compare(2, Operator::Gt), compare(0, Operator::Gt), compare(2, Operator::Lt)];
        let groups = grouped(&predicates, |column| column as u32);
        let columns: Vec<Vec<usize>> = groups.iter().map(|group| group.columns.iter().copied().collect()).collect();
        assert_eq!(columns, [vec![0], vec![2]]);
        assert!(groups.iter().all(|group| !group.dynamic));
    }
}
