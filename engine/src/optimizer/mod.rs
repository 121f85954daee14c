//! DataFusion's optimizer as this engine uses it, and the join order that it lacks.
//!
//! What is left out, and why:
//!
//! | rule | why |
//! | --- | --- |
//! | `AggregateStatistics` | it answers count, min and max from statistics, and ours are PostgreSQL's estimates |
//! | `EliminateCrossJoin` | it takes all inner joins of a component apart and joins them anew in the order of their inputs |
//!
//! Operators look whether the query was cancelled ([`cancel`]); what window functions collect is counted, and comes out in pieces ([`account`]).
//! `PushDownFilter` is kept from pushing below an aggregate without groups ([`push_down`]), `ExtractEquijoinPredicate` from joins whose keys
//! take NULLs for equal ([`equijoin`]). Conditions stop at security barriers ([`barrier`]).
//! What the inputs of joins and unions know of their rows, and what comes of them does not keep, stays below ([`conceal`]).
//! Large groupings and windows have more partitions than there are threads ([`partitions`]).
//! `JoinSelection` stays, but may not exchange sides ([`join_order`] has chosen them): it only picks between one hash table for all
//! ([`COLLECT_ROWS`]) and a table per partition.
//!
//! What was looked at, and stays: `SimplifyExpressions` (our arithmetic is calls, so that `x * 0` and the like are out of its reach;
//! a constant call that fails is left for execution), `TypeCoercion` (the lowering gives both sides of each operator one type, and our
//! functions take their arguments as they are), `CommonSubexprEliminate` (does not move a branch of CASE out of it),
//! `SingleDistinctToGroupBy`, `EliminateOuterJoin` (needs [`crate::function::StrictFunction`] to be strict, which it is).

mod account;
pub mod barrier;
pub mod cancel;
mod conceal;
mod equijoin;
mod guard;
pub mod join_order;
mod partitions;
mod push_down;
mod transparent;

use cancel::CancelFlag;
use datafusion::common::config::ConfigNonZeroUsize;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::SessionState;
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::optimizer::Optimizer;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::SessionConfig;
use std::sync::Arc;

type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// Physical rules of DataFusion that are not exact here.
const LEFT_OUT: [&str; 1] = ["aggregate_statistics"];

/// The rule that makes partitions and sorts.
const REQUIREMENTS: &str = "EnsureRequirements";

/// Logical rules that undo what the lowering has done.
const LEFT_OUT_LOGICAL: [&str; 1] = ["eliminate_cross_join"];

/// Up to so many estimated rows a join builds one hash table that all partitions probe: building it on one core costs less than
/// repartitioning both sides, of which the probed one is usually many times larger.
const COLLECT_ROWS: usize = 2_000_000;
/// The same as a size, bytes.
const COLLECT_BYTES: usize = 256 << 20;

/// Rows of a join's build side per key between the smallest and the largest, from which on rows are found by their key in an array instead of
/// in a hash table: four bytes a key, so half a kilobyte a row at most, for look-ups without a hash, which are in order
/// where the probed keys are. (TPC-H Q4: half of its time was looking up 57,000 orders among 6 million keys.)
const MIN_KEY_DENSITY: f64 = 0.008;

/// Bytes from which on what is repartitioned goes to the next file: each batch has its own. With files of several batches, senders open as many as there are senders at a
/// time, and a receiver that has read all of the first waits for more of it while the senders wait for the receiver to take what is in the others: the query
/// hangs (DataFusion 55).
const ONE_BATCH_A_FILE: usize = 1;

/// What a partition that sorts keeps for merging what it has spilled: one part in so many of all memory, if that is less than DataFusion's default.
const MERGE_PART: usize = 64;

/// A session for one query, which ends when `cancel` is set.
pub fn session_state(config: SessionConfig, runtime: Arc<RuntimeEnv>, cancel: &CancelFlag) -> SessionState {
    let mut config = config;
    let options = config.options_mut();
    // The sides are those of `join_order`.
    options.optimizer.join_reordering = false;
    options.optimizer.hash_join_single_partition_threshold_rows = COLLECT_ROWS;
    options.optimizer.hash_join_single_partition_threshold = COLLECT_BYTES;
    options.execution.perfect_hash_join_min_key_density = MIN_KEY_DENSITY;
    let limit = match runtime.memory_pool.memory_limit() {
        MemoryLimit::Finite(limit) => limit,
        _ => usize::MAX,
    };
    let merge = limit / MERGE_PART;
    options.execution.sort_spill_reservation_bytes = options.execution.sort_spill_reservation_bytes.min(merge);
    if let Ok(bytes) = ConfigNonZeroUsize::try_new(ONE_BATCH_A_FILE) {
        options.execution.max_spill_file_size_bytes = bytes;
    }
    // `x IS TRUE` is planned as a comparison, which may be NULL as far as types say, though the logical plan knows better.
    options.execution.skip_physical_aggregate_schema_check = true;
    let mut rules = PhysicalOptimizer::default().rules;
    rules.retain(|rule| !LEFT_OUT.contains(&rule.name()));
    if let Some(place) = rules.iter().position(|rule| rule.name() == REQUIREMENTS) {
        let after: [Rule; 2] = [Arc::new(conceal::Reveal), Arc::new(partitions::Partitions::new(limit))];
        rules.splice(place + 1..place + 1, after);
        rules.insert(place, Arc::new(conceal::Conceal));
    }
    rules.push(Arc::new(account::AccountWindows));
    rules.push(Arc::new(cancel::Watch(cancel.clone())));
    let mut logical_rules = Optimizer::default().rules;
    logical_rules.retain(|rule| !LEFT_OUT_LOGICAL.contains(&rule.name()));
    for rule in &mut logical_rules {
        let stays = match rule.name() {
            push_down::NAME => push_down::stays,
            equijoin::NAME => equijoin::stays,
            _ => continue,
        };
        *rule = Arc::new(guard::Guarded::new(Arc::clone(rule), stays));
    }
    SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_query_planner(Arc::new(barrier::BarrierPlanner))
        .with_optimizer_rules(logical_rules)
        .with_physical_optimizer_rules(rules)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::Int64Array;
    use datafusion::arrow::record_batch::RecordBatch;
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::physical_expr::expressions::col;
    use datafusion::physical_plan::repartition::RepartitionExec;
    use datafusion::physical_plan::{ExecutionPlan, Partitioning};
    use futures::TryStreamExt;
    use std::time::Duration;

    /// Two senders, two receivers, and no memory.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn what_is_repartitioned_through_files_arrives() {
        const BATCHES: usize = 60;
        const ROWS: i64 = 16;
        let numbers: Arc<dyn datafusion::arrow::array::Array> = Arc::new(Int64Array::from_iter_values(0..ROWS));
        let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        for _ in 0..40 {
            let runtime = RuntimeEnvBuilder::new().with_memory_limit(1, 1.0).build_arc().unwrap();
            let state = session_state(SessionConfig::new().with_batch_size(8), runtime, &CancelFlag::default());
            let inputs = vec![vec![batch.clone(); BATCHES]; 2];
            let source = MemorySourceConfig::try_new_exec(&inputs, batch.schema(), None).unwrap();
            let by_number = Partitioning::Hash(vec![col("n", &batch.schema()).unwrap()], 2);
            let plan = Arc::new(RepartitionExec::try_new(source, by_number).unwrap());
            let receivers = [0, 1].map(|partition| {
                let stream = plan.execute(partition, state.task_ctx()).unwrap();
                tokio::spawn(stream.try_fold(0, |rows, batch| async move { Ok(rows + batch.num_rows()) }))
            });
            let mut rows = 0;
            for receiver in receivers {
                let received = tokio::time::timeout(Duration::from_secs(20), receiver).await;
                rows += received.expect("it hangs").unwrap().unwrap();
            }
            assert_eq!(rows, 2 * BATCHES * ROWS as usize);
        }
    }

    #[test]
    fn rules_that_are_left_out_exist() {
        let rules = PhysicalOptimizer::default().rules;
        for name in LEFT_OUT.into_iter().chain([REQUIREMENTS]) {
            assert!(rules.iter().any(|rule| rule.name() == name), "{name}");
        }
        let rules = Optimizer::default().rules;
        for name in LEFT_OUT_LOGICAL.into_iter().chain([push_down::NAME, equijoin::NAME]) {
            assert!(rules.iter().any(|rule| rule.name() == name), "{name}");
        }
    }
}
