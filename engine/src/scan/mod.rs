//! Heap relations as DataFusion tables: the leaves of every plan.
//!
//! [`HeapTable`] is what the lowering sees; [`HeapScanExec`] is the operator. Pages come from a [`PageSource`] (the session):
//! partitions share a queue of chunks of `CHUNK_BLOCKS` blocks, take the next chunk when they have read-ahead to spare, and
//! decode what arrives in their own poll ([`stream`]). Where the relation may be cached, a chunk is taken from the column cache, as far as
//! it is proven, and decoded whole for it otherwise ([`chunk`]).
//!
//! Invariants
//! - All columns are nullable: `attnotnull` is never trusted for correctness. Statistics are inexact: they never answer a query.
//! - The partitions of one execution take their chunks from one queue, those of different executions from different ones: see
//!   [`Executions`].

mod chunk;
mod filter;
mod prune;
mod queue;
mod stream;

use crate::cache::ColumnCache;
use crate::error::{Error, Result, external};
use crate::metrics::QueryCounters;
use async_trait::async_trait;
use chunk::CachedScan;
pub(crate) use chunk::compact;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ColumnStatistics, Statistics};
use datafusion::config::ConfigOptions;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_expr::expressions::Column as ColumnExpr;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions, SchedulingType, apply_expression_roots,
};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation, PushedDown,
};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use filter::FilterPlan;
use fusion_common::limits::CHUNK_BLOCKS;
use fusion_common::{Attribute, BlockNumber, ScanId};
use fusion_heapscan::{Column, Layout, arrow_type};
use fusion_proto::message::{ScanInfo, Wanted};
use fusion_proto::plan::{ScanColumn, ScanDef};
use queue::{ChunkQueue, Executions};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use stream::ScanStream;
use tokio::sync::mpsc::UnboundedSender;

/// Pages in an engine-owned frame. The frame goes back to its pool when this is dropped.
pub trait PageBytes: Send + fmt::Debug {
    /// The frame's bytes; see [`fusion_proto::page_frame`].
    fn bytes(&self) -> &[u8];
}

/// A tuple that did not fit in a frame.
#[derive(Debug)]
pub struct WideTuple {
    /// Its block.
    pub block: BlockNumber,
    /// Its line pointer, from 1.
    pub offset_number: u16,
    /// HeapTupleHeader and data.
    pub tuple: Vec<u8>,
    /// Keeps the tuple's bytes accounted for while it waits.
    pub accounted: Option<datafusion::execution::memory_pool::MemoryReservation>,
}

/// What comes for a range that was asked for.
#[derive(Debug)]
pub enum RangeEvent {
    /// Pages of a range.
    Pages {
        /// Number that the source gave the range.
        range: u32,
        /// The frame.
        pages: Box<dyn PageBytes>,
    },
    /// A tuple of a block that comes later.
    Wide(WideTuple),
    /// Everything of the range has come.
    Done {
        /// The range.
        range: u32,
    },
}

/// Blocks `first_block .. first_block + count`: what is `wanted` of each, or the images of all where that is empty.
#[derive(Debug)]
pub struct RangeRequest {
    /// First block.
    pub first_block: BlockNumber,
    /// How many.
    pub count: u32,
    /// What of each.
    pub wanted: Vec<Wanted>,
}

/// Where pages come from.
pub trait PageSource: Send + Sync + fmt::Debug {
    /// Asks for ranges. What comes is sent to `events`; dropping the receiver abandons them. The numbers identify the ranges in the events,
    /// one for each, in order.
    fn read_ranges(
        &self,
        scan: ScanId,
        ranges: Vec<RangeRequest>,
        events: &UnboundedSender<RangeEvent>,
    ) -> Result<Vec<u32>>;

    /// 57014 once nobody wants the rows any more.
    fn check_canceled(&self) -> Result<()> {
        Ok(())
    }
}

/// A heap relation at the start of an execution.
#[derive(Debug)]
pub struct HeapTable {
    shared: Arc<Shared>,
    schema: SchemaRef,
}

/// What a table and its scans know.
#[derive(Debug)]
struct Shared {
    scan: ScanId,
    def: ScanDef,
    info: ScanInfo,
    source: Arc<dyn PageSource>,
    counters: Arc<QueryCounters>,
    cache: Option<Arc<ColumnCache>>,
    /// The query's number in the cache.
    epoch: u64,
}

impl HeapTable {
    /// The relation of `def`, as `info` found it; the two must have the same columns. `cache` comes with the number of the query in it.
    pub fn try_new(
        scan: ScanId,
        def: ScanDef,
        info: ScanInfo,
        source: Arc<dyn PageSource>,
        counters: Arc<QueryCounters>,
        cache: Option<(Arc<ColumnCache>, u64)>,
    ) -> Result<Self> {
        let same = def.columns.len() == info.columns.len()
            && def.columns.iter().zip(&info.columns).all(|(def, info)| def.ty.column_type() == info.column_type);
        if !same {
            return Err(Error::internal(format!("columns of the scan of {} do not fit its plan", def.relation)));
        }
        let (cache, epoch) = cache.map_or((None, 0), |(cache, epoch)| (Some(cache), epoch));
        let shared = Shared { scan, def, info, source, counters, cache, epoch };
        let schema = Arc::new(shared.schema());
        Ok(Self { shared: Arc::new(shared), schema })
    }
}

impl Shared {
    /// All columns of the scan.
    fn schema(&self) -> Schema {
        let fields = self.def.columns.iter().zip(&self.info.columns);
        let fields = fields.map(|(def, info)| Field::new(&def.name, arrow_type(info.column_type), true));
        Schema::new(fields.collect::<Vec<_>>())
    }

    /// Layout of the columns at `projection`, in that order.
    fn layout(&self, projection: &[usize]) -> Result<Layout> {
        let mut columns = Vec::with_capacity(projection.len());
        for &index in projection {
            let column = self.info.columns.get(index).ok_or_else(|| Error::internal("projection out of range"))?;
            columns.push(Column {
                attnum: column.attnum,
                column_type: column.column_type,
                missing: column.missing.clone(),
            });
        }
        let attributes: Vec<Attribute> = self.info.attributes.clone();
        Ok(Layout::try_new(attributes, columns)?)
    }

    /// Bytes that the columns at `projection` take in a row, about.
    fn row_bytes(&self, projection: &[usize]) -> usize {
        let column = |&index: &usize| {
            let width = || {
                self.def
                    .columns
                    .get(index)
                    .and_then(|column| column.stats.as_ref())
                    .map_or(32, |stats| stats.width as usize)
            };
            match arrow_type(self.info.columns.get(index)?.column_type) {
                // A view, and the bytes of what is longer than a view holds.
                DataType::Utf8View | DataType::BinaryView => Some(16 + if width() > 12 { width() } else { 0 }),
                other => Some(other.primitive_width().unwrap_or(1)),
            }
        };
        projection.iter().filter_map(column).sum::<usize>().max(1)
    }

    fn statistics(&self, projection: &[usize]) -> Statistics {
        let rows = self.def.rows.max(0.0);
        let columns = projection.iter().filter_map(|&index| self.def.columns.get(index));
        Statistics {
            num_rows: Precision::Inexact(rows as usize),
            total_byte_size: Precision::Absent,
            column_statistics: columns.map(|column| column_statistics(column, rows)).collect(),
        }
    }
}

fn column_statistics(column: &ScanColumn, rows: f64) -> ColumnStatistics {
    let mut statistics = ColumnStatistics::new_unknown();
    if let Some(known) = &column.stats {
        statistics.distinct_count = Precision::Inexact(known.distinct.clamp(1.0, rows.max(1.0)) as usize);
        statistics.null_count = Precision::Inexact((known.null_fraction.clamp(0.0, 1.0) * rows) as usize);
        statistics.byte_size = Precision::Inexact((known.width.max(0.0) * rows) as usize);
    }
    statistics
}

#[async_trait]
impl TableProvider for HeapTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn statistics(&self) -> Option<Statistics> {
        let all: Vec<_> = (0..self.schema.fields().len()).collect();
        Some(self.shared.statistics(&all))
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let projection = match projection {
            Some(projection) => projection.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        let schema = Arc::new(self.schema.project(&projection)?);
        let target = state.config().target_partitions();
        let scan = HeapScanExec::try_new(Arc::clone(&self.shared), schema, projection, limit, target);
        let mut scan = scan.map_err(external)?;
        scan.find_cache().map_err(external)?;
        Ok(Arc::new(scan))
    }
}

/// Predicates of a scan.
#[derive(Debug)]
struct Filters {
    /// Conjuncts, over the columns of the table.
    predicates: Vec<Arc<dyn PhysicalExpr>>,
    plan: Arc<FilterPlan>,
}

/// What is wrong with what the backend sent.
fn protocol(what: &'static str) -> Error {
    Error::Protocol(fusion_proto::Error::Unexpected(what))
}

/// Reads a heap relation.
#[derive(Debug)]
pub struct HeapScanExec {
    shared: Arc<Shared>,
    layout: Arc<Layout>,
    projection: Vec<usize>,
    /// No more rows than these are needed.
    limit: Option<usize>,
    /// What drops rows here; never beside a limit, which counts rows before it.
    filters: Option<Arc<Filters>>,
    /// The cache for the columns that are needed; not for a few rows, nor where nothing may be cached.
    cached: Option<Arc<CachedScan>>,
    properties: Arc<PlanProperties>,
    executions: Mutex<Executions>,
    metrics: ExecutionPlanMetricsSet,
}

impl HeapScanExec {
    fn try_new(
        shared: Arc<Shared>,
        schema: SchemaRef,
        projection: Vec<usize>,
        limit: Option<usize>,
        target_partitions: usize,
    ) -> Result<Self> {
        let layout = Arc::new(shared.layout(&projection)?);
        let chunks = shared.info.blocks.div_ceil(CHUNK_BLOCKS) as usize;
        let partitions = if limit.is_some() { 1 } else { chunks.clamp(1, target_partitions.max(1)) };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        // Every batch waits on a tokio channel, which takes part in tokio's cooperative scheduling.
        .with_scheduling_type(SchedulingType::Cooperative);
        Ok(Self {
            shared,
            layout,
            projection,
            limit,
            filters: None,
            cached: None,
            properties: Arc::new(properties),
            executions: Mutex::default(),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    /// This scan with other columns and predicates (over the columns of the table).
    fn with(&self, projection: Vec<usize>, predicates: Vec<Arc<dyn PhysicalExpr>>) -> Result<Self> {
        let table = self.shared.schema();
        let schema = Arc::new(table.project(&projection)?);
        let partitions = self.properties.output_partitioning().partition_count();
        let mut scan = Self::try_new(Arc::clone(&self.shared), schema, projection, self.limit, partitions)?;
        if !predicates.is_empty() {
            let plan = FilterPlan::try_new(&self.shared, &predicates, &scan.projection)?;
            scan.filters = Some(Arc::new(Filters { predicates, plan: Arc::new(plan) }));
        }
        scan.find_cache()?;
        Ok(scan)
    }

    fn find_cache(&mut self) -> Result<()> {
        let cached = if self.limit.is_some() {
            None
        } else {
            CachedScan::try_new(&self.shared, self.needed(), self.predicates())?
        };
        self.cached = cached.map(Arc::new);
        Ok(())
    }

    /// Columns of the table that are decoded.
    fn needed(&self) -> &[usize] {
        self.filters.as_ref().map_or(&self.projection, |filters| filters.plan.needed())
    }

    fn predicates(&self) -> &[Arc<dyn PhysicalExpr>] {
        self.filters.as_ref().map_or(&[], |filters| &filters.predicates)
    }

    /// Blocks of one range: less than a chunk where a limit needs only a few rows.
    fn chunk_blocks(&self) -> u32 {
        match self.limit {
            Some(limit) if self.shared.info.blocks > 0 => {
                let rows_per_block = (self.shared.def.rows / f64::from(self.shared.info.blocks)).max(1.0);
                ((limit as f64 / rows_per_block).ceil() as u32).clamp(1, CHUNK_BLOCKS)
            }
            _ => CHUNK_BLOCKS,
        }
    }
}

impl DisplayAs for HeapScanExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let def = &self.shared.def;
        let columns: Vec<&str> = self
            .projection
            .iter()
            .filter_map(|&index| def.columns.get(index))
            .map(|column| column.name.as_str())
            .collect();
        write!(f, "HeapScanExec: relation={}", def.relation)?;
        if def.relation.rsplit('.').next() != Some(def.alias.as_str()) {
            write!(f, ", alias={}", def.alias)?;
        }
        write!(f, ", columns=[{}], blocks={}", columns.join(", "), self.shared.info.blocks)?;
        if let Some(limit) = self.limit {
            write!(f, ", limit={limit}")?;
        }
        let (dynamic, fixed): (Vec<_>, Vec<_>) =
            self.predicates().iter().partition(|predicate| filter::is_dynamic(predicate));
        for (index, predicate) in fixed.iter().enumerate() {
            write!(f, "{}{predicate}", if index == 0 { ", filter=" } else { " AND " })?;
        }
        // What they hold is known at run time only, and may be long.
        for predicate in dynamic {
            let columns = datafusion::physical_expr::utils::collect_columns(predicate);
            let mut columns: Vec<&str> = columns.iter().map(|column| column.name()).collect();
            columns.sort_unstable();
            write!(f, ", dynamic filter=[{}]", columns.join(", "))?;
        }
        Ok(())
    }
}

impl ExecutionPlan for HeapScanExec {
    fn name(&self) -> &'static str {
        "HeapScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DataFusionResult<TreeNodeRecursion>,
    ) -> DataFusionResult<TreeNodeRecursion> {
        apply_expression_roots(self.predicates(), f)
    }

    fn handle_child_pushdown_result(
        &self,
        _phase: FilterPushdownPhase,
        child_pushdown_result: ChildPushdownResult,
        _config: &ConfigOptions,
    ) -> DataFusionResult<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let offered = child_pushdown_result.parent_filters;
        if self.limit.is_some() || offered.is_empty() {
            let filters = vec![PushedDown::No; offered.len()];
            return Ok(FilterPushdownPropagation { filters, updated_node: None });
        }
        let mut predicates = self.predicates().to_vec();
        for offered in &offered {
            let moved = filter::with_positions(&offered.filter, |column| self.projection.get(column).copied());
            predicates.push(moved.map_err(external)?);
        }
        let scan = self.with(self.projection.clone(), predicates).map_err(external)?;
        let filters = vec![PushedDown::Yes; offered.len()];
        Ok(FilterPushdownPropagation { filters, updated_node: Some(Arc::new(scan)) })
    }

    fn try_swapping_with_projection(
        &self,
        projection: &ProjectionExec,
    ) -> DataFusionResult<Option<Arc<dyn ExecutionPlan>>> {
        let kept = projection.expr().iter().map(|output| {
            let column = output.expr.downcast_ref::<ColumnExpr>()?;
            (column.name() == output.alias).then(|| self.projection.get(column.index()).copied()).flatten()
        });
        let Some(kept) = kept.collect::<Option<Vec<usize>>>() else { return Ok(None) };
        let scan = self.with(kept, self.predicates().to_vec()).map_err(external)?;
        Ok(Some(Arc::new(scan)))
    }

    fn replace_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep))
    }

    fn reset_state(self: Arc<Self>) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self {
            shared: Arc::clone(&self.shared),
            layout: Arc::clone(&self.layout),
            projection: self.projection.clone(),
            limit: self.limit,
            filters: self.filters.clone(),
            cached: self.cached.clone(),
            properties: Arc::clone(&self.properties),
            executions: Mutex::default(),
            metrics: ExecutionPlanMetricsSet::new(),
        }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> DataFusionResult<SendableRecordBatchStream> {
        let partitions = self.properties.output_partitioning().partition_count();
        let mut executions = self.executions.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || ChunkQueue::new(self.shared.info.blocks, self.chunk_blocks());
        let queue = executions.queue(partition, partitions, new).map_err(external)?;
        drop(executions);
        let batch_rows = context.session_config().batch_size();
        Ok(Box::pin(ScanStream::new(self, queue, partition, batch_rows, context.memory_pool())))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn statistics_from_inputs(
        &self,
        _inputs: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> DataFusionResult<Arc<Statistics>> {
        let mut statistics = self.shared.statistics(&self.projection);
        if args.partition().is_some() {
            let partitions = self.properties.output_partitioning().partition_count();
            statistics.num_rows = Precision::Inexact((self.shared.def.rows.max(0.0) / partitions as f64) as usize);
        }
        Ok(Arc::new(statistics))
    }
}
