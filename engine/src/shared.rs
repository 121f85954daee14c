//! Relations that several places of a plan read: each is computed once and kept until the query ends.
//!
//! [`SharedTable`] is what the lowering sees, [`SharedExec`] reads it, one operator per place. The relation's own plan is made when
//! the first of them is planned. It is run, all partitions at once, by a task that the first batch asked of any place starts: no
//! place depends on another's being polled, so that one that waits cannot keep the others waiting.
//!
//! Invariants: the plan below runs at most once; its batches are counted in the memory pool for as long as they are kept; the task
//! ends with the plan that it belongs to.

use crate::error::external;
use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::runtime::{JoinSet, SpawnedTask};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ColumnStatistics, Statistics};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, LogicalPlan, TableType};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::spill::get_record_batch_memory_size;
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties};
use futures::future::{BoxFuture, FutureExt, Shared};
use futures::stream::{self, StreamExt, TryStreamExt};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A relation to compute once.
#[derive(Debug)]
pub struct SharedTable {
    id: usize,
    plan: LogicalPlan,
    schema: SchemaRef,
    rows: f64,
    /// Planned when it is first read.
    input: OnceLock<Arc<Input>>,
    planning: tokio::sync::Mutex<()>,
}

impl SharedTable {
    /// The rows of `plan`, of which about `rows` are expected.
    pub fn new(id: usize, plan: LogicalPlan, rows: f64) -> Self {
        let fields =
            plan.schema().fields().iter().map(|field| Field::new(field.name(), field.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Self { id, plan, schema, rows, input: OnceLock::new(), planning: tokio::sync::Mutex::new(()) }
    }

    /// Its number in the plan.
    pub fn id(&self) -> usize {
        self.id
    }

    /// Its physical plan, if anything reads it.
    pub fn physical_plan(&self) -> Option<&Arc<dyn ExecutionPlan>> {
        self.input.get().map(|input| &input.plan)
    }

    async fn input(&self, state: &dyn Session) -> Result<Arc<Input>> {
        let _planning = self.planning.lock().await;
        if let Some(input) = self.input.get() {
            return Ok(Arc::clone(input));
        }
        let plan = state.create_physical_plan(&self.plan).await?;
        let input = Input { id: self.id, plan, schema: Arc::clone(&self.schema), result: Mutex::default() };
        Ok(Arc::clone(self.input.get_or_init(|| Arc::new(input))))
    }
}

#[async_trait]
impl TableProvider for SharedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let projection = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let schema = Arc::new(self.schema.project(&projection)?);
        Ok(Arc::new(SharedExec::new(self.input(state).await?, projection, schema, self.rows)))
    }
}

/// Batches per partition.
#[derive(Debug)]
struct Rows {
    partitions: Vec<Vec<RecordBatch>>,
    _memory: Vec<MemoryReservation>,
}

type Computed = Shared<BoxFuture<'static, Result<Arc<Rows>, Arc<DataFusionError>>>>;

/// The plan of a shared relation, and its rows once it has run.
struct Input {
    id: usize,
    plan: Arc<dyn ExecutionPlan>,
    /// What its batches are shown as: all columns nullable.
    schema: SchemaRef,
    result: Mutex<Option<Computed>>,
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Input {
    /// The rows, whoever asks first; to be called inside the query's runtime.
    fn rows(&self, context: &Arc<TaskContext>) -> Computed {
        let mut result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        let start = || {
            let task = compute(self.id, Arc::clone(&self.plan), Arc::clone(&self.schema), Arc::clone(context));
            let task = SpawnedTask::spawn(task);
            let rows = async move {
                match task.join_unwind().await {
                    Ok(rows) => rows.map(Arc::new).map_err(Arc::new),
                    Err(error) => Err(Arc::new(external(crate::Error::internal(error.to_string())))),
                }
            };
            rows.boxed().shared()
        };
        result.get_or_insert_with(start).clone()
    }
}

/// Runs all partitions to their ends.
async fn compute(
    id: usize,
    plan: Arc<dyn ExecutionPlan>,
    schema: SchemaRef,
    context: Arc<TaskContext>,
) -> Result<Rows> {
    let mut running = JoinSet::new();
    for partition in 0..plan.output_partitioning().partition_count() {
        let batches = plan.execute(partition, Arc::clone(&context))?;
        let memory = MemoryConsumer::new(format!("shared relation {id}")).register(context.memory_pool());
        running.spawn(keep(partition, batches, Arc::clone(&schema), memory));
    }
    let (mut partitions, mut memory) = (vec![Vec::new(); running.len()], Vec::new());
    while let Some(done) = running.join_next().await {
        let done = match done {
            Ok(done) => done,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(error) => return Err(external(crate::Error::internal(error.to_string()))),
        };
        let (partition, batches, reservation) = done?;
        if let Some(place) = partitions.get_mut(partition) {
            *place = batches;
        }
        memory.push(reservation);
    }
    Ok(Rows { partitions, _memory: memory })
}

/// Keeps the batches of one partition.
async fn keep(
    partition: usize,
    mut batches: SendableRecordBatchStream,
    schema: SchemaRef,
    memory: MemoryReservation,
) -> Result<(usize, Vec<RecordBatch>, MemoryReservation)> {
    let mut kept = Vec::new();
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        if batch.num_rows() > 0 {
            memory.try_grow(get_record_batch_memory_size(&batch))?;
            kept.push(batch.with_schema(Arc::clone(&schema))?);
        }
    }
    Ok((partition, kept, memory))
}

/// Reads a shared relation.
#[derive(Debug)]
pub struct SharedExec {
    input: Arc<Input>,
    projection: Vec<usize>,
    rows: f64,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl SharedExec {
    fn new(input: Arc<Input>, projection: Vec<usize>, schema: SchemaRef, rows: f64) -> Self {
        let partitions = input.plan.output_partitioning().partition_count();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        let properties = Arc::new(properties);
        Self { input, projection, rows, properties, metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for SharedExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.properties.eq_properties.schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        write!(f, "SharedExec: shared={}, columns=[{}]", self.input.id, names.join(", "))
    }
}

impl ExecutionPlan for SharedExec {
    fn name(&self) -> &'static str {
        "SharedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    /// None: the plan below belongs to all that read it, and is optimised already.
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (input, projection) = (Arc::clone(&self.input), self.projection.clone());
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let batches = async move {
            let rows = input.rows(&context).await.map_err(DataFusionError::Shared)?;
            // Copies of references: the input keeps the rows as long as the plan lives.
            let batches = rows.partitions.get(partition).cloned().unwrap_or_default();
            Ok::<_, DataFusionError>(stream::iter(
                batches.into_iter().map(move |batch| Ok(batch.project(&projection)?.record_output(&metrics))),
            ))
        };
        let batches = stream::once(batches).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(self.properties.eq_properties.schema()), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn statistics_from_inputs(&self, _inputs: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let partitions = if args.partition().is_some() { self.properties.partitioning.partition_count() } else { 1 };
        Ok(Arc::new(Statistics {
            num_rows: Precision::Inexact((self.rows.max(0.0) / partitions as f64) as usize),
            total_byte_size: Precision::Absent,
            column_statistics: vec![ColumnStatistics::new_unknown(); self.projection.len()],
        }))
    }
}
