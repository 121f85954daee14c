//! The memory of the engine: one pool for queries and the column cache, with spilling to files in the data directory.
//!
//! Invariants: an operator that reaches the limit spills, or ends its query with SQLSTATE 53200; the process goes on. The column cache gives way
//! before an operator is refused. What nobody accounts for is counted as well ([`crate::resident`]).

use crate::cache::ColumnCache;
use crate::error::{Error, Result, external};
use crate::metrics::Gauge;
use crate::optimizer::cancel::CancelFlag;
use crate::resident::{Pool, Resident, pool_size};
use crate::spill::SpillFiles;
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::DiskManagerBuilder;
use datafusion::execution::memory_pool::{FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use std::fmt;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Consumers named in the error of a query that runs out of memory.
const REPORTED_CONSUMERS: NonZeroUsize = NonZeroUsize::new(3).unwrap();
/// Parts of the machine's memory that are the engine's, and the column cache's of these.
const DEFAULT_PARTS: (usize, usize) = (2, 4);
/// What is taken for its memory where the machine does not say how much it has, bytes.
const FALLBACK_TOTAL: usize = 4 << 30;
/// The smallest limit, bytes.
pub const MIN_LIMIT: usize = 16 << 20;

/// Half of the machine's memory, bytes.
pub fn default_limit() -> usize {
    total_memory() / DEFAULT_PARTS.0
}

/// A quarter of the machine's memory, bytes.
pub fn default_cache_size() -> usize {
    total_memory() / DEFAULT_PARTS.1
}

fn total_memory() -> usize {
    let total = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_bytes(&text));
    total.unwrap_or(FALLBACK_TOTAL)
}

fn total_bytes(meminfo: &str) -> Option<usize> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()?.checked_mul(1024)
}

/// The pool of queries, before which the column cache gives way.
#[derive(Debug)]
struct SharedPool {
    inner: Arc<dyn MemoryPool>,
    cache: Arc<ColumnCache>,
    resident: Arc<Resident>,
}

impl fmt::Display for SharedPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl MemoryPool for SharedPool {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.inner.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.inner.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.inner.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.inner.shrink(reservation, shrink);
        self.resident.take_over(shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> datafusion::error::Result<()> {
        // Each time at least a part of the cache that is worth the look.
        const STEP: usize = 16 << 20;
        let mut looked = false;
        loop {
            match self.inner.try_grow(reservation, additional) {
                Ok(()) => return Ok(()),
                // What was given back, or not accounted for a moment ago, may be by now.
                Err(_) if !looked && self.resident.look() => looked = true,
                Err(_) if self.cache.give_way(additional.max(STEP)) > 0 => looked = false,
                Err(error) => return Err(error),
            }
        }
    }

    /// By operators and the column cache.
    fn reserved(&self) -> usize {
        self.inner.reserved().saturating_sub(self.resident.taken())
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.inner.memory_limit()
    }
}

/// The pool of one query: it may take all that is free while it is alone, [`QUERY_PART`] of the limit beside others, so that one query that
/// cannot spill leaves room for the others.
#[derive(Debug)]
struct QueryPool {
    inner: Arc<dyn MemoryPool>,
    /// Queries that run.
    queries: Gauge,
    /// Set when this one is cancelled: it gets no more, which ends what it is at.
    cancel: CancelFlag,
    used: Arc<AtomicUsize>,
}

/// Share of the limit for a query beside others: one part in so many.
const QUERY_PART: usize = 2;

impl fmt::Display for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl MemoryPool for QueryPool {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.inner.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.inner.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.inner.grow(reservation, additional);
        self.used.fetch_add(additional, Ordering::Relaxed);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.inner.shrink(reservation, shrink);
        self.used.fetch_sub(shrink, Ordering::Relaxed);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> datafusion::error::Result<()> {
        self.cancel.check().map_err(external)?;
        let share = match self.inner.memory_limit() {
            MemoryLimit::Finite(limit) if self.queries.get() > 1 => limit / QUERY_PART,
            _ => usize::MAX,
        };
        let used = self.used.load(Ordering::Relaxed);
        if used.saturating_add(additional) > share {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "A query may take {} MB of the engine's memory while others run; this one has {} MB.",
                share >> 20,
                used >> 20
            )));
        }
        self.inner.try_grow(reservation, additional)?;
        self.used.fetch_add(additional, Ordering::Relaxed);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.inner.memory_limit()
    }
}

/// The runtime of one query, whose memory is counted in `used`; `queries` counts those that run, `cancel` ends this one.
pub fn query_runtime(
    shared: &RuntimeEnv,
    queries: Gauge,
    cancel: &CancelFlag,
    used: Arc<AtomicUsize>,
) -> Arc<RuntimeEnv> {
    let pool = QueryPool { inner: Arc::clone(&shared.memory_pool), queries, cancel: cancel.clone(), used };
    Arc::new(RuntimeEnv { memory_pool: Arc::new(pool), ..shared.clone() })
}

/// The runtime that all queries share, with the memory that `cache` takes, too, and what `resident` finds besides. `spill` is a folder of the engine alone, for at most `spill_limit` bytes:
/// what an earlier process left there is removed.
pub fn runtime(
    limit: usize,
    spill: &Path,
    spill_limit: u64,
    cache: &Arc<ColumnCache>,
    resident: &Arc<Resident>,
) -> Result<Arc<RuntimeEnv>> {
    match std::fs::remove_dir_all(spill) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::Io("remove old spill files", error));
        }
        _ => {}
    }
    std::fs::create_dir_all(spill).map_err(Error::io("create the spill folder"))?;
    let limit = limit.max(MIN_LIMIT);
    let pool = Arc::new(Pool::new(FairSpillPool::new(pool_size(limit)), REPORTED_CONSUMERS));
    resident.connect(limit, &pool, cache);
    let inner: Arc<dyn MemoryPool> = pool;
    cache.room().connect(&inner);
    let pool = SharedPool { inner, cache: Arc::clone(cache), resident: Arc::clone(resident) };
    let disk = DiskManagerBuilder::default().with_temp_file_factory(Arc::new(SpillFiles::new(spill, spill_limit)?));
    Ok(RuntimeEnvBuilder::new().with_memory_pool(Arc::new(pool)).with_disk_manager_builder(disk).build_arc()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn total_memory_is_read_in_bytes() {
        assert_eq!(total_bytes("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16 << 20));
        assert_eq!(total_bytes("MemFree: 1 kB\n"), None);
        assert!(default_limit() > 0);
    }
    #[test]
    fn beside_others_a_query_has_its_share() {
        let folder = std::env::temp_dir().join(format!("pgf-memory-{}", std::process::id()));
        let shared = runtime(64 << 20, &folder, u64::MAX, &Arc::new(ColumnCache::new(0)), &Arc::default()).unwrap();
        let queries = Gauge::default();
        let _first = queries.hold();
        let query = query_runtime(&shared, queries.clone(), &CancelFlag::default(), Arc::default());
        let memory = MemoryConsumer::new("join").register(&query.memory_pool);
        memory.try_grow(32 << 20).unwrap();
        let _second = queries.hold();
        assert!(memory.try_grow(1 << 20).is_err(), "it has more than half already");
        let cancel = CancelFlag::default();
        let other = query_runtime(&shared, queries, &cancel, Arc::default());
        MemoryConsumer::new("join").register(&other.memory_pool).try_grow(20 << 20).unwrap();
        cancel.set();
        assert!(MemoryConsumer::new("join").register(&other.memory_pool).try_grow(1).is_err(), "cancelled");
        drop(memory);
        assert_eq!((query.memory_pool.reserved(), shared.memory_pool.reserved()), (0, 0));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
