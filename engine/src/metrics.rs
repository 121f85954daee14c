//! Counters of the engine and of a query, and the timings of a query's stages.
//!
//! The stages have the same names everywhere: messages, EXPLAIN, logs.

use fusion_proto::message::{EngineStatus, QueryMetrics};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Stages of a query, in order.
pub mod stage {
    /// Waiting while too many queries run; not told where there was no wait.
    pub const QUEUE: &str = "queue";
    /// Decoding the plan IR.
    pub const PARSE: &str = "parse";
    /// Binding scans and parameters, lowering to a logical plan.
    pub const BIND: &str = "bind";
    /// Logical optimisation.
    pub const OPTIMIZE: &str = "optimize";
    /// Physical planning.
    pub const TRANSLATE: &str = "translate";
    /// Opening the streams.
    pub const BEGIN: &str = "begin";
    /// Until the last row is encoded.
    pub const EXEC: &str = "exec";
    /// Closing.
    pub const END: &str = "end";
}

/// Now, in microseconds since 1970-01-01 UTC.
pub fn unix_micros() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX)
}

/// Counters of the process.
#[derive(Debug)]
pub struct EngineCounters {
    started_at: i64,
    restarts: u32,
    last_end: Option<String>,
    /// Open sessions.
    pub sessions: Gauge,
    /// Queries running now, or waiting.
    pub queries: Gauge,
    /// Session segments that are mapped.
    pub segments: Gauge,
    queries_total: AtomicU64,
}

impl EngineCounters {
    /// Of a process that starts now, after `restarts` earlier ones, the last of which ended so.
    pub fn new(restarts: u32, last_end: Option<String>) -> Self {
        Self {
            started_at: unix_micros(),
            restarts,
            last_end,
            sessions: Gauge::default(),
            queries: Gauge::default(),
            segments: Gauge::default(),
            queries_total: AtomicU64::new(0),
        }
    }

    /// Counts a query that starts.
    pub fn query_started(&self) {
        self.queries_total.fetch_add(1, Ordering::Relaxed);
    }

    /// For the status message; so many queries wait.
    pub fn status(&self, waiting: u32) -> EngineStatus {
        EngineStatus {
            pid: std::process::id(),
            started_at: self.started_at,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            restarts: self.restarts,
            last_end: self.last_end.clone(),
            sessions: self.sessions.get(),
            queries: self.queries.get(),
            waiting,
            queries_total: self.queries_total.load(Ordering::Relaxed),
        }
    }
}

/// How many of something there are now.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicU32>);

impl Gauge {
    /// The figure.
    pub fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// One more, for as long as what is returned lives.
    pub fn hold(&self) -> Held {
        self.0.fetch_add(1, Ordering::Relaxed);
        Held(self.clone())
    }
}

/// One of those that a [`Gauge`] counts.
#[derive(Debug)]
pub struct Held(Gauge);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a query has read and returned so far.
#[derive(Debug, Default)]
pub struct QueryCounters {
    pages: AtomicU64,
    chunks_cached: AtomicU64,
    chunks_read: AtomicU64,
    rows_decoded: AtomicU64,
    rows_returned: AtomicU64,
}

impl QueryCounters {
    /// Pages, and the rows on them.
    pub fn add_decoded(&self, pages: u64, rows: u64) {
        self.pages.fetch_add(pages, Ordering::Relaxed);
        self.rows_decoded.fetch_add(rows, Ordering::Relaxed);
    }

    /// A chunk, which came from the cache as it was, or of which blocks are read.
    pub fn add_chunk(&self, is_cached: bool) {
        let counter = if is_cached { &self.chunks_cached } else { &self.chunks_read };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Pages received so far.
    pub fn pages(&self) -> u64 {
        self.pages.load(Ordering::Relaxed)
    }

    /// Rows decoded so far.
    pub fn decoded(&self) -> u64 {
        self.rows_decoded.load(Ordering::Relaxed)
    }

    /// Rows sent so far.
    pub fn returned(&self) -> u64 {
        self.rows_returned.load(Ordering::Relaxed)
    }

    /// Rows sent to the backend.
    pub fn add_returned(&self, rows: u64) {
        self.rows_returned.fetch_add(rows, Ordering::Relaxed);
    }
}

/// Times stages one after another.
#[derive(Debug)]
pub struct StageTimer {
    since: Instant,
    stages: Vec<(String, u64)>,
}

impl Default for StageTimer {
    fn default() -> Self {
        Self { since: Instant::now(), stages: Vec::with_capacity(7) }
    }
}

impl StageTimer {
    /// Ends a stage; the next one starts.
    pub fn end(&mut self, stage: &str) {
        let now = Instant::now();
        let micros = now.duration_since(self.since).as_micros();
        self.stages.push((stage.to_owned(), u64::try_from(micros).unwrap_or(u64::MAX)));
        self.since = now;
    }

    /// The figures for `Done`.
    pub fn finish(self, counters: &QueryCounters, plan: String) -> QueryMetrics {
        QueryMetrics {
            stages: self.stages,
            pages: counters.pages(),
            chunks_cached: counters.chunks_cached.load(Ordering::Relaxed),
            chunks_read: counters.chunks_read.load(Ordering::Relaxed),
            rows_decoded: counters.decoded(),
            rows_returned: counters.returned(),
            plan,
        }
    }
}
