//! The stages of a query: parse, bind, optimize, translate, begin, exec, end.
//!
//! Each query is one task on the query threads, watched by one on the socket threads, which ends it when it is cancelled and
//! sends its one last message, whatever the end is: rows sent, error, cancelled, panic. A cancelled query may compute on until its
//! next await; the session no longer knows it by then, so that it can neither send nor ask for anything.
//! One that has to wait for its turn does so on the socket threads: where other queries compute on all query threads, nobody would notice there that it
//! has lost patience.

use super::Session;
use super::query::{Inbox, QueryHandle};
use crate::activity::{Listed, Running};
use crate::admission::Slot;
use crate::encode::{self, RowEncoder};
use crate::error::{Error, Result, panic_text};
use crate::fault::Faults;
use crate::log::{self, Level};
use crate::metrics::{Held, StageTimer, stage};
use crate::scan::{HeapTable, PageSource};
use crate::shared::SharedTable;
use crate::{lower, memory, optimizer};
use datafusion::catalog::TableProvider;
use datafusion::execution::context::SessionState;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, displayable, execute_stream};
use datafusion::prelude::SessionConfig;
use fusion_common::limits::BATCH_ROWS;
use fusion_common::{ColumnType, ScanId, SqlError, SqlState};
use fusion_proto::codec;
use fusion_proto::message::{Execute, FromEngine};
use fusion_proto::plan::Plan;
use futures::StreamExt;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Longest plan text that is sent, bytes.
const MAX_PLAN_TEXT: usize = 1 << 20;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Rows.
    Execute,
    /// The physical plan.
    Explain,
    /// Nothing but that the pages are read, for the cache.
    Prewarm,
}

/// Starts a query as a task. An error is the session's; the query's own errors are answered.
pub fn start(session: &Arc<Session>, execute: Box<Execute>, kind: Kind) -> Result<()> {
    let query = execute.query;
    let engine = session.engine();
    let inbox = Arc::new(Inbox::new(&engine.runtime.memory_pool));
    let blocks = execute.scans.iter().map(|scan| scan.blocks).collect();
    match session.open_query(query, Arc::clone(&inbox), blocks) {
        Ok(()) => {}
        Err(error @ Error::Protocol(_)) => return Err(error),
        Err(error) => {
            session.send(FromEngine::Failed { query, error: error.into() });
            return Ok(());
        }
    }
    let handle = QueryHandle::new(Arc::clone(session), query, inbox);
    engine.counters.query_started();
    let (running, timer) = (engine.counters.queries.hold(), StageTimer::default());
    let listed = engine.activity.enter(session.peer, execute.user, Arc::clone(handle.counters()));
    let started = Started { execute, kind, running, listed, timer };
    let slot = match kind {
        Kind::Execute | Kind::Prewarm if !session.has_other_query(query) => engine.admission.try_enter(),
        _ => Some(engine.admission.enter_nested()),
    };
    match slot {
        Some(slot) => tokio::spawn(watch(handle.clone(), started.spawn(handle, slot))),
        None => tokio::spawn(wait(handle, started)),
    };
    Ok(())
}

/// A query that has been accepted.
struct Started {
    execute: Box<Execute>,
    kind: Kind,
    running: Held,
    listed: Listed,
    timer: StageTimer,
}

impl Started {
    /// Has it run on the query threads.
    fn spawn(self, handle: QueryHandle, slot: Slot) -> JoinHandle<Result<FromEngine>> {
        let Self { execute, kind, running, listed, timer } = self;
        let engine = Arc::clone(handle.session().engine());
        let (crew, member) = engine.crews.pick();
        crew.spawn(async move {
            let _held = (running, slot, member);
            run(&handle, *execute, kind, timer, &listed).await
        })
    }
}

/// Waits until the query may run, and watches it then.
async fn wait(handle: QueryHandle, mut started: Started) {
    let patience = started.execute.patience_ms.map(|ms| Duration::from_millis(ms.into()));
    started.listed.set_waiting(true);
    let slot = tokio::select! {
        biased;
        failure = handle.inbox().failed() => Err(failure),
        slot = handle.session().engine().admission.enter(patience) => slot,
    };
    match slot {
        Ok(slot) => {
            started.timer.end(stage::QUEUE);
            started.listed.set_waiting(false);
            watch(handle.clone(), started.spawn(handle, slot)).await;
        }
        Err(error) => {
            drop(started);
            answer(&handle, Err(error));
        }
    }
}

/// Waits for the end of a query and answers.
async fn watch(handle: QueryHandle, mut work: JoinHandle<Result<FromEngine>>) {
    let result = tokio::select! {
        biased;
        failure = handle.inbox().failed() => {
            work.abort();
            Err(failure)
        }
        result = &mut work => match result {
            Ok(result) => result,
            Err(error) => Err(match error.try_into_panic() {
                Ok(panic) => Error::Panic(panic_text(panic.as_ref())),
                Err(_) => Error::Canceled,
            }),
        },
    };
    answer(&handle, result);
}

/// Sends the last message.
fn answer(handle: &QueryHandle, result: Result<FromEngine>) {
    let query = handle.id();
    let last = result.unwrap_or_else(|error| {
        let error = SqlError::from(error);
        if error.sqlstate == SqlState::INTERNAL_ERROR {
            log::line(Level::Error, &format!("query failed: {error}"));
        }
        FromEngine::Failed { query, error }
    });
    handle.session().close_query(query, last);
}

/// The stages.
async fn run(
    handle: &QueryHandle,
    execute: Execute,
    kind: Kind,
    mut timer: StageTimer,
    listed: &Running,
) -> Result<FromEngine> {
    let engine = handle.session().engine();
    let faults = Faults::new(execute.fault.as_deref(), engine.config.faults)?;

    let plan: Plan = codec::from_bytes(&execute.plan)?;
    faults.at(stage::PARSE).await?;
    timer.end(stage::PARSE);

    let tables = bind_scans(handle, &plan, &execute)?;
    let lowered = lower::lower(&plan, &execute.params, &tables)?;
    faults.at(stage::BIND).await?;
    timer.end(stage::BIND);

    let config = SessionConfig::new().with_target_partitions(engine.config.threads).with_batch_size(BATCH_ROWS);
    let cancel = handle.inbox().cancel_flag();
    let queries = engine.counters.queries.clone();
    let runtime = memory::query_runtime(&engine.runtime, queries, cancel, listed.memory());
    let state = optimizer::session_state(config, runtime, cancel);
    let logical = state.optimize(&lowered.plan)?;
    faults.at(stage::OPTIMIZE).await?;
    timer.end(stage::OPTIMIZE);

    let physical = translate(&state, &logical).await?;
    faults.at(stage::TRANSLATE).await?;
    timer.end(stage::TRANSLATE);
    if kind == Kind::Explain {
        let mut plan = without_metrics(physical.as_ref());
        lowered.shared.iter().for_each(|shared| append_shared(&mut plan, shared, without_metrics));
        let plan = cut(plan);
        return Ok(FromEngine::Explained { query: handle.id(), plan });
    }

    if kind == Kind::Prewarm {
        let mut stream = execute_stream(physical, state.task_ctx())?;
        while let Some(batch) = stream.next().await {
            batch?;
        }
        timer.end(stage::EXEC);
        let metrics = Box::new(timer.finish(handle.counters(), String::new()));
        return Ok(FromEngine::Done { query: handle.id(), metrics });
    }

    let (stream, encoder) = begin(&physical, state.task_ctx(), &lowered.output, &execute)?;
    faults.at(stage::BEGIN).await?;
    timer.end(stage::BEGIN);

    faults.at(stage::EXEC).await?;
    encode::send_rows(stream, encoder, handle, &faults).await?;
    timer.end(stage::EXEC);

    let text = if execute.analyze {
        let mut text = with_metrics(physical.as_ref());
        lowered.shared.iter().for_each(|shared| append_shared(&mut text, shared, with_metrics));
        cut(text)
    } else {
        String::new()
    };
    drop(physical);
    faults.at(stage::END).await?;
    timer.end(stage::END);
    let metrics = Box::new(timer.finish(handle.counters(), text));
    Ok(FromEngine::Done { query: handle.id(), metrics })
}

/// One table per scan of the plan.
fn bind_scans(handle: &QueryHandle, plan: &Plan, execute: &Execute) -> Result<Vec<Arc<dyn TableProvider>>> {
    if plan.scans.len() != execute.scans.len() {
        return Err(Error::internal("another number of scans than in the plan"));
    }
    let source: Arc<dyn PageSource> = Arc::new(handle.clone());
    let scans = plan.scans.iter().zip(&execute.scans).enumerate();
    let cache = &handle.session().engine().cache;
    let epoch = cache.begin_query();
    let mut names = HashSet::new();
    scans
        .map(|(index, (def, info))| {
            let scan = ScanId(u16::try_from(index).map_err(|_| Error::internal("too many scans"))?);
            let counters = Arc::clone(handle.counters());
            let mut def = def.clone();
            // Some rules of DataFusion's physical optimizer find columns by their bare names.
            for column in &mut def.columns {
                if !names.insert(column.name.clone()) {
                    column.name = format!("{}#{index}", column.name);
                    names.insert(column.name.clone());
                }
            }
            let cache = Some((Arc::clone(cache), epoch));
            let table = HeapTable::try_new(scan, def, info.clone(), Arc::clone(&source), counters, cache)?;
            Ok(Arc::new(table) as Arc<dyn TableProvider>)
        })
        .collect()
}

/// The physical plan with one output partition, in order where the output has one.
async fn translate(
    state: &SessionState,
    logical: &datafusion::logical_expr::LogicalPlan,
) -> Result<Arc<dyn ExecutionPlan>> {
    // Not `create_physical_plan`, which would optimise again.
    let plan = state.query_planner().create_physical_plan(logical, state).await?;
    match plan.output_ordering() {
        Some(ordering) if plan.output_partitioning().partition_count() > 1 => {
            let ordering = ordering.clone();
            Ok(Arc::new(SortPreservingMergeExec::new(ordering, plan)))
        }
        _ => Ok(plan),
    }
}

fn begin(
    physical: &Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    held: &[ColumnType],
    execute: &Execute,
) -> Result<(SendableRecordBatchStream, RowEncoder)> {
    let encoder = RowEncoder::try_new(held, &execute.output)?;
    Ok((execute_stream(Arc::clone(physical), context)?, encoder))
}

fn with_metrics(plan: &dyn ExecutionPlan) -> String {
    DisplayableExecutionPlan::with_metrics(plan).indent(false).to_string()
}

fn without_metrics(plan: &dyn ExecutionPlan) -> String {
    displayable(plan).indent(false).to_string()
}

/// Adds the plan of a shared relation to the text of the plan that reads it.
fn append_shared(text: &mut String, shared: &SharedTable, show: fn(&dyn ExecutionPlan) -> String) {
    if let Some(plan) = shared.physical_plan() {
        text.push_str(&format!("Shared {}:\n", shared.id()));
        show(plan.as_ref()).lines().for_each(|line| text.push_str(&format!("  {line}\n")));
    }
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_PLAN_TEXT {
        let end = (0..=MAX_PLAN_TEXT).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.truncate(end);
    }
    text
}
